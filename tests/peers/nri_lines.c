/* nri_lines: what our decoder reads in NRI's messages, in the lines of tests/peers/nri/decode/main.go, for a comparison of the two.
 * `nri_lines time METHOD FILE`: how long one message takes the processor, in nanoseconds. `nri_lines plan`: replies of ours, as records. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/scoped.h"
#include "shim/big_endian.h"
#include "shim/nri_message.h"
#include "shim/nri_reply.h"

#define LINES_MESSAGE_BYTES (8 * 1024 * 1024)

/* As the table in decode/main.go. */
enum { LINES_STATE_CHANGE = 14, LINES_CONFIGURE, LINES_SYNCHRONIZE, LINES_REQUEST, LINES_RESPONSE, LINES_CREATED, LINES_MAX_ };

static void quote(struct text text)
{
	for (uint32_t i = 0; i < text.length; i++) {
		unsigned char c = (unsigned char)text.bytes[i];
		if (c > ' ' && c < 0x7f && c != '\\')
			putchar(c);
		else
			printf("\\%02x", c);
	}
}

static void say_text(const char *name, struct text text)
{
	printf("%s=", name);
	quote(text);
	putchar('\n');
}

static void say_pairs(const char *name, const struct text_pair *pairs, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		printf("%s[", name);
		quote(pairs[i].key);
		printf("]=");
		quote(pairs[i].value);
		putchar('\n');
	}
}

static void say_list(const char *name, const struct text *texts, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		printf("%s[%u]=", name, i);
		quote(texts[i]);
		putchar('\n');
	}
}

static void say_pod(const struct pod_view *pod)
{
	say_text("pod.id", pod->id);
	say_text("pod.name", pod->name);
	say_text("pod.uid", pod->uid);
	say_text("pod.namespace", pod->name_space);
	say_text("pod.runtime_handler", pod->runtime_handler);
	say_text("pod.cgroup_parent", pod->cgroup_parent);
	say_text("pod.cgroups_path", pod->cgroups_path);
	printf("pod.pid=%u\npod.memory_limit=%lld\n", pod->pid, (long long)pod->memory_limit_bytes);
	say_pairs("pod.label", pod->labels, pod->label_count);
	say_pairs("pod.annotation", pod->annotations, pod->annotation_count);
	if (pod->cut > 0)
		printf("cut\n");
}

static void say_container_numbers(const struct container_view *c)
{
	printf("container.state=%u\ncontainer.pid=%u\ncontainer.exit_code=%d\n", c->state, c->pid, c->exit_code);
	printf("container.created_at=%lld\ncontainer.started_at=%lld\n", (long long)c->created_at_ns, (long long)c->started_at_ns);
	printf("container.finished_at=%lld\n", (long long)c->finished_at_ns);
	if (c->has_memory_limit)
		printf("container.memory_limit=%lld\n", (long long)c->memory_limit_bytes);
	if (c->has_oom_score_adj)
		printf("container.oom_score_adj=%lld\n", (long long)c->oom_score_adj);
	if (c->has_user)
		printf("container.uid=%u\ncontainer.gid=%u\n", c->uid, c->gid);
	if (c->cut > 0)
		printf("cut\n");
}

static void say_container(const struct container_view *c)
{
	say_text("container.id", c->id);
	say_text("container.pod_id", c->pod_id);
	say_text("container.name", c->name);
	say_text("container.image", c->image);
	say_text("container.cgroups_path", c->cgroups_path);
	say_text("container.status_reason", c->status_reason);
	say_text("container.status_message", c->status_message);
	say_container_numbers(c);
	say_list("container.env", c->env, c->env_count);
	say_list("container.arg", c->args, c->arg_count);
	for (uint32_t i = 0; i < c->mount_count; i++) {
		printf("container.mount[%u]=", i);
		quote(c->mounts[i].destination);
		putchar(' ');
		quote(c->mounts[i].type);
		putchar(' ');
		quote(c->mounts[i].source);
		putchar('\n');
	}
	say_pairs("container.annotation", c->annotations, c->annotation_count);
	say_pairs("container.unified", c->unified, c->unified_count);
}

