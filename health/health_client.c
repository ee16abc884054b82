#include "health/health_client.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/scoped.h"
#include "base/str.h"
#include "health/health.h"

/* stoker-web itself gives up after 5 s and says why: wait a little longer than that. */
#define CLIENT_CONNECT_MS 2000L
#define CLIENT_TOTAL_MS	  7000L

struct client_body {
	char *text;
	size_t length, capacity;
};

static void body_drop(struct client_body *body)
{
	free(body->text);
}

static void curl_drop(CURL **curl)
{
	curl_easy_cleanup(*curl);
}

/* Less than `count` ends the transfer. */
static size_t take_bytes(char *bytes, size_t size, size_t count, void *context)
{
	struct client_body *body = context;
	const size_t n = size * count;

	if (n > HEALTH_JSON_MAX_BYTES - body->length)
		return 0;
	if (body->length + n >= body->capacity) {
		size_t capacity = 2 * (body->length + n) + 1;
		char *text = realloc(body->text, capacity);
		if (!text)
			return 0;
		body->text = text;
		body->capacity = capacity;
	}
	memcpy(body->text + body->length, bytes, n);
	body->length += n;
	body->text[body->length] = '\0';
	return n;
}

static int prepare(CURL *curl, const char *socket_path, const char *http_path, struct client_body *body, char words[static CURL_ERROR_SIZE])
{
	char url[128];

	snprintf(url, sizeof(url), "http://stoker%s", http_path);
	CURLcode r = curl_easy_setopt(curl, CURLOPT_URL, url); /* copied */

	r = r ? r : curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket_path);
	r = r ? r : curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
	r = r ? r : curl_easy_setopt(curl, CURLOPT_NOPROXY, "*"); /* http_proxy of the environment is not for this */
	r = r ? r : curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	r = r ? r : curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CLIENT_CONNECT_MS);
	r = r ? r : curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, CLIENT_TOTAL_MS);
	r = r ? r : curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, words);
	r = r ? r : curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
	r = r ? r : curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
	return r == CURLE_OK ? 0 : -1;
}

/* What curl says about a unix socket is about a host and a port; the system's errno tells more. */
static int explain(CURL *curl, CURLcode r, const char *socket_path, const char *words, struct err *e)
{
	long os_errno = 0;

	curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &os_errno);
	if (r == CURLE_OPERATION_TIMEDOUT)
		return err_set(e, ETIMEDOUT, "stokerd at '%s' does not answer", socket_path);
	if (r == CURLE_COULDNT_CONNECT && os_errno > 0)
		return err_set(e, (int)os_errno, "cannot reach stokerd at '%s'", socket_path);
	return err_rule(e, EPROTO, "cannot ask stokerd at '%s': %s", socket_path, *words ? words : curl_easy_strerror(r));
}

int health_client_get(const char *socket_path, const char *http_path, char **ret_text, size_t *ret_length, struct err *e)
{
	scoped(curl_drop) CURL *curl = curl_easy_init();
	scoped(body_drop) struct client_body body = {0};
	char words[CURL_ERROR_SIZE] = "", shown[160];
	long status = 0;

	if (!curl || prepare(curl, socket_path, http_path, &body, words) < 0)
		return err_rule(e, EINVAL, "cannot ask stokerd at '%s': %s", socket_path, "libcurl refuses an option or the path is too long");
	CURLcode r = curl_easy_perform(curl);
	if (r != CURLE_OK)
		return explain(curl, r, socket_path, words, e);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200 || !body.text) {
		str_escape(shown, sizeof(shown), body.text ? body.text : "");
		return err_rule(e, EPROTO, "stokerd at '%s' answers %ld: %s", socket_path, status, shown);
	}
	*ret_text = body.text;
	*ret_length = body.length;
	body.text = NULL;
	return 0;
}
