#include "daemon/stoker_health.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/fd.h"
#include "base/scoped.h"
#include "base/str.h"
#include "daemon/stoker_ask.h"
#include "daemon/stoker_direct.h"
#include "health/health_client.h"
#include "health/health_table.h"
#include "health/json.h"

#define WATCH_SECONDS	  2
#define WATCH_SECONDS_MAX 3600

const char stoker_health_help[] =
	"Usage: stoker health [OPTION...]\n"
	"       stoker health --direct [OPTION...] [PATH...]\n"
	"\n"
	"Says whether this node can run Spark executors, and why not.\n"
	"\n"
	"  -o, --output FORMAT    table (default), wide, json\n"
	"      --watch[=SECONDS]  again every 2 (or 1 to 3600) seconds: redraws on a terminal, else one line for each change;\n"
	"                         Ctrl-C ends it with the exit code of the last state\n"
	"      --direct           no daemon: write to each PATH (or to each watched path of the configuration) once, from here\n"
	"      --plugin           one line of at most 80 bytes, as node-problem-detector wants it\n"
	"      --socket PATH      default: stoker.sock in runtimeDir of the configuration, else " STOKER_RUNTIME_DIR "/" STOKER_HTTP_SOCKET "\n"
	"      --config FILE      default " STOKER_CONFIG_PATH "\n"
	"      --no-color         also: the variable NO_COLOR, or no terminal\n"
	"  -h, --help\n"
	"\n"
	"Exit code: 0 healthy or warning, 1 unhealthy, 2 unknown (also when nobody answers), 64 wrong usage.\n"
	"\n"
	"Examples:\n"
	"  stoker health -o wide                  with device, roles, errno and message\n"
	"  stoker health -o json | jq .status     for programs: docs/contract.md\n"
	"  stoker health --watch=5                every 5 seconds\n"
	"  stoker health --direct /mnt/nvme0      before anything is installed\n"
	"  curl --unix-socket " STOKER_RUNTIME_DIR "/" STOKER_HTTP_SOCKET " http://stoker" HEALTH_HTTP_PATH "\n";

enum output { OUTPUT_TABLE, OUTPUT_WIDE, OUTPUT_JSON, OUTPUT_PLUGIN };

struct request {
	enum output output;
	bool watch, direct, no_color;
	unsigned watch_seconds;
	const char *socket, *config;
	char **paths;
	int path_count;
};

/* What was found out: a health with its JSON, or an error. */
struct view {
	bool known;
	char *json;
	size_t json_length;
	struct err error;
	struct health health; /* large: a view lives on the heap */
};

static void view_drop(struct view **view)
{
	if (*view)
		free((*view)->json);
	free(*view);
}

/* --- asking --- */

static int load_config(const struct request *r, struct config *config, struct err *e)
{
	return config_load(r->config ? r->config : STOKER_CONFIG_PATH, config, e);
}

/* Given paths need no configuration; its other values (deadline, directory, uid) count if there is one. */
static int direct_config(const struct request *r, struct config *config, struct err *e)
{
	char here[NAME_PATH_BYTES] = "";

	if (load_config(r, config, e) < 0) {
		if (r->path_count == 0 || r->config || e->code != ENOENT)
			return -e->code;
		config_defaults(config);
	}
	if (r->path_count == 0)
		return config->watch_count > 0 ? 0 : err_rule(e, EINVAL, "the configuration watches nothing: name a PATH");
	if (r->path_count > CONFIG_WATCH_MAX)
		return err_rule(e, EINVAL, "at most %d paths at once", CONFIG_WATCH_MAX);
	config->watch_count = 0;
	for (int i = 0; i < r->path_count; i++) {
		struct config_watch *w = &config->watch[config->watch_count++];
		if (r->paths[i][0] != '/' && !getcwd(here, sizeof(here)))
			return err_set(e, errno, "cannot tell where '%s' is", r->paths[i]);
		int n = snprintf(w->path, sizeof(w->path), "%s%s%s", r->paths[i][0] == '/' ? "" : here, r->paths[i][0] == '/' ? "" : "/", r->paths[i]);
		if (n < 0 || (size_t)n >= sizeof(w->path))
			return err_set(e, ENAMETOOLONG, "'%s'", r->paths[i]);
		str_copy(w->role, sizeof(w->role), "scratch");
	}
	return 0;
}