static struct nri_event event;

static int say_event(uint32_t what, struct text message)
{
	struct err e = {0};
	int r = nri_decode_event(what == LINES_STATE_CHANGE ? NRI_EVENT_NONE : (enum nri_event_kind)(what + 1), message, &event, &e);

	if (r < 0)
		return r;
	if (event.has_pod)
		say_pod(&event.pod);
	if (event.has_container)
		say_container(&event.container);
	if (event.state_change)
		printf("event=%d\n", (int)event.kind);
	if (event.has_memory_limit)
		printf("memory_limit=%lld\n", (long long)event.memory_limit_bytes);
	return 0;
}

static int say_configure(struct text message)
{
	struct nri_configure configure;
	struct err e = {0};
	int r = nri_decode_configure(message, &configure, &e);

	if (r < 0)
		return r;
	say_text("config", configure.config);
	say_text("runtime_name", configure.runtime_name);
	say_text("runtime_version", configure.runtime_version);
	say_text("nri_version", configure.nri_version);
	printf("registration_timeout=%lld\nrequest_timeout=%lld\n", (long long)configure.registration_timeout_ms, (long long)configure.request_timeout_ms);
	return 0;
}

/* Walked once to be sure that all of it is good: Go refuses the whole, nobody prints half. */
static int say_synchronize(struct text message)
{
	struct nri_sync sync, again;
	struct text item;
	struct err e = {0};
	int r = nri_sync_open(&sync, message, &e);

	if (r < 0)
		return r;
	again = sync;
	for (enum nri_sync_kind kind; (kind = nri_sync_next(&sync, &item)) != NRI_SYNC_END;) {
		r = kind == NRI_SYNC_POD ? nri_decode_pod(item, &event.pod, &e) : nri_decode_container(item, &event.container, &e);
		if (r < 0)
			return r;
	}
	printf("more=%s\npods=%u\ncontainers=%u\n", again.more ? "true" : "false", again.pod_count, again.container_count);
	for (enum nri_sync_kind kind; (kind = nri_sync_next(&again, &item)) != NRI_SYNC_END;) {
		if (kind == NRI_SYNC_POD && nri_decode_pod(item, &event.pod, &e) == 0)
			say_pod(&event.pod);
		else if (kind == NRI_SYNC_CONTAINER && nri_decode_container(item, &event.container, &e) == 0)
			say_container(&event.container);
	}
	return 0;
}

static int say_ttrpc(uint32_t what, struct text message)
{
	struct ttrpc_message in = {.stream = 1, .type = TTRPC_REQUEST, .data = message};
	struct ttrpc_request request;
	struct ttrpc_response response;
	int r = what == LINES_REQUEST ? ttrpc_decode_request(&in, &request) : ttrpc_decode_response(&in, &response);

	if (r < 0)
		return r;
	if (what == LINES_REQUEST) {
		say_text("service", request.service);
		say_text("method", request.method);
		say_text("payload", request.payload);
		printf("timeout=%lld\n", (long long)request.timeout_ns);
	} else {
		printf("code=%u\n", response.code);
		say_text("message", response.message);
		say_text("payload", response.payload);
	}
	return 0;
}

static int say(uint32_t what, struct text message)
{
	if (what <= LINES_STATE_CHANGE)
		return say_event(what, message);
	if (what == LINES_CONFIGURE)
		return say_configure(message);
	return what == LINES_SYNCHRONIZE ? say_synchronize(message) : say_ttrpc(what, message);
}

