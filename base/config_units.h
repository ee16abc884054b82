/* config_units.h - one value of the configuration: durations, counts and names, read or refused.
 *
 * Every function returns NULL when the text is good, else the broken rule in words ("must be absolute"), to which
 * the caller adds line, key and what was found. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define CONFIG_SHARE_MAX 100 /* per cent, and nodes that may be tainted at a time, whatever the percentage: one Lease each */

/* "100ms", "5s", "10m", "1h": whole numbers, the unit is never guessed. */
const char *config_unit_duration(const char *text, uint64_t *ret_us);

/* Digits only; what has more of them than a uint32_t becomes UINT64_MAX, out of every range. */
const char *config_unit_count(const char *text, uint64_t *ret);

/* "64Ki", "1Mi": bytes are never without a unit. */
const char *config_unit_bytes(const char *text, uint64_t *ret);

const char *config_unit_path(const char *text);		 /* absolute, one spelling only */
const char *config_unit_path_or_none(const char *text);	 /* or "" */
const char *config_unit_plain_path_or_none(const char *text); /* the same without *, ? and [ */
bool config_unit_is_pattern(const char *path);		 /* holds *, ? or [: names mount points by pattern */
const char *config_unit_directory(const char *text);	 /* the same, and not "/" */
const char *config_unit_mount_path(const char *text);	 /* where in a container something may be mounted */
const char *config_unit_file_name(const char *text);	 /* one name beneath a directory */
const char *config_unit_node(const char *text);		 /* RFC 1123 subdomain, as Kubernetes reads it */
const char *config_unit_host(const char *text);		 /* RFC 1123 subdomain, IPv4 or IPv6 without brackets */
const char *config_unit_namespaces(const char *text);	 /* "etl", "team-*" */
const char *config_unit_qualified_name(const char *text); /* of a Kubernetes taint: [prefix/]name */
const char *config_unit_share(const char *text);	  /* of the nodes: "3" or "10%" */
const char *config_unit_role(const char *text);
const char *config_unit_role_or_none(const char *text);
const char *config_unit_listen(const char *text); /* "off", "127.0.0.1:9469", "[::1]:9469" */
