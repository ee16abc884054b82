/* marks.h - what a pod's labels and annotations tell: app, executor id, version, operator, scheduler, queue. Pure, one table. */
#pragma once

#include <stdbool.h>

#include "base/executor.h"
#include "shim/view.h"

struct redactor;
void marks_read(const struct redactor *redactor, const struct pod_view *pod, struct executor *executor);

/* Of the label spark-role; NONE without it, or with a word that is not known. */
enum executor_role marks_role(const struct pod_view *pod);

/* Pods that people work in: a Spark driver may live there, and no label of Spark's says so. */
bool marks_is_jupyter(const struct pod_view *pod);
bool marks_is_zeppelin(const struct pod_view *pod, struct text *setting); /* the interpreter's setting name */

/* NULL if there is none. The first one of that key counts. */
const struct text *marks_label(const struct pod_view *pod, const char *key);
