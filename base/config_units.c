#include "base/config_units.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/clock.h"
#include "base/config_amount.h"
#include "base/scoped.h"

#define DIGITS	     "0123456789"
#define LOWER	     "abcdefghijklmnopqrstuvwxyz"
#define ALNUM	     LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ" DIGITS
#define COUNT_DIGITS 10 /* of UINT32_MAX */

static bool is_one_of(char c, const char *set)
{
	return c && strchr(set, c);
}

/* Every byte is of the set; the first and the last are of `ends`. */
static bool is_word(const char *text, size_t length, const char *set, const char *ends)
{
	if (length == 0 || !is_one_of(text[0], ends) || !is_one_of(text[length - 1], ends))
		return false;
	for (size_t i = 0; i < length; i++)
		if (!is_one_of(text[i], set))
			return false;
	return true;
}

static uint64_t number_of(const char *text, size_t digits)
{
	uint64_t number = 0;

	if (digits > COUNT_DIGITS)
		return UINT64_MAX;
	for (size_t i = 0; i < digits; i++)
		number = number * 10 + (uint64_t)(text[i] - '0');
	return number;
}

const char *config_unit_duration(const char *text, uint64_t *ret_us)
{
	static const struct {
		const char *name;
		uint64_t us;
	} units[] = {{"ms", US_PER_MS}, {"s", US_PER_S}, {"m", 60 * US_PER_S}, {"h", 3600 * US_PER_S}};
	size_t digits = strspn(text, DIGITS);

	if (digits > 0 && text[digits] == '\0')
		return "must have a unit (ms, s, m or h)";
	for (size_t i = 0; digits > 0 && i < ARRAY_SIZE(units); i++) {
		if (strcmp(text + digits, units[i].name) != 0)
			continue;
		uint64_t number = number_of(text, digits);
		*ret_us = number > UINT64_MAX / units[i].us ? UINT64_MAX : number * units[i].us;
		return NULL;
	}
	return "must be a whole number with a unit (ms, s, m or h), like 5s";
}

const char *config_unit_count(const char *text, uint64_t *ret)
{
	size_t digits = strspn(text, DIGITS);

	if (digits == 0 || text[digits] != '\0')
		return "must be a whole number";
	*ret = number_of(text, digits);
	return NULL;
}

const char *config_unit_bytes(const char *text, uint64_t *ret)
{
	struct config_amount amount = {0};

	if (config_amount_parse(text, CONFIG_AMOUNT_BYTES, &amount) || amount.share || !amount.most)
		return "must be bytes like 1Mi (Ki, Mi, Gi or Ti)";
	*ret = amount.most;
	return NULL;
}

/* One spelling for one path, so that twins are found by comparing and nothing climbs out of where it seems to lie. */
static const char *check_pieces(const char *name)
{
	for (;;) {
		size_t length = strcspn(name, "/");
		if (length == 0)
			return name[0] ? "must be without '//'" : "must be without a trailing '/'";
		if ((length == 1 && name[0] == '.') || (length == 2 && strncmp(name, "..", 2) == 0))
			return "must be without '.' and '..'";
		if (!name[length])
			return NULL;
		name += length + 1;
	}
}

const char *config_unit_path(const char *text)
{
	if (text[0] != '/')
		return "must be absolute";
	return text[1] ? check_pieces(text + 1) : NULL;
}

const char *config_unit_path_or_none(const char *text)
{
	return text[0] ? config_unit_path(text) : NULL;
}

bool config_unit_is_pattern(const char *path)
{
	return strpbrk(path, "*?[") != NULL;
}

const char *config_unit_plain_path_or_none(const char *text)
{
	return config_unit_is_pattern(text) ? "must be a path, not a pattern" : config_unit_path_or_none(text);
}

const char *config_unit_directory(const char *text)
{
	return text[0] == '/' && !text[1] ? "must not be the root directory" : config_unit_plain_path_or_none(text);
}

