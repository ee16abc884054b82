#include "health/kube_client.h"

#include <cJSON.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/scoped.h"
#include "base/str.h"
#include "health/kube_node.h"
#include "health/json.h"

/* A socket of libcurl's on the loop. */
struct socket_watch {
	uv_poll_t poll;
	struct kube_client *client;
	curl_socket_t fd;
};

static void collect(struct kube_client *client);

static void act(struct kube_client *client, curl_socket_t fd, int events)
{
	int running = 0;

	curl_multi_socket_action(client->multi, fd, events, &running);
	collect(client);
}

static void socket_ready(uv_poll_t *poll, int status, int events)
{
	struct socket_watch *watch = poll->data;
	int what = (status < 0 ? CURL_CSELECT_ERR : 0) | (events & UV_READABLE ? CURL_CSELECT_IN : 0) | (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0);

	act(watch->client, watch->fd, what);
}

static void watch_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *assigned)
{
	struct kube_client *client = user;
	struct socket_watch *watch = assigned;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (watch) {
			uv_poll_stop(&watch->poll);
			uv_close((uv_handle_t *)&watch->poll, watch_closed);
			curl_multi_assign(client->multi, fd, NULL);
		}
		return 0;
	}
	if (!watch) {
		watch = calloc(1, sizeof(*watch));
		if (!watch || uv_poll_init(client->loop, &watch->poll, fd) < 0) {
			free(watch);
			return -1;
		}
		watch->poll.data = watch;
		watch->client = client;
		watch->fd = fd;
		curl_multi_assign(client->multi, fd, watch);
	}
	uv_poll_start(&watch->poll, (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0), socket_ready);
	return 0;
}

