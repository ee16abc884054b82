/* stoker - the command line, for people on the node and for programs. */
#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "base/scoped.h"
#include "base/str.h"
#include "build_config.h"
#include "daemon/stoker_doctor.h"
#include "daemon/stoker_executors.h"
#include "daemon/stoker_health.h"
#include "daemon/stoker_lint.h"
#include "daemon/stoker_run.h"
#include "daemon/stoker_say.h"
#include "daemon/stoker_sweep.h"
#include "daemon/stoker_volumes.h"
#include "daemon/stoker_why.h"
#include "daemon/stoker_why_enospc.h"

static const struct command {
	const char *name, *summary, *help;
	int (*run)(int argc, char **argv);
} commands[] = {
	{"health", "can this node run Spark executors? (exit code 0 yes, 1 no, 2 unknown)", stoker_health_help, stoker_health},
	{"executors", "the Spark executors and drivers of this node, and their memory", stoker_executors_help, stoker_executors},
	{"why", "why an executor died, and what to change", stoker_why_help, stoker_why},
	{"doctor", "does Stoker itself work here, and is this node the cause?", stoker_doctor_help, stoker_doctor},
	{"volumes", "the volumes that Stoker made or bounds, how large and how full", stoker_volumes_help, stoker_volumes},
	{"sweep", "what Spark left on hostPaths: what goes, what stays, and why", stoker_sweep_help, stoker_sweep},
	{"lint", "what is wrong with Spark's configuration files, before it runs", stoker_lint_help, stoker_lint},
	{"run", "run a command as an executor, watched, in a cgroup of its own; says why it died", stoker_run_help, stoker_run},
	{"why-enospc", "which limit is behind \"no space left on device\" at a path", stoker_why_enospc_help, stoker_why_enospc},
};

/* With the one that is near, as a slip of the finger is. */
static void say_no_command(const char *name)
{
	const char *near = NULL;
	char shown[256];
	unsigned least = 4;

	for (size_t i = 0; i < ARRAY_SIZE(commands) && strlen(name) < STR_DISTANCE_BYTES; i++) {
		const unsigned far = str_distance(name, commands[i].name, strlen(commands[i].name));
		if (far < least && far < strlen(name)) {
			least = far;
			near = commands[i].name;
		}
	}
	str_escape(shown, sizeof(shown), name);
	fprintf(stderr, "stoker: there is no command '%s'.%s%s%s (stoker --help)\n", shown, near ? " Did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	say_no_command(name);
	return NULL;
}

static int print_usage(FILE *out, int code)
{
	fputs("Usage: stoker COMMAND [OPTION...]\n\nCommands:\n", out);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
	fputs("  help       what a command takes: stoker help COMMAND\n"
	      "\n"
	      "Examples:\n"
	      "  stoker health                     what the agent on this node knows\n"
	      "  stoker health --direct /var/lib   no agent here: write, and see\n"
	      "  stoker why                        the deaths of executors on this node, newest first\n"
	      "  stoker why etl/7                  why did executor 7 of application etl die?\n"
	      "  stoker help health\n"
	      "\n"
	      "Manual: stoker(1). Version: stoker --version\n",
	      out);
	return code;
}

static int print_version(void)
{
	puts("stoker " STOKER_VERSION);
	return 0;
}

static int print_help(const char *name)
{
	const struct command *command = find_command(name);

	if (!command)
		return EXIT_USAGE;
	fputs(command->help, stdout);
	return 0;
}

/* Widths of columns need a UTF-8 locale; a container's environment mostly has none. */
static void choose_locale(void)
{
	setlocale(LC_ALL, "");
	if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
		setlocale(LC_CTYPE, "C.UTF-8");
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'v'}, {0}};

	/* '+': what follows the command is the command's. */
	for (int o; (o = getopt_long(argc, argv, "+h", options, NULL)) != -1;) {
		switch (o) {
		case 'h': return print_usage(stdout, 0);
		case 'v': return print_version();
		default: return say_wrong_option("stoker");
		}
	}
	if (optind == argc)
		return print_usage(stderr, EXIT_USAGE);
	if (strcmp(argv[optind], "help") == 0)
		return optind + 1 < argc ? print_help(argv[optind + 1]) : print_usage(stdout, 0);
	if (strcmp(argv[optind], "version") == 0)
		return print_version();
	const struct command *command = find_command(argv[optind]);
	if (!command)
		return EXIT_USAGE;
	int skipped = optind;
	optind = 0; /* glibc: begins anew */
	return command->run(argc - skipped, argv + skipped);
}

int main(int argc, char **argv)
{
	static char name[] = "stoker";

	choose_locale();
	argv[0] = name; /* what getopt_long puts before its complaints */
	const int code = run(argc, argv);
	/* Also a help that cannot be written; of an answer the command has said it. */
	return code == EXIT_UNKNOWN ? code : say_end(name, code);
}
