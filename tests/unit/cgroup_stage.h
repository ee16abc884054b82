/* cgroup_stage.h - a directory that looks like the root of another machine: its mount table and its cgroups as plain files. */
#pragma once

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/fd.h"
#include "base/str.h"

struct stage {
	char root[64];
};

/* A file with its directories; a path that ends with '/' is a directory. */
static void put(const struct stage *s, const char *path, const char *text)
{
	char whole[512] = "";
	struct err e = {0};

	str_append(whole, sizeof(whole), "%s/%s", s->root, path);
	for (char *p = whole + strlen(s->root) + 1; (p = strchr(p, '/')) != NULL; p++) {
		*p = '\0';
		assert_true(mkdir(whole, 0755) == 0 || errno == EEXIST);
		*p = '/';
	}
	if (*text)
		assert_int_equal(fd_replace_file(whole, text, strlen(text), 0644, &e), 0);
}

static void open_stage(struct stage *s)
{
	strcpy(s->root, "/tmp/stoker-layout-XXXXXX");
	assert_non_null(mkdtemp(s->root));
}

static void close_stage(struct stage *s)
{
	char command[128] = "";

	str_append(command, sizeof(command), "rm -rf '%s'", s->root);
	assert_int_equal(system(command), 0);
}
