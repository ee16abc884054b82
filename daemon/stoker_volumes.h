/* stoker_volumes.h - `stoker volumes`: the volumes of this node that Stoker made or bounds. */
#pragma once

extern const char stoker_volumes_help[];
int stoker_volumes(int argc, char **argv); /* the exit code */
