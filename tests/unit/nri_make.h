/* nri_make.h - messages as a runtime would send them, for the tests of the wire. Included once by each test. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "shim/ttrpc.h"

static inline struct text text_of(const void *bytes, size_t length)
{
	return (struct text){bytes, (uint32_t)length};
}

static inline bool text_is(struct text text, const char *want)
{
	return text.length == strlen(want) && memcmp(text.bytes, want, text.length) == 0;
}

#define WORD(writer, number, word) proto_write_text(writer, number, word, strlen(word))

static inline struct proto_writer writer_on(unsigned char *bytes, size_t size)
{
	return (struct proto_writer){.bytes = bytes, .size = size};
}

static inline struct text written(const struct proto_writer *writer)
{
	assert_false(writer->overflow);
	return text_of(writer->bytes, writer->length);
}

/* A request as Go's client writes it, in one ttrpc message. */
static inline size_t make_request(unsigned char *bytes, size_t size, uint32_t stream, const char *method, size_t payload_bytes)
{
	struct proto_writer writer = {.bytes = bytes, .size = size};
	size_t mark = ttrpc_begin_request(&writer, stream, "nri.pkg.api.v1alpha1.Plugin", method);

	for (size_t i = 0; i < payload_bytes; i++)
		proto_write_raw(&writer, &(char){(char)i}, 1);
	assert_int_equal(ttrpc_end(&writer, mark), 0);
	return writer.length;
}
