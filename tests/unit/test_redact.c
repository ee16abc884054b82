/* What is taken out of foreign text, and what stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/redact.h"
#include "base/scoped.h"

#define X REDACT_SHOWN

static struct redactor *redactor_with(const char *regex)
{
	struct err e = {0};
	struct redactor *redactor = redactor_new(regex, &e);

	if (!redactor)
		fail_msg("%s: %s", regex, e.text);
	return redactor;
}

static void test_lines(void **unused)
{
	static const struct {
		const char *line, *want;
	} rows[] = {
		{"", ""},
		{"26/11/26 12:00:00 INFO Executor: Running task 0.0 in stage 1.0 (TID 7)", "26/11/26 12:00:00 INFO Executor: Running task 0.0 in stage 1.0 (TID 7)"},
		{"password=hunter2", "password=" X},
		{"a password=hunter2 b", "a password=" X " b"},
		{"PassWord: hunter2, x", "PassWord: " X " x"},
		{"fs.s3a.secret.key=ab/cd+ef== fs.s3a.path=/x", "fs.s3a.secret.key=" X " fs.s3a.path=/x"},
		{"fs.s3a.access.key -> AKIA1234, b -> c", "fs.s3a.access.key -> " X " b -> c"},
		{"accesskey=a", "accesskey=" X},
		{"access_key=a", "access_key=a"}, /* as Spark's expression has it */
		{"Map(db.password -> a b)", "Map(db.password -> " X " b)"},
		{"{\"password\": \"a \\\" b\", \"user\": \"c\"}", "{\"password\": " X ", \"user\": \"c\"}"},
		{"{\"token\":\"abc\"}", "{\"token\":" X "}"},
		{"{'token': 'abc', 'b': 1}", "{'token': " X ", 'b': 1}"},
		{"\"password=abc\" x", "\"password=" X "\" x"},
		{"password=\"never closed", "password=" X},
		{"GET /x?user=a&token=b&c=d HTTP/1.1", "GET /x?user=a&token=" X "&c=d HTTP/1.1"},
		{"Authorization: Bearer abc.def", "Authorization: " X},
		{"authorization: Basic YWJjOmRlZg== x", "authorization: " X " x"},
		{"sent Bearer eyJhbGciOi.x.y and", "sent Bearer " X " and"},
		{"Basic types", "Basic types"}, /* no credential is so short */
		{"spark-submit --password hunter2 --class A", "spark-submit --password " X " --class A"},
		{"spark-submit --conf spark.x.password=hunter2 --class A", "spark-submit --conf spark.x.password=" X " --class A"},
		{"-Dspark.ssl.keyPassword=x -Xmx1g", "-Dspark.ssl.keyPassword=" X " -Xmx1g"},
		{"jdbc:postgresql://bob:s3cr@t@db:5432/x", "jdbc:postgresql://" X "@db:5432/x"},
		{"s3a://AKIA:abc/def@bucket/path", "s3a://" X "@bucket/path"},
		{"https://ghp_abcdef@github.com/x", "https://" X "@github.com/x"},
		{"spark://CoarseGrainedScheduler@10.0.0.7:7078", "spark://CoarseGrainedScheduler@10.0.0.7:7078"},
		{"hdfs://nn:8020/user/x, mail a@b", "hdfs://nn:8020/user/x, mail a@b"},
		{"http://h:80/path", "http://h:80/path"},
		{"://", "://"},
		{"password", "password"},
		{"password=", "password="},
		{"the token was lost", "the token was lost"},
		{"no space left on device: /var/data/spark-1/blockmgr-2", "no space left on device: /var/data/spark-1/blockmgr-2"},
		{"pass\xc3\xb6 token=\xff\xfe", "pass\xc3\xb6 token=" X},
	};
	struct redactor *redactor = redactor_with(REDACT_REGEX);
	char text[512];
	(void)unused;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		/* In a buffer of just its size: nothing may look for a NUL behind it. */
		size_t length = strlen(rows[i].line);
		scoped(scoped_free) char *exact = malloc(length + 1);
		assert_non_null(exact);
		memcpy(exact, rows[i].line, length);
		size_t n = redact_line(redactor, exact, length, text, sizeof(text));
		assert_string_equal(text, rows[i].want);
		assert_int_equal(n, strlen(text));
		/* What was redacted stays as it is. */
		char again[512];
		redact_line(redactor, text, n, again, sizeof(again));
		assert_string_equal(again, rows[i].want);
	}
	redactor_free(redactor);
}

