#include "daemon/stoker_volumes.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/names.h"
#include "base/scoped.h"
#include "daemon/stoker_ask.h"
#include "health/account_table.h"
#include "health/health_client.h"
#include "health/volume_table.h"

const char stoker_volumes_help[] =
	"Usage: stoker volumes [OPTION...]\n"
	"\n"
	"The volumes of this node's pods that Stoker made (CSI driver csi.stoker.dev) or bounds (local directories of Spark in\n"
	"memory): how large they may be, how full they are, whose they are. Figures are measured when they are asked for, and\n"
	"shown the next time. Below them what each pod has written to each filesystem, whoever wrote the most first: counted\n"
	"every ten minutes, every 30 s while a filesystem is short of room (volumes.account).\n"
	"\n" ASK_OPTIONS_HELP
	"\n"
	"Exit code: 0 answered, 2 nobody answers, 64 wrong usage.\n"
	"\n"
	"Examples:\n"
	"  stoker volumes -o wide                                with inodes and the age of the figures\n"
	"  stoker volumes -o json | jq -r '.accounts[] | select(.fastest) | .filesystem + \" \" + .pod'\n"
	"  stoker volumes -o json | jq '.items[] | select(.usedBytes > .sizeBytes * 0.9) | .pod'\n"
	"  " SAY_ON_NODE "stoker volumes\n";

static int print_list(const struct ask *ask, const char *text, size_t length, struct err *e)
{
	size_t count = 0, account_count = 0;
	scoped(scoped_free) struct volume_view *views = view_list_from_json(&volume_list, text, length, &count, e);
	scoped(scoped_free) struct account_view *accounts = views ? view_list_from_json(&account_list, text, length, &account_count, e) : NULL;

	if (!views || !accounts)
		return err_wrap(e, "what stokerd answers is not understood (another version?)");
	if (count == 0)
		puts("No volume of Stoker's is on this node.");
	else if (volume_table_print(stdout, views, count, ask->output == ASK_WIDE, clock_wall_us(), e) < 0)
		return -e->code;
	if (account_count == 0)
		return 0;
	putchar('\n');
	return account_table_print(stdout, accounts, account_count, ask->output == ASK_WIDE, clock_wall_us(), e);
}

int stoker_volumes(int argc, char **argv)
{
	return ask_show("stoker volumes", stoker_volumes_help, VOLUMES_HTTP_PATH, print_list, argc, argv);
}
