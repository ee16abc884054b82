/* stoker_health.h - `stoker health`. */
#pragma once

extern const char stoker_health_help[];

/* argv[0] is the command's name. Returns the exit code: 0 healthy or warning, 1 unhealthy, 2 unknown, 64 wrong usage. */
int stoker_health(int argc, char **argv);