/* '|' stands for the NUL between arguments. */
static void test_arguments(void **unused)
{
	static const struct {
		const char *line, *want;
	} rows[] = {
		{"", ""},
		{"java|-Xmx1024M|org.apache.spark.executor.CoarseGrainedExecutorBackend|--executor-id|7|",
		 "java|-Xmx1024M|org.apache.spark.executor.CoarseGrainedExecutorBackend|--executor-id|7|"},
		{"java|-Dspark.authenticate.secret=abc def|-Da=b|", "java|-Dspark.authenticate.secret=" X "|-Da=b|"},
		{"x|--conf|spark.hadoop.fs.s3a.secret.key=abc|y|", "x|--conf|spark.hadoop.fs.s3a.secret.key=" X "|y|"},
		{"x|--password|hunter2|y|", "x|--password|" X "|y|"},
		{"x|--password|--y|z|", "x|--password|--y|z|"},
		{"x|-Dkey=/var/run/secrets/x|", "x|-Dkey=" X "|"}, /* the value matches: as Spark does */
		{"AWS_SECRET_ACCESS_KEY=abc|SPARK_USER=bob|", "AWS_SECRET_ACCESS_KEY=" X "|SPARK_USER=bob|"},
		{"SPARK_JAVA_OPT_3=-Dspark.ssl.keyPassword=abc|", "SPARK_JAVA_OPT_3=" X "|"},
		{"URL=https://a:b@c/|", "URL=https://" X "@c/|"},
		{"--driver-url|spark://CoarseGrainedScheduler@10.0.0.7:7078|", "--driver-url|spark://CoarseGrainedScheduler@10.0.0.7:7078|"},
		{"||a|", "||a|"},
		{"cut without end", "cut without end"},
		{"TOKEN=a\nb", "TOKEN=" X},
	};
	struct redactor *redactor = redactor_with(REDACT_REGEX);
	(void)unused;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[512], in[512];
		size_t length = strlen(rows[i].line);
		memcpy(in, rows[i].line, length);
		for (size_t j = 0; j < length; j++)
			in[j] = in[j] == '|' ? '\0' : in[j];
		size_t n = redact_arguments(redactor, in, length, text, sizeof(text));
		for (size_t j = 0; j < n; j++)
			text[j] = text[j] == '\0' ? '|' : text[j];
		assert_string_equal(text, rows[i].want);
	}
	redactor_free(redactor);
}

static void test_what_is_cut_shows_no_secret(void **unused)
{
	static const char line[] = "user=bob password=hunter2 rest";
	struct redactor *redactor = redactor_with(REDACT_REGEX);
	(void)unused;

	for (size_t size = 1; size < 60; size++) {
		char text[64];
		memset(text, 'x', sizeof(text));
		size_t n = redact_line(redactor, line, sizeof(line) - 1, text, size);
		assert_true(n < size);
		assert_int_equal(text[n], 0);
		assert_int_equal(text[size], 'x');
		assert_null(strstr(text, "hunter"));
		n = redact_arguments(redactor, line, sizeof(line) - 1, text, size);
		assert_true(n < size);
		assert_null(strstr(text, "hunter"));
	}
	redactor_free(redactor);
}

static void test_names_too_long_are_secret(void **unused)
{
	struct redactor *redactor = redactor_with(REDACT_REGEX);
	char text[2048], in[1024];
	(void)unused;

	memset(in, 'a', sizeof(in));
	memcpy(in + 512, "=value", 6);
	redact_line(redactor, in, 518, text, sizeof(text));
	assert_non_null(strstr(text, "=value"));
	memset(in, 'a', sizeof(in));
	memcpy(in + 513, "=value", 6);
	redact_line(redactor, in, 519, text, sizeof(text));
	assert_null(strstr(text, "=value"));
	assert_non_null(strstr(text, "=" X));
	redactor_free(redactor);
}

static void test_the_expression_is_the_users(void **unused)
{
	static const struct {
		const char *regex, *name;
		bool secret;
	} rows[] = {
		{"pin", "pin.code", true},   {"pin", "PIN.code", false},      {"(?i)pin", "PIN.code", true}, {"^pin$", "my.pin", false},
		{"[.]pin$", "my.pin", true}, {"\\bpin\\b", "my.pin.x", true}, {"\\bpin\\b", "spin", false},  {"pin", "Authorization", true},
	};
	(void)unused;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct redactor *redactor = redactor_with(rows[i].regex);
		assert_int_equal(redact_is_secret(redactor, rows[i].name, strlen(rows[i].name)), rows[i].secret);
		redactor_free(redactor);
	}
	struct err e = {0};
	assert_null(redactor_new("(a", &e));
	assert_string_equal(e.text, "redact.regex: must be a POSIX extended regular expression");
	assert_null(redactor_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_what_is_cut_shows_no_secret),
		cmocka_unit_test(test_names_too_long_are_secret),
		cmocka_unit_test(test_the_expression_is_the_users),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
