/* nri_session_parts.h - what the files of the session share; not for others. */
#pragma once

#include "shim/nri_session.h"

/* --- nri_session.c --- */

void nri_session_emit(struct nri_session *session, enum wire_type type, const void *payload, size_t length);

/* Foreign text for people: cut, and nothing in it that moves a cursor. */
void nri_session_copy_text(char *array, size_t size, struct text text);

struct proto_writer nri_session_writer(struct nri_session *session); /* of the one reply buffer */
int nri_session_send(struct nri_session *session, enum mux_connection connection, struct proto_writer *writer, size_t mark, struct err *e);
int nri_session_reply_empty(struct nri_session *session, uint32_t stream, struct err *e);

/* --- nri_session_events.c --- */

int nri_session_take_event(struct nri_session *session, const struct ttrpc_request *request, enum nri_event_kind kind, struct err *e);
void nri_session_found(void *session, const struct nri_event *event); /* a container of a Synchronize */
