#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/sandbox_table.h"
#include "base/str.h"
#include "build_config.h"

_Static_assert(sizeof(struct sock_filter) == sizeof(unsigned long long), "an instruction is 8 bytes");

const char *sandbox_role_name(enum sandbox_role role)
{
	static const char *const name[SANDBOX_ROLE_MAX_] = {"stokerd",     "stoker-broker", "stoker-broker", "stoker-reporter", "stoker-web",    "stoker-nri",	    "stoker-csi",
								 "probe child", "relay child",	 "config child",  "mount child", "resolve child",	 "account child", "sweep child"};

	return (unsigned)role < SANDBOX_ROLE_MAX_ ? name[role] : "?";
}

int sandbox_environment(struct err *e)
{
	static const char *const kept[] = {"KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "NODE_NAME"};
	char value[ARRAY_SIZE(kept)][512];
	bool present[ARRAY_SIZE(kept)] = {false};

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		const char *now = getenv(kept[i]);
		present[i] = now && str_copy(value[i], sizeof(value[i]), now);
	}
	if (clearenv() != 0)
		return err_set(e, ENOMEM, "cannot clear the environment");
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (present[i] && setenv(kept[i], value[i], 1) < 0)
			return err_set(e, errno, "cannot keep %s", kept[i]);
	return 0;
}

int sandbox_descriptors(int keep, struct err *e)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
			return err_set(e, errno, "cannot open /dev/null for descriptor %d", fd);
	if (keep > 3)
		syscall(SYS_close_range, 3U, (unsigned)keep - 1, 0);
	syscall(SYS_close_range, keep >= 3 ? (unsigned)keep + 1 : 3U, ~0U, 0);
	return 0;
}

static void caps_drop(cap_t *caps)
{
	if (*caps)
		cap_free(*caps);
}

int sandbox_capabilities(enum sandbox_role role, struct err *e)
{
	const cap_value_t *kept = sandbox_kept_capabilities(role);
	scoped(caps_drop) cap_t before = cap_get_proc(), after = cap_init();
	bool may_bound = false;

	if (!before || !after)
		return err_set(e, errno, "cannot read the capabilities");
	/* What was not given cannot be kept: the request that needs it will say so. */
	for (const cap_value_t *c = kept; *c >= 0; c++) {
		cap_flag_value_t has = CAP_CLEAR;
		cap_get_flag(before, *c, CAP_PERMITTED, &has);
		if (has == CAP_SET && (cap_set_flag(after, CAP_PERMITTED, 1, c, CAP_SET) < 0 || cap_set_flag(after, CAP_EFFECTIVE, 1, c, CAP_SET) < 0))
			return err_set(e, errno, "capability %d", *c);
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(e, errno, "no_new_privs");
	cap_flag_value_t setpcap = CAP_CLEAR;
	cap_get_flag(before, CAP_SETPCAP, CAP_EFFECTIVE, &setpcap);
	may_bound = setpcap == CAP_SET;
	for (cap_value_t c = 0; may_bound && c <= cap_max_bits() - 1; c++) {
		bool keep = false;
		for (const cap_value_t *k = kept; *k >= 0; k++)
			keep = keep || *k == c;
		if (!keep && cap_get_bound(c) > 0 && cap_drop_bound(c) < 0)
			return err_set(e, errno, "cannot drop capability %d from the bounding set", c);
	}
	cap_reset_ambient();
	if (cap_set_proc(after) < 0)
		return err_set(e, errno, "cannot drop capabilities");
	return 0;
}

/* --- system calls --- */

static void context_drop(scmp_filter_ctx *context)
{
	if (*context)
		seccomp_release(*context);
}

static int add_calls(scmp_filter_ctx context, enum sandbox_role role, struct err *e)
{
	for (size_t i = 0; i < sandbox_call_count; i++) {
		if (!(sandbox_calls[i].roles & (1u << role)))
			continue;
		int number = seccomp_syscall_resolve_name(sandbox_calls[i].name);
		if (number == __NR_SCMP_ERROR || number < 0) /* not on this architecture */
			continue;
		int r = seccomp_rule_add(context, SCMP_ACT_ALLOW, number, 0);
		if (r < 0)
			return err_set(e, -r, "filter of %s: %s", sandbox_role_name(role), sandbox_calls[i].name);
	}
	return 0;
}

int sandbox_compile(enum sandbox_role role, struct sandbox_filter *ret, struct err *e)
{
	ret->length = 0;
	if (STOKER_SECCOMP_OFF)
		return 0;

	scoped(context_drop) scmp_filter_ctx context = seccomp_init(STOKER_SECCOMP_KILL ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ERRNO(ENOSYS));
	if (!context)
		return err_set(e, ENOMEM, "cannot make the filter of %s", sandbox_role_name(role));
	/* A binary tree instead of a list: libseccomp 2.5; a dozen comparisons a call instead of a hundred. */
	seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	/* i386 and x32 calls have other numbers, which no table of ours is about. */
	seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	int r = add_calls(context, role, e);
	if (r < 0)
		return r;

	scoped(fd_drop) int fd = memfd_create("filter", MFD_CLOEXEC);
	if (fd < 0)
		return err_set(e, errno, "cannot make the filter of %s", sandbox_role_name(role));
	r = seccomp_export_bpf(context, fd);
	off_t bytes = lseek(fd, 0, SEEK_END);
	if (r < 0 || bytes <= 0 || (size_t)bytes > sizeof(ret->code) || pread(fd, ret->code, (size_t)bytes, 0) != bytes)
		return err_rule(e, r < 0 ? -r : E2BIG, "the filter of %s is %ld bytes", sandbox_role_name(role), (long)bytes);
	ret->length = (unsigned short)((size_t)bytes / sizeof(struct sock_filter));
	return 0;
}

int sandbox_apply(const struct sandbox_filter *filter, struct err *e)
{
	struct sock_fprog program = {.len = filter->length, .filter = (struct sock_filter *)(uintptr_t)filter->code};

	if (filter->length == 0)
		return 0;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(e, errno, "no_new_privs");
	/* LOG: the kernel writes a line for what is refused, so that a forgotten call shows. */
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG, &program) < 0)
		return err_set(e, errno, "cannot load the filter");
	return 0;
}

int sandbox_enter(enum sandbox_role role, struct err *e)
{
	struct sandbox_filter filter;

	if (sandbox_environment(e) < 0 || sandbox_compile(role, &filter, e) < 0 || sandbox_capabilities(role, e) < 0 || sandbox_apply(&filter, e) < 0)
		return err_wrap(e, "cannot give up rights");
	return 0;
}
