/* config_yaml.h - the YAML beneath the configuration: what is refused before libcyaml sees it, and where a key stands.
 *
 * libcyaml cuts strings at an escaped NUL, ignores a second document and names the wrong line for a twin; so one walk
 * over libyaml's events comes before it, and another finds the line of a key for an error. Linear, no allocation of
 * ours, and aliases are refused, never followed ("billion laughs"). */
#pragma once

#include <stddef.h>

#include "base/err.h"

#define CONFIG_YAML_PIECE_BYTES 64
#define CONFIG_YAML_PATH_BYTES	640 /* CONFIG_YAML_DEPTH pieces, dots, indices */
#define CONFIG_YAML_DEPTH	8

/* UTF-8 without NUL, YAML, one document, no alias, not deep. Errors begin with "line N: ". */
int config_yaml_check(const char *text, size_t length, struct err *e);

/* Line of the key path ("watch[1].path", "" = the top) in a text that passed the check; its last one if there are twins.
 * 0 if it is not there. */
unsigned config_yaml_line(const char *text, size_t length, const char *path);

/* Appends a key as it is shown in paths: bounded, quoted if it is not a plain word. */
void config_yaml_append_key(char path[static CONFIG_YAML_PATH_BYTES], const char *key);
