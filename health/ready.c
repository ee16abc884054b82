#include "health/ready.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "base/str.h"

/* What an input that is not ok means, and what to do. What is not in the table is a warning. "off" is never one. */
static const struct {
	const char *name;
	enum ready_mark missing, degraded;
	const char *advice;
} rules[] = {
	{"broker", READY_FAILED, READY_FAILED, "nothing can be probed; look at the container 'broker' (kubectl logs -c broker) or at stoker-broker's log"},
	/* Overlays capabilities-only and observe-only live without it. */
	{"kmsg", READY_WARNING, READY_WARNING, "faults are found by the other inputs and by the periodic probe; the broker needs /dev/kmsg and CAP_SYSLOG"},
	{"mounts", READY_FAILED, READY_WARNING, "mounts and umounts are not noticed; look at the broker's log"},
	{"reporter", READY_FAILED, READY_WARNING, "verdicts do not reach the node object; look at the container 'reporter' or at stoker-reporter's log; in the DaemonSet report.group is 65532"},
	{"discovery", READY_WARNING, READY_WARNING, "only the paths under watch: are watched; look at the lines 'broker' and 'mounts'"},
	{"config", READY_WARNING, READY_WARNING, "the old configuration is in force; correct the file (docs/configuration.md)"},
	{"fs-error", READY_WARNING, READY_WARNING, "the probe and the kernel log find the same faults; CAP_SYS_ADMIN and Linux 5.16 are needed"},
	{"ext4-errors", READY_WARNING, READY_WARNING, "the probe, the kernel log and fs-error find the same faults; is /sys mounted?"},
	{"port", READY_WARNING, READY_WARNING, "choose another web.listen; the socket RUNTIMEDIR/stoker.sock works"},
	{"web", READY_WARNING, READY_WARNING, "stokerd starts it again; look at its log"},
	{"others", READY_WARNING, READY_WARNING, "look at the disk yourself (touch a file), and stop the agent that is wrong: what latches, as node-problem-detector does, needs a restart"},
	{"twin", READY_WARNING, READY_WARNING, "remove one of the two (a host service beside the DaemonSet? two DaemonSets?), then restart the other: the last to start has the sockets"},
	/* Clusters whose runtime has no NRI live without it. */
	{"nri", READY_WARNING, READY_WARNING, "executors are recognised by their cgroups and processes, and nothing is set at their creation"},
	{"cri", READY_WARNING, READY_WARNING, "exit codes are not known, deaths are explained from less: set executors.criSocket to the container runtime's socket"},
	{"roster", READY_WARNING, READY_WARNING, "executors are not found while the runtime has no NRI; look at the broker's log"},
	{"cgroups", READY_WARNING, READY_WARNING, "executors are watched less closely, deaths explained from less; mount the host's /sys/fs/cgroup, raise fs.inotify.max_user_watches"},
	{"policy", READY_WARNING, READY_WARNING, "apply deploy/kustomize/base/policy.yaml (Kubernetes 1.30 or newer); without it who steals this token can write every node (docs/rights.md)"},
	{"pods", READY_WARNING, READY_WARNING, "add the component deploy/kustomize/components/pods, or set report.pods: false (docs/rights.md); everything else goes on"},
	{"csi", READY_WARNING, READY_WARNING, "pods with volumes of csi.stoker.dev wait; the agent needs the kubelet's plugins/csi.stoker.dev and plugins_registry at their own place (kubeletRoot), or volumes.csi: off"},
	{"accounts", READY_WARNING, READY_WARNING, "who fills a disk is not named; look at the broker's log"},
	{"sweep", READY_WARNING, READY_WARNING, "what Spark left on hostPaths stays there; stoker sweep says why, docs/volumes.md what it needs"},
	{"nfs", READY_WARNING, READY_WARNING, "look at the NFS server that is named"},
};

const char *ready_advice(const char *input)
{
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (strcmp(rules[i].name, input) == 0)
			return rules[i].advice;
	return "";
}

