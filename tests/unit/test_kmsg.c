/* The kernel's words, old and new, and what only looks like them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/scoped.h"
#include "health/block_names.h"
#include "health/kmsg.h"

static void test_records_are_split(void **unused)
{
	char buffer[KMSG_RECORD_MAX_BYTES];
	struct kmsg_record r;
	struct err e = {0};

	(void)unused;
	strcpy(buffer, "3,1234,5678901,-,caller=T1;XFS (sda1): hello\n SUBSYSTEM=block\n DEVICE=b8:1\n");
	assert_int_equal(kmsg_parse(buffer, strlen(buffer), &r, &e), 0);
	assert_int_equal(r.facility, 0);
	assert_int_equal(r.level, 3);
	assert_int_equal(r.sequence, 1234);
	assert_int_equal(r.time_us, 5678901);
	assert_string_equal(r.text, "XFS (sda1): hello");
	strcpy(buffer, "12,1,2,c;part");
	assert_int_equal(kmsg_parse(buffer, strlen(buffer), &r, &e), 0);
	assert_int_equal(r.facility, 1);
	assert_true(r.continued);
}

static void test_what_is_no_record_is_refused(void **unused)
{
	static const char *const bad[] = {
		"", ";", "6", "6,", "6,1", "6,1,2", "6,1,2,-", "x,1,2,-;t", "-6,1,2,-;t", "6,1,2x,-;t", "6,,2,-;t", "6,1,,-;t", " 6,1,2,-;t",
		"99999999999999999999,1,2,-;t", "6,99999999999999999999,2,-;t", "4294967296,1,2,-;t", "\n", ";6,1,2,-",
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char buffer[256];
		struct kmsg_record r;
		struct err e = {0};
		strcpy(buffer, bad[i]);
		assert_int_equal(kmsg_parse(buffer, strlen(bad[i]), &r, &e), -EBADMSG);
		assert_true(*e.text != '\0');
	}
}

static const struct {
	const char *text, *device, *reason;
	bool is_error;
} hints[] = {
	/* 6.18, taken from this kernel's log */
	{"EXT4-fs error (device loop0): trigger_test_error:129: comm python3: stoker test", "loop0", "FilesystemError", true},
	{"EXT4-fs (loop0): Remounting filesystem read-only", "loop0", "ReadOnlyFilesystem", true},
	{"EXT4-fs (loop0): shut down requested (2)", "loop0", "FilesystemShutdown", true},
	{"EXT4-fs (loop0): re-mounted dcb88b12-b804-47d4-9274-0e9da0efdbb3 ro.", "loop0", "Remounted", false},
	{"EXT4-fs (loop2): unmounting filesystem 1b10a754-ad86-426c-959e-9ba29f87a88d.", "loop2", "Unmounted", false},
	{"EXT4-fs (sda1): mounted filesystem 1b10a754-ad86-426c-959e-9ba29f87a88d r/w with ordered data mode. Quota mode: none.", "sda1", "Mounted", false},
	{"XFS (loop0): User initiated shutdown received.", "loop0", "FilesystemShutdown", true},
	{"XFS (loop0): Log I/O Error (0x6) detected at xfs_fs_goingdown+0x63/0xb0 (fs/xfs/xfs_fsops.c:475).  Shutting down filesystem.", "loop0", "FilesystemShutdown", true},
	{"XFS (loop0): Please unmount the filesystem and rectify the problem(s)", "loop0", "FilesystemError", true},
	{"XFS (loop1): Mounting V5 Filesystem bf20e153-fb5e-4799-b24b-1e989c07df0e", "loop1", "Mounted", false},
	{"XFS (loop1): Ending clean mount", "loop1", "Mounted", false},
	{"XFS (loop3): Unmounting Filesystem 40bb764c-e650-41fc-b319-114bd189375e", "loop3", "Unmounted", false},
	{"I/O error, dev loop1, sector 2048 op 0x1:(WRITE) flags 0x800 phys_seg 1 prio class 2", "loop1", "IOErrors", true},
	{"Buffer I/O error on dev loop1, logical block 0, lost sync page write", "loop1", "IOErrors", true},
	/* older kernels */
	{"EXT4-fs error (device nvme0n1p1): ext4_find_entry:1455: inode #2: comm java: reading directory lblock 0", "nvme0n1p1", "FilesystemError", true},
	{"EXT4-fs error (device dm-0) in ext4_reserve_inode_write:5765: IO failure", "dm-0", "FilesystemError", true},
	{"EXT4-fs (sda1): previous I/O error to superblock detected", "sda1", "IOErrors", false},
	{"EXT4-fs (sda1): I/O error while writing superblock", "sda1", "IOErrors", true},
	{"EXT4-fs (sda1): failed to convert unwritten extents to written extents -- potential data loss!  (inode 12, error -5)", "sda1", "FilesystemError", true},
	{"Aborting journal on device dm-0-8.", "dm-0", "FilesystemError", true},
	{"Aborting journal on device nvme0n1p1-8.", "nvme0n1p1", "FilesystemError", true},
	{"JBD2: Detected IO errors while flushing file data on sda1-8", "sda1", "IOErrors", true},
	{"JBD2: Error -5 detected when updating journal superblock for loop0-8.", "loop0", "IOErrors", true},
	{"XFS (sdb): log I/O error -5", "sdb", "IOErrors", true},
	{"XFS (sdb): metadata I/O error in \"xfs_buf_ioend+0x1c/0x2b\" at daddr 0x2 len 1 error 5", "sdb", "IOErrors", true},
	{"XFS (sdb): Filesystem has been shut down due to log error (0x2).", "sdb", "FilesystemShutdown", true},
	{"XFS (sdb): Corruption of in-memory data (0x8) detected at xfs_defer_finish (fs/xfs/x.c:1).  Shutting down filesystem.", "sdb", "FilesystemShutdown", true},
	{"XFS (sdb): Metadata corruption detected at xfs_agf_read_verify, xfs_agf block 0x1", "sdb", "FilesystemCorrupted", true},
	{"blk_update_request: I/O error, dev sda, sector 2048 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 0", "sda", "IOErrors", true},
	{"blk_update_request: critical medium error, dev sda, sector 2048", "sda", "IOErrors", true},
	{"print_req_error: I/O error, dev vdb, sector 0", "vdb", "IOErrors", true},
	{"end_request: I/O error, dev sda, sector 2048", "sda", "IOErrors", true},
	{"critical medium error, dev nvme0n1, sector 5 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 2", "nvme0n1", "IOErrors", true},
	{"critical target error, dev sdc, sector 1", "sdc", "IOErrors", true},
	{"critical space allocation error, dev dm-3, sector 1 op 0x1:(WRITE)", "dm-3", "SpaceExhausted", true},
	{"Buffer I/O error on device loop1, logical block 3", "loop1", "IOErrors", true},
	{"Buffer I/O error on dev dm-0, logical block 1, async page read", "dm-0", "IOErrors", true},
	{"lost page write due to I/O error on dm-0", "dm-0", "IOErrors", true},
	{"BTRFS error (device sda1): bdev /dev/sda1 errs: wr 1, rd 0, flush 0, corrupt 0, gen 0", "sda1", "FilesystemError", true},
	{"BTRFS error (device sda1: state EA): forced readonly", "sda1", "ReadOnlyFilesystem", true},
	{"BTRFS info (device sda1: state E): forced readonly", "sda1", "ReadOnlyFilesystem", true},
	{"BTRFS critical (device dm-1): corrupt leaf: root=2 block=1 slot=0", "dm-1", "FilesystemError", true},
	{"F2FS-fs (sda1): Stopped filesystem due to reason: 3", "sda1", "FilesystemShutdown", true},
	{"I/O error, dev cciss!c0d0, sector 1 op 0x1:(WRITE)", "cciss/c0d0", "IOErrors", true},
	{"BTRFS: error (device sdb: state A) in btrfs_commit_transaction:2463: errno=-5 IO failure (Error while writing out transaction)", "sdb", "IOErrors", true},
	{"BTRFS: error (device sdb: state EA) in __btrfs_free_extent:3276: errno=-117 Filesystem corrupted", "sdb", "FilesystemCorrupted", true},
	{"BTRFS: error (device sdb) in cleanup_transaction:2055: errno=-28 No space left", "sdb", "FilesystemError", true},
	{"BTRFS critical (device sdb): emergency shutdown", "sdb", "FilesystemShutdown", true},
	{"F2FS-fs (dm-64): Remounting filesystem read-only", "dm-64", "ReadOnlyFilesystem", true},
	{"F2FS-fs (sda1): inconsistent node block, run fsck to fix", "sda1", "FilesystemCorrupted", true},
	/* a device that is silent: only a reason to look */
	{"nvme nvme0: I/O 256 QID 1 timeout, aborting", "nvme0", "DeviceTimeout", false},
	{"nvme nvme0: I/O tag 12 (300c) opcode 0x1 (Write) QID 4 timeout, reset controller", "nvme0", "DeviceTimeout", false},
	{"nvme nvme1: controller is down; will reset: CSTS=0xffffffff, PCI_STATUS=0xffff", "nvme1", "DeviceReset", false},
	{"nvme nvme1: Disabling device after reset failure: -19", "nvme1", "DeviceGone", false},
	{"sd 2:0:0:0: [sda] tag#0 FAILED Result: hostbyte=DID_TIME_OUT driverbyte=DRIVER_OK cmd_age=180s", "sda", "DeviceTimeout", false},
	{"sd 2:0:0:0: [sda] tag#5 timing out command, waited 180s", "sda", "DeviceTimeout", false},
	{"md/raid1:md0: Disk failure on sdb1, disabling device.", "md0", "DeviceFailed", false},
	{"INFO: task java:123 blocked for more than 120 seconds.", "", "HungTask", false},
	{"INFO: task blocked for more than 1 seconds.:7:99 blocked for more than 368 seconds.", "", "HungTask", false},
};

