/* roster_request.h - the broker's request WIRE_SCAN: the roster (roster.h), in a file in memory beside the answer. */
#pragma once

#include "health/broker.h"

int roster_check_scan(struct broker *broker, const struct record *record, struct broker_job *job, struct err *e);
int roster_body_scan(void *task, int channel);
