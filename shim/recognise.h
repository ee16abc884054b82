/* recognise.h - pod facts to executor. Pure, table-driven; never fails: what is not Spark is EXECUTOR_ROLE_NONE.
 *
 * A container of a Spark pod that is not its Spark container comes back with the pod's role and `sidecar`. The rules and where
 * they come from: docs/executors.md (Apache Spark 3.1 to 4.3, kubeflow and Apache operators, Jupyter, Zeppelin, Connect). */
#pragma once

#include "base/executor.h"
#include "shim/plan.h"
#include "shim/view.h"

/* Of what people choose (names of applications and queues) the secrets are taken out; `redactor` NULL: nothing is. */
struct redactor;
void recognise(const struct redactor *redactor, const struct pod_view *pod, const struct container_view *container, struct executor *ret);

/* At its creation, after recognise(): what `plan` gives it, as the runtime tells it of the container from then on. */
void recognise_given(const struct container_view *container, const struct plan *plan, struct executor *executor);

/* Without NRI: what a cgroup's name, a command line ('\0' between arguments) and a log directory's name tell. */
void recognise_from_process(const struct redactor *redactor, const char *command_line, size_t length, struct executor *executor);
bool recognise_log_directory(const char *name, struct executor *executor); /* "NAMESPACE_POD_UID" */
