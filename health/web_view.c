#include "health/web_view.h"

#include <stdio.h>
#include <string.h>

#include "base/scoped.h"
#include "health/metrics.h"
#include "health/ready.h"

struct MHD_Response *web_response_make(const char *text, size_t length, const char *type)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(length, (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);

	if (!response)
		return NULL;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	return response;
}

enum web_subject web_view_subject(enum web_view view)
{
	static const enum web_subject subjects[WEB_VIEW_MAX_] = {
		[WEB_EXECUTORS] = WEB_OF_EXECUTORS, [WEB_DEATHS] = WEB_OF_DEATHS, [WEB_SWEEP] = WEB_OF_SWEEP,
		[WEB_VOLUMES] = WEB_OF_VOLUMES}; /* the others: of health */

	return subjects[view];
}

/* stokerd's own JSON. */
static bool is_passed_on(enum web_view view)
{
	return view == WEB_HEALTH || web_view_subject(view) != WEB_OF_HEALTH;
}

/* For programs that wait for JSON, and for the others. */
struct MHD_Response *web_response_error(enum web_view view, const char *words)
{
	char text[ERR_TEXT_BYTES + 32];
	bool json = is_passed_on(view);
	int n = snprintf(text, sizeof(text), json ? "{\"error\":\"%s\"}\n" : "%s\n", words);

	return web_response_make(text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1, json ? "application/json" : WEB_TEXT_TYPE);
}

/* The views that are made of what stokerd says, not only passed on. */
static void make_text(const struct health *health, enum web_view view, struct web_response *ret)
{
	scoped(scoped_free) char *text = NULL;
	struct ready ready;
	size_t length = 0;
	struct err e = {0};
	int r;

	if (view == WEB_METRICS) {
		r = metrics_text(health, &text, &length, &e);
	} else {
		ready_judge(health, &ready);
		if (!ready.ready)
			ret->status = MHD_HTTP_SERVICE_UNAVAILABLE;
		r = ready_text(&ready, view == WEB_READY_VERBOSE, &text, &length, &e);
	}
	if (r == 0)
		ret->response = web_response_make(text, length, view == WEB_METRICS ? METRICS_CONTENT_TYPE : WEB_TEXT_TYPE);
}

void web_view_make(struct web_source *source, enum web_view view, struct web_response *ret)
{
	const bool of_health = !is_passed_on(view) && view != WEB_ALIVE;
	const char *error = source->error;
	struct err e = {0};

	*ret = (struct web_response){.made = true, .status = MHD_HTTP_OK};
	if (!error && of_health && !source->parsed) {
		source->parsed = health_from_json(source->text, source->length, source->health, &e) == 0;
		error = source->parsed ? NULL : "stokerd's answer is not understood";
	}
	if (error) {
		ret->status = MHD_HTTP_SERVICE_UNAVAILABLE;
		ret->response = web_response_error(view, error);
	} else if (is_passed_on(view)) {
		ret->response = web_response_make(source->text, source->length, "application/json");
	} else if (view == WEB_ALIVE) {
		ret->response = web_response_make("ok\n", strlen("ok\n"), WEB_TEXT_TYPE);
	} else {
		make_text(source->health, view, ret);
	}
}
