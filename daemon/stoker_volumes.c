#include "daemon/stoker_volumes.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/names.h"
#include "base/scoped.h"
#include "daemon/stoker_ask.h"
#include "health/volume_table.h"
#include "health/health_client.h"

const char stoker_volumes_help[] =
	"Usage: stoker volumes [OPTION...]\n"
	"\n"
	"The volumes of this node's pods that Stoker made (CSI driver csi.stoker.dev) or bounds (local directories of Spark in\n"
	"memory): how large they may be, how full they are, whose they are. Figures are measured when they are asked for, and shown\n"
	"the next time.\n"
	"\n" ASK_OPTIONS_HELP
	"\n"
	"Exit code: 0 answered, 2 nobody answers, 64 wrong usage.\n"
	"\n"
	"Examples:\n"
	"  stoker volumes -o wide                                with inodes and the age of the figures\n"
	"  stoker volumes -o json | jq '.items[] | select(.usedBytes > .sizeBytes * 0.9) | .pod'\n"
	"  kubectl exec -n stoker-system ds/stoker -c agent -- stoker volumes\n";

static int print_list(const struct ask *ask, const char *text, size_t length, struct err *e)
{
	scoped(scoped_free) struct volume_view *views = NULL;
	size_t count = 0;

	if (volume_views_from_json(text, length, &views, &count, e) < 0)
		return err_wrap(e, "what stokerd answers is not understood (another version?)");
	if (count == 0) {
		puts("No volume of Stoker's is on this node.");
		return 0;
	}
	return volume_table_print(stdout, views, count, ask->output == ASK_WIDE, clock_wall_us(), e);
}

int stoker_volumes(int argc, char **argv)
{
	struct ask ask = {.command = "stoker volumes"};
	scoped(scoped_free) char *text = NULL;
	size_t length = 0;
	struct err e = {0};

	if (!ask_parse(&ask, stoker_volumes_help, argc, argv))
		return ask.exit_code;
	if (ask.first_argument < argc)
		return ask_usage(&ask, "takes no argument", argv[ask.first_argument]);
	if (ask_get(&ask, VOLUMES_HTTP_PATH, &text, &length, &e) < 0)
		return ask_say_error(&e);
	const int r = ask.output == ASK_JSON ? ask_print_json(text, length) : print_list(&ask, text, length, &e);
	if (r < 0 || fflush(stdout) != 0) {
		fprintf(stderr, "stoker: %s\n", e.code ? e.text : "cannot write the answer");
		return EXIT_UNKNOWN;
	}
	return 0;
}