static int look_directly(const struct request *r, struct view *view)
{
	scoped(scoped_free) struct config *config = calloc(1, sizeof(*config));

	if (!config)
		return err_set(&view->error, ENOMEM, "cannot probe");
	if (direct_config(r, config, &view->error) < 0 || probe_directly(config, &view->health, &view->error) < 0 ||
	    health_to_json(&view->health, &view->json, &view->error) < 0)
		return -view->error.code;
	view->json_length = strlen(view->json);
	return 0;
}

static int ask_daemon(const struct request *r, struct view *view)
{
	char path[NAME_PATH_BYTES];

	ask_find_socket(r->socket, r->config, path);
	if (health_client_get(path, HEALTH_HTTP_PATH, &view->json, &view->json_length, &view->error) < 0)
		return -view->error.code;
	if (health_from_json(view->json, view->json_length, &view->health, &view->error) < 0)
		return err_wrap(&view->error, "what '%s' answers is not understood (another version?)", path);
	return 0;
}

static struct view *look(const struct request *r)
{
	struct view *view = calloc(1, sizeof(*view));

	if (!view) {
		fputs("stoker: out of memory\n", stderr);
		exit(EXIT_UNKNOWN);
	}
	view->known = (r->direct ? look_directly : ask_daemon)(r, view) == 0;
	return view;
}

static int exit_code(const struct view *view)
{
	return view->known ? health_exit_code(view->health.status) : EXIT_UNKNOWN;
}

/* --- telling --- */

/* With what to do next. */
static void print_error(const struct request *r, const struct view *view)
{
	if (r->direct) {
		say_error("stoker health", &view->error);
		if (view->error.code == ENOENT && r->path_count == 0)
			fputs("Without a configuration: stoker health --direct PATH...\n", stderr);
		return;
	}
	say_no_answer("stoker health", &view->error);
	if (view->error.code != EACCES && view->error.code != EPERM)
		fputs("Without it: stoker health --direct [PATH...]\n", stderr);
}

static int print_json(FILE *out, const struct view *view, bool pretty)
{
	scoped(json_drop) cJSON *root = cJSON_ParseWithLength(view->json, view->json_length);
	scoped(scoped_free) char *text = !root ? NULL : pretty ? cJSON_Print(root) : cJSON_PrintUnformatted(root);

	if (!text)
		return -ENOMEM;
	fprintf(out, "%s\n", text);
	return 0;
}

static void print_plugin(const struct view *view)
{
	char line[HEALTH_PLUGIN_BYTES] = "", error[ERR_TEXT_BYTES + 32] = "Unknown: ", shown[sizeof(error)];

	if (view->known) {
		health_plugin_line(&view->health, line);
	} else {
		str_append(error, sizeof(error), "%s", view->error.text);
		str_escape(shown, sizeof(shown), error);
		str_copy(line, sizeof(line), shown);
	}
	puts(line);
}

static int print_view(const struct request *r, struct view *view)
{
	const struct health_table_options options = {.wide = r->output == OUTPUT_WIDE, .color = say_in_color(STDOUT_FILENO, r->no_color)};
	int failed = 0;

	if (r->output == OUTPUT_PLUGIN)
		print_plugin(view);
	else if (!view->known)
		print_error(r, view);
	else if (r->output == OUTPUT_JSON)
		failed = print_json(stdout, view, true);
	else
		failed = health_table_print(stdout, &view->health, &options, &view->error);
	if (failed < 0)
		err_set(&view->error, -failed, "cannot show the answer");
	return failed < 0 ? say_error("stoker health", &view->error) : say_end("stoker health", exit_code(view));
}

/* --- watching --- */

/* What a person would call a change: not the time, not a probe's duration; what the line does not show only in JSON. */
static void change_key(const struct request *r, const struct view *view, char *key, size_t size)
{
	const struct health *h = &view->health;

	snprintf(key, size, "%s", view->known ? "" : view->error.text);
	if (!view->known)
		return;
	str_append(key, size, "%d %s ", (int)h->status, h->report.condition.message);
	if (r->output != OUTPUT_JSON)
		return;
	str_append(key, size, "%u %u %s ", h->report.taint.wanted, h->taint_held, h->taint_why);
	for (uint32_t i = 0; i < h->filesystem_count; i++)
		str_append(key, size, "%d%s,", (int)h->filesystems[i].state, h->filesystems[i].reason);
	for (uint32_t i = 0; i < h->input_count; i++)
		str_append(key, size, "%s=%s,", h->inputs[i].name, h->inputs[i].state);
}

