#include "health/metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "health/metrics_text.h"

static const uint64_t bounds_us[HEALTH_BUCKETS] = {HEALTH_BUCKETS_US};

/* --- text --- */

static void put_filesystem_labels(FILE *out, const struct health_filesystem *f)
{
	fputc('{', out);
	metrics_label(out, "mountpoint", *f->mount_point ? f->mount_point : f->path);
	fputc(',', out);
	metrics_label(out, "path", f->path);
}

/* Without zeros at the end: 0.001, 2, 1795680900.000005 */
static void put_seconds(FILE *out, uint64_t us)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu.%06llu", us / US_PER_S, us % US_PER_S);
	size_t length = strlen(text);
	while (text[length - 1] == '0')
		length--;
	if (text[length - 1] == '.')
		length--;
	fprintf(out, "%.*s", (int)length, text);
}

/* --- of the node --- */

static void put_build(FILE *out, const char *name, const struct health *h)
{
	if (!*h->agent.version)
		return;
	fprintf(out, "%s{", name);
	metrics_label(out, "version", h->agent.version);
	fputs("} 1\n", out);
}

static void put_status(FILE *out, const char *name, const struct health *h)
{
	for (unsigned s = 0; s < HEALTH_STATUS_MAX_; s++)
		fprintf(out, "%s{status=\"%s\"} %d\n", name, health_status_name((enum health_status)s), h->status == s);
}

/* What is off is no input: an alarm on zero does not ring for it. */
static void put_inputs(FILE *out, const char *name, const struct health *h)
{
	for (uint32_t i = 0; i < h->input_count; i++) {
		if (strcmp(h->inputs[i].state, "off") == 0)
			continue;
		fprintf(out, "%s{", name);
		metrics_label(out, "input", h->inputs[i].name);
		fprintf(out, "} %d\n", strcmp(h->inputs[i].state, "ok") == 0);
	}
}

static void put_started(FILE *out, const char *name, const struct health *h)
{
	fprintf(out, "%s ", name);
	put_seconds(out, h->agent.started_wall_us);
	fputc('\n', out);
}

static void put_last_report(FILE *out, const char *name, const struct health *h)
{
	if (!h->agent.last_write_wall_us)
		return;
	fprintf(out, "%s ", name);
	put_seconds(out, h->agent.last_write_wall_us);
	fputc('\n', out);
}

static void put_tainted(FILE *out, const char *name, const struct health *h)
{
	fprintf(out, "%s %d\n", name, h->report.taint.wanted && !h->taint_held);
}

static void put_taint_wanted(FILE *out, const char *name, const struct health *h)
{
	fprintf(out, "%s %d\n", name, h->report.taint.wanted != 0);
}

static void put_taint_held(FILE *out, const char *name, const struct health *h)
{
	for (unsigned i = HOLDER_CLUSTER; i < HOLDER_MAX_; i++)
		fprintf(out, "%s{by=\"%s\"} %d\n", name, taint_holder_name((enum taint_holder)i), h->report.taint.wanted && h->taint_held && h->taint_holder == i);
}

static void put_writes(FILE *out, const char *name, const struct health *h)
{
	fprintf(out, "%s %" PRIu64 "\n", name, h->agent.report_writes);
}

static void put_gaps(FILE *out, const char *name, const struct health *h)
{
	fprintf(out, "%s %" PRIu64 "\n", name, h->agent.kmsg_gaps);
}

static void put_lost(FILE *out, const char *name, const struct health *h)
{
	fprintf(out, "%s %" PRIu64 "\n", name, h->agent.kmsg_lost);
}

static void put_abandoned(FILE *out, const char *name, const struct health *h)
{
	fprintf(out, "%s %" PRIu64 "\n", name, h->agent.abandoned_probes);
}

static void put_watched(FILE *out, const char *name, const struct health *h)
{
	fprintf(out, "%s %" PRIu32 "\n", name, h->filesystem_count);
}

static void put_executors(FILE *out, const char *name, const struct health *h)
{
	for (unsigned r = EXECUTOR_ROLE_NONE + 1; h->executors.present && r < EXECUTOR_ROLE_MAX_; r++)
		fprintf(out, "%s{role=\"%s\"} %" PRIu32 "\n", name, executor_role_name((enum executor_role)r), h->executors.running[r]);
}

static void put_deaths(FILE *out, const char *name, const struct health *h)
{
	for (uint32_t i = 0; i < h->executors.death_count; i++) {
		const struct executor_deaths *d = &h->executors.deaths[i];
		fprintf(out, "%s{", name);
		metrics_label(out, "cause", d->cause);
		fputc(',', out);
		metrics_label(out, "namespace", d->name_space);
		fprintf(out, "} %" PRIu64 "\n", d->count);
	}
}