static void test_the_kernels_words(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(hints); i++) {
		const struct kmsg_record r = {.facility = 0, .level = 3, .text = hints[i].text};
		struct kmsg_hint h = {0};
		if (!kmsg_is_hint(&r, &h))
			fail_msg("no hint: %s", hints[i].text);
		assert_string_equal(h.device, hints[i].device);
		assert_string_equal(h.reason, hints[i].reason);
		assert_int_equal(h.is_error, hints[i].is_error);
	}
}

static void test_what_only_looks_like_it(void **unused)
{
	static const char *const none[] = {
		"", "E", "EXT4-fs", "EXT4-fs (", "EXT4-fs (loop0", "EXT4-fs error (device ", "EXT4-fs error (device loop0", "EXT4-fs error (device ): x",
		"EXT4-fs error (device a b): x", "EXT4-fs error (device \x01): x", "EXT4-fs (loop0): resizing filesystem from 1 to 2 blocks",
		"EXT4-fs warning (device sda1): ext4_dx_add_entry:2463: Directory index full!",
		"EXT4-fs error (device aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa): x", "XFS: hello", "XFS (sda1): quotacheck: Done.",
		"BTRFS info (device sda1): using crc32c", "I/O error, dev ", "I/O error, dev loop1", "blk_update_request: I/O error, sector 2048",
		"java invoked oom-killer: gfp_mask=0x0, order=0, EXT4-fs (sda1): Remounting filesystem read-only",
		"Memory cgroup out of memory: Killed process 1 (EXT4-fs error (device sda1))", "usb 1-1: new device", "Buffer I/O error on dev ",
		"INFO: rcu_sched detected stalls", "INFO: task java:123 is blocked on a mutex likely owned by task x:1.", "INFO: task java blocked for more than 120 seconds.",
		"INFO: task java:123 blocked for more than  seconds.", "INFO: task java:123 blocked for more than 120 seconds. Not tainted", "INFO: task ",
		"INFO: task :1 blocked for more than x seconds.", "INFO: task java: blocked for more than 120 seconds.", "nvme nvme0: 4/0/0 default/read/poll queues",
		"nvme nvme0", "sd 2:0:0:0: [sda] Attached SCSI disk", "sd 2:0:0:0: rejecting I/O to offline device, DID_TIME_OUT", "md/raid1:md0: active with 2 out of 2 mirrors",
		"nfs: server 10.0.0.1 not responding, still trying", "BTRFS info (device sdb): last unmount of filesystem 1b10a754", "lost page write due to I/O error on ", "Aborting journal on device loop0", "critical medium error, sector 5",
		"loop0: detected capacity change from 0 to 131072", "process 'x' launched 'XFS (sda1): Shutting down filesystem.'",
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		const struct kmsg_record r = {.facility = 0, .level = 3, .text = none[i]};
		struct kmsg_hint h = {.reason = "untouched"};
		if (kmsg_is_hint(&r, &h))
			fail_msg("a hint: %s", none[i]);
		assert_string_equal(h.reason, "untouched");
	}
}

