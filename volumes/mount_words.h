/* mount_words.h - what the kernel says about a mount that it refuses: the words behind fsopen(2)'s descriptor, which say more than an
 * errno. */
#pragma once

#include "base/err.h"

/* "WHAT: Too small a size for current use", or the errno's own words where the kernel has none. */
int mount_refused(int context_fd, const char *what, int errnum, struct err *e);
