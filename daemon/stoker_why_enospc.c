#include "daemon/stoker_why_enospc.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <uv.h>

#include "base/child.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "daemon/stoker_say.h"
#include "volumes/enospc_try.h"

#define EXIT_CAUSE   1
#define DEADLINE_US  (10 * US_PER_S)
#define DEFAULT_UID  65534

const char stoker_why_enospc_help[] =
	"Usage: stoker why-enospc [OPTION...] PATH\n"
	"\n"
	"Names the limit behind \"no space left on device\" and its relatives. PATH is a directory on a disk, in memory or in a\n"
	"cgroup tree. Tries what fails (a file without a name, an empty directory: both gone at once) and reads the numbers.\n"
	"\n"
	"      --syscall NAME   what fails: open, write, mkdir, rmdir, setxattr, mount, inotify_init, inotify_add_watch, unshare,\n"
	"                       fork, cgroup.procs, cgroup.subtree_control, cpuset. Default: what is usual for PATH\n"
	"      --errno NAME     with which errno it failed, if it does not fail now: ENOSPC, EDQUOT, EAGAIN, EBUSY, EMFILE,\n"
	"                       EOPNOTSUPP\n"
	"      --uid NUMBER     as which user to try, if you are root (default 65534: an ordinary one)\n"
	"      --pod-setup      PATH is a kubelet's root: make a volume as the kubelet does for every pod, name the step that\n"
	"                       fails, undo it (as root on the node; in a mount namespace of its own)\n"
	"  -o, --output FORMAT  table (default) or json\n"
	"  -h, --help\n"
	"\n"
	"Exit code: 0 nothing fails, 1 a cause was found, 2 unknown, 64 wrong usage.\n"
	"\n"
	"Examples:\n"
	"  stoker why-enospc /var/lib/kubelet\n"
	"  stoker why-enospc /sys/fs/cgroup/kubepods.slice\n"
	"  stoker why-enospc --pod-setup /var/lib/kubelet    pods stay in ContainerCreating with FailedMount\n"
	"  stoker why-enospc --syscall inotify_add_watch --uid 1000 /\n";

struct request {
	int call;   /* enum enospc_call, -1 = usual */
	int errnum; /* 0 = not said */
	uint32_t uid;
	bool json, pod_setup;
};

/* What the child found, judged. */
struct view {
	struct enospc_report *report; /* shared with a child that may hang */
	bool hangs, fails;
	struct enospc_case what;
	size_t count;
	struct enospc_answer answers[ENOSPC_CAUSE_MAX_];
};

static const char *errno_name(int errnum)
{
	const char *name = errnum ? strerrorname_np(errnum) : "ok";

	return name ? name : "?";
}

/* --- the child --- */

static void child_overdue(struct child *child)
{
	struct view *view = child->owner;

	view->hangs = true;
	uv_stop(child->poll.loop);
}

static void child_exited(struct child *child, int status)
{
	(void)child;
	(void)status;
}

