#include "shim/command.h"

#include <string.h>

#include "base/scoped.h"
#include "shim/java_options.h"
#include "shim/text.h"

/* Main classes and scripts, compared with a whole word or with what follows its last '/'. */
static const struct word {
	const char *name;
	enum executor_role role;
	enum executor_language language;
	bool is_program; /* counts only where a program's name stands: "pip install pyspark" is no driver */
} words[] = {
	{"org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend", EXECUTOR_ROLE_EXECUTOR, EXECUTOR_LANGUAGE_UNKNOWN}, /* 3.3 and later */
	{"org.apache.spark.executor.CoarseGrainedExecutorBackend", EXECUTOR_ROLE_EXECUTOR, EXECUTOR_LANGUAGE_UNKNOWN},
	{"org.apache.spark.deploy.worker.Worker", EXECUTOR_ROLE_STANDALONE_WORKER, EXECUTOR_LANGUAGE_UNKNOWN},
	{"start-worker.sh", EXECUTOR_ROLE_STANDALONE_WORKER, EXECUTOR_LANGUAGE_UNKNOWN},
	{"start-slave.sh", EXECUTOR_ROLE_STANDALONE_WORKER, EXECUTOR_LANGUAGE_UNKNOWN}, /* 3.0 */
	{"org.apache.spark.deploy.master.Master", EXECUTOR_ROLE_STANDALONE_MASTER, EXECUTOR_LANGUAGE_UNKNOWN},
	{"start-master.sh", EXECUTOR_ROLE_STANDALONE_MASTER, EXECUTOR_LANGUAGE_UNKNOWN},
	{"org.apache.spark.sql.connect.service.SparkConnectServer", EXECUTOR_ROLE_CONNECT_SERVER, EXECUTOR_LANGUAGE_UNKNOWN},
	{"start-connect-server.sh", EXECUTOR_ROLE_CONNECT_SERVER, EXECUTOR_LANGUAGE_UNKNOWN},
	{"org.apache.spark.sql.hive.thriftserver.HiveThriftServer2", EXECUTOR_ROLE_CLIENT_DRIVER, EXECUTOR_LANGUAGE_JVM},
	{"start-thriftserver.sh", EXECUTOR_ROLE_CLIENT_DRIVER, EXECUTOR_LANGUAGE_JVM},
	{"org.apache.spark.deploy.PythonRunner", EXECUTOR_ROLE_CLIENT_DRIVER, EXECUTOR_LANGUAGE_PYTHON},
	{"org.apache.spark.deploy.RRunner", EXECUTOR_ROLE_CLIENT_DRIVER, EXECUTOR_LANGUAGE_R},
	{"org.apache.spark.deploy.SparkSubmit", EXECUTOR_ROLE_CLIENT_DRIVER, EXECUTOR_LANGUAGE_UNKNOWN},
	{"org.apache.spark.repl.Main", EXECUTOR_ROLE_CLIENT_DRIVER, EXECUTOR_LANGUAGE_JVM},
	{"pyspark-shell", EXECUTOR_ROLE_CLIENT_DRIVER, EXECUTOR_LANGUAGE_PYTHON},
	{"pyspark-shell-main", EXECUTOR_ROLE_CLIENT_DRIVER, EXECUTOR_LANGUAGE_PYTHON},
	{"sparkr-shell", EXECUTOR_ROLE_CLIENT_DRIVER, EXECUTOR_LANGUAGE_R},
	{"spark-submit", EXECUTOR_ROLE_CLIENT_DRIVER, EXECUTOR_LANGUAGE_UNKNOWN, true},
	{"spark-shell", EXECUTOR_ROLE_CLIENT_DRIVER, EXECUTOR_LANGUAGE_JVM, true},
	{"spark-sql", EXECUTOR_ROLE_CLIENT_DRIVER, EXECUTOR_LANGUAGE_JVM, true},
	{"pyspark", EXECUTOR_ROLE_CLIENT_DRIVER, EXECUTOR_LANGUAGE_PYTHON, true},
	{"sparkR", EXECUTOR_ROLE_CLIENT_DRIVER, EXECUTOR_LANGUAGE_R, true},
};

