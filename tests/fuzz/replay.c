/* replay.c - runs a fuzz target over stored files instead of under libFuzzer: the corpus is a test of every build.
 * Arguments are files or directories (not descended into). */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/scoped.h"

#define REPLAY_FILE_BYTES (4 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
	struct err e = {0};
	scoped(scoped_free) char *text = malloc(REPLAY_FILE_BYTES);
	ssize_t length = text ? fd_read_path(path, text, REPLAY_FILE_BYTES, &e) : -1;

	if (length < 0) {
		fprintf(stderr, "replay: %s\n", text ? e.text : "out of memory");
		return -1;
	}
	/* Moved into a buffer of just its size, so that ASan sees a read beyond it. */
	char *exact = realloc(text, (size_t)length + 1);
	if (!exact)
		return -1;
	text = exact;
	LLVMFuzzerTestOneInput((const uint8_t *)text, (size_t)length);
	return 1;
}

static int replay_directory(const char *path)
{
	struct dirent **entries = NULL;
	int count = scandir(path, &entries, NULL, alphasort), done = 0;

	for (int i = 0; i < count; i++) {
		char file[4096];
		struct stat st;
		if (done >= 0 && snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name) < (int)sizeof(file) && stat(file, &st) == 0 &&
		    S_ISREG(st.st_mode))
			done = replay_file(file) < 0 ? -1 : done + 1;
		free(entries[i]);
	}
	free(entries);
	return count < 0 ? -1 : done;
}

int main(int argc, char **argv)
{
	int total = 0;

	for (int i = 1; i < argc; i++) {
		struct stat st;
		int done = stat(argv[i], &st) < 0 ? -1 : S_ISDIR(st.st_mode) ? replay_directory(argv[i]) : replay_file(argv[i]);
		if (done < 0) {
			fprintf(stderr, "replay: cannot run '%s'\n", argv[i]);
			return 1;
		}
		total += done;
	}
	printf("replayed %d files\n", total);
	return total > 0 ? 0 : 1; /* an empty corpus proves nothing */
}
