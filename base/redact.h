/* redact.h - takes secrets out of foreign text before it is kept, sent or shown: command lines, env, lines of logs.
 *
 * A secret is a value whose name matches the regular expression redact.regex (POSIX extended, case ignored after "(?i)"; the
 * default is Spark's spark.redaction.regex), a password within a URL, or what follows "Bearer" and "Basic". It becomes
 * "*********(redacted)", as Spark shows it. In doubt more is taken than less: a name too long to match, the tail behind an
 * open quote. What is not taken: a secret without any name beside it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define REDACT_REGEX  "(?i)secret|password|token|access[.]?key"
#define REDACT_SHOWN  "*********(redacted)"

struct redactor;

/* NULL when the expression is good, else the broken rule in words; see config_units.h. Refused beside what regcomp(3) refuses:
 * what would mean something else in Java, where users take their expressions from, and what takes time or memory without bound. */
const char *redact_check(const char *regex);

/* NULL with the reason, or a redactor of the caller's. */
struct redactor *redactor_new(const char *regex, struct err *e);
struct redactor *redactor_free(struct redactor *redactor); /* always NULL */

/* `name` alone: is its value a secret? */
bool redact_is_secret(const struct redactor *redactor, const char *name, size_t length);

/* A line of a log, any text: every NAME=VALUE, NAME: VALUE, NAME -> VALUE and --NAME VALUE in it, URLs. `ret` ends with NUL, cut to
 * size; returns its length. NUL bytes and control characters pass: str_escape is the caller's. */
size_t redact_line(const struct redactor *redactor, const char *text, size_t length, char *ret, size_t size);

/* A command line or environment as /proc has it: '\0' between the arguments, in `ret` too. Each "K=V", "-DK=V", and the argument
 * behind "--password". Beside the name the value is looked at too, as Spark does: one that matches is taken whole. */
size_t redact_arguments(const struct redactor *redactor, const char *text, size_t length, char *ret, size_t size);
