/* lint against any files: judged or not understood, never without words. A line "=== NAME" in the input begins another file. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shim/lint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add(struct lint *lint, const char *name, const uint8_t *data, size_t size)
{
	struct err e = {0};

	if (lint_add(lint, name, (const char *)data, size, &e) < 0 && (e.code <= 0 || !e.text[0]))
		abort();
}

static void check(const struct lint *lint)
{
	for (const struct lint_file *file = lint->files; file; file = file->next)
		if (file->understood == (file->why[0] != '\0'))
			abort();
	for (uint32_t i = 0; i < lint->finding_count; i++) {
		const struct lint_finding *f = &lint->findings[i];
		if (f->rule >= LINT_RULE_MAX_ || !f->place.file || f->place.line == 0 || !f->text[0])
			abort();
		if (i > 0 && f->place.file == lint->findings[i - 1].place.file && f->place.line < lint->findings[i - 1].place.line)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char mark[] = "\n=== ";
	struct err e = {0};
	struct lint *lint = lint_new(&e);
	char name[64] = "first.yaml";

	if (!lint)
		abort();
	lint->webhook = size % 2 ? LINT_WEBHOOK_OFF : LINT_WEBHOOK_UNKNOWN;
	for (size_t from = 0; from < size;) {
		const uint8_t *found = memmem(data + from, size - from, mark, sizeof(mark) - 1);
		const size_t end = found ? (size_t)(found - data) : size;
		add(lint, name, data + from, end - from);
		from = found ? end + sizeof(mark) - 1 : size;
		size_t n = 0;
		for (; from < size && data[from] != '\n'; from++)
			if (n < sizeof(name) - 1 && data[from] > ' ' && data[from] < 0x7f)
				name[n++] = (char)data[from];
		name[n] = '\0';
		from += from < size;
	}
	if (lint_judge(lint, &e) < 0 && e.code <= 0)
		abort();
	check(lint);
	lint_free(lint);
	return 0;
}
