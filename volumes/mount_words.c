#include "volumes/mount_words.h"

#include <string.h>
#include <unistd.h>

#include "base/str.h"

/* The newest: "e tmpfs: Too small a size for current use", without the letter. */
static void read_words(int context_fd, char *text, size_t size)
{
	char line[256];
	ssize_t n;

	text[0] = '\0';
	while ((n = read(context_fd, line, sizeof(line) - 1)) > 0) {
		line[n] = '\0';
		line[strcspn(line, "\n")] = '\0';
		str_copy(text, size, n > 2 && line[1] == ' ' ? line + 2 : line);
	}
}

int mount_refused(int context_fd, const char *what, int errnum, struct err *e)
{
	char words[256];

	read_words(context_fd, words, sizeof(words));
	return words[0] ? err_rule(e, errnum, "%s: %s", what, words) : err_set(e, errnum, "%s", what);
}
