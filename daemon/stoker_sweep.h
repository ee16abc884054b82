/* stoker_sweep.h - `stoker sweep`: what Spark left on the hostPaths that are swept. */
#pragma once

extern const char stoker_sweep_help[];
int stoker_sweep(int argc, char **argv); /* the exit code */
