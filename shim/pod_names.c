#include "shim/pod_names.h"

#include <string.h>

#include "base/scoped.h"
#include "base/str.h"
#include "shim/recognise.h"
#include "shim/text.h"

#define DIGITS	    "0123456789"
#define HEX	    DIGITS "abcdef"
#define HASH_DIGITS 16

/* Cuts "-<16 hex>" off the end. */
static void cut_hash(char *name)
{
	size_t length = strlen(name);

	if (length > HASH_DIGITS + 1 && name[length - HASH_DIGITS - 1] == '-' && strspn(name + length - HASH_DIGITS, HEX) == HASH_DIGITS)
		name[length - HASH_DIGITS - 1] = '\0';
}

void pod_names_app(struct executor *executor)
{
	char name[NAME_NODE_BYTES];

	str_copy(name, sizeof(name), executor->pod);
	char *dash = strrchr(name, '-');
	if (!dash || dash == name)
		return;
	if (strcmp(dash, "-driver") == 0) {
		*dash = '\0';
	} else {
		bool numbered = dash[1] && dash[1 + strspn(dash + 1, DIGITS)] == '\0';
		*dash = '\0';
		size_t length = strlen(name);
		if (!numbered || length < 6 || strcmp(name + length - 5, "-exec") != 0)
			return;
		name[length - 5] = '\0';
	}
	cut_hash(name);
	str_copy(executor->app_name, sizeof(executor->app_name), name);
}

void pod_names_version(struct text image, struct executor *executor)
{
	static const char *const names[] = {"spark", "spark-py", "spark-r"};
	struct text part = {.bytes = ""}, name;
	bool known = false;

	while (text_next(&image, '/', &part))
		;
	struct text tag = part;
	if (!text_next(&tag, ':', &name))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		known |= text_is(name, names[i]);
	tag = text_starts(tag, "v") ? text_from(tag, 1) : tag;
	uint32_t length = 0;
	while (length < tag.length && ((tag.bytes[length] >= '0' && tag.bytes[length] <= '9') || tag.bytes[length] == '.'))
		length++;
	/* "3.1.1": three numbers */
	tag.length = length;
	const char *dot = memchr(tag.bytes, '.', tag.length), *last = memrchr(tag.bytes, '.', tag.length);
	if (known && dot && last != dot && dot > tag.bytes && last + 1 < tag.bytes + tag.length && length < sizeof(executor->spark_version))
		text_copy(executor->spark_version, sizeof(executor->spark_version), tag);
}

bool pod_names_client_driver(const struct executor *executor)
{
	return executor->driver_url[0] && !strstr(executor->driver_url, "-driver-svc.");
}

/* A pod's UID is 36 bytes ("3e2714c5-2afa-4a6e-8e1b-20798bc82f1b"), a static pod's 32. */
static bool is_uid(const char *text)
{
	size_t length = strlen(text);

	return (length == 36 || length == 32) && text[strspn(text, HEX "-")] == '\0';
}

bool recognise_log_directory(const char *name, struct executor *executor)
{
	const char *first = strchr(name, '_'), *last = strrchr(name, '_');

	/* Neither a namespace nor a pod's name holds '_'. */
	if (!first || first == last || first == name || last == first + 1 || !is_uid(last + 1) || memchr(first + 1, '_', (size_t)(last - first - 1)))
		return false;
	size_t space = (size_t)(first - name), pod = (size_t)(last - first - 1);
	if (space >= sizeof(executor->name_space) || pod >= sizeof(executor->pod))
		return false;
	text_copy(executor->name_space, sizeof(executor->name_space), (struct text){.bytes = name, .length = (uint32_t)space});
	text_copy(executor->pod, sizeof(executor->pod), (struct text){.bytes = first + 1, .length = (uint32_t)pod});
	str_copy(executor->pod_uid, sizeof(executor->pod_uid), last + 1);
	return true;
}