static void timer_due(uv_timer_t *timer)
{
	act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static int set_timer(CURLM *multi, long timeout_ms, void *user)
{
	struct kube_client *client = user;

	(void)multi;
	if (timeout_ms < 0)
		uv_timer_stop(&client->timer);
	else
		uv_timer_start(&client->timer, timer_due, (uint64_t)timeout_ms, 0);
	return 0;
}

static size_t take_body(char *data, size_t one, size_t count, void *user)
{
	struct kube_request *r = user;
	size_t length = one * count;

	if (r->answer_length + length > KUBE_NODE_MAX_BYTES)
		return 0; /* ends the transfer with an error */
	char *more = realloc(r->answer, r->answer_length + length + 1);
	if (!more)
		return 0;
	r->answer = more;
	memcpy(r->answer + r->answer_length, data, length);
	r->answer_length += length;
	r->answer[r->answer_length] = '\0';
	return length;
}

static void request_clear(struct kube_request *r)
{
	if (r->easy)
		curl_easy_cleanup(r->easy);
	curl_slist_free_all(r->headers);
	free(r->body);
	free(r->answer);
	*r = (struct kube_request){.client = r->client};
}

/* --- answers --- */

/* The `message` of a Status object; what the API server says is for people already. */
static void status_message(const char *text, size_t length, char *ret, size_t size)
{
	scoped(json_drop) cJSON *json = text ? cJSON_ParseWithLength(text, length) : NULL;
	const cJSON *message = cJSON_GetObjectItemCaseSensitive(json, "message");

	str_copy(ret, size, cJSON_IsString(message) ? message->valuestring : "");
}

static void deliver(struct kube_client *client, enum kube_lane lane, CURLcode result)
{
	struct kube_request request = client->requests[lane];
	struct kube_answer answer = {.text = request.answer ? request.answer : "", .length = request.answer_length};
	char detail[192] = "", seconds[32] = "";
	struct curl_header *header = NULL;

	if (result == CURLE_OK) {
		curl_easy_getinfo(request.easy, CURLINFO_RESPONSE_CODE, &answer.status);
		if (curl_easy_header(request.easy, "Retry-After", 0, CURLH_HEADER, -1, &header) == CURLHE_OK) {
			str_copy(seconds, sizeof(seconds), header->value);
			answer.retry_after_s = kube_answer_retry_after(seconds);
		}
		if (answer.status >= 300)
			status_message(request.answer, request.answer_length, detail, sizeof(detail));
	} else {
		str_copy(detail, sizeof(detail), *client->requests[lane].curl_error ? client->requests[lane].curl_error : curl_easy_strerror(result));
	}
	answer.detail = detail;
	/* Free for the next request before the owner hears of this one. */
	curl_multi_remove_handle(client->multi, request.easy);
	client->requests[lane] = (struct kube_request){.client = client};
	client->on_answer(client, lane, &answer);
	request_clear(&request);
}

static void collect(struct kube_client *client)
{
	const CURLMsg *message;
	int left = 0;

	while ((message = curl_multi_info_read(client->multi, &left))) {
		if (message->msg != CURLMSG_DONE)
			continue;
		for (unsigned lane = 0; lane < KUBE_LANE_MAX_; lane++) {
			if (client->requests[lane].easy == message->easy_handle) {
				deliver(client, lane, message->data.result);
				break;
			}
		}
	}
}

/* --- requests --- */

static int set_secret(CURL *easy, CURLoption file, CURLoption blob, const struct kube_secret *secret)
{
	if (secret->content) {
		struct curl_blob data = {.data = secret->content, .len = strlen(secret->content), .flags = CURL_BLOB_COPY};
		return curl_easy_setopt(easy, blob, &data);
	}
	return *secret->path ? curl_easy_setopt(easy, file, secret->path) : 0;
}

static int set_login(struct kube_client *client, struct kube_request *r, struct err *e)
{
	const struct kube_config *c = &client->config;
	char token[KUBE_TOKEN_BYTES], header[KUBE_TOKEN_BYTES + 32];

	if (set_secret(r->easy, CURLOPT_CAINFO, CURLOPT_CAINFO_BLOB, &c->ca) != 0 || set_secret(r->easy, CURLOPT_SSLCERT, CURLOPT_SSLCERT_BLOB, &c->certificate) != 0 ||
	    set_secret(r->easy, CURLOPT_SSLKEY, CURLOPT_SSLKEY_BLOB, &c->key) != 0)
		return err_rule(e, EINVAL, "certificate not accepted");
	if (!kube_secret_is_set(&c->token))
		return 0;
	if (kube_secret_read(&c->token, token, sizeof(token), e) < 0)
		return err_wrap(e, "token");
	if (strpbrk(token, "\r\n"))
		return err_rule(e, EBADMSG, "token: more than one line");
	snprintf(header, sizeof(header), "Authorization: Bearer %s", token);
	r->headers = curl_slist_append(r->headers, header);
	explicit_bzero(token, sizeof(token));
	explicit_bzero(header, sizeof(header));
	return 0;
}

/* Else the kernel would send what a dead network has swallowed for a quarter of an hour more. */
static int prepare_socket(void *user, curl_socket_t fd, curlsocktype purpose)
{
	const unsigned int ms = KUBE_UNHEARD_MS;

	(void)user;
	(void)purpose;
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
	return CURL_SOCKOPT_OK;
}

static void set_common(struct kube_client *client, struct kube_request *r, const char *url)
{
	curl_easy_setopt(r->easy, CURLOPT_URL, url);
	curl_easy_setopt(r->easy, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(r->easy, CURLOPT_PROXY, ""); /* never through one: the environment is cleared anyway */
	curl_easy_setopt(r->easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS);
	curl_easy_setopt(r->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(r->easy, CURLOPT_CONNECTTIMEOUT_MS, KUBE_CONNECT_TIMEOUT_MS);
	curl_easy_setopt(r->easy, CURLOPT_TIMEOUT_MS, KUBE_REQUEST_TIMEOUT_MS);
	curl_easy_setopt(r->easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(r->easy, CURLOPT_SOCKOPTFUNCTION, prepare_socket);
	curl_easy_setopt(r->easy, CURLOPT_BUFFERSIZE, 16384L);
	curl_easy_setopt(r->easy, CURLOPT_USERAGENT, "stoker-reporter");
	curl_easy_setopt(r->easy, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(r->easy, CURLOPT_WRITEDATA, &client->requests[r - client->requests]);
	curl_easy_setopt(r->easy, CURLOPT_ERRORBUFFER, r->curl_error);
	curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, r->headers);
}

#define NODES  "/api/v1/nodes"
#define EVENTS_OF "/apis/events.k8s.io/v1/namespaces/"
#define EVENTS	  EVENTS_OF "default/events"
#define NAMESPACES "/api/v1/namespaces/"
/* Metadata alone: what is in a pod's environment does not come here. */
#define METADATA(kind) "Accept: application/json;as=" kind ";g=meta.k8s.io;v=v1"
#define LEASES "/apis/coordination.k8s.io/v1/namespaces/" STOKER_NAMESPACE "/leases"

int kube_client_send(struct kube_client *client, enum kube_lane lane, const char *target, char *body, struct err *e)
{
	static const struct {
		const char *path, *suffix, *method, *type, *accept;
	} lanes[KUBE_LANE_MAX_] = {
		[KUBE_READ] = {NODES "/", "", "GET"},
		[KUBE_CONDITION] = {NODES "/", "/status", "PATCH", "Content-Type: application/strategic-merge-patch+json"},
		[KUBE_TAINT] = {NODES "/", "", "PATCH", "Content-Type: application/json-patch+json"},
		[KUBE_LEASES] = {LEASES, "", "GET"},
		[KUBE_LEASE_MAKE] = {LEASES, "", "POST", "Content-Type: application/json"},
		[KUBE_LEASE] = {LEASES "/", "", "PUT", "Content-Type: application/json"},
		[KUBE_NODES] = {NODES, "", "GET"},
		[KUBE_HOLDER] = {NODES "/", "", "GET"},
		[KUBE_EVENT_MAKE] = {EVENTS, "", "POST", "Content-Type: application/json"},
		[KUBE_EVENT] = {EVENTS "/", "", "PATCH", "Content-Type: application/merge-patch+json"},
		[KUBE_POD_EVENT_MAKE] = {EVENTS_OF, "/events", "POST", "Content-Type: application/json"},
		[KUBE_POD_EVENT] = {EVENTS_OF, "", "PATCH", "Content-Type: application/merge-patch+json"},
		[KUBE_ALIAS] = {NODES "/", "/status", "PATCH", "Content-Type: application/strategic-merge-patch+json"},
		[KUBE_POLICY] = {NODES "/", "/status?dryRun=All", "PATCH", "Content-Type: application/strategic-merge-patch+json"},
		[KUBE_POD] = {NAMESPACES, "", "GET"},
		[KUBE_OWNER] = {NAMESPACES, "", "GET", NULL, METADATA("PartialObjectMetadata")},
		[KUBE_PODS] = {NAMESPACES, "", "GET", NULL, METADATA("PartialObjectMetadataList")},
	};
	struct kube_request *r = &client->requests[lane];
	char url[KUBE_URL_BYTES];

	*r = (struct kube_request){.client = client, .body = body, .easy = curl_easy_init()};
	if (!r->easy) {
		request_clear(r);
		return err_set(e, ENOMEM, "request");
	}
	r->headers = curl_slist_append(NULL, lanes[lane].accept ? lanes[lane].accept : "Accept: application/json");
	if (lanes[lane].type)
		r->headers = curl_slist_append(r->headers, lanes[lane].type);
	if (set_login(client, r, e) < 0) {
		request_clear(r);
		return -e->code;
	}
	snprintf(url, sizeof(url), "%s%s%s%s", client->config.server, lanes[lane].path, target, lanes[lane].suffix);
	set_common(client, r, url);
	curl_easy_setopt(r->easy, CURLOPT_CUSTOMREQUEST, lanes[lane].method);
	if (body)
		curl_easy_setopt(r->easy, CURLOPT_POSTFIELDS, body);
	r->running = true;
	if (curl_multi_add_handle(client->multi, r->easy) != CURLM_OK) {
		request_clear(r);
		return err_rule(e, EIO, "request not accepted by libcurl");
	}
	return 0;
}

bool kube_client_is_busy(const struct kube_client *client, enum kube_lane lane)
{
	return client->requests[lane].running;
}

void kube_client_use(struct kube_client *client, struct kube_config *config)
{
	kube_config_free(&client->config);
	client->config = *config;
	*config = (struct kube_config){0};
}

int kube_client_start(struct kube_client *client, uv_loop_t *loop, struct kube_config *config, struct err *e)
{
	client->loop = loop;
	kube_client_use(client, config);
	client->multi = curl_multi_init();
	if (!client->multi)
		return err_set(e, ENOMEM, "libcurl");
	uv_timer_init(loop, &client->timer);
	client->timer.data = client;
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
	curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, 2L);
	return 0;
}