static void put_storage(FILE *out, const char *name, const struct health *h)
{
	for (unsigned k = 0; h->storage.present && k < ACCOUNT_KIND_MAX_; k++)
		fprintf(out, "%s{kind=\"%s\"} %" PRIu64 "\n", name, account_kind_name((enum account_kind)k), h->storage.bytes[k]);
}

static void put_checkpoints(FILE *out, const char *name, const struct health *h)
{
	for (uint32_t i = 0; i < h->checkpoint_count; i++) {
		for (unsigned s = 0; s < CHECKPOINT_STATE_MAX_; s++) {
			fprintf(out, "%s{", name);
			metrics_label(out, "checkpoint", h->checkpoints[i].name);
			fprintf(out, ",state=\"%s\"} %d\n", checkpoint_state_name((enum checkpoint_state)s), h->checkpoints[i].state == s);
		}
	}
}

static const struct node_metric {
	const char *name, *type, *help;
	void (*put)(FILE *out, const char *name, const struct health *h);
} node_metrics[] = {
	{"stoker_build_info", "gauge", "Always 1; the version of stokerd.", put_build},
	{"stoker_start_time_seconds", "gauge", "When stokerd started; its counters begin there.", put_started},
	{"stoker_node_status", "gauge", "1 for the status that the node has.", put_status},
	{"stoker_node_tainted", "gauge", "1 while our taint is on the node object.", put_tainted},
	{"stoker_node_taint_wanted", "gauge", "1 while our taint should be on the node object.", put_taint_wanted},
	{"stoker_node_taint_held", "gauge", "1 while our taint should be on the node object and is not, by what keeps it off.", put_taint_held},
	{"stoker_last_report_timestamp_seconds", "gauge", "When the node object was last written, heartbeats too.", put_last_report},
	{"stoker_reporter_writes_total", "counter", "Writes to the node object.", put_writes},
	{"stoker_input_up", "gauge", "1 while this input or role works; what is off is left out.", put_inputs},
	{"stoker_kmsg_gaps_total", "counter", "Times that the kernel log ran faster than it was read.", put_gaps},
	{"stoker_kmsg_records_lost_total", "counter", "Kernel log records lost in these gaps.", put_lost},
	{"stoker_abandoned_probes", "gauge", "Probes that hang in the kernel and cannot be ended.", put_abandoned},
	{"stoker_checkpoint_state", "gauge", "1 for the state that the checkpoint's server is in.", put_checkpoints},
	{"stoker_watched_filesystems", "gauge", "Filesystems that are watched.", put_watched},
	{"stoker_executors", "gauge", "Spark containers on this node, sidecars left out.", put_executors},
	{"stoker_executor_deaths_total", "counter", "Explained deaths of Spark containers and of processes in them; namespaces after the first 50 are other.", put_deaths},
	{"stoker_pod_storage_bytes", "gauge", "What all pods together have written, by kind of place; some minutes old.", put_storage},
};

/* --- of each filesystem --- */

static void put_state(FILE *out, const char *name, const struct health_filesystem *f)
{
	for (unsigned s = 0; s < VERDICT_STATE_MAX_; s++) {
		fputs(name, out);
		put_filesystem_labels(out, f);
		fprintf(out, ",state=\"%s\"} %d\n", verdict_state_name((enum verdict_state)s), f->state == s);
	}
}

static void put_reason(FILE *out, const char *name, const struct health_filesystem *f)
{
	if (!*f->reason)
		return;
	fputs(name, out);
	put_filesystem_labels(out, f);
	fputc(',', out);
	metrics_label(out, "reason", f->reason);
	fputs("} 1\n", out);
}

static void put_results(FILE *out, const char *name, const struct health_filesystem *f)
{
	const struct {
		const char *result;
		uint64_t count;
	} results[] = {{"good", f->probes.good}, {"failed", f->probes.failed}, {"unclear", f->probes.unclear}};

	for (size_t i = 0; i < ARRAY_SIZE(results); i++) {
		fputs(name, out);
		put_filesystem_labels(out, f);
		fprintf(out, ",result=\"%s\"} %" PRIu64 "\n", results[i].result, results[i].count);
	}
}

static void put_durations(FILE *out, const char *name, const struct health_filesystem *f)
{
	uint64_t sum = 0;

	for (size_t i = 0; i <= HEALTH_BUCKETS; i++) {
		sum += f->probes.within[i];
		fprintf(out, "%s_bucket", name);
		put_filesystem_labels(out, f);
		fputs(",le=\"", out);
		if (i < HEALTH_BUCKETS)
			put_seconds(out, bounds_us[i]);
		else
			fputs("+Inf", out);
		fprintf(out, "\"} %" PRIu64 "\n", sum);
	}
	fprintf(out, "%s_sum", name);
	put_filesystem_labels(out, f);
	fputs("} ", out);
	put_seconds(out, f->probes.total_us);
	fprintf(out, "\n%s_count", name);
	put_filesystem_labels(out, f);
	fprintf(out, "} %" PRIu64 "\n", sum);
}

