/* stoker-reporter - the Kubernetes API: the only role with the token, and no other right. */
#include <curl/curl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "base/config_source.h"
#include "base/heap.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "build_config.h"
#include "health/reporter.h"

static struct log role_log = {"stoker-reporter", LOG_INFO, 2};
static struct config_source config_source;
static struct reporter reporter;

static void use_config(struct config_source *source, const struct config *config)
{
	(void)source;
	role_log.minimum = config->log_level;
	/* Where to report to takes effect at the next start (docs/configuration.md); what to report comes from stokerd. */
	if (reporter.loop)
		reporter_configure(&reporter, config);
	log_info(&role_log, "configuration in force");
}

static void refuse_config(struct config_source *source, const struct err *why)
{
	(void)source;
	log_error(&role_log, "new configuration refused, the old one stays in force", "error", why->text);
}

static int start(uv_loop_t *loop, const char *config_path, struct err *e)
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
	return reporter_start(&reporter, loop, &role_log, &config_source.current, e);
}

static void usage(FILE *out)
{
	fputs("Usage: stoker-reporter [--config FILE]\n"
	      "\n"
	      "Brings the node object in line with what stokerd says: one condition, one taint.\n"
	      "\n"
	      "  --config FILE  default " STOKER_CONFIG_PATH "\n"
	      "  --version, --help\n",
	      out);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'}, {"version", no_argument, NULL, 'v'}, {"help", no_argument, NULL, 'h'}, {0}};
	const char *config_path = STOKER_CONFIG_PATH;
	struct err e = {0};
	uv_loop_t loop;

	heap_give_back();
	for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (o) {
		case 'c': config_path = optarg; break;
		case 'v': puts("stoker-reporter " STOKER_VERSION); return 0;
		case 'h': usage(stdout); return 0;
		default: usage(stderr); return 64;
		}
	}
	if (sandbox_descriptors(-1, &e) < 0 || uv_loop_init(&loop) < 0 || start(&loop, config_path, &e) < 0) {
		log_error(&role_log, "cannot start", "error", e.text);
		return 1;
	}
	log_info(&role_log, "started", "version", STOKER_VERSION, "config", config_path);
	uv_run(&loop, UV_RUN_DEFAULT);
	return 0;
}
