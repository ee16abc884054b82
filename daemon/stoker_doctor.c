#include "daemon/stoker_doctor.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <getopt.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/config.h"
#include "base/scoped.h"
#include "base/str.h"
#include "build_config.h"
#include "daemon/stoker_doctor_roles.h"
#include "daemon/stoker_say.h"
#include "health/doctor.h"
#include "health/health_client.h"
#include "health/json.h"

const char stoker_doctor_help[] =
	"Usage: stoker doctor [OPTION...]\n"
	"\n"
	"Says whether Stoker itself works on this node: agent, configuration, kernel, inputs, API server; and what is not this\n"
	"node's fault. Each line says what to do next.\n"
	"\n"
	"  -o, --output FORMAT  text (default), json\n"
	"      --socket PATH    default: stoker.sock in runtimeDir of the configuration\n"
	"      --config FILE    default " STOKER_CONFIG_PATH "\n"
	"      --no-color       also: the variable NO_COLOR, or no terminal\n"
	"  -h, --help\n"
	"\n"
	"Exit code: 0 well, 1 a problem, 2 something unknown, 64 wrong usage.\n"
	"\n"
	"Examples:\n"
	"  stoker doctor\n"
	"  stoker doctor -o json | jq '.lines[] | select(.mark == \"problem\")'\n"
	"  " SAY_ON_NODE "stoker doctor\n";

struct request {
	bool json, no_color;
	const char *socket, *config;
};

/* --- facts --- */

static enum doctor_cgroups read_cgroups(void)
{
	struct statfs st;

	if (statfs("/sys/fs/cgroup", &st) == 0 && st.f_type == CGROUP2_SUPER_MAGIC)
		return DOCTOR_CGROUPS_V2;
	if (statfs("/sys/fs/cgroup/unified", &st) == 0 && st.f_type == CGROUP2_SUPER_MAGIC)
		return DOCTOR_CGROUPS_HYBRID;
	return access("/sys/fs/cgroup/memory/cgroup.procs", F_OK) == 0 ? DOCTOR_CGROUPS_V1 : DOCTOR_CGROUPS_UNKNOWN;
}

static void read_facts(const struct request *r, struct doctor_facts *f, struct config *config)
{
	scoped(scoped_free) char *json = NULL;
	struct utsname name;
	struct stat st;
	size_t length = 0;
	char path[NAME_PATH_BYTES];

	str_copy(f->version, sizeof(f->version), STOKER_VERSION);
	if (uname(&name) == 0)
		str_copy(f->kernel, sizeof(f->kernel), name.release);
	f->cgroups = read_cgroups();
	f->config_path = r->config ? r->config : STOKER_CONFIG_PATH;
	stoker_doctor_find_roles(f->config_path, f);
	bool configured = config_load(f->config_path, config, &f->config) == 0;
	str_copy(f->runtime_dir, sizeof(f->runtime_dir), configured ? config->runtime_dir : STOKER_RUNTIME_DIR);
	if (stat(f->runtime_dir, &st) < 0)
		f->runtime_errnum = errno;
	else
		f->runtime_mode = st.st_mode;
	snprintf(path, sizeof(path), "%s/%s", f->runtime_dir, STOKER_HTTP_SOCKET);
	if (health_client_get(r->socket ? r->socket : path, HEALTH_HTTP_PATH, &json, &length, &f->daemon) == 0)
		health_from_json(json, length, &f->health, &f->daemon);
}

/* --- telling --- */

static void print_text(const struct doctor *d, bool color)
{
	static const char *const colors[DOCTOR_MARK_MAX_] = {"\033[32m", "\033[36m", "\033[33m", "\033[31m"};
	char escaped[4 * sizeof(d->lines[0].what)];

	for (unsigned i = 0; i < d->count; i++) {
		const struct doctor_line *line = &d->lines[i];
		str_escape(escaped, sizeof(escaped), line->name);
		printf("%s%-8s%s%-15s ", color ? colors[line->mark] : "", doctor_mark_name(line->mark), color ? "\033[0m" : "", escaped);
		str_escape(escaped, sizeof(escaped), line->what);
		puts(escaped);
		if (*line->todo)
			printf("%24s-> %s\n", "", line->todo);
	}
}