static void test_only_the_kernel_itself_is_believed(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(hints); i++) {
		const struct kmsg_record r = {.facility = 1, .level = 3, .text = hints[i].text};
		struct kmsg_hint h;
		assert_false(kmsg_is_hint(&r, &h));
	}
}

static void test_nfs_servers_by_their_lines(void **unused)
{
	static const struct {
		const char *text, *server;
		enum kmsg_nfs_state state;
	} rows[] = {
		{"nfs: server 10.0.0.1 not responding, still trying", "10.0.0.1", KMSG_NFS_HANGS},
		{"nfs: server nas-1.example.org not responding, timed out", "nas-1.example.org", KMSG_NFS_TIMED_OUT},
		{"nfs: server fd00::1%eth0 OK", "fd00::1%eth0", KMSG_NFS_OK},
		{"lockd: server nas OK", "nas", KMSG_NFS_OK},
		{"nfs_acl: server nas not responding, still trying", "nas", KMSG_NFS_HANGS},
		{"nfs: server OK not responding, still trying", "OK", KMSG_NFS_HANGS},
	};
	static const char *const none[] = {
		"nfs: server  OK", "nfs: server OK", "nfs: server ", "nfs: server x", "nfs: server a b OK", "nfs: server x not responding", "nfs: server \\x1b OK",
		"nfs: server 0123456789012345678901234567890123456789012345678901234567890123 OK", "NFS: server x OK", "smb: server x OK", "",
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kmsg_record r = {.facility = 0, .level = 5, .text = rows[i].text};
		struct kmsg_nfs nfs;
		assert_true(kmsg_is_nfs(&r, &nfs));
		assert_string_equal(nfs.server, rows[i].server);
		assert_int_equal(nfs.state, rows[i].state);
		r.facility = 1; /* a process wrote it */
		assert_false(kmsg_is_nfs(&r, &nfs));
	}
	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		const struct kmsg_record r = {.facility = 0, .level = 5, .text = none[i]};
		struct kmsg_nfs nfs;
		if (kmsg_is_nfs(&r, &nfs))
			fail_msg("a server: %s", none[i]);
	}
}

