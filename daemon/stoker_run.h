/* stoker_run.h - `stoker run`: one supervised executor without any cluster. */
#pragma once

extern const char stoker_run_help[];

int stoker_run(int argc, char **argv);
