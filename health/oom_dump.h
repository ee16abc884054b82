/* oom_dump.h - inside of oom.c: the dump that the kernel writes between "invoked oom-killer" and the kill. */
#pragma once

#include "health/oom.h"

void oom_read_dump(struct oom_reader *reader, const char *text);

bool oom_take_kb(const char **p, const char *key, uint64_t *ret_bytes); /* KEY, digits, "kB" */
