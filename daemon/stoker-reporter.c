/* stoker-reporter - the Kubernetes API: the only role with the token, and no other right. */
#include <curl/curl.h>
#include <uv.h>

#include "base/role_main.h"
#include "base/sandbox.h"
#include "build_config.h"
#include "health/reporter.h"

static struct log role_log = {"stoker-reporter", LOG_INFO, 2};
static struct reporter reporter;

static void use_config(const struct config_source *source)
{
	/* Where to report to takes effect at the next start (docs/configuration.md); what to report comes from stokerd. */
	if (reporter.loop)
		reporter_configure(&reporter, &source->current);
}

static struct role_config config = {.log = &role_log, .use = use_config};

static int run(uv_loop_t *loop, const char *config_path, struct err *e)
{
	if (role_config_start(&config, loop, config_path, e) < 0)
		return -e->code;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_rule(e, 5, "libcurl does not start");
	if (sandbox_enter(SANDBOX_REPORTER, e) < 0)
		return -e->code;
	if (reporter_start(&reporter, loop, &role_log, &config.source.current, e) < 0)
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
