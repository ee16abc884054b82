/* death_event.h - a death as an Event of the API server, about the pod that died or about its driver's. Pure. */
#pragma once

#include "health/death.h"
#include "health/event.h"

/* An executor that finished is no news, nor is a neighbour that goes with its pod. */
bool death_is_said(const struct death *death);

/* Among the executors that died? Of their neighbours only those that died of the memory they wanted. */
bool death_is_counted(const struct death *death);

/* `about`: whose Event it is. Deaths of one pod for one reason are one Event with a count, each neighbour's apart. */
void death_event(const struct death *death, const struct event_pod *about, struct event *ret);
struct event_pod death_pod(const struct executor *executor);

/* Is `other` the driver of the one that died, as far as its pod tells? */
bool death_is_driver(const struct executor *dead, const struct executor *other);