static int look(const struct request *r, const char *path, struct view *view, struct err *e)
{
	static const struct child_ops ops = {.on_overdue = child_overdue, .on_exit = child_exited};
	/* never freed: a child in D state is followed until this process ends */
	struct child *child = calloc(1, sizeof(*child));
	uv_loop_t *loop = calloc(1, sizeof(*loop));
	void *shared = mmap(NULL, sizeof(*view->report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int channel = -1;

	if (!child || !loop || shared == MAP_FAILED || uv_loop_init(loop) < 0)
		return err_set(e, ENOMEM, "cannot look at '%s'", path);
	view->report = shared;
	view->report->call = r->call;
	view->report->uid = r->uid;
	view->report->pod_setup = r->pod_setup;
	if (!str_copy(view->report->path, sizeof(view->report->path), path))
		return err_set(e, ENAMETOOLONG, "'%s'", path);
	if (child_fork(child, loop, &ops, view, DEADLINE_US, enospc_try_child, view->report, NULL, &channel, e) < 0)
		return err_wrap(e, "cannot look at '%s'", path);
	uv_run(loop, UV_RUN_DEFAULT);
	fd_drop(&channel);
	return 0;
}

/* The first try that fails is what is explained; if none does, what the caller saw. */
static void judge(const struct request *r, struct view *view)
{
	struct enospc_report *report = view->report;

	view->what = (struct enospc_case){r->call >= 0 ? (enum enospc_call)r->call : ENOSPC_WRITE, report->object, r->errnum};
	if (r->call < 0 && (report->object == ENOSPC_CGROUP1 || report->object == ENOSPC_CGROUP2))
		view->what.call = ENOSPC_MKDIR;
	for (uint32_t i = 0; i < report->try_count && i < ENOSPC_TRIES_MAX && !view->fails; i++) {
		if (report->tries[i].errnum == 0)
			continue;
		view->fails = true;
		view->what.call = report->tries[i].call;
		view->what.errnum = report->tries[i].errnum;
	}
	if (report->setup.errnum) {
		view->fails = true;
		view->what.call = report->setup.count ? pod_setup_step_call((enum pod_setup_step)(report->setup.count - 1)) : ENOSPC_OPEN;
		view->what.errnum = report->setup.errnum;
	}
	if (view->what.errnum)
		view->count = enospc_classify(&view->what, &report->facts, view->answers);
}

static int exit_code(const struct view *view)
{
	if (view->hangs || !view->report->done)
		return EXIT_UNKNOWN;
	if (view->count == 0)
		return 0;
	return view->answers[0].cause == ENOSPC_CAUSE_UNKNOWN ? EXIT_UNKNOWN : EXIT_CAUSE;
}

/* --- telling --- */

static void print_tries(const struct view *view)
{
	for (uint32_t i = 0; i < view->report->try_count && i < ENOSPC_TRIES_MAX; i++) {
		int errnum = view->report->tries[i].errnum;
		printf("tried      %-18s %s%s%s%s\n", enospc_call_name(view->report->tries[i].call), errno_name(errnum), errnum ? " (" : "", errnum ? strerror(errnum) : "",
		       errnum ? ")" : "");
	}
	if (!view->fails && view->what.errnum)
		printf("told       %-18s %s (%s)\n", enospc_call_name(view->what.call), errno_name(view->what.errnum), strerror(view->what.errnum));
}

/* The kubelet's steps, as far as they went. */
static void print_setup(const struct pod_setup *setup)
{
	for (uint32_t i = 0; i < setup->count && i < POD_STEP_MAX_; i++) {
		int errnum = i + 1 == setup->count ? setup->errnum : 0;
		printf("step       %-20s %s%s%s%s\n", pod_setup_step_name((enum pod_setup_step)i), errno_name(errnum), errnum ? " (" : "", errnum ? strerror(errnum) : "",
		       errnum ? ")" : "");
	}
	if (setup->errnum == ENOENT)
		puts("Is PATH a kubelet's root? It must have a directory 'pods'.");
	else if (setup->errnum == EPERM)
		puts("Not permitted: run this as root on the node.");
}

static void print_text(const struct view *view)
{
	char shown[4 * NAME_PATH_BYTES];

	str_escape(shown, sizeof(shown), view->report->path);
	printf("%s: %s (%s)\n", shown, enospc_object_name(view->report->object), view->report->facts.fs_type);
	print_tries(view);
	print_setup(&view->report->setup);
	if (view->count == 0)
		puts("Nothing fails here now. If a call failed before, name it: --syscall NAME --errno NAME judges its limits; --uid N tries as that user.");
	for (size_t i = 0; i < view->count; i++) {
		const struct enospc_answer *a = &view->answers[i];
		printf("%-10s %-24s %s\n", enospc_confidence_name(a->confidence), enospc_cause_name(a->cause), a->numbers);
		if (a->confidence <= CONFIDENCE_LIKELY || a->cause == ENOSPC_CAUSE_UNKNOWN)
			printf("  do next: %s\n", a->advice);
	}
}

static cJSON *number_json(uint64_t n)
{
	if (n == ENOSPC_UNKNOWN)
		return cJSON_CreateNull();
	return n == ENOSPC_UNLIMITED ? cJSON_CreateString("unlimited") : cJSON_CreateNumber((double)n);
}

static void print_json(const struct view *view)
{
	char shown[4 * NAME_PATH_BYTES]; /* a path need not be UTF-8, JSON must */
	cJSON *root = cJSON_CreateObject(), *tries = cJSON_AddArrayToObject(root, "tries"), *causes = cJSON_AddArrayToObject(root, "causes"),
	      *facts = cJSON_AddObjectToObject(root, "facts");

	str_escape(shown, sizeof(shown), view->report->path);
	cJSON_AddStringToObject(root, "apiVersion", STOKER_API_VERSION);
	cJSON_AddStringToObject(root, "kind", "WhyEnospc");
	cJSON_AddStringToObject(root, "path", shown);
	cJSON_AddStringToObject(root, "object", enospc_object_name(view->report->object));
	cJSON_AddStringToObject(root, "fsType", view->report->facts.fs_type);
	cJSON_AddStringToObject(root, "cause", view->count ? enospc_cause_name(view->answers[0].cause) : "");
	for (uint32_t i = 0; i < view->report->try_count && i < ENOSPC_TRIES_MAX; i++) {
		cJSON *t = cJSON_CreateObject();
		cJSON_AddStringToObject(t, "syscall", enospc_call_name(view->report->tries[i].call));
		cJSON_AddStringToObject(t, "errno", view->report->tries[i].errnum ? errno_name(view->report->tries[i].errnum) : "");
		cJSON_AddItemToArray(tries, t);
	}
	for (uint32_t i = 0; i < view->report->setup.count && i < POD_STEP_MAX_; i++) {
		cJSON *t = cJSON_CreateObject();
		int errnum = i + 1 == view->report->setup.count ? view->report->setup.errnum : 0;
		cJSON_AddStringToObject(t, "step", pod_setup_step_name((enum pod_setup_step)i));
		cJSON_AddStringToObject(t, "errno", errnum ? errno_name(errnum) : "");
		cJSON_AddItemToArray(tries, t);
	}
	for (size_t i = 0; i < view->count; i++) {
		cJSON *c = cJSON_CreateObject();
		cJSON_AddStringToObject(c, "cause", enospc_cause_name(view->answers[i].cause));
		cJSON_AddStringToObject(c, "confidence", enospc_confidence_name(view->answers[i].confidence));
		cJSON_AddStringToObject(c, "numbers", view->answers[i].numbers);
		cJSON_AddStringToObject(c, "doNext", view->answers[i].advice);
		cJSON_AddItemToArray(causes, c);
	}
	for (unsigned i = 0; i < NUMBER_MAX_; i++)
		cJSON_AddItemToObject(facts, enospc_number_name((enum enospc_number)i), number_json(view->report->facts.number[i]));
	scoped(scoped_free) char *text = cJSON_Print(root);
	puts(text ? text : "{}");
	cJSON_Delete(root);
}

/* --- options --- */

static int usage_error(const char *rule, const char *found)
{
	return say_wrong_usage("stoker why-enospc", rule, found);
}

static int parse_errno(const char *word, struct request *r)
{
	static const int known[] = {ENOSPC, EDQUOT, EAGAIN, EBUSY, EMFILE, EOPNOTSUPP};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (strcmp(word, errno_name(known[i])) == 0) {
			r->errnum = known[i];
			return 0;
		}
	}
	return usage_error("--errno must be ENOSPC, EDQUOT, EAGAIN, EBUSY, EMFILE or EOPNOTSUPP", word);
}

static int parse_call(const char *word, struct request *r)
{
	enum enospc_call call;

	if (enospc_call_parse(word, &call) < 0)
		return usage_error("--syscall must be a name that the help has", word);
	r->call = (int)call;
	return 0;
}

static int parse_uid(const char *word, struct request *r)
{
	char *end = NULL;

	errno = 0;
	unsigned long uid = strtoul(word, &end, 10);
	if (*word < '0' || *word > '9' || *end || errno || uid >= UINT32_MAX)
		return usage_error("--uid must be a number", word);
	r->uid = (uint32_t)uid;
	return 0;
}

static int parse(int argc, char **argv, struct request *r)
{
	static const struct option options[] = {{"syscall", required_argument, NULL, 's'}, {"errno", required_argument, NULL, 'e'}, {"uid", required_argument, NULL, 'u'}, {"pod-setup", no_argument, NULL, 'p'},
						{"output", required_argument, NULL, 'o'},  {"help", no_argument, NULL, 'h'},	  {0}};
	static char name[] = "stoker why-enospc";
	int bad = 0;

	argv[0] = name;
	for (int o; bad == 0 && (o = getopt_long(argc, argv, "o:h", options, NULL)) != -1;) {
		switch (o) {
		case 's': bad = parse_call(optarg, r); break;
		case 'e': bad = parse_errno(optarg, r); break;
		case 'u': bad = parse_uid(optarg, r); break;
		case 'p': r->pod_setup = true; break;
		case 'o':
			r->json = strcmp(optarg, "json") == 0;
			bad = r->json || strcmp(optarg, "table") == 0 ? 0 : usage_error("--output must be table or json", optarg);
			break;
		case 'h': fputs(stoker_why_enospc_help, stdout); return -1;
		default: bad = say_wrong_option("stoker why-enospc");
		}
	}
	if (bad == 0 && argc - optind != 1)
		bad = usage_error("exactly one PATH", NULL);
	if (bad == 0 && r->call >= 0 && !enospc_can_try((enum enospc_call)r->call) && r->errnum == 0) {
		char rule[96];
		snprintf(rule, sizeof(rule), "'%s' is not tried: say with --errno how it failed", enospc_call_name((enum enospc_call)r->call));
		bad = usage_error(rule, NULL);
	}
	return bad;
}

static int say_no_look(const struct view *view, const char *path)
{
	const int errnum = view->report->look_errnum;
	const bool denied = errnum == EACCES || errnum == EPERM, absent = errnum == ENOENT || errnum == ENOTDIR;
	char shown[1024];

	str_escape(shown, sizeof(shown), path);
	fprintf(stderr, "stoker why-enospc: '%s' %s%s%s\n", shown, view->hangs ? "did not answer within 10 s: it hangs" : "cannot be looked at: ", view->hangs ? "" : strerror(errnum),
		denied ? ". Try: sudo stoker why-enospc" : absent ? "" : ". Ask: stoker health --direct");
	return EXIT_UNKNOWN;
}

int stoker_why_enospc(int argc, char **argv)
{
	struct request r = {.call = -1, .uid = DEFAULT_UID};
	struct view view = {0};
	struct err e = {0};
	int bad = parse(argc, argv, &r);

	if (bad)
		return bad < 0 ? 0 : bad;
	if (look(&r, argv[optind], &view, &e) < 0)
		return say_error("stoker why-enospc", &e);
	if (view.report->look_errnum || view.hangs)
		return say_no_look(&view, argv[optind]);
	judge(&r, &view);
	(r.json ? print_json : print_text)(&view);
	return say_end("stoker why-enospc", exit_code(&view));
}
