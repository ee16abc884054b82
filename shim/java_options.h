/* java_options.h - what the options of a JVM tell: heap, off-heap, what it does on its own OutOfMemoryError. Pure. */
#pragma once

#include "base/executor.h"
#include "shim/view.h"

/* One option, as one argument: "-Xmx1024M", "-XX:OnOutOfMemoryError=kill -9 %p". Sets heap_bytes, off_heap_bytes and flags of `executor`;
 * as with java itself the last one counts. */
void java_option_take(struct text option, struct executor *executor);

/* A line of options as JDK_JAVA_OPTIONS has it: spaces between them, quotes around those that hold spaces. */
void java_options_take(struct text line, struct executor *executor);
