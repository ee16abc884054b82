/* stoker-reporter - the Kubernetes API: the only role with the token, and no other right. */
#include <curl/curl.h>
#include <uv.h>

#include "base/role_main.h"
#include "base/sandbox.h"
#include "build_config.h"
#include "health/reporter.h"

static struct log role_log = {"stoker-reporter", LOG_INFO, 2};
static struct config_source config_source;
static struct reporter reporter;

static void use_config(struct config_source *source, const struct config *config)
{
	(void)source;
	role_use_config(&role_log, config);
	/* Where to report to takes effect at the next start (docs/configuration.md); what to report comes from stokerd. */
	if (reporter.loop)
		reporter_configure(&reporter, config);
}

static void refuse_config(struct config_source *source, const struct err *why)
{
	(void)source;
	role_refuse_config(&role_log, why);
}

static int run(uv_loop_t *loop, const char *config_path, struct err *e)
{
	config_source.on_config = use_config;
	config_source.on_error = refuse_config;
	if (config_source_start(&config_source, loop, config_path, e) < 0)
		return -e->code;
	role_log.minimum = config_source.current.log_level;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_rule(e, 5, "libcurl does not start");
	if (sandbox_enter(SANDBOX_REPORTER, e) < 0)
		return -e->code;
	if (reporter_start(&reporter, loop, &role_log, &config_source.current, e) < 0)
		return -e->code;
	log_info(&role_log, "started", "version", STOKER_VERSION, "config", config_path);
	uv_run(loop, UV_RUN_DEFAULT);
	return 0;
}

static const char usage[] =
	"Usage: stoker-reporter [--config FILE]\n"
	"\n"
	"Brings the node object in line with what stokerd says: conditions, one taint, Events.\n"
	"\n"
	"  --config FILE  default " STOKER_CONFIG_PATH "\n"
	"  --version, --help\n";

int main(int argc, char **argv)
{
	static const struct role role = {.log = &role_log, .usage = usage, .run = run};

	return role_main(&role, argc, argv);
}
