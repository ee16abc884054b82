/* kube_client.h - requests to the API server: libcurl's multi interface on the loop, one warm HTTP/2 connection that several
 * requests share. At most one request per lane is under way. */
#pragma once

#include <curl/curl.h>
#include <stdbool.h>
#include <uv.h>

#include "base/err.h"
#include "health/kube_answer.h"
#include "health/kube_config.h"

#define KUBE_URL_BYTES		4096
#define KUBE_CONNECT_TIMEOUT_MS 3000L
#define KUBE_REQUEST_TIMEOUT_MS 10000L
#define KUBE_UNHEARD_MS		20000 /* bytes that the peer does not acknowledge: then the connection ends (brake.h counts on it) */

struct kube_client;

struct kube_request {
	struct kube_client *client;
	bool running;
	CURL *easy;
	struct curl_slist *headers;
	char *body; /* owned */
	char *answer;
	size_t answer_length;
	char curl_error[CURL_ERROR_SIZE];
};

struct kube_answer {
	long status; /* 0 = none: `detail` says why */
	uint64_t retry_after_s;
	const char *text; /* of the body, NUL-terminated */
	size_t length;
	const char *detail; /* curl's words, or the `message` of the API's Status object, cut */
};

struct kube_client {
	uv_loop_t *loop;
	void *owner;
	void (*on_answer)(struct kube_client *client, enum kube_lane lane, const struct kube_answer *answer);
	struct kube_config config;
	CURLM *multi;
	uv_timer_t timer;
	struct kube_request requests[KUBE_LANE_MAX_];
};

/* After curl_global_init. Takes `config` over. */
int kube_client_start(struct kube_client *client, uv_loop_t *loop, struct kube_config *config, struct err *e);
void kube_client_use(struct kube_client *client, struct kube_config *config); /* another one from now on */

/* `target` ends the lane's path: a node's or a Lease's name, or a query; it must be fit for a URL. Takes `body` over (malloc'ed;
 * NULL for GET). The answer comes by on_answer, never from within this call. */
int kube_client_send(struct kube_client *client, enum kube_lane lane, const char *target, char *body, struct err *e);
bool kube_client_is_busy(const struct kube_client *client, enum kube_lane lane);
