/* kube_pod.h - a pod object as far as it tells why its container ended. Pure. */
#pragma once

#include <stddef.h>

#include "base/err.h"
#include "base/redact.h"
#include "health/pod_end.h"

/* Of the container of this name, in the pod of this uid. -ESRCH: another pod has the name now. Touches *ret only on success. */
int kube_pod_end_read(const char *text, size_t length, const char *uid, const char *container, const struct redactor *redactor, struct pod_end *ret, struct err *e);
