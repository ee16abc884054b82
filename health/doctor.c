#include "health/doctor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/scoped.h"
#include "base/str.h"
#include "health/ready.h"

#define KERNEL(major, minor) ((major) * 1000u + (minor))

/* Foreign bytes (mount points, the daemon's words) are escaped by whoever prints: the JSON needs them as they are. */
static void __attribute__((format(printf, 5, 6))) add(struct doctor *d, enum doctor_mark mark, const char *name, const char *todo, const char *what, ...)
{
	va_list arguments;

	if (d->count == DOCTOR_LINES_MAX)
		return;
	struct doctor_line *line = &d->lines[d->count++];
	*line = (struct doctor_line){.mark = mark};
	str_copy(line->name, sizeof(line->name), name);
	str_copy(line->todo, sizeof(line->todo), todo);
	va_start(arguments, what);
	vsnprintf(line->what, sizeof(line->what), what, arguments);
	va_end(arguments);
}

static void examine_agent(const struct doctor_facts *f, struct doctor *d)
{
	if (f->daemon.code == EACCES || f->daemon.code == EPERM)
		add(d, DOCTOR_PROBLEM, "agent", "run this as root: only root and the socket's group may ask", "stokerd was not asked: %s", f->daemon.text);
	else if (f->daemon.code)
		add(d, DOCTOR_PROBLEM, "agent", "look at the container 'agent' (kubectl -n stoker-system get pods -o wide; kubectl -n stoker-system logs POD -c agent), or start stokerd, as root",
		    "stokerd does not answer: %s", f->daemon.text);
	else if (strcmp(f->health.agent.version, f->version) != 0)
		add(d, DOCTOR_NOTE, "agent", "after an upgrade: restart what is old; all roles must be of one version", "stokerd is version %s, this command %s",
		    f->health.agent.version, f->version);
	else
		add(d, DOCTOR_OK, "agent", "", "stokerd answers, version %s", f->version);
}

static void examine_config(const struct doctor_facts *f, struct doctor *d)
{
	if (f->config.code == ENOENT)
		add(d, DOCTOR_PROBLEM, "config", "write it (an empty file is the defaults; docs/configuration.md), or name another by --config: no role starts without", "%s", f->config.text);
	else if (f->config.code)
		add(d, DOCTOR_PROBLEM, "config", "correct it (docs/configuration.md); until then a running agent keeps the old one, and none starts", "%s", f->config.text);
	else
		add(d, DOCTOR_OK, "config", "", "%s is understood", f->config_path);
}

static void examine_runtime(const struct doctor_facts *f, struct doctor *d)
{
	if (f->runtime_errnum)
		add(d, DOCTOR_PROBLEM, "runtimeDir", "start the agent, it makes the directory; in a pod mount it as a hostPath", "%s: %s", f->runtime_dir, strerror(f->runtime_errnum));
	else if (!S_ISDIR(f->runtime_mode))
		add(d, DOCTOR_PROBLEM, "runtimeDir", "remove it", "%s is no directory", f->runtime_dir);
	else if (f->runtime_mode & 022)
		add(d, DOCTOR_PROBLEM, "runtimeDir", "chmod go-w it: who may write there can put a socket of his own in place of the agent's", "%s may be written by others (mode %04o)",
		    f->runtime_dir, f->runtime_mode & 07777);
	else
		add(d, DOCTOR_OK, "runtimeDir", "", "%s, mode %04o", f->runtime_dir, f->runtime_mode & 07777);
}

/* What is lost below each version. */
static void examine_kernel(const struct doctor_facts *f, struct doctor *d)
{
	unsigned major = 0, minor = 0;

	if (sscanf(f->kernel, "%u.%u", &major, &minor) != 2)
		add(d, DOCTOR_UNKNOWN, "kernel", "run uname -r", "'%s' is no version that is known", f->kernel);
	else if (KERNEL(major, minor) < KERNEL(5, 6))
		add(d, DOCTOR_PROBLEM, "kernel", "Linux 5.10 or newer is needed", "%s has no openat2(2): no filesystem can be probed", f->kernel);
	else if (KERNEL(major, minor) < KERNEL(5, 9))
		add(d, DOCTOR_NOTE, "kernel", "Linux 5.10 or newer is needed", "%s is not one that Stoker is made for: it lacks close_range(2), or the ids of mounts", f->kernel);
	else if (KERNEL(major, minor) < KERNEL(5, 16))
		add(d, DOCTOR_NOTE, "kernel", "nothing: Linux 5.16 or newer has it", "%s has no FAN_FS_ERROR: filesystem errors are heard of from the kernel log and by the probe", f->kernel);
	else
		add(d, DOCTOR_OK, "kernel", "", "%s%s", f->kernel,
		    KERNEL(major, minor) >= KERNEL(6, 12) ? "; a broken ext4 shows no ro flag on it, only writing tells" : "");
}