/* Options whose value is the next argument and is kept. */
#define INTO(member) offsetof(struct executor, member), sizeof(((struct executor *)0)->member)
static const struct {
	const char *name;
	size_t offset, size;
} kept[] = {
	{"--driver-url", INTO(driver_url)},
	{"--executor-id", INTO(executor_id)},
	{"--app-id", INTO(app_id)},
	{"--podName", INTO(pod)},
};
/* Options of spark-submit and of the executor whose value is the next argument: that value is no application and no program. */
static const char *const with_value[] = {
	"--deploy-mode", "--properties-file", "--worker-url", "--cores", "--name", "--conf", "--class", "--master", "--jars", "--py-files", "--files", "--archives",
	"--packages", "--exclude-packages", "--repositories", "--driver-class-path", "--driver-library-path", "--driver-java-options", "--driver-memory",
	"--driver-cores", "--executor-memory", "--executor-cores", "--num-executors", "--total-executor-cores", "--queue", "--principal", "--keytab", "--proxy-user",
	"--hostname", "--resourceProfileId", "--bind-address", "--resourcesFile",
};
#define ARGUMENT_BYTES	      2048 /* is looked at, of one whose value is kept */
#define APP_NAME_SETTING      "spark.app.name="
#define ENTRYPOINT_PROPERTIES "/opt/spark/conf/spark.properties" /* only Spark's own entrypoint passes it, and only for drivers */

static struct text last_name(struct text path)
{
	const char *slash = memrchr(path.bytes, '/', path.length);

	return slash ? text_from(path, (size_t)(slash + 1 - path.bytes)) : path;
}

static const struct word *find_word(struct text text, bool is_first)
{
	struct text name = last_name(text);
	bool can_run = is_first || (text.length > name.length && (text_ends((struct text){text.bytes, text.length - name.length}, "/bin/")));

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (text_is(name, words[i].name))
			return words[i].is_program && !can_run ? NULL : &words[i];
	return NULL;
}

/* A launcher (SparkSubmit) gives way to what it launches (--class SparkConnectServer). Executors: inside a standalone worker they name the worker, and it is the worker's container that lives and dies. */
static bool is_stronger(enum executor_role role, enum executor_role than)
{
	static const int strength[EXECUTOR_ROLE_MAX_] = {
		[EXECUTOR_ROLE_CLIENT_DRIVER] = 1,     [EXECUTOR_ROLE_DRIVER] = 2,	      [EXECUTOR_ROLE_CONNECT_SERVER] = 3,
		[EXECUTOR_ROLE_STANDALONE_MASTER] = 4, [EXECUTOR_ROLE_EXECUTOR] = 5, [EXECUTOR_ROLE_STANDALONE_WORKER] = 6,
	};

	return strength[role] > strength[than];
}

static void take_role(struct command *command, enum executor_role role)
{
	if (is_stronger(role, command->role))
		command->role = role;
}

static bool wants_value(struct text option)
{
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (text_is(option, kept[i].name))
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(with_value); i++)
		if (text_is(option, with_value[i]))
			return true;
	return false;
}

/* A setting is Spark's to redact: by its value too. */
static void take_app_name_setting(const struct command *command, struct text setting, struct executor *executor)
{
	char clean[ARGUMENT_BYTES];
	struct text shown = text_redacted(command->redactor, setting, clean, sizeof(clean));

	text_copy(executor->app_name, sizeof(executor->app_name), text_from(shown, strlen(APP_NAME_SETTING)));
}

