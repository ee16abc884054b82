#include "daemon/stoker_say.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"

int say_wrong_usage(const char *command, const char *rule, const char *found)
{
	char shown[512] = "";

	if (found)
		str_escape(shown, sizeof(shown), found);
	fprintf(stderr, "%s: %s%s%s%s (see %s --help)\n", command, rule, found ? ", not '" : "", shown, found ? "'" : "", command);
	return EXIT_USAGE;
}

int say_wrong_option(const char *command)
{
	fprintf(stderr, "Try '%s --help'.\n", command);
	return EXIT_USAGE;
}

int say_error(const char *command, const struct err *e)
{
	char shown[2 * ERR_TEXT_BYTES];

	str_escape(shown, sizeof(shown), e->text);
	fprintf(stderr, "%s: %s\n", command, shown);
	return EXIT_UNKNOWN;
}

int say_no_answer(const char *command, const struct err *e)
{
	say_error(command, e);
	if (e->code == EACCES || e->code == EPERM)
		fprintf(stderr, "Only root and the socket's group may ask. Try: sudo %s\n", command);
	else
		fprintf(stderr,
			"Is stokerd running here (pgrep -a stokerd)? In a cluster ask the pod of the node:\n"
			"  " SAY_ON_NODE "%s\n",
			command);
	return EXIT_UNKNOWN;
}

bool say_in_color(int fd, bool no_color_option)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return !no_color_option && isatty(fd) && !(no_color && *no_color) && !(term && strcmp(term, "dumb") == 0);
}

int say_end(const char *command, int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	fprintf(stderr, "%s: cannot write the answer\n", command);
	return EXIT_UNKNOWN;
}
