/* monitor_inputs.c - what stokerd hears from: each input's state, and what is said of it in the log. */
#include <string.h>

#include "base/str.h"
#include "health/monitor.h"

static void say_input(const struct monitor *m, const struct health_input *input)
{
	const bool is_well = strcmp(input->state, "ok") == 0 || strcmp(input->state, "off") == 0;

	log_emit(m->log, is_well ? LOG_INFO : LOG_WARN, "input", "name", input->name, "state", input->state, "detail", input->detail, (char *)0);
}

void monitor_say_awaited(struct monitor *m)
{
	for (uint32_t i = 0; i < m->input_count; i++) {
		if (m->awaited[i])
			say_input(m, &m->inputs[i]);
		m->awaited[i] = false;
	}
}

void monitor_input(struct monitor *m, const char *name, const char *state, const char *detail)
{
	uint32_t i = 0;

	while (i < m->input_count && strcmp(m->inputs[i].name, name) != 0)
		i++;
	if (i == HEALTH_INPUTS_MAX)
		return;
	struct health_input *input = &m->inputs[i];
	const bool is_new = i == m->input_count, has_changed = strcmp(input->state, state) != 0;
	m->input_count += is_new;
	if (has_changed && m->ops->wall_us)
		input->since_wall_us = m->ops->wall_us(m);
	str_copy(input->name, sizeof(input->name), name);
	str_copy(input->state, sizeof(input->state), state);
	str_copy(input->detail, sizeof(input->detail), detail);
	if (is_new)
		m->awaited[i] = strcmp(state, "missing") == 0;
	else if (has_changed)
		m->awaited[i] = false;
	if (has_changed && !m->awaited[i])
		say_input(m, input);
}
