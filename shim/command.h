/* command.h - what a command line tells: which of Spark's programs it is, for whom, with how much heap. Pure.
 *
 * Fed argument by argument, in order, whether they come from a container's args or from /proc/PID/cmdline. What stands on the command
 * line is written into the executor where nothing is known yet: labels and environment are read before. */
#pragma once

#include "base/executor.h"
#include "shim/view.h"

struct redactor;

struct command {
	uint32_t role;	   /* enum executor_role, of the strongest word so far */
	uint32_t language; /* enum executor_language: of the application that it runs */
	bool is_worker;	   /* a Python or R worker of an executor, not Spark itself */
	bool in_cluster_mode; /* a driver that Spark's entrypoint started; only then is a SparkSubmit no client-mode driver */
	bool only_submits;    /* --deploy-mode cluster: the driver is another pod */
	bool is_java;	      /* options of a JVM are looked at until its main class */
	bool next_runs;	      /* "sh -c", "tini --": a program comes next */
	uint32_t count;	      /* of arguments so far */
	struct text option;   /* the argument before, if it wants a value */
	const struct redactor *redactor; /* of what is kept; NULL = none */
};

void command_take(struct command *command, struct text argument, struct executor *executor);

/* After the last argument. */
enum executor_role command_role(const struct command *command);
