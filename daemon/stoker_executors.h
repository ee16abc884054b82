/* stoker_executors.h - `stoker executors`. */
#pragma once

extern const char stoker_executors_help[];

/* argv[0] is the command's name. Returns the exit code: 0 answered, 2 nobody answers, 64 wrong usage. */
int stoker_executors(int argc, char **argv);
