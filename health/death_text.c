/* death_text.c - see death_text.h. */
#include "health/death_text.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"

#define LABEL_WIDTH   9
#define WIDTH_DEFAULT 100U
#define WIDTH_MOST    140U
#define MIB	      (1024 * 1024)

static unsigned width_of(FILE *out)
{
	struct winsize size = {0};

	if (!isatty(fileno(out)) || ioctl(fileno(out), TIOCGWINSZ, &size) < 0 || size.ws_col < 40)
		return WIDTH_DEFAULT;
	return size.ws_col < WIDTH_MOST ? size.ws_col : WIDTH_MOST;
}

/* Folds at spaces; a word longer than the line stays whole. */
static void print_folded(FILE *out, const char *label, const char *text)
{
	unsigned width = width_of(out), column = LABEL_WIDTH + 3;
	bool first = true;

	fprintf(out, "  %-*s ", LABEL_WIDTH, label);
	while (*text) {
		size_t word = strcspn(text, " ");
		if (!first && column + 1 + word > width) {
			fprintf(out, "\n%*s", LABEL_WIDTH + 3, "");
			column = LABEL_WIDTH + 3;
		} else if (!first) {
			fputc(' ', out);
			column++;
		}
		fwrite(text, 1, word, out);
		column += (unsigned)word;
		text += word + strspn(text + word, " ");
		first = false;
	}
	fputc('\n', out);
}

static void add_part(char *text, size_t size, uint64_t bytes, const char *what)
{
	if (bytes >= MIB)
		str_append(text, size, "%s%" PRIu64 " MiB %s", text[0] ? ", " : "", bytes / MIB, what);
}

static void print_memory(FILE *out, const struct death *death)
{
	char text[320] = "", parts[320] = "";

	if (death->used_bytes && death->limit_bytes)
		str_append(text, sizeof(text), "%" PRIu64 " MiB of %" PRIu64 " MiB", death->used_bytes / MIB, death->limit_bytes / MIB);
	else if (death->used_bytes)
		str_append(text, sizeof(text), "%" PRIu64 " MiB, no limit", death->used_bytes / MIB);
	else
		return;
	add_part(parts, sizeof(parts), death->jvm_bytes, "JVM");
	add_part(parts, sizeof(parts), death->python_bytes, "Python");
	add_part(parts, sizeof(parts), death->other_bytes, "other processes");
	add_part(parts, sizeof(parts), death->shmem_bytes, "files in memory");
	add_part(parts, sizeof(parts), death->cache_bytes, "page cache");
	add_part(parts, sizeof(parts), death->kernel_bytes, "kernel");
	str_append(text, sizeof(text), "%s%s", parts[0] ? ": " : "", parts);
	print_folded(out, "memory", text);
}

static void print_volume(FILE *out, const struct death *death)
{
	char text[320] = "";

	if (!death->volume[0])
		return;
	str_append(text, sizeof(text), "%s: %" PRIu64 " MiB of %" PRIu64 " MiB", death->volume, death->volume_used_bytes / MIB, death->volume_size_bytes / MIB);
	print_folded(out, "volume", text);
}

void death_print(const struct death *death, FILE *out, bool bold)
{
	static const char *const sure[] = {"a guess", "likely", "certain"};
	const time_t ended = (time_t)(death->ended_wall_us / US_PER_S);
	char who[512], when[48];
	struct tm tm = {0};

	executor_say(&death->executor, who, sizeof(who));
	localtime_r(&ended, &tm);
	strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S %z", &tm);
	fprintf(out, "%s%s: %s%s\n", bold ? "\033[1m" : "", who, death->summary, bold ? "\033[0m" : "");
	if (death->setting[0]) {
		char change[160];
		snprintf(change, sizeof(change), "%s=%s", death->setting, death->value);
		print_folded(out, "change", change);
	}
	if (death->advice[0])
		print_folded(out, "advice", death->advice);
	print_memory(out, death);
	print_volume(out, death);
	char cause[160];
	snprintf(cause, sizeof(cause), "%s (%s)%s", death_cause_name((enum death_cause)death->cause),
		 death->confidence <= DEATH_CERTAIN ? sure[death->confidence] : "?", death->lives ? "; it lives on" : "");
	print_folded(out, "cause", cause);
	if (death->evidence[0])
		print_folded(out, "evidence", death->evidence);
	print_folded(out, "when", when);
}
