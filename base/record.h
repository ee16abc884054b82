/* record.h - capped, typed, versioned records over SOCK_SEQPACKET: how the roles talk to each other.
 *
 * One record is one datagram: header, payload (a plain struct or bytes), at most one descriptor beside it.
 * Both ends are executables of one build on one machine, so payloads are structs in host order; a peer of another
 * RECORD_VERSION is refused and said. Whoever receives checks length and strings (record_payload). */
#pragma once

#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

#define RECORD_VERSION	     1
#define RECORD_PAYLOAD_BYTES 8192

struct record_header {
	uint16_t version;
	uint16_t type; /* enum wire_type of health/wire.h */
	uint32_t length;
	uint64_t id; /* the asker's number, repeated in the answer; 0 = unasked */
};

struct record {
	struct record_header header;
	unsigned char payload[RECORD_PAYLOAD_BYTES];
	int fd; /* owned by the receiver of the record; -1 if none came */
};

/* Never blocks: -EAGAIN when the peer does not read (its queue is the kernel's socket buffer, nothing grows here).
 * pass_fd is -1 or a descriptor that the peer gets a copy of. */
int record_send(int sock, uint16_t type, uint64_t id, const void *payload, size_t length, int pass_fd, struct err *e);

/* 1 = a record, 0 = the peer closed, -EAGAIN = nothing there, -EPROTO = not of this protocol (drop the peer). */
int record_receive(int sock, struct record *ret, struct err *e);

/* The payload if it is exactly `length` bytes, else NULL. */
const void *record_payload(const struct record *record, size_t length);

/* Listening and connected sockets are non-blocking. record_listen replaces a stale socket file. */
int record_listen(const char *path, mode_t mode, struct err *e);
int record_connect(const char *path, struct err *e);
int record_accept(int listen_fd, struct ucred *ret_peer, struct err *e);
