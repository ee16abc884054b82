/* err.h - an error with its context in words.
 *
 * It lives on the caller's stack and never allocates. The cause is set where it happens (err_set), the purpose
 * is added where it is known (err_wrap), and it is logged once, at the top. All functions here return the
 * negative errno, so that a failing function ends with `return err_set(...)`. `e` may be NULL.
 * Convention of the house: 0 or more is success, -errno is failure, outputs are touched only on success. */
#pragma once

#define ERR_TEXT_BYTES 512

struct err {
	int code; /* errno, positive; 0 when nothing was set */
	char text[ERR_TEXT_BYTES];
};

/* "cannot open 'x': No such file or directory". */
int err_set(struct err *e, int errnum, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same without the errno's own words, for a broken rule: "line 3: probe.period: must be from 1s to 10m". */
int err_rule(struct err *e, int errnum, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts "cannot do what was wanted: " before the words that are there. */
int err_wrap(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
