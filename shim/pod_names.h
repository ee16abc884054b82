/* pod_names.h - what names alone tell: of a pod, of its image, of its directory of logs. Pure. */
#pragma once

#include "base/executor.h"
#include "shim/view.h"

/* Spark 3.1 and 3.2 set no labels for these two. Sets app_name from "NAME-<16 hex>-exec-7" or "NAME-<16 hex>-driver", as Spark makes
 * the names of its pods; else leaves it empty. */
void pod_names_app(struct executor *executor);

/* Sets spark_version from the tag of an image of Apache Spark ("apache/spark:3.1.1", "…/spark-py:v3.1.3"): other images carry their own. */
void pod_names_version(struct text image, struct executor *executor);

/* An executor's driver, by its URL: in cluster mode it is reached through the service that Spark makes for it, PREFIX-driver-svc, and
 * through nothing else. False if the URL is not known. */
bool pod_names_client_driver(const struct executor *executor);
