#include "health/kmsg.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/scoped.h"
#include "base/str.h"

/* --- the record: "prio,sequence,microseconds,flags[,…];text\n KEY=value\n" --- */

/* Digits up to `end`; moves *p past it. Refuses nothing, signs, and what does not fit. */
static bool take_number(const char **p, char end, uint64_t *ret)
{
	const char *digits = *p;
	uint64_t n = 0;

	for (; **p >= '0' && **p <= '9'; (*p)++) {
		uint64_t digit = (uint64_t)(**p - '0');
		if (n > (UINT64_MAX - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	if (*p == digits || **p != end)
		return false;
	(*p)++;
	*ret = n;
	return true;
}

int kmsg_parse(char *buffer, size_t length, struct kmsg_record *ret, struct err *e)
{
	struct kmsg_record record = {0};
	uint64_t priority;

	if (length == 0 || length >= KMSG_RECORD_MAX_BYTES)
		return err_rule(e, EBADMSG, "kernel log: a record of %zu bytes", length);
	buffer[length] = '\0';
	const char *p = buffer;
	if (!take_number(&p, ',', &priority) || priority > UINT_MAX)
		return err_rule(e, EBADMSG, "kernel log: no priority");
	if (!take_number(&p, ',', &record.sequence))
		return err_rule(e, EBADMSG, "kernel log: no sequence number");
	if (!take_number(&p, ',', &record.time_us))
		return err_rule(e, EBADMSG, "kernel log: no time");
	char *semicolon = strchr(buffer, ';');
	if (!semicolon || semicolon < p)
		return err_rule(e, EBADMSG, "kernel log: no text");
	record.continued = *p == 'c';
	record.facility = (unsigned)(priority >> 3);
	record.level = (unsigned)(priority & 7);
	char *line_end = strchr(semicolon, '\n');
	if (line_end)
		*line_end = '\0'; /* the dictionary follows */
	record.text = semicolon + 1;
	*ret = record;
	return 0;
}

uint64_t kmsg_count_gap(struct kmsg_gaps *gaps, uint64_t sequence)
{
	uint64_t lost = gaps->started && sequence > gaps->next_sequence ? sequence - gaps->next_sequence : 0;

	gaps->started = true;
	gaps->next_sequence = sequence + 1;
	gaps->lost_total += lost;
	return lost;
}

/* --- the hint --- */

enum where {
	AFTER_PREFIX, /* the device follows the prefix: "XFS (" */
	AFTER_WORD,   /* it follows the last " on " or " dev " of the line's head */
	NOWHERE,      /* any filesystem could be meant: a task that hangs */
};

/* A family of lines by how they begin; the device's name ends at one of `ends`. */
struct family {
	const char *prefix;
	enum where where;
	const char *word, *ends;
	const char *usual; /* the reason when no row of `meanings` fits; NULL = then it is no hint */
	bool is_error;	   /* of the usual reason */
};

/* Sources: fs/ext4/super.c (__ext4_error, __ext4_msg, ext4_handle_error), fs/jbd2/journal.c, fs/xfs/xfs_message.c and xfs_fsops.c,
 * fs/btrfs/messages.c, block/blk-core.c (blk_print_req_error; before 5.13 "print_req_error:", before 4.4 "end_request:"),
 * fs/buffer.c (buffer_io_error), fs/f2fs/super.c (f2fs_handle_critical_error), drivers/nvme/host/pci.c (nvme_timeout, nvme_warn_reset),
 * drivers/scsi/scsi_logging.c, drivers/md/raid*.c, kernel/hung_task.c; looked at in 6.1, 6.12, 6.18.
 * Every line is matched at its beginning only: a process name in the middle of another line means nothing. */
static const struct family families[] = {
	{"EXT4-fs error (device ", AFTER_PREFIX, NULL, ")", "FilesystemError", true},
	{"EXT4-fs warning (device ", AFTER_PREFIX, NULL, ")", NULL, false},
	{"EXT4-fs (", AFTER_PREFIX, NULL, ")", NULL, false},
	{"Aborting journal on device ", AFTER_PREFIX, NULL, ".", "FilesystemError", true},
	{"JBD2: Detected IO errors while flushing file data on ", AFTER_PREFIX, NULL, "", "IOErrors", true},
	{"JBD2: Error ", AFTER_WORD, " for ", ".", "IOErrors", true},
	{"XFS (", AFTER_PREFIX, NULL, ")", NULL, false},
	{"BTRFS error (device ", AFTER_PREFIX, NULL, ":)", "FilesystemError", true},
	{"BTRFS critical (device ", AFTER_PREFIX, NULL, ":)", "FilesystemError", true},
	{"BTRFS: error (device ", AFTER_PREFIX, NULL, ":)", "FilesystemError", true}, /* __btrfs_handle_fs_error */
	{"BTRFS alert (device ", AFTER_PREFIX, NULL, ":)", "FilesystemError", true},
	{"BTRFS emergency (device ", AFTER_PREFIX, NULL, ":)", "FilesystemError", true},
	{"BTRFS warning (device ", AFTER_PREFIX, NULL, ":)", NULL, false},
	{"BTRFS info (device ", AFTER_PREFIX, NULL, ":)", NULL, false},
	{"F2FS-fs (", AFTER_PREFIX, NULL, ")", NULL, false},
	{"I/O error, dev ", AFTER_PREFIX, NULL, ", ", "IOErrors", true},
	{"critical medium error, dev ", AFTER_PREFIX, NULL, ", ", "IOErrors", true},
	{"critical target error, dev ", AFTER_PREFIX, NULL, ", ", "IOErrors", true},
	{"critical nexus error, dev ", AFTER_PREFIX, NULL, ", ", "IOErrors", true},
	{"critical space allocation error, dev ", AFTER_PREFIX, NULL, ", ", "SpaceExhausted", true},
	{"recoverable transport error, dev ", AFTER_PREFIX, NULL, ", ", "IOErrors", true},
	{"protection error, dev ", AFTER_PREFIX, NULL, ", ", "IOErrors", true},
	{"timeout error, dev ", AFTER_PREFIX, NULL, ", ", "IOErrors", true},
	{"blk_update_request: ", AFTER_WORD, " dev ", ", ", "IOErrors", true},
	{"print_req_error: ", AFTER_WORD, " dev ", ", ", "IOErrors", true},
	{"end_request: ", AFTER_WORD, " dev ", ", ", "IOErrors", true},
	{"Buffer I/O error on dev ", AFTER_PREFIX, NULL, ", ", "IOErrors", true},
	{"Buffer I/O error on device ", AFTER_PREFIX, NULL, ", ", "IOErrors", true},
	{"lost page write due to I/O error on ", AFTER_PREFIX, NULL, "", "IOErrors", true},
	/* a device that does not answer: what comes of it, the probe tells */
	{"nvme ", AFTER_PREFIX, NULL, ":", NULL, false}, /* the controller's name, "nvme0" */
	{"sd ", AFTER_WORD, ": [", "]", NULL, false},
	{"md/raid", AFTER_WORD, ":", ":", NULL, false},
	{"INFO: task ", NOWHERE, NULL, NULL, NULL, false},
};

/* What the rest of the line says, whichever family it is of. The first row that fits counts. */
static const struct {
	const char *family, *words, *reason;
	bool is_error;
} meanings[] = {
	{"EXT4", "Remounting filesystem read-only", "ReadOnlyFilesystem", true},
	{"EXT4", "shut down requested", "FilesystemShutdown", true},
	{"EXT4", "potential data loss", "FilesystemError", true},
	{"EXT4", "This should not happen!!", "FilesystemError", true},
	{"EXT4", "previous I/O error", "IOErrors", false}, /* of an earlier mount */
	{"EXT4", "I/O error", "IOErrors", true},
	/* only a reason to look: "re-mounted" proves nothing: remount,rw returns 0 on an ext4 that refuses every write */
	{"EXT4", "re-mounted", "Remounted", false},
	{"EXT4", "mounted filesystem", "Mounted", false},
	{"EXT4", "unmounting filesystem", "Unmounted", false},
	{"XFS", "hutting down filesystem", "FilesystemShutdown", true},
	{"XFS", "User initiated shutdown received", "FilesystemShutdown", true}, /* 6.x: in a line of its own, first */
	{"XFS", "has been shut down due to", "FilesystemShutdown", true},
	{"XFS", "log I/O error", "IOErrors", true},
	{"XFS", "metadata I/O error", "IOErrors", true},
	{"XFS", "orruption", "FilesystemCorrupted", true},
	{"XFS", "Please unmount", "FilesystemError", true},
	{"XFS", "page discard on page", "IOErrors", true},
	{"XFS", "writeback error", "IOErrors", true},
	{"XFS", "Mounting", "Mounted", false},
	{"XFS", "Ending clean mount", "Mounted", false},
	{"XFS", "Unmounting Filesystem", "Unmounted", false},
	{"BTRFS", "forced readonly", "ReadOnlyFilesystem", true},
	{"BTRFS", "emergency shutdown", "FilesystemShutdown", true},
	{"BTRFS: error", "errno=-5 ", "IOErrors", true},
	{"BTRFS: error", "errno=-117 ", "FilesystemCorrupted", true},
	{"F2FS", "emounting filesystem read-only", "ReadOnlyFilesystem", true},
	{"F2FS", "Stopped filesystem", "FilesystemShutdown", true},
	{"F2FS", "run fsck to fix", "FilesystemCorrupted", true},
	{"nvme ", " timeout", "DeviceTimeout", false},
	{"nvme ", "controller is down", "DeviceReset", false},
	{"nvme ", "Disabling device after reset failure", "DeviceGone", false},
	{"nvme ", "Removing after probe failure", "DeviceGone", false},
	{"nvme ", "Device not ready", "DeviceReset", false},
	{"sd ", "DID_TIME_OUT", "DeviceTimeout", false},
	{"sd ", "timing out command", "DeviceTimeout", false},
	{"sd ", "DID_NO_CONNECT", "DeviceGone", false},
	{"sd ", "Device offlined", "DeviceGone", false},
	{"md/raid", "Disk failure on ", "DeviceFailed", false},
	{"INFO: task ", "", "HungTask", false},
};

/* A device's name as the kernel prints it; anything else is no device. */
static bool take_device(const char *text, const char *ends, char device[KMSG_DEVICE_BYTES])
{
	size_t n = strcspn(text, *ends ? ends : " ");

	if (n == 0 || n >= KMSG_DEVICE_BYTES || (*ends && text[n] == '\0'))
		return false;
	for (size_t i = 0; i < n; i++) {
		char c = text[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("_.!/-", c);
		if (!plain)
			return false;
		device[i] = c == '!' ? '/' : c; /* sysfs' way to write a name with a slash */
	}
	device[n] = '\0';
	return true;
}

/* jbd2 names a journal after its device and inode: "loop0-8", "nvme0n1p1-8", "dm-0-8"; "dm-0" alone is a device. */
static void strip_journal(const char *prefix, char *device)
{
	char *dash = strrchr(device, '-');

	if ((str_starts(prefix, "Aborting journal") || str_starts(prefix, "JBD2")) && dash && strcmp(dash, "-8") == 0)
		*dash = '\0';
}

/* "INFO: task COMM:PID blocked for more than N seconds.", read from its end: COMM is whatever a process calls itself. */
static bool is_hung_task(const char *rest)
{
	static const char middle[] = " blocked for more than ", end[] = " seconds.";
	const char *last = NULL;

	for (const char *p = rest; (p = strstr(p, middle)); p++)
		last = p;
	if (!last)
		return false;
	const char *number = last + sizeof(middle) - 1;
	size_t digits = strspn(number, "0123456789");
	const char *pid = last;
	while (pid > rest && pid[-1] >= '0' && pid[-1] <= '9')
		pid--;
	return digits > 0 && strcmp(number + digits, end) == 0 && pid < last && pid > rest && pid[-1] == ':';
}

static bool find_meaning(const struct family *family, const char *rest, struct kmsg_hint *hint)
{
	for (size_t i = 0; i < ARRAY_SIZE(meanings); i++) {
		if (!str_starts(family->prefix, meanings[i].family) || !strstr(rest, meanings[i].words))
			continue;
		str_copy(hint->reason, sizeof(hint->reason), meanings[i].reason);
		hint->is_error = meanings[i].is_error;
		return true;
	}
	if (family->usual) {
		str_copy(hint->reason, sizeof(hint->reason), family->usual);
		hint->is_error = family->is_error;
	}
	return family->usual != NULL;
}

static bool read_family(const struct family *family, const char *text, struct kmsg_hint *hint)
{
	const char *rest = text + strlen(family->prefix);

	if (family->where == AFTER_WORD) {
		const char *word = strstr(rest, family->word);
		if (!word)
			return false;
		rest = word + strlen(family->word);
	}
	if (family->where == NOWHERE ? !is_hung_task(rest) : !take_device(rest, family->ends, hint->device))
		return false;
	strip_journal(family->prefix, hint->device);
	return find_meaning(family, rest, hint);
}

bool kmsg_is_hint(const struct kmsg_record *record, struct kmsg_hint *ret)
{
	struct kmsg_hint hint = {0};

	/* Nearly every line of a flood ends here. */
	if (record->facility != 0 || !strchr("EAJXBFIcrptbelnsm", *record->text) || !*record->text)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		if (!str_starts(record->text, families[i].prefix))
			continue;
		if (!read_family(&families[i], record->text, &hint))
			return false;
		str_copy(hint.message, sizeof(hint.message), record->text);
		*ret = hint;
		return true;
	}
	return false;
}

/* --- NFS --- */

/* net/sunrpc/clnt.c (rpc_check_timeout, call_decode): "PROGRAM: server NAME WORDS". */
bool kmsg_is_nfs(const struct kmsg_record *record, struct kmsg_nfs *ret)
{
	static const char *const prefixes[] = {"nfs: server ", "nfs_acl: server ", "lockd: server "};
	static const struct {
		const char *words;
		enum kmsg_nfs_state state;
	} ends[] = {
		{" not responding, still trying", KMSG_NFS_HANGS},
		{" not responding, timed out", KMSG_NFS_TIMED_OUT},
		{" OK", KMSG_NFS_OK},
	};
	size_t length = strlen(record->text);

	if (record->facility != 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(ends) && str_starts(record->text, prefixes[i]); j++) {
			const char *name = record->text + strlen(prefixes[i]);
			size_t tail = strlen(ends[j].words), n = length - strlen(prefixes[i]);
			if (n <= tail || strcmp(record->text + length - tail, ends[j].words) != 0 || n - tail >= sizeof(ret->server))
				continue;
			*ret = (struct kmsg_nfs){.state = ends[j].state};
			memcpy(ret->server, name, n - tail);
			for (const char *p = ret->server; *p; p++)
				if (*p <= ' ' || *p > '~' || *p == '\\')
					return false;
			return true;
		}
	}
	return false;
}
