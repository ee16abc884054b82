#include "health/metrics_text.h"

#include "base/str.h"

#define LABEL_BYTES (4 * NAME_PATH_BYTES)

void metrics_head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* What the format wants escaped in a label: backslash, quote, newline. The rest of str_escape's work makes it UTF-8. */
void metrics_label(FILE *out, const char *name, const char *value)
{
	char shown[LABEL_BYTES];

	str_escape(shown, sizeof(shown), value);
	fprintf(out, "%s=\"", name);
	for (const char *p = shown; *p; p++) {
		if (*p == '\\' || *p == '"')
			fputc('\\', out);
		fputc(*p, out);
	}
	fputc('"', out);
}
