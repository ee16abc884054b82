/* stoker_why_enospc.h - the command `stoker why-enospc`: which of the kernel's limits says "no space left on device". */
#pragma once

extern const char stoker_why_enospc_help[];

int stoker_why_enospc(int argc, char **argv);