/* Foreign bytes in the escaped form, as in the health's JSON. */
static int print_json(const struct doctor *d)
{
	scoped(json_drop) cJSON *root = cJSON_CreateObject();
	cJSON *lines = root ? cJSON_AddArrayToObject(root, "lines") : NULL;
	bool good = lines && cJSON_AddStringToObject(root, "apiVersion", STOKER_API_VERSION) && cJSON_AddStringToObject(root, "kind", "Doctor");
	char escaped[4 * sizeof(d->lines[0].what)];

	for (unsigned i = 0; good && i < d->count; i++) {
		const struct doctor_line *line = &d->lines[i];
		cJSON *item = cJSON_CreateObject();
		if (!item || !cJSON_AddItemToArray(lines, item))
			return -ENOMEM;
		str_escape(escaped, sizeof(escaped), line->what);
		good = cJSON_AddStringToObject(item, "mark", doctor_mark_name(line->mark)) && cJSON_AddStringToObject(item, "name", line->name) &&
		       cJSON_AddStringToObject(item, "what", escaped) && cJSON_AddStringToObject(item, "todo", line->todo);
	}
	scoped(scoped_free) char *text = good ? cJSON_Print(root) : NULL;
	if (!text)
		return -ENOMEM;
	puts(text);
	return 0;
}

static int parse(int argc, char **argv, struct request *r)
{
	static const struct option options[] = {{"output", required_argument, NULL, 'o'}, {"socket", required_argument, NULL, 's'}, {"config", required_argument, NULL, 'c'},
						{"no-color", no_argument, NULL, 'n'},	  {"help", no_argument, NULL, 'h'},	    {0}};
	static char name[] = "stoker doctor";

	argv[0] = name; /* what getopt_long puts before its complaints */
	for (int o; (o = getopt_long(argc, argv, "o:h", options, NULL)) != -1;) {
		switch (o) {
		case 'o':
			r->json = strcmp(optarg, "json") == 0;
			if (!r->json && strcmp(optarg, "text") != 0)
				return -say_wrong_usage("stoker doctor", "--output must be text or json", optarg);
			break;
		case 's': r->socket = optarg; break;
		case 'c': r->config = optarg; break;
		case 'n': r->no_color = true; break;
		case 'h': fputs(stoker_doctor_help, stdout); return 1;
		default: return -say_wrong_option("stoker doctor");
		}
	}
	return optind < argc ? -say_wrong_usage("stoker doctor", "takes options only", argv[optind]) : 0;
}

int stoker_doctor(int argc, char **argv)
{
	struct request r = {0};
	int parsed = parse(argc, argv, &r);

	if (parsed != 0)
		return parsed < 0 ? -parsed : 0;
	scoped(scoped_free) struct doctor_facts *facts = calloc(1, sizeof(*facts));
	scoped(scoped_free) struct doctor *doctor = calloc(1, sizeof(*doctor));
	scoped(scoped_free) struct config *config = calloc(1, sizeof(*config));
	if (!facts || !doctor || !config) {
		fputs("stoker: out of memory\n", stderr);
		return EXIT_UNKNOWN;
	}
	read_facts(&r, facts, config);
	doctor_examine(facts, doctor);
	if (r.json && print_json(doctor) < 0) {
		fputs("stoker: out of memory\n", stderr);
		return EXIT_UNKNOWN;
	}
	if (!r.json)
		print_text(doctor, say_in_color(STDOUT_FILENO, r.no_color));
	return say_end("stoker doctor", doctor_exit_code(doctor));
}
