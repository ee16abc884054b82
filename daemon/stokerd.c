/* stokerd - the supervisor: state and verdicts, without any capability. `--all` starts every role instead. */
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/launcher.h"
#include "base/resident.h"
#include "base/role_main.h"
#include "base/sandbox.h"
#include "base/scoped.h"
#include "base/str.h"
#include "build_config.h"
#include "health/supervisor.h"

static struct log role_log = {"stokerd", LOG_INFO, 2};
static struct supervisor supervisor;
static struct launcher launcher;

static void use_config(const struct config_source *source)
{
	monitor_input(&supervisor.monitor, "config", "ok", source->path);
	supervisor_configure(&supervisor, &source->current);
}

static void refuse_config(const struct err *why)
{
	monitor_input(&supervisor.monitor, "config", "degraded", why->text);
}

static struct role_config role_config = {.log = &role_log, .use = use_config, .refuse = refuse_config};

/* The other executables lie beside this one. */
static int beside(const char *name, char *path, size_t size, struct err *e)
{
	ssize_t n = readlink("/proc/self/exe", path, size - 1);

	path[n < 0 ? 0 : n] = '\0';
	char *slash = strrchr(path, '/');
	if (n < 0 || !slash || (size_t)(slash + 1 - path) + strlen(name) >= size)
		return err_rule(e, EINVAL, "cannot find '%s' beside this executable", name);
	str_copy(slash + 1, size - (size_t)(slash + 1 - path), name);
	return 0;
}

static int run_supervisor(uv_loop_t *loop, const char *config_path, struct err *e)
{
	static struct supervisor_paths paths;

	if (role_config_start(&role_config, loop, config_path, e) < 0 || beside("stoker-web", paths.web, sizeof(paths.web), e) < 0 ||
	    beside("stoker-nri", paths.nri, sizeof(paths.nri), e) < 0 || beside("stoker-csi", paths.csi, sizeof(paths.csi), e) < 0)
		return -e->code;
	if (supervisor_start(&supervisor, loop, &role_log, &role_config.source.current, &paths, e) < 0)
		return -e->code;
	resident_lock_and_say(&role_log);
	if (sandbox_enter(SANDBOX_STOKERD, e) < 0)
		return -e->code;
	log_info(&role_log, "started", "version", STOKER_VERSION, "config", config_path, "node", role_config.source.current.node, "watch",
		 log_number(role_config.source.current.watch_count));
	uv_run(loop, UV_RUN_DEFAULT);
	return 0;
}

static int run_all(uv_loop_t *loop, const char *config_path, struct err *e)
{
	static const char *const names[] = {"stoker-broker", "stokerd", "stoker-reporter"};
	static char paths[ARRAY_SIZE(names)][512];
	static struct config config;

	/* A bad file is said once, here, instead of by every role again and again. */
	if (config_load(config_path, &config, e) < 0)
		return -e->code;
	role_log.role = "launcher";
	launcher.loop = loop;
	launcher.log = &role_log;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (beside(names[i], paths[i], sizeof(paths[i]), e) < 0)
			return -e->code;
		struct launcher_role *role = &launcher.roles[launcher.count++];
		role->argv[0] = paths[i];
		role->argv[1] = "--config";
		role->argv[2] = config_path;
	}
	return launcher_run(&launcher, e);
}

static const char usage[] =
	"Usage: stokerd [--config FILE] [--all]\n"
	"\n"
	"Watches the filesystems of the configuration and says whether this node can run Spark executors.\n"
	"\n"
	"  --config FILE  default " STOKER_CONFIG_PATH "\n"
	"  --all          start stoker-broker, stokerd and stoker-reporter, and start again what ends (for trying; as root)\n"
	"  --version, --help\n"
	"\n"
	"Try it:\n"
	"  printf 'watch:\\n- path: /var\\n' > /tmp/stoker.yaml\n"
	"  stokerd --all --config /tmp/stoker.yaml &\n"
	"  stoker health\n";

static bool all;

static void take_option(int option, const char *value)
{
	(void)value;
	all = all || option == 'a';
}

static int run(uv_loop_t *loop, const char *config_path, struct err *e)
{
	return (all ? run_all : run_supervisor)(loop, config_path, e);
}

int main(int argc, char **argv)
{
	static const struct role role = {&role_log, usage, {{"all", no_argument, NULL, 'a'}}, take_option, run};

	return role_main(&role, argc, argv);
}
