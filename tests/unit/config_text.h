/* config_text.h - a configuration that must be good. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/config_rules.h"

static inline void parse_good(const char *text, size_t length, struct config *config)
{
	struct err e = {0};

	memset(config, 0x5a, sizeof(*config));
	if (config_parse(text, length, config, &e) < 0)
		fail_msg("%.*s: refused: %s", (int)length, text, e.text);
	if (config_rules_check(config, &e) < 0)
		fail_msg("%.*s: taken, but %s", (int)length, text, e.text);
}
