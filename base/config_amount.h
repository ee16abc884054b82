/* config_amount.h - how much must be left of something: a share of the whole, a number, or the lesser of both.
 *
 * "2%", "0.5%", "5Gi" (bytes), "10000" (a count), "2%, at most 5Gi", "off". Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Both zero: off. Both given: the lesser of the two, so that a share of a huge disk does not ask for half a terabyte. */
struct config_amount {
	uint64_t share; /* of the whole, in hundredths of a percent; 0 = none */
	uint64_t most;	/* bytes or a count; 0 = none */
};

enum config_amount_unit { CONFIG_AMOUNT_BYTES, CONFIG_AMOUNT_COUNT };

/* NULL when the text is good, else the broken rule in words; see config_units.h. */
const char *config_amount_parse(const char *text, enum config_amount_unit unit, struct config_amount *ret);

/* Within the bounds of what can be parsed. */
bool config_amount_holds(const struct config_amount *amount);

bool config_amount_is_off(const struct config_amount *amount);

/* `low` asks for less than `high` in a manner that both name: only then one can be told to lie beneath the other. */
bool config_amount_is_less(const struct config_amount *low, const struct config_amount *high);

/* The amount for a whole of `total`; what is left must not be less. 0 = off. */
uint64_t config_amount_of(const struct config_amount *amount, uint64_t total);
