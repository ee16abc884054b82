/* entries.h - the entries of an open directory, one getdents64(2) at a time: glibc's readdir asks for more system calls and memory. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ENTRIES_BYTES 8192

struct entries {
	long length, at;
	_Alignas(8) char bytes[ENTRIES_BYTES];
};

struct entry {
	uint64_t ino;
	unsigned char type; /* DT_… */
	const char *name;   /* in `entries`, until the next call */
};

/* 1 = *ret is the next one, 0 = the end, -errno. "." and ".." are left out. True in *ret_fresh (may be NULL): the kernel was asked. */
int entries_next(int directory_fd, struct entries *entries, struct entry *ret, bool *ret_fresh);