static enum ready_mark mark_of(const struct health_input *input)
{
	const bool missing = strcmp(input->state, "missing") == 0;

	if (strcmp(input->state, "ok") == 0 || strcmp(input->state, "off") == 0)
		return READY_OK;
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (strcmp(rules[i].name, input->name) == 0)
			return missing ? rules[i].missing : rules[i].degraded;
	return READY_WARNING;
}

static struct ready_line *add(struct ready *r, const char *name, enum ready_mark mark)
{
	struct ready_line *line = &r->lines[r->count++];

	*line = (struct ready_line){.mark = mark};
	str_copy(line->name, sizeof(line->name), name);
	r->ready = r->ready && mark != READY_FAILED;
	return line;
}

static void judge_input(const struct health_input *input, struct ready *r)
{
	struct ready_line *line = add(r, input->name, mark_of(input));
	char since[CLOCK_TEXT_BYTES], detail[2 * sizeof(input->detail)];

	str_append(line->words, sizeof(line->words), "%s", *input->state ? input->state : "unknown");
	if (strcmp(input->state, "ok") == 0)
		return;
	if (input->since_wall_us) {
		clock_format(input->since_wall_us, 0, since);
		str_append(line->words, sizeof(line->words), " since %s", since);
	}
	str_escape(detail, sizeof(detail), input->detail);
	str_append(line->words, sizeof(line->words), "%s%s", *detail ? ": " : "", detail);
	if (line->mark != READY_OK && *ready_advice(input->name))
		str_append(line->words, sizeof(line->words), "; %s", ready_advice(input->name));
}

/* Ready means watching: before its first probe nobody knows anything of a filesystem. One that hangs has been probed. */
static void judge_probes(const struct health *h, struct ready *r)
{
	unsigned waiting = 0;
	struct ready_line *line;

	for (uint32_t i = 0; i < h->filesystem_count; i++)
		waiting += h->filesystems[i].last_probe_wall_us == 0 && !h->filesystems[i].ignored;
	if (h->filesystem_count == 0) {
		line = add(r, "watch", READY_WARNING);
		str_append(line->words, sizeof(line->words), "nothing is watched; name filesystems under watch: in the configuration (docs/configuration.md)");
		return;
	}
	line = add(r, "probes", waiting ? READY_FAILED : READY_OK);
	if (waiting)
		str_append(line->words, sizeof(line->words), "%u of %" PRIu32 " filesystems not probed yet; wait probe.deadline, then see the line 'broker'", waiting,
			   h->filesystem_count);
	else
		str_append(line->words, sizeof(line->words), "ok");
}

void ready_judge(const struct health *h, struct ready *ret)
{
	*ret = (struct ready){.ready = true};
	for (uint32_t i = 0; i < h->input_count && i < HEALTH_INPUTS_MAX; i++)
		judge_input(&h->inputs[i], ret);
	judge_probes(h, ret);
}

int ready_text(const struct ready *r, bool verbose, char **ret_text, size_t *ret_length, struct err *e)
{
	static const char sign[READY_MARK_MAX_] = {[READY_OK] = '+', [READY_WARNING] = '!', [READY_FAILED] = '-'};
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	if (!out)
		return err_set(e, ENOMEM, "cannot write");
	for (unsigned i = 0; i < r->count && (verbose || !r->ready); i++) {
		char name[4 * sizeof(r->lines[i].name)];
		str_escape(name, sizeof(name), r->lines[i].name);
		fprintf(out, "[%c]%s %s\n", sign[r->lines[i].mark], name, r->lines[i].words);
	}
	fputs(r->ready ? "ok\n" : "not ready\n", out);
	bool failed = ferror(out) != 0;
	if (fclose(out) != 0 || failed) {
		free(text);
		return err_set(e, ENOMEM, "cannot write");
	}
	*ret_text = text;
	*ret_length = length;
	return 0;
}
