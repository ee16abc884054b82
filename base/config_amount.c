#include "base/config_amount.h"

#include <stddef.h>
#include <string.h>

#include "base/scoped.h"

#define SHARE_MAX  9900		/* 99% */
#define SHARE_ALL  10000	/* 100% */
#define MOST_MAX   (1ULL << 50) /* 1024Ti */
#define MOST_DIGITS 16
#define DIGITS	   "0123456789"
#define AT_MOST	   ", at most "

static const char *const rule_words[] = {
	[CONFIG_AMOUNT_BYTES] = "must be 'off', a share like 2% or 0.5%, bytes like 5Gi (Ki, Mi, Gi or Ti), or both like 2%, at most 5Gi",
	[CONFIG_AMOUNT_COUNT] = "must be 'off', a share like 2% or 0.5%, a number like 10000, or both like 2%, at most 10000",
};

/* Reads digits; false if there are none or too many. */
static bool take_number(const char **text, uint64_t *ret)
{
	size_t digits = strspn(*text, DIGITS);

	if (digits == 0 || digits > MOST_DIGITS)
		return false;
	*ret = 0;
	for (size_t i = 0; i < digits; i++)
		*ret = *ret * 10 + (uint64_t)((*text)[i] - '0');
	*text += digits;
	return true;
}

/* "2%", "0.5%", "0.25%": the text after it, or NULL. */
static const char *take_share(const char *text, uint64_t *ret)
{
	uint64_t whole, part = 0;

	if (!take_number(&text, &whole) || whole > SHARE_ALL)
		return NULL;
	if (*text == '.') {
		size_t digits = strspn(++text, DIGITS);
		if (digits < 1 || digits > 2 || !take_number(&text, &part))
			return NULL;
		part *= digits == 1 ? 10 : 1;
	}
	*ret = whole * 100 + part;
	return *text == '%' ? text + 1 : NULL;
}

/* Up to the end of the text. */
static bool take_most(const char *text, enum config_amount_unit unit, uint64_t *ret)
{
	static const struct {
		const char *name;
		unsigned shift;
	} units[] = {{"Ki", 10}, {"Mi", 20}, {"Gi", 30}, {"Ti", 40}};
	uint64_t number;

	if (!take_number(&text, &number))
		return false;
	if (unit == CONFIG_AMOUNT_COUNT) {
		*ret = number;
		return !*text;
	}
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strcmp(text, units[i].name) != 0)
			continue;
		*ret = number > MOST_MAX >> units[i].shift ? UINT64_MAX : number << units[i].shift;
		return true;
	}
	return false;
}

const char *config_amount_parse(const char *text, enum config_amount_unit unit, struct config_amount *ret)
{
	struct config_amount amount = {0};

	if (strcmp(text, "off") == 0) {
		*ret = amount;
		return NULL;
	}
	bool has_share = strchr(text, '%') != NULL;
	if (has_share) {
		text = take_share(text, &amount.share);
		if (!text)
			return rule_words[unit];
	}
	bool has_most = !has_share || *text;
	if (has_share && has_most) {
		if (strncmp(text, AT_MOST, strlen(AT_MOST)) != 0)
			return rule_words[unit];
		text += strlen(AT_MOST);
	}
	if (has_most && !take_most(text, unit, &amount.most))
		return rule_words[unit];
	/* Nothing left is not a threshold: it is the fault itself. */
	if ((has_share && amount.share == 0) || (has_most && amount.most == 0))
		return "must not be 0 ('off' turns it off)";
	if (!config_amount_holds(&amount))
		return unit == CONFIG_AMOUNT_BYTES ? "must be at most 99% and at most 1024Ti" : "must be at most 99% and at most 1125899906842624";
	*ret = amount;
	return NULL;
}

bool config_amount_holds(const struct config_amount *amount)
{
	return amount->share <= SHARE_MAX && amount->most <= MOST_MAX;
}

bool config_amount_is_off(const struct config_amount *amount)
{
	return amount->share == 0 && amount->most == 0;
}

bool config_amount_is_less(const struct config_amount *low, const struct config_amount *high)
{
	return (low->share && high->share && low->share < high->share) || (low->most && high->most && low->most < high->most);
}

uint64_t config_amount_of(const struct config_amount *amount, uint64_t total)
{
	/* In two parts, so that nothing overflows; rounded up, so that a share of few is still one. */
	uint64_t share = total / SHARE_ALL * amount->share + (total % SHARE_ALL * amount->share + SHARE_ALL - 1) / SHARE_ALL;

	if (amount->share == 0)
		return amount->most;
	return amount->most && amount->most < share ? amount->most : share;
}
