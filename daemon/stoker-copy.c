/* stoker-copy - copies the directory in which it lies into another one: the DaemonSet's init container fills a memory-backed
 * volume with it, from which the roles then run. The image lies on a disk of the very node that Stoker watches; with that
 * disk dead, a page of an executable that has to be read again would end the agent (SIGBUS) when it is needed most. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/scoped.h"
#include "build_config.h"

static struct log role_log = {"stoker-copy", LOG_INFO, 2};

static int copy_file(int from_dir, int to_dir, const char *name, unsigned long long *total_bytes, struct err *e)
{
	struct stat st;

	scoped(fd_drop) int from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (from < 0 || fstat(from, &st) < 0)
		return err_set(e, errno, "cannot read '%s'", name);
	if (!S_ISREG(st.st_mode))
		return 0;
	/* A restart of the pod's containers finds the volume filled: a file that is being executed cannot be written (ETXTBSY). */
	unlinkat(to_dir, name, 0);
	scoped(fd_drop) int to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	if (to < 0)
		return err_set(e, errno, "cannot make '%s'", name);
	for (off_t left = st.st_size; left > 0;) {
		ssize_t n = sendfile(to, from, NULL, (size_t)left);
		if (n <= 0)
			return err_set(e, n < 0 ? errno : EIO, "cannot copy '%s'", name);
		left -= n;
		*total_bytes += (unsigned long long)n;
	}
	return 0;
}

static int copy_all(const char *to_path, unsigned long long *total_bytes, struct err *e)
{
	char from_path[512];

	ssize_t n = readlink("/proc/self/exe", from_path, sizeof(from_path) - 1);
	from_path[n < 0 ? 0 : n] = '\0';
	char *slash = strrchr(from_path, '/');
	if (!slash)
		return err_rule(e, EINVAL, "cannot find the directory of this executable");
	*slash = '\0';

	scoped(fd_drop) int to_dir = open(to_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (to_dir < 0)
		return err_set(e, errno, "cannot open '%s'", to_path);
	DIR *from = opendir(from_path);
	if (!from)
		return err_set(e, errno, "cannot open '%s'", from_path);
	int r = 0;
	for (const struct dirent *entry; r == 0 && (entry = readdir(from));)
		if (entry->d_type != DT_DIR)
			r = copy_file(dirfd(from), to_dir, entry->d_name, total_bytes, e);
	closedir(from);
	return r;
}

int main(int argc, char **argv)
{
	unsigned long long total_bytes = 0;
	struct err e = {0};

	if (argc != 2 || argv[1][0] != '/') {
		fputs("Usage: stoker-copy /DIRECTORY\n\nCopies the files beside this executable there (the DaemonSet's init container).\n", stderr);
		return 64;
	}
	if (copy_all(argv[1], &total_bytes, &e) < 0) {
		log_error(&role_log, "cannot copy", "to", argv[1], "error", e.text);
		return 1;
	}
	log_info(&role_log, "copied", "version", STOKER_VERSION, "to", argv[1], "bytes", log_number(total_bytes));
	return 0;
}