static void test_gaps_are_counted(void **unused)
{
	struct kmsg_gaps g = {0};

	(void)unused;
	assert_int_equal(kmsg_count_gap(&g, 100), 0);
	assert_int_equal(kmsg_count_gap(&g, 101), 0);
	assert_int_equal(kmsg_count_gap(&g, 105), 3);
	assert_int_equal(kmsg_count_gap(&g, 2), 0);
	assert_int_equal(kmsg_count_gap(&g, 3), 0);
	assert_int_equal(g.lost_total, 3);
}

static void make(const char *root, const char *path, const char *link_to)
{
	char full[512], *slash;

	snprintf(full, sizeof(full), "%s/%s", root, path);
	for (slash = full + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(full, 0755);
		*slash = '/';
	}
	assert_int_equal(link_to ? symlink(link_to, full) : mkdir(full, 0755), 0);
}

/* A small /sys: a partition, a dm device on it, an old RAID controller's name. */
static void test_names_of_a_block_device(void **unused)
{
	char root[] = "/tmp/stoker-sys-XXXXXX", command[128];
	struct block_names n;
	struct err e = {0};

	(void)unused;
	assert_non_null(mkdtemp(root));
	make(root, "devices/sda/sda1/partition", NULL);
	make(root, "devices/virtual/dm-0/slaves/sda1", "../../../sda/sda1");
	make(root, "devices/cciss!c0d0", NULL);
	make(root, "devices/pci/nvme/nvme3/nvme3n1/nvme3n1p2/partition", NULL);
	make(root, "devices/virtual/nvme-subsystem/nvme-subsys4/nvme4n1", NULL);
	make(root, "dev/block/259:2", "../../devices/pci/nvme/nvme3/nvme3n1/nvme3n1p2");
	make(root, "dev/block/259:4", "../../devices/virtual/nvme-subsystem/nvme-subsys4/nvme4n1");
	make(root, "dev/block/8:1", "../../devices/sda/sda1");
	make(root, "dev/block/254:0", "../../devices/virtual/dm-0");
	make(root, "dev/block/104:0", "../../devices/cciss!c0d0");

	assert_int_equal(block_names_read(root, 8, 1, &n, &e), 0);
	assert_int_equal(n.count, 2);
	assert_true(block_names_has(&n, "sda1") && block_names_has(&n, "sda"));
	assert_int_equal(block_names_read(root, 254, 0, &n, &e), 0);
	assert_true(block_names_has(&n, "dm-0") && block_names_has(&n, "sda1") && block_names_has(&n, "sda"));
	assert_int_equal(block_names_read(root, 104, 0, &n, &e), 0);
	assert_true(block_names_has(&n, "cciss/c0d0"));
	assert_int_equal(block_names_read(root, 259, 2, &n, &e), 0);
	assert_int_equal(n.count, 3);
	assert_true(block_names_has(&n, "nvme3n1p2") && block_names_has(&n, "nvme3n1") && block_names_has(&n, "nvme3"));
	assert_int_equal(block_names_read(root, 259, 4, &n, &e), 0);
	assert_int_equal(n.count, 1);
	assert_int_equal(block_names_read(root, 0, 40, &n, &e), 0);
	assert_int_equal(n.count, 0);
	assert_int_equal(block_names_read(root, 9, 9, &n, &e), -ENOENT);
	assert_false(block_names_has(&n, "sda"));
	make(root, "devices/sdq", NULL);
	make(root, "class/block/sda1", "../../devices/sda/sda1");
	make(root, "class/block/dm-0", "../../devices/virtual/dm-0");
	make(root, "fs/btrfs/features", NULL);
	make(root, "fs/btrfs/1b10a754/devices/sda1", "../../../../devices/sda/sda1");
	make(root, "fs/btrfs/1b10a754/devices/sdq", "../../../../devices/sdq");
	make(root, "devices/virtual/dm-0/dm", NULL);
	snprintf(command, sizeof(command), "echo pool-data > %s/devices/virtual/dm-0/dm/name", root);
	assert_int_equal(system(command), 0);
	block_names_of_source(root, "/dev/sda1", &n);
	assert_int_equal(n.count, 3);
	assert_true(block_names_has(&n, "sda1") && block_names_has(&n, "sda") && block_names_has(&n, "sdq"));
	block_names_of_source(root, "/dev/mapper/pool-data", &n);
	assert_true(block_names_has(&n, "dm-0") && block_names_has(&n, "sda1"));
	static const char *const none[] = {"tmpfs", "/dev/", "/dev/..", "/dev/../class", "/dev/mapper/", "/dev/mapper/other", "/dev/sdz", "/data", "nas:/x", ""};
	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		block_names_of_source(root, none[i], &n);
		assert_int_equal(n.count, 0);
	}
	snprintf(command, sizeof(command), "rm -rf %s", root);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records_are_split),
		cmocka_unit_test(test_what_is_no_record_is_refused),
		cmocka_unit_test(test_the_kernels_words),
		cmocka_unit_test(test_what_only_looks_like_it),
		cmocka_unit_test(test_only_the_kernel_itself_is_believed),
		cmocka_unit_test(test_nfs_servers_by_their_lines),
		cmocka_unit_test(test_gaps_are_counted),
		cmocka_unit_test(test_names_of_a_block_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
