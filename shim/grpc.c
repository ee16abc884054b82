#include "shim/grpc.h"

#include <errno.h>
#include <stdbool.h>

#include "base/scoped.h"
#include "shim/big_endian.h"
#include "shim/text.h"

#define TIMEOUT_DIGITS_MAX 8
#define US_PER_MINUTE	   60000000ULL

enum grpc_code grpc_open(struct text body, struct text *ret_message, const char **ret_why)
{
	if (body.length < GRPC_PREFIX_BYTES) {
		*ret_why = "a unary call has one message";
		return body.length == 0 ? GRPC_UNIMPLEMENTED : GRPC_INTERNAL;
	}
	const unsigned char *prefix = (const unsigned char *)body.bytes;
	const uint32_t length = big_endian_get(prefix + 1);
	if (prefix[0] != 0) {
		*ret_why = "compressed messages are not understood";
		return prefix[0] == 1 ? GRPC_UNIMPLEMENTED : GRPC_INTERNAL;
	}
	if (length > body.length - GRPC_PREFIX_BYTES) {
		*ret_why = "the message is cut";
		return GRPC_INTERNAL;
	}
	if (length < body.length - GRPC_PREFIX_BYTES) {
		*ret_why = "a unary call has one message";
		return GRPC_UNIMPLEMENTED;
	}
	*ret_message = text_from(body, GRPC_PREFIX_BYTES);
	return GRPC_OK;
}

void grpc_write_prefix(unsigned char prefix[static GRPC_PREFIX_BYTES], size_t length)
{
	prefix[0] = 0;
	big_endian_put(prefix + 1, (uint32_t)length);
}

int grpc_timeout(struct text value, uint64_t *ret_us)
{
	static const struct {
		char unit;
		uint64_t multiply, divide;
	} units[] = {{'H', 60 * US_PER_MINUTE, 1}, {'M', US_PER_MINUTE, 1}, {'S', 1000000, 1}, {'m', 1000, 1}, {'u', 1, 1}, {'n', 1, 1000}};
	struct text digits = value;
	uint64_t number;

	if (value.length < 2 || value.length > TIMEOUT_DIGITS_MAX + 1)
		return -EINVAL;
	digits.length--;
	if (!text_number(digits, &number))
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (units[i].unit == value.bytes[digits.length]) {
			*ret_us = number * units[i].multiply / units[i].divide;
			return 0;
		}
	}
	return -EINVAL;
}

void grpc_encode(char *destination, size_t size, const char *text)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t out = 0;

	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		const bool plain = *p >= 0x20 && *p <= 0x7e && *p != '%';
		if (out + (plain ? 1 : 3) >= size)
			break;
		if (plain) {
			destination[out++] = (char)*p;
			continue;
		}
		destination[out++] = '%';
		destination[out++] = hex[*p >> 4];
		destination[out++] = hex[*p & 15];
	}
	destination[out] = '\0';
}

const char *grpc_code_name(enum grpc_code code)
{
	static const char *const names[] = {
		"OK",		     "CANCELLED", "UNKNOWN",	  "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED",
		"FAILED_PRECONDITION", "ABORTED",   "OUT_OF_RANGE", "UNIMPLEMENTED",    "INTERNAL",	   "UNAVAILABLE",
	};

	return (size_t)code < ARRAY_SIZE(names) ? names[code] : "?";
}
