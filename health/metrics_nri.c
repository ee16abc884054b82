#include <inttypes.h>

#include "base/scoped.h"
#include "health/metrics_text.h"

#define AT(member) offsetof(struct health_nri, member)

static const struct {
	const char *name, *help;
	size_t offset; /* of a uint64_t */
} counters[] = {
	{"stoker_nri_requests_total", "Calls of the container runtime.", AT(requests)},
	{"stoker_nri_late_total", "Decisions that were thrown away because they took longer than 500 ms.", AT(late)},
	{"stoker_nri_refused_total", "Calls of the container runtime that were not understood.", AT(refused)},
	{"stoker_nri_adjusted_total", "Containers that were adjusted at their creation.", AT(adjusted)},
	{"stoker_nri_unverified_total", "Adjustments that were not in force after the container's start.", AT(unverified)},
	{"stoker_nri_reconnects_total", "Connections to the container runtime after the first.", AT(reconnects)},
};

static void put_info(FILE *out, const struct health_nri *n)
{
	static const char name[] = "stoker_nri_info";

	metrics_head(out, name, "gauge", "Always 1 while the container runtime's NRI is connected.");
	if (!n->live)
		return;
	fprintf(out, "%s{", name);
	metrics_label(out, "runtime", n->runtime);
	fputc(',', out);
	metrics_label(out, "runtime_version", n->runtime_version);
	fputc(',', out);
	metrics_label(out, "nri_version", n->nri_version);
	fputs("} 1\n", out);
}

void metrics_put_nri(FILE *out, const struct health *h)
{
	if (!h->nri.present)
		return;
	put_info(out, &h->nri);
	for (size_t i = 0; i < ARRAY_SIZE(counters); i++) {
		const uint64_t *count = (const uint64_t *)(const void *)((const char *)&h->nri + counters[i].offset);
		metrics_head(out, counters[i].name, "counter", counters[i].help);
		fprintf(out, "%s %" PRIu64 "\n", counters[i].name, *count);
	}
}
