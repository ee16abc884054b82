/* web_view.h - what stoker-web answers, made of what stokerd says: the JSON as it is, metrics, liveness, readiness. */
#pragma once

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>

#include "health/health.h"

#define WEB_TEXT_TYPE "text/plain; charset=utf-8"

enum web_view { WEB_HEALTH, WEB_METRICS, WEB_ALIVE, WEB_READY, WEB_READY_VERBOSE, WEB_EXECUTORS, WEB_DEATHS, WEB_SWEEP, WEB_VOLUMES, WEB_VIEW_MAX_ };

/* What stokerd is asked for. */
enum web_subject { WEB_OF_HEALTH, WEB_OF_EXECUTORS, WEB_OF_DEATHS, WEB_OF_SWEEP, WEB_OF_VOLUMES, WEB_SUBJECT_MAX_ };
enum web_subject web_view_subject(enum web_view view);

struct web_response {
	bool made;
	unsigned status;
	struct MHD_Response *response; /* NULL: no memory */
};

/* One answer of stokerd. It is parsed when the first view needs it. */
struct web_source {
	const char *text; /* JSON */
	size_t length;
	const char *error;     /* why there is no answer, or NULL */
	struct health *health; /* room for it, about 300 KiB */
	bool parsed;
};

void web_view_make(struct web_source *source, enum web_view view, struct web_response *ret);

/* Copies the text. NULL: no memory. */
struct MHD_Response *web_response_make(const char *text, size_t length, const char *type);
struct MHD_Response *web_response_error(enum web_view view, const char *words);