static void print_change(const struct request *r, const struct view *view)
{
	char line[HEALTH_LINE_BYTES], now[CLOCK_TEXT_BYTES];

	if (r->output == OUTPUT_JSON && view->known) {
		print_json(stdout, view, false);
	} else {
		clock_format(view->known ? view->health.time_wall_us : clock_wall_us(), 0, now);
		if (view->known)
			health_headline(&view->health, line);
		else
			str_escape(line, sizeof(line), view->error.text);
		/* A stream of JSON lines stays one. */
		fprintf(r->output == OUTPUT_JSON ? stderr : stdout, "%s %s\n", now, line);
	}
	fflush(stdout);
}

static int watch(const struct request *r)
{
	char key[8192], last_key[8192] = "";
	const bool terminal = isatty(STDOUT_FILENO) == 1 && r->output != OUTPUT_JSON;
	sigset_t ends;
	int code = EXIT_UNKNOWN;

	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	scoped(fd_drop) int end_fd = signalfd(-1, &ends, SFD_CLOEXEC);
	struct pollfd wait = {.fd = end_fd, .events = POLLIN};
	do {
		scoped(view_drop) struct view *view = look(r);
		code = exit_code(view);
		change_key(r, view, key, sizeof(key));
		if (terminal && fputs("\033[H\033[J", stdout) >= 0)
			print_view(r, view);
		else if (strcmp(key, last_key) != 0)
			print_change(r, view);
		if (ferror(stdout))
			return EXIT_UNKNOWN;
		str_copy(last_key, sizeof(last_key), key);
	} while (poll(&wait, 1, (int)r->watch_seconds * 1000) == 0);
	return code;
}

/* --- options --- */

static int usage_error(const char *rule, const char *found)
{
	return say_wrong_usage("stoker health", rule, found);
}

static int parse_output(const char *word, struct request *r)
{
	static const struct {
		const char *name;
		enum output output;
	} names[] = {{"table", OUTPUT_TABLE}, {"wide", OUTPUT_WIDE}, {"json", OUTPUT_JSON}};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(names[i].name, word) == 0) {
			r->output = names[i].output;
			return 0;
		}
	}
	return usage_error("--output must be table, wide or json", word);
}

static int parse_watch(const char *text, struct request *r)
{
	char *end = NULL;

	r->watch = true;
	r->watch_seconds = WATCH_SECONDS;
	if (!text)
		return 0;
	unsigned long seconds = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || seconds < 1 || seconds > WATCH_SECONDS_MAX)
		return usage_error("--watch must be a number of seconds from 1 to 3600", text);
	r->watch_seconds = (unsigned)seconds;
	return 0;
}

static int check_request(const struct request *r, bool plugin, bool output_given)
{
	if (r->path_count > 0 && !r->direct)
		return usage_error("paths need --direct", NULL);
	if (plugin && (r->watch || output_given))
		return usage_error("--plugin goes with neither --watch nor --output", NULL);
	if (r->direct && (r->watch || r->socket))
		return usage_error("--direct goes with neither --watch nor --socket", NULL);
	return 0;
}

int stoker_health(int argc, char **argv)
{
	static const struct option options[] = {
		{"output", required_argument, NULL, 'o'}, {"watch", optional_argument, NULL, 'w'},  {"direct", no_argument, NULL, 'd'},
		{"plugin", no_argument, NULL, 'p'},	  {"socket", required_argument, NULL, 's'}, {"config", required_argument, NULL, 'c'},
		{"no-color", no_argument, NULL, 'n'},	  {"help", no_argument, NULL, 'h'},	    {0}};
	struct request r = {0};
	bool plugin = false, output_given = false;
	char name[] = "stoker health";
	int bad = 0;

	argv[0] = name; /* what getopt_long puts before its complaints */
	for (int o; bad == 0 && (o = getopt_long(argc, argv, "o:h", options, NULL)) != -1;) {
		switch (o) {
		case 'o': bad = parse_output(optarg, &r); output_given = true; break;
		case 'w': bad = parse_watch(optarg, &r); break;
		case 'd': r.direct = true; break;
		case 'p': plugin = true; break;
		case 's': r.socket = optarg; break;
		case 'c': r.config = optarg; break;
		case 'n': r.no_color = true; break;
		case 'h': fputs(stoker_health_help, stdout); return 0;
		default: bad = say_wrong_option("stoker health");
		}
	}
	r.paths = argv + optind;
	r.path_count = argc - optind;
	bad = bad ? bad : check_request(&r, plugin, output_given);
	if (bad)
		return bad;
	if (plugin)
		r.output = OUTPUT_PLUGIN;
	if (r.watch)
		return watch(&r);
	scoped(view_drop) struct view *view = look(&r);
	return print_view(&r, view);
}
