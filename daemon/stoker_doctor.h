/* stoker_doctor.h - `stoker doctor`. */
#pragma once

extern const char stoker_doctor_help[];

/* argv[0] is the command's name. Returns the exit code: 0 well, 1 a problem, 2 something unknown, 64 wrong usage. */
int stoker_doctor(int argc, char **argv);
