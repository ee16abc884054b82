#include "daemon/stoker_executors.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/names.h"
#include "base/scoped.h"
#include "daemon/stoker_ask.h"
#include "health/executor_table.h"
#include "health/health_client.h"

const char stoker_executors_help[] =
	"Usage: stoker executors [OPTION...]\n"
	"\n"
	"The Spark executors and drivers of this node, and how much of their memory they use (page cache that the kernel can\n"
	"take back is left out).\n"
	"\n" ASK_OPTIONS_HELP
	"\n"
	"Exit code: 0 answered, 2 nobody answers, 64 wrong usage.\n"
	"\n"
	"Examples:\n"
	"  stoker executors -o wide                              with heap, JVM, Python, files in memory, page cache\n"
	"  stoker executors -o json | jq '.items[] | select(.usedBytes > .limitBytes * 0.9) | .pod'\n"
	"  " SAY_ON_NODE "stoker executors\n";

static int print_list(const struct ask *ask, const char *text, size_t length, struct err *e)
{
	size_t count = 0;
	scoped(scoped_free) struct executor_view *views = view_list_from_json(&executor_list, text, length, &count, e);

	if (!views)
		return err_wrap(e, "what stokerd answers is not understood (another version?)");
	if (count == 0) {
		puts("No Spark container is known on this node.");
		return 0;
	}
	return executor_table_print(stdout, views, count, ask->output == ASK_WIDE, clock_wall_us(), e);
}

int stoker_executors(int argc, char **argv)
{
	return ask_show("stoker executors", stoker_executors_help, EXECUTORS_HTTP_PATH, print_list, argc, argv);
}