static void put_last_probe(FILE *out, const char *name, const struct health_filesystem *f)
{
	if (!f->last_probe_wall_us)
		return;
	fputs(name, out);
	put_filesystem_labels(out, f);
	fputs("} ", out);
	put_seconds(out, f->last_probe_wall_us);
	fputc('\n', out);
}

static void put_number(FILE *out, const char *name, const struct health_filesystem *f, uint64_t number, uint64_t whole)
{
	if (whole == 0) /* not measured, or without a limit: better nothing than a zero that looks full */
		return;
	fputs(name, out);
	put_filesystem_labels(out, f);
	fprintf(out, "} %" PRIu64 "\n", number);
}

static void put_size(FILE *out, const char *name, const struct health_filesystem *f)
{
	put_number(out, name, f, f->size_bytes, f->size_bytes);
}

static void put_available(FILE *out, const char *name, const struct health_filesystem *f)
{
	put_number(out, name, f, f->available_bytes, f->size_bytes);
}

static void put_inodes(FILE *out, const char *name, const struct health_filesystem *f)
{
	put_number(out, name, f, f->inodes, f->inodes);
}

static void put_available_inodes(FILE *out, const char *name, const struct health_filesystem *f)
{
	put_number(out, name, f, f->available_inodes, f->inodes);
}

static void put_full_of(FILE *out, const char *name, const struct health_filesystem *f, const char *resource, uint64_t low_s, uint64_t high_s)
{
	const struct {
		const char *bound;
		uint64_t seconds;
	} rows[] = {{"low", low_s}, {"high", high_s}};

	for (size_t i = 0; high_s && i < ARRAY_SIZE(rows); i++) {
		fputs(name, out);
		put_filesystem_labels(out, f);
		fprintf(out, ",resource=\"%s\",bound=\"%s\"} %" PRIu64 "\n", resource, rows[i].bound, rows[i].seconds);
	}
}

static void put_full(FILE *out, const char *name, const struct health_filesystem *f)
{
	put_full_of(out, name, f, "bytes", f->space_full_low_s, f->space_full_high_s);
	put_full_of(out, name, f, "inodes", f->inodes_full_low_s, f->inodes_full_high_s);
}

static const struct filesystem_metric {
	const char *name, *type, *help;
	void (*put)(FILE *out, const char *name, const struct health_filesystem *f);
} filesystem_metrics[] = {
	{"stoker_filesystem_state", "gauge", "1 for the state that the filesystem is in.", put_state},
	{"stoker_filesystem_reason", "gauge", "Always 1; why the filesystem is not healthy. Nothing while it is.", put_reason},
	{"stoker_filesystem_probes_total", "counter", "Write probes by what came of them.", put_results},
	{"stoker_filesystem_probe_duration_seconds", "histogram", "How long a write probe with fdatasync takes.", put_durations},
	{"stoker_filesystem_last_probe_timestamp_seconds", "gauge", "When the last probe that has ended began.", put_last_probe},
	{"stoker_filesystem_size_bytes", "gauge", "Size, for ordinary users.", put_size},
	{"stoker_filesystem_available_bytes", "gauge", "Bytes that ordinary users can still write.", put_available},
	{"stoker_filesystem_inodes", "gauge", "Inodes in all.", put_inodes},
	{"stoker_filesystem_available_inodes", "gauge", "Inodes that ordinary users can still use.", put_available_inodes},
	{"stoker_filesystem_full_seconds", "gauge", "Exhausted in so many seconds if it goes on, at the earliest and at the latest. Nothing while it is not filling up.", put_full},
};

/* --- all --- */

static void put_all(FILE *out, const struct health *h)
{
	for (size_t i = 0; i < ARRAY_SIZE(node_metrics); i++) {
		const struct node_metric *m = &node_metrics[i];
		metrics_head(out, m->name, m->type, m->help);
		m->put(out, m->name, h);
	}
	metrics_put_nri(out, h);
	metrics_put_volumes(out, h);
	for (size_t i = 0; i < ARRAY_SIZE(filesystem_metrics); i++) {
		const struct filesystem_metric *m = &filesystem_metrics[i];
		metrics_head(out, m->name, m->type, m->help);
		for (uint32_t j = 0; j < h->filesystem_count; j++)
			m->put(out, m->name, &h->filesystems[j]);
	}
}

int metrics_text(const struct health *h, char **ret_text, size_t *ret_length, struct err *e)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	if (!out)
		return err_set(e, ENOMEM, "cannot write the metrics");
	put_all(out, h);
	bool failed = ferror(out) != 0;
	if (fclose(out) != 0 || failed) {
		free(text);
		return err_set(e, ENOMEM, "cannot write the metrics");
	}
	*ret_text = text;
	*ret_length = length;
	return 0;
}