static void take_value(struct command *command, struct text option, struct text value, struct executor *executor)
{
	uint64_t number;

	if (text_is(option, "--deploy-mode"))
		command->only_submits = text_is(value, "cluster");
	else if (text_is(option, "--properties-file"))
		command->in_cluster_mode |= text_is(value, ENTRYPOINT_PROPERTIES);
	else if (text_is(option, "--worker-url") && executor->source != EXECUTOR_FROM_RUN) /* there each process is by itself */
		take_role(command, EXECUTOR_ROLE_STANDALONE_WORKER);
	else if (text_is(option, "--cores") && executor->cores == 0 && text_number(value, &number) && number <= UINT32_MAX)
		executor->cores = (uint32_t)number;
	else if (text_is(option, "--name") && !executor->app_name[0])
		text_copy_redacted(command->redactor, executor->app_name, sizeof(executor->app_name), value);
	else if (text_is(option, "--conf") && text_starts(value, APP_NAME_SETTING) && !executor->app_name[0])
		take_app_name_setting(command, value, executor);
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		char *field = (char *)executor + kept[i].offset;
		if (text_is(option, kept[i].name) && !field[0])
			text_copy_redacted(command->redactor, field, kept[i].size, value);
	}
}

static enum executor_language language_of_application(struct text word)
{
	if (text_ends(word, ".py"))
		return EXECUTOR_LANGUAGE_PYTHON;
	return text_ends(word, ".R") ? EXECUTOR_LANGUAGE_R : text_ends(word, ".jar") ? EXECUTOR_LANGUAGE_JVM : EXECUTOR_LANGUAGE_UNKNOWN;
}

static void take_word(struct command *command, struct text word, bool is_first)
{
	const struct word *known = find_word(word, is_first);

	if (known) {
		take_role(command, known->role);
		if (known->language != EXECUTOR_LANGUAGE_UNKNOWN)
			command->language = known->language;
		command->is_java = false;
	} else if (text_is(word, "pyspark.daemon") || text_is(word, "pyspark.worker")) {
		command->language = EXECUTOR_LANGUAGE_PYTHON;
		command->is_worker = true;
	} else if (text_is(last_name(word), "daemon.R") || text_is(last_name(word), "worker.R")) {
		command->language = EXECUTOR_LANGUAGE_R;
		command->is_worker = true;
	} else if ((command->role != EXECUTOR_ROLE_NONE || command->in_cluster_mode) && command->language == EXECUTOR_LANGUAGE_UNKNOWN) {
		command->language = language_of_application(word);
	}
}

/* "--deploy-mode=cluster" is as good as two arguments; "R --file=…/daemon.R" is a program too. */
static void take_option(struct command *command, struct text argument, struct executor *executor)
{
	struct text rest = argument, name;
	char clean[ARGUMENT_BYTES];

	if (memchr(argument.bytes, '=', argument.length) && text_next(&rest, '=', &name)) {
		struct text shown = text_redacted(command->redactor, argument, clean, sizeof(clean));
		take_value(command, name, text_from(shown, (size_t)name.length + 1), executor);
		take_word(command, rest, false);
	} else if (wants_value(argument)) {
		command->option = argument;
	}
}

void command_take(struct command *command, struct text argument, struct executor *executor)
{
	struct text option = command->option, rest = argument, word;
	bool runs = command->count++ < 2 || command->next_runs; /* "entrypoint.sh spark-submit …" */

	command->next_runs = text_is(argument, "-c") || text_is(argument, "--");
	command->option = (struct text){.bytes = ""};
	if (option.length > 0) {
		take_value(command, option, argument, executor);
		if (!text_is(option, "--class"))
			return;
	}
	if (text_is(last_name(argument), "java"))
		command->is_java = true;
	if (command->is_java && text_starts(argument, "-")) {
		java_option_take(argument, executor);
		return;
	}
	if (text_starts(argument, "--")) {
		if (argument.length > 2) /* "tini -s -- java" */
			take_option(command, argument, executor);
		return;
	}
	/* "sh -c 'exec /opt/spark/sbin/start-connect-server.sh …'": the words within count too. */
	for (; text_next(&rest, ' ', &word); runs = false)
		take_word(command, word, runs);
}

enum executor_role command_role(const struct command *command)
{
	if (command->role == EXECUTOR_ROLE_CLIENT_DRIVER && command->only_submits)
		return EXECUTOR_ROLE_NONE;
	if (command->role == EXECUTOR_ROLE_CLIENT_DRIVER && command->in_cluster_mode)
		return EXECUTOR_ROLE_DRIVER;
	return command->role;
}
