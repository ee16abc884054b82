/* environment.h - what a container's environment tells: Spark's own variables, the options of its JVM. Pure, one table. */
#pragma once

#include <stdbool.h>

#include "base/executor.h"
#include "shim/view.h"

/* Who set the variables that were there. */
struct environment_signs {
	bool executor; /* Spark, for an executor */
	bool driver;   /* Spark, for a driver in cluster mode */
	bool spark;    /* any of Spark's: an image with Spark in it has some */
};

/* Before the command line is read: what it may override. */
struct redactor;
void environment_read(const struct redactor *redactor, const struct container_view *container, struct executor *executor, struct environment_signs *ret);

/* After it: _JAVA_OPTIONS is stronger than the command line. */
void environment_override(const struct container_view *container, struct executor *executor);

/* The directories that Spark writes to, ',' between; empty: none are said. A standalone worker's word for its executors comes first, as in Spark.
 * `given`: what SPARK_LOCAL_DIRS is set to at its creation; NULL = it is not. */
struct text environment_local_dirs(const struct container_view *container, const char *given);