static void examine_cgroups(const struct doctor_facts *f, struct doctor *d)
{
	static const char *const words[] = {
		[DOCTOR_CGROUPS_V1] = "cgroup v1: the kubelet refuses it by default from 1.35 on",
		[DOCTOR_CGROUPS_HYBRID] = "cgroup v1 with an empty v2 beside it (hybrid): the kubelet takes it for v1 and refuses it by default from 1.35 on",
		[DOCTOR_CGROUPS_V2] = "cgroup v2",
	};

	if (f->cgroups == DOCTOR_CGROUPS_UNKNOWN)
		add(d, DOCTOR_UNKNOWN, "cgroups", "is /sys/fs/cgroup mounted?", "no cgroup hierarchy at /sys/fs/cgroup");
	else
		add(d, f->cgroups == DOCTOR_CGROUPS_V2 ? DOCTOR_OK : DOCTOR_NOTE, "cgroups",
		    f->cgroups == DOCTOR_CGROUPS_V2 ? "" : "boot with systemd.unified_cgroup_hierarchy=1: on v1 a container that is removed takes its counters along, and memory.oom.group cannot be set", "%s",
		    words[f->cgroups]);
}

/* One line for each live process: what it has, and what it should not have. Those that cannot be seen are named too. */
static void examine_rights(const struct doctor_facts *f, struct doctor *d)
{
	static const struct {
		enum doctor_mark mark;
		const char *todo;
	} rows[] = {
		[DOCTOR_ROLE_WELL] = {DOCTOR_OK, ""},
		[DOCTOR_ROLE_LESS] = {DOCTOR_NOTE, "so in the overlay observe-only; elsewhere give the container what docs/rights.md lists: what needs the rest is missing among the inputs below"},
		[DOCTOR_ROLE_MORE] = {DOCTOR_PROBLEM, "it gives rights up before it answers anybody: restart it, and if they come back, look who starts it and with which version (docs/rights.md)"},
		[DOCTOR_ROLE_OPEN] = {DOCTOR_PROBLEM, "a build without filters (-Dseccomp=off) is for tests: use the image, or build without that option"},
	};
	static const enum sandbox_role roles[] = {SANDBOX_STOKERD, SANDBOX_BROKER, SANDBOX_REPORTER, SANDBOX_WEB};
	char text[sizeof(d->lines[0].what)];

	for (unsigned i = 0; i < f->role_count; i++) {
		const struct doctor_role *r = &f->roles[i];
		enum doctor_role_fault fault = r->launcher ? DOCTOR_ROLE_WELL : doctor_role_judge(r, text, sizeof(text));
		if (r->launcher)
			add(d, DOCTOR_NOTE, "launcher", "for trying: in a cluster install the DaemonSet", "pid %" PRIu32 ", stokerd --all: it keeps its rights and starts the roles", r->pid);
		else
			add(d, rows[fault].mark, sandbox_role_name(r->role), rows[fault].todo, "%s", text);
	}
	for (size_t k = 0; k < ARRAY_SIZE(roles) && f->daemon.code == 0; k++) {
		bool seen = false;
		for (unsigned i = 0; i < f->role_count; i++)
			seen = seen || (f->roles[i].role == roles[k] && !f->roles[i].launcher);
		if (!seen)
			add(d, DOCTOR_NOTE, sandbox_role_name(roles[k]), "it runs with another --config, or in a container without hostPID others are not seen: run stoker doctor on the node",
			    "its process is not seen from here, so its rights are not known");
	}
}

/* As /readyz judges them. */
static void examine_inputs(const struct doctor_facts *f, struct doctor *d)
{
	static const enum doctor_mark marks[READY_MARK_MAX_] = {[READY_OK] = DOCTOR_OK, [READY_WARNING] = DOCTOR_NOTE, [READY_FAILED] = DOCTOR_PROBLEM};
	struct ready ready;

	ready_judge(&f->health, &ready);
	for (unsigned i = 0; i < f->health.input_count && i < HEALTH_INPUTS_MAX; i++) {
		const struct health_input *input = &f->health.inputs[i];
		enum doctor_mark mark = marks[ready.lines[i].mark];
		add(d, mark, input->name, mark == DOCTOR_OK ? "" : ready_advice(input->name), "%s%s%s", input->state, *input->detail ? ": " : "", input->detail);
	}
}

/* What this node's container runtime lets us see and set. */
static void examine_container_runtime(const struct doctor_facts *f, struct doctor *d)
{
	static const char switch_on[] = "deploy/enable-nri on the node switches it on (containerd 1.7, CRI-O before 1.30); elsewhere set executors.nriSocket";
	const struct health_nri *n = &f->health.nri;

	if (!n->present)
		return;
	if (!n->live) {
		add(d, DOCTOR_NOTE, "runtime", switch_on,
		    "NRI is not connected: executors are found by a look at the node every 10 s, nothing can be set, exit codes are asked of the runtime (input cri)");
		return;
	}
	add(d, DOCTOR_OK, "runtime", n->exit_codes ? "" : "nothing to do: containerd 2.3 and CRI-O 1.35 tell them by themselves",
	    "%s %s, NRI %s: exit codes %s; can be set at a creation: %s%s%s", n->runtime, n->runtime_version, *n->nri_version ? n->nri_version : "of unknown version",
	    n->exit_codes ? "are told" : "are asked for (input cri)", n->oom_score_adj ? "oom_score_adj" : "", n->oom_score_adj && n->unified ? ", " : "",
	    n->unified ? "keys of cgroup v2" : n->oom_score_adj ? "" : "nothing");
	if (n->unverified)
		add(d, DOCTOR_PROBLEM, "adjustments", "the Events on the pods and the agent's log name each; another NRI plugin, or a runtime that leaves keys out",
		    "%" PRIu64 " were not in force after the start", n->unverified);
}