/* Every message in memory of just its size, so that the sanitizers see a read beyond it. */
static int compare(void)
{
	unsigned char head[8];

	while (fread(head, 1, sizeof(head), stdin) == sizeof(head)) {
		uint32_t what = big_endian_get(head), length = big_endian_get(head + 4);
		if (what >= LINES_CREATED || length > LINES_MESSAGE_BYTES)
			return 1;
		scoped(scoped_free) char *bytes = malloc(length > 0 ? length : 1);
		if (!bytes || fread(bytes, 1, length, stdin) != length)
			return 1;
		if (say(what, (struct text){bytes, length}) < 0)
			printf("refused\n");
		printf("\n");
	}
	return 0;
}

#define TIME_ROUNDS 20000

static int measure(uint32_t what, const char *path)
{
	scoped(scoped_free) char *bytes = malloc(LINES_MESSAGE_BYTES);
	FILE *file = fopen(path, "rb");
	struct timespec begin, end;
	struct err e = {0};

	if (!bytes || !file || what >= LINES_STATE_CHANGE)
		return 1;
	struct text message = {bytes, (uint32_t)fread(bytes, 1, LINES_MESSAGE_BYTES, file)};
	fclose(file);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
	for (int i = 0; i < TIME_ROUNDS; i++)
		if (nri_decode_event((enum nri_event_kind)(what + 1), message, &event, &e) < 0)
			return 1;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
	printf("%u bytes: %.0f ns\n", message.length, ((double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec)) / TIME_ROUNDS);
	return 0;
}

static void write_record(uint32_t what, const unsigned char *bytes, size_t length)
{
	unsigned char head[8];

	big_endian_put(head, what);
	big_endian_put(head + 4, (uint32_t)length);
	fwrite(head, 1, sizeof(head), stdout);
	fwrite(bytes, 1, length, stdout);
}

/* Replies to CreateContainer, from the empty plan to a full one; the scores reach every length of a number. */
static int replies(void)
{
	static unsigned char bytes[NRI_REPLY_BYTES];
	static struct plan plan;

	for (uint32_t i = 0; i <= PLAN_ENV_MAX; i++) {
		struct proto_writer w = {.bytes = bytes, .size = sizeof(bytes)};
		plan.env_count = i;
		plan.unified_count = PLAN_UNIFIED_MAX - i;
		for (uint32_t k = 0; k < PLAN_ENV_MAX; k++) {
			snprintf(plan.env[k].key, sizeof(plan.env[k].key), "KEY_%u", k);
			snprintf(plan.env[k].value, sizeof(plan.env[k].value), "%0*u", (int)(1 + i * 20), k);
			snprintf(plan.unified[k].key, sizeof(plan.unified[k].key), "memory.%u", k);
			snprintf(plan.unified[k].value, sizeof(plan.unified[k].value), "%u", i);
		}
		plan.mount_count = i % (PLAN_MOUNTS_MAX + 1);
		for (uint32_t k = 0; k < PLAN_MOUNTS_MAX; k++) {
			struct plan_mount *m = &plan.mounts[k];
			*m = (struct plan_mount){.type = (k % 2) ? PLAN_MOUNT_BIND : PLAN_MOUNT_TMPFS, .read_only = i > 5, .has_owner = i > 1, .uid = i, .gid = k, .size_bytes = 4096ULL << (i * 4), .inodes = i / 2};
			snprintf(m->destination, sizeof(m->destination), "/%u/%u", i, k);
			snprintf(m->source, sizeof(m->source), "/run/stoker/checkpoints/%u", k);
		}
		plan.set_oom_score_adj = i > 0;
		plan.oom_score_adj = i % 2 == 0 ? (int64_t)i * 100 : -(int64_t)i;
		nri_write_created(&w, &plan);
		if (w.overflow)
			return 1;
		write_record(LINES_CREATED, bytes, w.length);
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "time") == 0)
		return measure((uint32_t)strtoul(argv[2], NULL, 10), argv[3]);
	if (argc == 2 && strcmp(argv[1], "plan") == 0)
		return replies();
	return compare();
}
