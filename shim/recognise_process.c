/* recognise_process.c - see recognise.h: the same from a process, where no runtime tells. */
#include <string.h>

#include "shim/command.h"
#include "shim/pod_names.h"
#include "shim/recognise.h"
#include "shim/text.h"

static bool is_better(enum executor_role role, const struct executor *than)
{
	/* A standalone worker's executors are processes of its container. */
	return than->role == EXECUTOR_ROLE_NONE || (role == EXECUTOR_ROLE_STANDALONE_WORKER && than->role == EXECUTOR_ROLE_EXECUTOR);
}

void recognise_from_process(const struct redactor *redactor, const char *command_line, size_t length, struct executor *executor)
{
	struct command command = {.option = text_of(""), .redactor = redactor};
	struct text rest = {.bytes = command_line, .length = length < UINT32_MAX ? (uint32_t)length : UINT32_MAX}, argument;
	struct executor found = *executor;

	while (text_next(&rest, '\0', &argument))
		command_take(&command, argument, &found);
	enum executor_role role = command_role(&command);
	if (command.is_worker && executor->language == EXECUTOR_LANGUAGE_UNKNOWN)
		executor->language = command.language;
	if (command.is_worker || role == EXECUTOR_ROLE_NONE || !is_better(role, executor))
		return;
	*executor = found;
	executor->role = role;
	if (executor->language == EXECUTOR_LANGUAGE_UNKNOWN)
		executor->language = command.language;
	if (role == EXECUTOR_ROLE_EXECUTOR && pod_names_client_driver(executor))
		executor->flags |= EXECUTOR_CLIENT_MODE;
	if (role == EXECUTOR_ROLE_STANDALONE_WORKER) { /* what was read is one of its executors', not the container's */
		executor->heap_bytes = 0;
		executor->flags = 0;
		memset(executor->app_id, 0, sizeof(executor->app_id));
		memset(executor->executor_id, 0, sizeof(executor->executor_id));
		memset(executor->driver_url, 0, sizeof(executor->driver_url));
	}
	if (!executor->app_name[0])
		pod_names_app(executor);
}
