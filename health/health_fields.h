/* health_fields.h - the fields of docs/contract.md's JSON: one table for writing (health_json.c) and for reading
 * (health_json_read.c).
 *
 * JSON is UTF-8 and file names are bytes, so names are shown escaped (str_escape) and turned back when read: a newline and
 * a backslash followed by 'n' stay two things over a restart. Texts are words already; only what JSON cannot hold is
 * escaped in them. */
#pragma once

#include <stddef.h>

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "health/health.h"

#define HEALTH_KIND "NodeHealth"

enum field_kind {
	FIELD_NAME,   /* char[], escaped */
	FIELD_TEXT,   /* char[] */
	FIELD_TIME,   /* uint64_t, microseconds; null = never */
	FIELD_SECOND, /* the same in whole seconds, as Kubernetes writes times */
	FIELD_U64,
	FIELD_I32,
	FIELD_BOOL,   /* uint32_t */
	FIELD_WORD,   /* an enum's name */
	FIELD_COUNTS, /* uint64_t[]: an array of numbers */
	FIELD_ROLES,
	FIELD_OBJECT, /* `sub` over the same struct; null if the uint32_t or uint64_t at `offset` is zero */
};

struct field {
	const char *key; /* NULL ends a table */
	enum field_kind kind;
	size_t offset, size; /* in the struct that the table describes */
	const struct field *sub;
	const char *(*word)(unsigned value);
	unsigned words;
};

extern const struct field health_head_fields[];	      /* of struct health: node, time, status */
extern const struct field health_condition_fields[];  /* of struct report_condition */
extern const struct field health_taint_field;	      /* of struct health */
extern const struct field health_agent_field;	      /* of struct health */
extern const struct field health_volumes_field;	      /* of struct health */
extern const struct field health_nri_field;	      /* of struct health */
extern const struct field health_filesystem_fields[]; /* of struct health_filesystem */
extern const struct field health_input_fields[];      /* of struct health_input */
extern const struct field health_checkpoint_fields[]; /* of struct health_checkpoint */

/* For other kinds of object that are written and read by a table. False: no memory. `where` is "" or ends with '.': the place that
 * an error names. Missing and null are left as they are in `base`. */
bool fields_add(cJSON *object, const struct field *fields, const void *base);
int fields_read(const cJSON *object, const char *where, const struct field *fields, void *base, struct err *e);
int fields_parse(const char *text, size_t length, size_t most, cJSON **ret, struct err *e); /* one JSON value, nothing after it */
int fields_must_be(const cJSON *root, const char *key, const char *value, struct err *e);
