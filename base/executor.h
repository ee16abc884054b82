/* executor.h - the shared noun: one container of a Spark pod, as far as its pod tells it. A plain value that travels as a record.
 *
 * Made by shim/recognise.c (pure) from pod facts, or from cgroupfs and command lines where there is no NRI. Every container of
 * a Spark pod is one, sidecars too (`sidecar` is set, role is the pod's): a death is often the neighbour's. Strings are foreign
 * text, cut to fit, without control characters, redacted where the field says so. 0 and "" = not known.
 * Sources: facts of Apache Spark 3.1 to 4.3, kubeflow and Apache operators (docs/executors.md). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/names.h"

#define EXECUTOR_CONTAINER_ID_BYTES 72 /* 64 hex digits */
#define EXECUTOR_UID_BYTES	    40
#define EXECUTOR_NAMESPACE_BYTES    64
#define EXECUTOR_LABEL_BYTES	    64 /* a label's value */
#define EXECUTOR_CGROUP_BYTES	    512

enum executor_role {
	EXECUTOR_ROLE_NONE, /* no Spark */
	EXECUTOR_ROLE_EXECUTOR,
	EXECUTOR_ROLE_DRIVER,		 /* cluster mode, spark-role=driver */
	EXECUTOR_ROLE_CLIENT_DRIVER,	 /* Jupyter, Zeppelin …: a driver that no label names */
	EXECUTOR_ROLE_CONNECT_SERVER,
	EXECUTOR_ROLE_STANDALONE_MASTER,
	EXECUTOR_ROLE_STANDALONE_WORKER, /* several executor JVMs in one container */
	EXECUTOR_ROLE_MAX_
};
enum executor_language { EXECUTOR_LANGUAGE_UNKNOWN, EXECUTOR_LANGUAGE_JVM, EXECUTOR_LANGUAGE_PYTHON, EXECUTOR_LANGUAGE_R };
enum executor_qos { EXECUTOR_QOS_UNKNOWN, EXECUTOR_QOS_GUARANTEED, EXECUTOR_QOS_BURSTABLE, EXECUTOR_QOS_BEST_EFFORT };
enum executor_operator { EXECUTOR_OPERATOR_NONE, EXECUTOR_OPERATOR_KUBEFLOW, EXECUTOR_OPERATOR_APACHE, EXECUTOR_OPERATOR_EMR, EXECUTOR_OPERATOR_KYUUBI };
enum executor_scheduler { EXECUTOR_SCHEDULER_UNKNOWN, EXECUTOR_SCHEDULER_VOLCANO, EXECUTOR_SCHEDULER_YUNIKORN, EXECUTOR_SCHEDULER_KUEUE, EXECUTOR_SCHEDULER_RUNAI };
enum executor_source { EXECUTOR_FROM_NRI, EXECUTOR_FROM_CGROUPFS, EXECUTOR_FROM_RUN /* stoker run */ };

/* What the JVM does on its own OutOfMemoryError: bits. By default it lives on, Spark ends it with 52. */
#define EXECUTOR_JVM_EXIT_ON_OOM    1U /* exit 3 */
#define EXECUTOR_JVM_CRASH_ON_OOM   2U /* 134 */
#define EXECUTOR_JVM_KILL_ON_OOM    4U /* OnOutOfMemoryError='kill -9 %p': 137 without any kernel evidence */
#define EXECUTOR_DECOMMISSION	    8U /* spark.decommission.enabled: SIGPWR is handled */
#define EXECUTOR_TMPFS_LOCAL_DIRS   16U /* its local dirs are in memory, all of them */
#define EXECUTOR_PYSPARK_MEMORY_SET 32U
#define EXECUTOR_CLIENT_MODE	    64U /* its driver is a client-mode one, as far as can be told: the 0.10 factor */
#define EXECUTOR_EMPTY_DIRS	    128U /* a local dir is an emptyDir; whether in memory is not known */

struct executor {
	char container_id[EXECUTOR_CONTAINER_ID_BYTES];
	char pod_uid[EXECUTOR_UID_BYTES];
	char name_space[EXECUTOR_NAMESPACE_BYTES];
	char pod[NAME_NODE_BYTES];
	char container[EXECUTOR_LABEL_BYTES];
	uint32_t role;	   /* enum executor_role */
	uint32_t sidecar;  /* bool: of a Spark pod, but not its Spark container */
	uint32_t language; /* enum executor_language */
	uint32_t qos;	   /* enum executor_qos */
	uint32_t operator_; /* enum executor_operator */
	uint32_t scheduler; /* enum executor_scheduler */
	uint32_t source;   /* enum executor_source */
	uint32_t flags;	   /* EXECUTOR_… */
	char app_id[EXECUTOR_LABEL_BYTES];
	char app_name[EXECUTOR_LABEL_BYTES];
	char executor_id[16];
	char spark_version[16];
	char queue[EXECUTOR_LABEL_BYTES];
	char connect_name[EXECUTOR_LABEL_BYTES];
	char driver_url[NAME_NODE_BYTES + 48]; /* spark://CoarseGrainedScheduler@HOST:PORT */
	uint64_t heap_bytes;		       /* -Xmx, SPARK_EXECUTOR_MEMORY */
	uint64_t off_heap_bytes;	       /* spark.memory.offHeap.size, if seen */
	uint64_t python_worker_bytes;	       /* PYSPARK_EXECUTOR_MEMORY_MB */
	uint64_t limit_bytes;		       /* of the container; 0 = none or not known */
	uint64_t pod_limit_bytes;
	uint32_t cores;
	uint32_t uid, gid; /* of the process; UINT32_MAX = not known */
	int32_t oom_score_adj; /* INT32_MIN = not known */
	uint32_t pid;	   /* of the container's first process, in the host's namespace */
	char cgroup_parent[EXECUTOR_CGROUP_BYTES / 2]; /* as the runtime says: a path or a slice */
	char cgroups_path[EXECUTOR_CGROUP_BYTES];      /* as the runtime says: a path, or "slice:prefix:id" */
	uint64_t created_wall_us;
	uint64_t injected_bytes; /* the size of the scratch in memory that it was given at its creation */
};

const char *executor_role_name(enum executor_role role);	     /* "executor", "driver", "client-driver", "connect-server" … */
const char *executor_language_name(enum executor_language language); /* "JVM", "Python", "R", "unknown" */
const char *executor_qos_name(enum executor_qos qos);		     /* as Kubernetes spells it */
bool executor_is_driver(const struct executor *executor);	     /* any kind of driver: never killed, never asked to leave */

/* For people: "app NAME exec N", "app NAME driver", else "POD"; of a neighbour ", container NAME" behind it. */
void executor_say(const struct executor *executor, char *text, size_t size);

/* What its memory limit (the tighter of container and pod) leaves for files in memory beside heap, off-heap, a reserve and what was injected. A heap that
 * is not known counts as a quarter of the limit, the JVM's own default. UINT64_MAX: there is no limit. */
uint64_t executor_memory_left(const struct executor *executor, uint64_t reserve_bytes);
