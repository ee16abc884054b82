/* stoker_run.c - see stoker_run.h. */
#include "daemon/stoker_run.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/redact.h"
#include "base/str.h"
#include "daemon/stoker_say.h"
#include "health/death_text.h"
#include "health/run.h"
#include "shim/recognise.h"
#include "shim/text.h"

#define EXIT_SET_UP 125 /* as env(1), timeout(1) and container tools say "I failed, not the command" */
#define COMMAND_LINE_BYTES 32768

const char stoker_run_help[] =
	"Usage: stoker run [OPTION...] [--] COMMAND [ARGUMENT...]\n"
	"\n"
	"Runs a command as a container would run an executor: in a cgroup of its own, with a memory limit, watched; and says\n"
	"why it died. Needs root and a mounted cgroup memory controller (v1, hybrid or v2), no cluster. Its standard error passes\n"
	"through.\n"
	"\n"
	"      --memory SIZE      limit, as the pod of an executor has: heap + overhead (\"1408m\", \"2g\", \"512Mi\"; default none)\n"
	"      --cpus NUMBER      \"2\", \"0.5\" (default no limit)\n"
	"      --group-kill       an OOM kill takes all its processes, as kubelet has it since 1.28 (cgroup v2)\n"
	"      --name NAME        what to call it in the explanation (default: from the command line)\n"
	"      --report FILE      append each death as a line of JSON (docs/contract.md: ExecutorDeath)\n"
	"  -q, --quiet            no words on standard error, only the report\n"
	"  -h, --help\n"
	"\n"
	"Exit code: the command's (128 + signal); 125 it could not be set up, 126 not executable, 127 not found, 64 wrong usage.\n"
	"\n"
	"Examples:\n"
	"  stoker run --memory 1408m -- java -Xmx1g -cp 'jars/*' org.example.Main\n"
	"  stoker run --memory 2g --cpus 2 --report deaths.json -- python3 job.py\n"
	"  stoker run --memory 64m -- tail /dev/zero      an OOM kill, explained\n";

struct request {
	struct run_options run;
	const char *name;
	int report_fd;
	bool quiet;
};

/* --- options --- */

/* Spark's and Java's manner (1408m, 2g) and Kubernetes' (512Mi, 2Gi) mean the same: powers of 1024. */
static bool parse_size(const char *text, uint64_t *ret)
{
	static const char units[] = "kmgt";
	char *end;

	errno = 0;
	unsigned long long n = strtoull(text, &end, 10);
	if (end == text || text[0] == '-' || errno || n == 0)
		return false;
	unsigned shift = 0;
	if (*end) {
		const char *unit = strchr(units, *end | 0x20);
		if (!unit)
			return false;
		shift = 10 * (unsigned)(unit - units + 1);
		end += end[1] == 'i' || end[1] == 'I' || end[1] == 'b' || end[1] == 'B' ? 2 : 1;
	}
	if (*end || n > (UINT64_MAX >> 1) >> shift)
		return false;
	*ret = n << shift;
	return true;
}

static bool parse_cpus(const char *text, uint32_t *ret_millis)
{
	char *end;
	double n = strtod(text, &end);

	if (end == text || *end || !(n >= 0.01 && n <= 4096))
		return false;
	*ret_millis = (uint32_t)(n * 1000 + 0.5);
	return true;
}

static int refuse(const char *option, const char *value, const char *rule)
{
	char shown[256];

	str_escape(shown, sizeof(shown), value);
	fprintf(stderr, "stoker run: %s: '%s' %s (see stoker run --help)\n", option, shown, rule);
	return EXIT_USAGE;
}

