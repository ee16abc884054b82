/* stoker_why.h - `stoker why`. */
#pragma once

extern const char stoker_why_help[];

/* argv[0] is the command's name. Returns the exit code: 0 it ended well, or a list; 1 it died of something; 2 not known; 64
 * wrong usage. */
int stoker_why(int argc, char **argv);
