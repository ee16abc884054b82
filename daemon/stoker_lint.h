/* stoker_lint.h - `stoker lint`: Spark's configuration, judged before it runs. */
#pragma once

extern const char stoker_lint_help[];
int stoker_lint(int argc, char **argv);