static void examine_filesystems(const struct doctor_facts *f, struct doctor *d)
{
	const struct health *h = &f->health;
	unsigned judged = 0, well = 0;

	for (uint32_t i = 0; i < h->filesystem_count; i++) {
		const struct health_filesystem *fs = &h->filesystems[i];
		const char *where = *fs->mount_point ? fs->mount_point : fs->path;
		judged += !fs->ignored;
		well += !fs->ignored && fs->state == VERDICT_HEALTHY;
		if (fs->ignored || fs->state == VERDICT_HEALTHY)
			continue;
		add(d, fs->state == VERDICT_BAD || fs->state == VERDICT_RECOVERING ? DOCTOR_PROBLEM : fs->state == VERDICT_UNKNOWN ? DOCTOR_UNKNOWN : DOCTOR_NOTE,
		    "filesystem", "docs/troubleshooting.md has a section of this name", "%s is %s: %s, %s", where, verdict_state_name(fs->state), fs->reason, fs->message);
	}
	if (judged == 0)
		add(d, DOCTOR_PROBLEM, "filesystems", "name them under watch: in the configuration, or let discover: auto find them", "nothing is watched");
	else
		add(d, DOCTOR_OK, "filesystems", "", "%u watched, %u of them healthy", judged, well);
}

static void examine_taint(const struct doctor_facts *f, struct doctor *d)
{
	static const char *const todo[HOLDER_MAX_] = {
		[HOLDER_CLUSTER] = "see the line 'reporter'; rights: docs/rights.md",
		[HOLDER_BRAKE] = "docs/brake.md has a table of these words",
		[HOLDER_PERSON] = "who held it knows until when; docs/brake.md says how it ends",
	};
	const struct report_taint *taint = &f->health.report.taint;

	if (!taint->wanted)
		add(d, DOCTOR_OK, "taint", "", "none wanted");
	else if (f->health.taint_held)
		add(d, DOCTOR_NOTE, "taint", todo[f->health.taint_holder == HOLDER_NOBODY ? HOLDER_CLUSTER : f->health.taint_holder], "%s=%s:%s is wanted and not on the node: %s",
		    taint->key, taint->value, taint->effect, f->health.taint_why);
	else
		add(d, DOCTOR_NOTE, "taint", "repair what the line 'filesystem' names: it goes by itself after some good probes", "%s=%s:%s keeps new pods away", taint->key, taint->value, taint->effect);
}

/* What people bring to a node agent although the node has no part in it. */
static void examine_others(const struct doctor_facts *f, struct doctor *d)
{
	static const struct {
		const char *name, *words, *todo;
	} others[] = {
		{"image pulls", "ErrImagePull and ImagePullBackOff come from the registry, its credentials or the network, not from this node's disks",
		 "kubectl describe pod: the event has the registry's answer"},
		{"quota", "'exceeded quota' and missing limits are decided by the API server before a node is chosen", "kubectl describe resourcequota -n NAMESPACE"},
		{"Pending", "a pod without a node was refused by the scheduler; only its line about the taint above is from here", "kubectl describe pod: the event FailedScheduling counts the nodes by reason"},
	};

	if (f->daemon.code || f->health.status != HEALTH_HEALTHY)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		add(d, DOCTOR_OK, others[i].name, others[i].todo, "this node is not the cause: %s", others[i].words);
}

void doctor_examine(const struct doctor_facts *facts, struct doctor *ret)
{
	ret->count = 0;
	examine_agent(facts, ret);
	examine_config(facts, ret);
	examine_runtime(facts, ret);
	examine_kernel(facts, ret);
	examine_cgroups(facts, ret);
	examine_rights(facts, ret);
	if (facts->daemon.code)
		return;
	examine_inputs(facts, ret);
	examine_container_runtime(facts, ret);
	examine_filesystems(facts, ret);
	examine_taint(facts, ret);
	examine_others(facts, ret);
}

const char *doctor_mark_name(enum doctor_mark mark)
{
	static const char *const names[DOCTOR_MARK_MAX_] = {"ok", "note", "unknown", "problem"};

	return names[mark];
}

int doctor_exit_code(const struct doctor *d)
{
	enum doctor_mark worst = DOCTOR_OK;

	for (unsigned i = 0; i < d->count; i++)
		worst = d->lines[i].mark > worst ? d->lines[i].mark : worst;
	return worst == DOCTOR_PROBLEM ? 1 : worst == DOCTOR_UNKNOWN ? 2 : 0;
}