/* -1 = go on. */
static int take_option(int option, struct request *request)
{
	struct err e = {0};

	switch (option) {
	case 'm':
		if (!parse_size(optarg, &request->run.limits.memory_bytes))
			return refuse("--memory", optarg, "is no size: a whole number and k, m, g or t, like 1408m or 2Gi");
		if (request->run.limits.memory_bytes < 4 << 20)
			return refuse("--memory", optarg, "is less than 4m: nothing starts in that");
		return -1;
	case 'c': return parse_cpus(optarg, &request->run.limits.cpu_millis) ? -1 : refuse("--cpus", optarg, "must be a number from 0.01 to 4096");
	case 'g': request->run.limits.group_kill = true; return -1;
	case 'n': request->name = optarg; return -1;
	case 'r':
		request->report_fd = open(optarg, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
		if (request->report_fd >= 0)
			return -1;
		err_set(&e, errno, "--report: cannot open '%s'", optarg);
		say_error("stoker run", &e);
		return EXIT_USAGE;
	case 'q': request->quiet = true; return -1;
	case 'h': fputs(stoker_run_help, stdout); return 0;
	default: return say_wrong_option("stoker run");
	}
}

/* --- who it is --- */

static int recognise_command(char *const *argv, const char *name, struct executor *executor, struct err *e)
{
	static char line[COMMAND_LINE_BYTES];
	struct redactor *redactor = redactor_new(REDACT_REGEX, e);
	size_t length = 0;

	if (!redactor)
		return -e->code;

	for (; *argv && length + strlen(*argv) + 1 < sizeof(line); argv++) {
		memcpy(line + length, *argv, strlen(*argv) + 1);
		length += strlen(*argv) + 1;
	}
	executor->source = EXECUTOR_FROM_RUN;
	recognise_from_process(redactor, line, length, executor);
	if (executor->role == EXECUTOR_ROLE_NONE)
		executor->role = EXECUTOR_ROLE_EXECUTOR;
	const char *slash = strrchr(line, '/');
	if (name || (!executor->app_name[0] && !executor->app_id[0]))
		text_copy_redacted(redactor, executor->app_name, sizeof(executor->app_name), text_of(name ? name : slash ? slash + 1 : line));
	redactor_free(redactor);
	executor->uid = getuid();
	executor->gid = getgid();
	return 0;
}

/* --- what is said --- */

/* In one write: all executors of an application may have one file. */
static int append_line(int fd, const char *json, struct err *e)
{
	const size_t length = strlen(json);
	scoped(scoped_free) char *line = malloc(length + 1);

	if (!line)
		return err_set(e, ENOMEM, "cannot write a line");
	*(char *)mempcpy(line, json, length) = '\n';
	return fd_write_all(fd, line, length + 1, e);
}

static void report(struct request *request, const struct death *death)
{
	scoped(scoped_free) char *json = NULL;
	struct err e = {0};

	if (!request->quiet && (death->lives || !death_is_good((enum death_cause)death->cause)))
		death_print(death, stderr, say_in_color(STDERR_FILENO, false));
	if (request->report_fd < 0)
		return;
	if (death_to_json(death, &json, &e) < 0 || append_line(request->report_fd, json, &e) < 0)
		fprintf(stderr, "stoker run: --report: %s\n", e.text);
}

static void survived(void *owner, const struct death *death)
{
	report(owner, death);
}

int stoker_run(int argc, char **argv)
{
	static const struct option options[] = {{"memory", required_argument, NULL, 'm'},    {"cpus", required_argument, NULL, 'c'},
						{"group-kill", no_argument, NULL, 'g'},	     {"name", required_argument, NULL, 'n'},
						{"report", required_argument, NULL, 'r'},    {"quiet", no_argument, NULL, 'q'},
						{"help", no_argument, NULL, 'h'},	     {0}};
	struct request request = {.report_fd = -1};
	struct log log = {"stoker-run", LOG_WARN, STDERR_FILENO};
	char name[] = "stoker run";
	struct run_end end;
	struct err e = {0};

	argv[0] = name; /* what getopt_long puts before its complaints */
	for (int o; (o = getopt_long(argc, argv, "+hq", options, NULL)) != -1;) {
		int code = take_option(o, &request);
		if (code >= 0)
			return code;
	}
	if (optind == argc)
		return say_wrong_usage("stoker run", "takes a COMMAND", NULL);
	if (request.quiet)
		log.minimum = LOG_ERROR;
	request.run.argv = argv + optind;
	request.run.log = &log;
	request.run.on_survived = survived;
	request.run.owner = &request;
	if (recognise_command(argv + optind, request.name, &request.run.executor, &e) < 0) {
		say_error("stoker run", &e);
		return EXIT_SET_UP;
	}
	if (run_supervised(&request.run, &end, &e) < 0) {
		say_error("stoker run", &e);
		if (!end.exit_code && (e.code == EACCES || e.code == EPERM))
			fputs("It makes a cgroup, which needs root. Try: sudo stoker run\n", stderr);
		return end.exit_code ? end.exit_code : EXIT_SET_UP;
	}
	if (end.explained)
		report(&request, &end.death);
	return end.exit_code;
}
