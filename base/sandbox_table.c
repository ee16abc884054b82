#include "base/sandbox_table.h"

#include "base/scoped.h"

#define D (1u << SANDBOX_STOKERD)
#define M (1u << SANDBOX_BROKER_MOUNTS)
#define B (1u << SANDBOX_BROKER | M)
#define R (1u << SANDBOX_REPORTER)
#define W (1u << SANDBOX_WEB)
#define N (1u << SANDBOX_NRI)
#define K (1u << SANDBOX_CSI) /* for the kubelet */
#define P (1u << SANDBOX_CHILD_PROBE)
#define L (1u << SANDBOX_CHILD_RELAY)
#define C (1u << SANDBOX_CHILD_CONFIG)
#define V (1u << SANDBOX_CHILD_MOUNT)
#define X (1u << SANDBOX_CHILD_RESOLVE)
#define A (1u << SANDBOX_CHILD_ACCOUNT)
#define S (1u << SANDBOX_CHILD_SWEEP)
#define ROLES	 (D | B | R | W)
#define CHILDREN (P | L | C | V | X | A | S)
#define ALL	 (ROLES | CHILDREN | N | K)

/* A filter stays on what a role forks or executes, and the stricter one wins. So the broker's row holds what its children do
 * before they close their own filter, and stokerd's holds what stoker-web, stoker-nri and stoker-csi do, the dynamic loader included.
 *
 * stoker-nri and stoker-csi are in no group: what they read comes from every pod of the node, and what the first answers is root-equivalent.
 *
 * The configuration's reader opens its file before it seals itself: after it neither openat nor a signal call, since in the
 * broker it is root with the broker's capabilities and what it reads is foreign. */
