/* cri_request.h - the broker's request WIRE_STATUS: what does the container runtime say of this container (CRI ContainerStatus)?
 *
 * Whoever is connected to a runtime's socket can have it run anything, so the connection is a right, and what comes through it is
 * foreign. Two kinds of children: a relay for each runtime's socket that is there, connected, sealed, which copies at most
 * CRI_CALL_WIRE_BYTES from the socket into a pipe and understands none of them; and the one that reads the pipes, which has no
 * connection, no rights, and sends the one record. Nothing but ContainerStatus with an id is ever written to a runtime. */
#pragma once

#include "health/broker.h"

int cri_check_status(struct broker *broker, const struct record *record, struct broker_job *job, struct err *e);
int cri_body_status(void *task, int channel);