const char *config_unit_mount_path(const char *text)
{
	static const char *const kernel[] = {"/proc", "/sys", "/dev"};
	const char *broken = config_unit_path(text);

	for (size_t i = 0; !broken && i < ARRAY_SIZE(kernel); i++) {
		size_t length = strlen(kernel[i]);
		if (!text[1] || (strncmp(text, kernel[i], length) == 0 && (text[length] == '/' || !text[length])))
			return "must not be / nor lie in /proc, /sys or /dev";
	}
	return broken;
}

const char *config_unit_file_name(const char *text)
{
	if (!text[0] || strchr(text, '/') || strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
		return "must be one name without '/'";
	return NULL;
}

static bool is_subdomain(const char *text, size_t length)
{
	if (length > 253)
		return false;
	for (size_t at = 0;;) {
		size_t label = 0;
		while (at + label < length && text[at + label] != '.')
			label++;
		if (!is_word(text + at, label, LOWER DIGITS "-", LOWER DIGITS))
			return false;
		at += label;
		if (at == length)
			return true;
		at++;
	}
}

const char *config_unit_node(const char *text)
{
	return is_subdomain(text, strlen(text)) ? NULL : "must be a node's name (a-z, 0-9, '-' and '.', at most 253 bytes)";
}

const char *config_unit_host(const char *text)
{
	unsigned char address[sizeof(struct in6_addr)];

	if (is_subdomain(text, strlen(text)) || inet_pton(AF_INET6, text, address) == 1)
		return NULL;
	return "must be a host's name in lower case, or an address";
}

const char *config_unit_namespaces(const char *text)
{
	size_t length = strlen(text);

	return length <= 63 && is_word(text, length, LOWER DIGITS "-*?", LOWER DIGITS "*?") ? NULL
											     : "must be a namespace, or a pattern of namespaces with * and ?";
}

const char *config_unit_qualified_name(const char *text)
{
	const char *slash = strchr(text, '/');
	const char *name = slash ? slash + 1 : text;

	if ((slash && !is_subdomain(text, (size_t)(slash - text))) || strlen(name) > 63 || !is_word(name, strlen(name), ALNUM "-_.", ALNUM))
		return "must be a qualified name like stoker.dev/unhealthy";
	return NULL;
}

const char *config_unit_share(const char *text)
{
	size_t digits = strspn(text, DIGITS);
	bool percent = strcmp(text + digits, "%") == 0;
	uint64_t number = number_of(text, digits);

	if (digits == 0 || text[0] == '0' || (text[digits] != '\0' && !percent) || number > CONFIG_SHARE_MAX)
		return "must be a number of nodes from 1 to 100, or a share of them from 1% to 100%";
	return NULL;
}

const char *config_unit_role(const char *text)
{
	size_t length = strlen(text);

	return length <= 31 && is_word(text, length, LOWER DIGITS "-", LOWER DIGITS "-") ? NULL : "must be 1 to 31 of a-z, 0-9 and '-'";
}

const char *config_unit_role_or_none(const char *text)
{
	return text[0] ? config_unit_role(text) : NULL;
}

const char *config_unit_listen(const char *text)
{
	static const char rule[] = "must be 'off' or ADDRESS:PORT with a numeric address, like 127.0.0.1:9469 or [::1]:9469";
	const char *colon = strrchr(text, ':');
	unsigned char address[sizeof(struct in6_addr)];
	char host[INET6_ADDRSTRLEN + 2];
	uint64_t port;

	if (strcmp(text, "off") == 0)
		return NULL;
	if (!colon || (size_t)(colon - text) >= sizeof(host) || config_unit_count(colon + 1, &port))
		return rule;
	if (port < 1 || port > UINT16_MAX)
		return "must have a port from 1 to 65535";
	size_t length = (size_t)(colon - text);
	memcpy(host, text, length);
	host[length] = '\0';
	bool is_6 = host[0] == '[' && host[length - 1] == ']';
	if (is_6)
		host[length - 1] = '\0';
	return inet_pton(is_6 ? AF_INET6 : AF_INET, host + is_6, address) == 1 ? NULL : rule;
}