const struct sandbox_call sandbox_calls[] = {
	/* memory, time, ending: what the C library does by itself */
	{"brk", ALL}, {"mmap", ALL}, {"munmap", ALL}, {"mremap", ALL}, {"mprotect", ROLES}, {"madvise", ROLES | C | N | K}, {"futex", ALL},
	{"clock_gettime", ALL}, {"clock_getres", ALL}, {"gettimeofday", ALL}, {"time", ALL}, {"clock_nanosleep", ROLES}, {"nanosleep", ROLES},
	{"exit", ALL}, {"exit_group", ALL}, {"getrandom", ALL}, {"restart_syscall", ALL}, {"rt_sigreturn", ALL}, {"rt_sigaction", ROLES | C},
	{"rt_sigprocmask", ROLES | C}, {"sigaltstack", ROLES}, {"getpid", ALL}, {"gettid", ALL}, {"tgkill", ROLES}, {"getppid", ROLES}, {"getuid", ROLES | P},
	{"geteuid", ROLES | P}, {"getgid", ROLES | P}, {"getegid", ROLES | P}, {"sched_yield", ALL}, {"sched_getaffinity", ROLES}, {"uname", ROLES | X},
	{"sysinfo", ROLES}, {"getrusage", ROLES}, {"rseq", ROLES}, {"set_robust_list", ROLES}, {"membarrier", ROLES},

	/* descriptors that are there already */
	{"read", ALL}, {"write", ALL}, {"readv", ROLES}, {"writev", ROLES}, {"pread64", ROLES}, {"pwrite64", ROLES}, {"lseek", ROLES | V | X},
	{"close", ALL}, {"close_range", ROLES}, {"fcntl", ROLES | V | X}, {"dup", ROLES}, {"dup2", ROLES}, {"dup3", ROLES}, {"ioctl", ROLES | N | V | X | K | A},
	{"fstat", ROLES | V | X | A | S}, {"newfstatat", ROLES | V | X | A | S}, {"statx", ROLES | V | A | S}, {"sendmsg", ALL}, {"recvmsg", ROLES | N | X | K}, {"sendto", ROLES | C | X}, {"recvfrom", ROLES | X},
	{"sendfile", ROLES}, {"shutdown", ROLES}, {"accept4", ROLES | K}, {"accept", W | D}, {"getsockopt", ROLES | X}, {"setsockopt", ROLES | X}, {"getsockname", ROLES | X},
	{"getpeername", ROLES}, {"poll", ROLES | X}, {"ppoll", ROLES}, {"select", R | W | D}, {"pselect6", R | W | D}, {"sendmmsg", R | M | X},

	/* the loop (libuv 1.44) */
	{"epoll_create1", ROLES}, {"epoll_create", ROLES}, {"epoll_ctl", ROLES | N | K}, {"epoll_wait", ROLES | N | K}, {"epoll_pwait", ROLES | N | K}, {"eventfd2", ROLES},
	{"timerfd_create", ROLES}, {"timerfd_settime", ROLES}, {"signalfd4", ROLES}, {"pipe2", ROLES}, {"pipe", ROLES}, {"inotify_init1", D | B | R},
	{"inotify_add_watch", D | B | R}, {"inotify_rm_watch", D | B | R},

	/* children: fork, follow, end. W and R: none, but for the reporter's resolver thread and its configuration */
	{"clone3", D | B | R}, {"clone", D | B | R}, {"fork", D | B}, {"vfork", D | B}, {"wait4", D | B | R | V}, {"waitid", D | B | R}, {"kill", D | B | R},
	{"pidfd_send_signal", D | B | R}, {"pidfd_open", D | B | R}, {"socketpair", D | B | R}, {"setpgid", D}, {"setsid", D}, {"execve", D},
	{"prctl", ROLES}, {"seccomp", ROLES}, {"arch_prctl", D}, {"set_tid_address", D | R}, {"prlimit64", D | R}, {"getrlimit", D | R}, {"capget", ROLES},
	{"capset", ROLES}, {"umask", D | B | V}, {"memfd_create", D | B}, /* stoker-web compiles its own filter */

	/* files: the state file, /sys, sockets' paths; token, CA, OpenSSL's and the resolver's files */
	{"openat", D | B | R | P | L | V | A | S | X}, {"openat2", B | D | P | V | A | S}, {"open", D | B | R}, {"access", D | R}, {"faccessat", D | R}, {"faccessat2", D | R}, {"readlink", D | R | B}, {"readlinkat", D | R | B | A | S},
	{"stat", D | R | B}, {"lstat", D | R | B}, {"getdents64", D | R | B | L | V | A | S}, {"getcwd", D | R}, {"rename", D}, {"renameat", D}, {"renameat2", D | M | V}, {"unlink", D | B}, {"mkdir", D | B | V},
	{"chmod", D | B}, {"fchmod", D | B | V}, {"ftruncate", D},

	/* sockets of their own */
	{"socket", D | B | R | X}, {"flock", D | M | V}, {"connect", D | B | R | X}, {"bind", D | B | R | X}, {"listen", D | B},

	/* what the broker's children do before they close their own filter */
	{"setns", B}, {"open_tree", B | V}, {"fanotify_init", B}, {"fanotify_mark", B}, {"mkdirat", B | V}, {"fchownat", B | V}, {"fchown", B | V}, {"setgroups", B | V}, {"setresuid", B}, {"setresgid", B},
	{"setuid", B}, {"setgid", B}, {"mlock2", B | D}, {"mlock", B | D}, {"setpriority", B}, {"ioprio_set", B},

	/* what the broker's children do about volumes; a broker that mounts nothing cannot. fspick and the like: the new mount API */
	{"fsopen", M | V}, {"fsconfig", M | V}, {"fsmount", M | V}, {"fspick", M | V}, {"move_mount", M | V}, {"mount_setattr", M | V}, {"mount", M | V},
	{"umount2", M | V}, {"quotactl_fd", M | V}, {"getxattr", M | V}, {"fsetxattr", M | V}, {"rmdir", M | V},
	/* as the pod's user, on a server that does not trust root */
	{"setfsuid", M | V}, {"setfsgid", M | V},

	/* what a probe does as an ordinary user; what counts, and what removes */
	{"unlinkat", B | P | V | S}, {"fdatasync", B | P}, {"fstatfs", B | P | V | A}, {"statfs", B | P},
};
const size_t sandbox_call_count = ARRAY_SIZE(sandbox_calls);

const cap_value_t *sandbox_kept_capabilities(enum sandbox_role role)
{
	/* docs/architecture.md argues each. */
	static const cap_value_t broker[] = {CAP_SYS_ADMIN, CAP_SYS_CHROOT, CAP_KILL,	     CAP_SETUID, CAP_SETGID,
					     CAP_CHOWN,	    CAP_FOWNER,	    CAP_DAC_OVERRIDE, CAP_SYSLOG, CAP_SYS_PTRACE, -1};
	static const cap_value_t mounts[] = {CAP_SYS_ADMIN, CAP_CHOWN, CAP_FOWNER, CAP_DAC_OVERRIDE, CAP_SETUID, CAP_SETGID, -1};
	static const cap_value_t account[] = {CAP_DAC_OVERRIDE, CAP_SYS_PTRACE, -1}, sweep[] = {CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_SYS_PTRACE, -1};
	static const cap_value_t none[] = {-1};

	if (role == SANDBOX_CHILD_ACCOUNT)
		return account;
	if (role == SANDBOX_CHILD_SWEEP)
		return sweep;
	if (role == SANDBOX_CHILD_MOUNT)
		return mounts;
	return role == SANDBOX_BROKER || role == SANDBOX_BROKER_MOUNTS ? broker : none;
}
