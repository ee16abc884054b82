#include "health/health_table.h"

#include <errno.h>
#include <inttypes.h>
#include <langinfo.h>
#include <libsmartcols.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/scoped.h"
#include "base/str.h"

#define CELL_BYTES    (4 * NAME_PATH_BYTES)
#define COLOR_NONE    ""
#define COLOR_GREEN   "\033[32m"
#define COLOR_YELLOW  "\033[33m"
#define COLOR_RED     "\033[31m"
#define COLOR_DEFAULT "\033[0m"

/* --- words --- */

static void append_escaped(char *text, size_t size, const char *foreign)
{
	char escaped[CELL_BYTES];

	str_escape(escaped, sizeof(escaped), foreign);
	str_append(text, size, "%s", escaped);
}

/* The mount point; beside it the watched path, if that lies deeper. */
static void append_mount(char *text, size_t size, const struct health_filesystem *f)
{
	append_escaped(text, size, *f->mount_point ? f->mount_point : f->path);
	if (!*f->path || !*f->mount_point || strcmp(f->path, f->mount_point) == 0)
		return;
	str_append(text, size, " (watch ");
	append_escaped(text, size, f->path);
	str_append(text, size, ")");
}

/* "08:15:00", with the day if it was not today. */
static void append_time(char *text, size_t size, uint64_t wall_us, uint64_t now_us)
{
	time_t then = (time_t)(wall_us / US_PER_S), now = (time_t)(now_us / US_PER_S);
	struct tm then_tm = {0}, now_tm = {0};
	char words[40];

	localtime_r(&then, &then_tm);
	localtime_r(&now, &now_tm);
	bool today = then_tm.tm_year == now_tm.tm_year && then_tm.tm_yday == now_tm.tm_yday;
	strftime(words, sizeof(words), today ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &then_tm);
	str_append(text, size, "%s", words);
}

static void append_age(char *text, size_t size, uint64_t wall_us, uint64_t now_us)
{
	static const struct {
		uint64_t seconds;
		const char *unit;
	} units[] = {{24 * 3600, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
	uint64_t seconds = now_us > wall_us ? (now_us - wall_us) / US_PER_S : 0;
	size_t i = 0;

	while (i + 1 < ARRAY_SIZE(units) && seconds < units[i].seconds)
		i++;
	str_append(text, size, "%" PRIu64 " %s", seconds / units[i].seconds, units[i].unit);
}

/* The filesystem that the condition is about, if something is wrong with it. */
static const struct health_filesystem *find_worst(const struct health *h)
{
	unsigned count;

	return h->status == HEALTH_HEALTHY ? NULL : health_worst(h, &count);
}

void health_headline(const struct health *h, char line[static HEALTH_LINE_BYTES])
{
	const struct health_filesystem *f = find_worst(h);

	*line = '\0';
	append_escaped(line, HEALTH_LINE_BYTES, h->node);
	str_append(line, HEALTH_LINE_BYTES, ": %s: ", health_status_name(h->status));
	append_escaped(line, HEALTH_LINE_BYTES, h->report.condition.reason);
	if (!f)
		return;
	str_append(line, HEALTH_LINE_BYTES, " on ");
	append_escaped(line, HEALTH_LINE_BYTES, *f->mount_point ? f->mount_point : f->path);
	if (!f->since_wall_us)
		return;
	str_append(line, HEALTH_LINE_BYTES, f->state == VERDICT_RECOVERING ? ", recovering since " : " since ");
	append_time(line, HEALTH_LINE_BYTES, f->since_wall_us, h->time_wall_us);
	str_append(line, HEALTH_LINE_BYTES, " (");
	append_age(line, HEALTH_LINE_BYTES, f->since_wall_us, h->time_wall_us);
	str_append(line, HEALTH_LINE_BYTES, ")");
}

void health_plugin_line(const struct health *h, char line[static HEALTH_PLUGIN_BYTES])
{
	const struct health_filesystem *f = find_worst(h);
	char whole[CELL_BYTES] = "";

	str_append(whole, sizeof(whole), "%s: ", health_status_name(h->status));
	append_escaped(whole, sizeof(whole), h->report.condition.reason);
	if (f) {
		str_append(whole, sizeof(whole), " on ");
		append_escaped(whole, sizeof(whole), *f->mount_point ? f->mount_point : f->path);
	} else if (h->filesystem_count > 0) {
		str_append(whole, sizeof(whole), ", %" PRIu32 " filesystem%s", h->filesystem_count, h->filesystem_count == 1 ? "" : "s");
	}
	str_copy(line, HEALTH_PLUGIN_BYTES, whole);
}

/* --- the table's columns --- */

static void cell_mount(const struct health *h, const struct health_filesystem *f, char *text, size_t size)
{
	(void)h;
	append_mount(text, size, f);
}

static void cell_type(const struct health *h, const struct health_filesystem *f, char *text, size_t size)
{
	(void)h;
	append_escaped(text, size, f->fs_type);
}

static void cell_source(const struct health *h, const struct health_filesystem *f, char *text, size_t size)
{
	(void)h;
	append_escaped(text, size, f->source);
}

static void cell_state(const struct health *h, const struct health_filesystem *f, char *text, size_t size)
{
	(void)h;
	str_append(text, size, "%s", verdict_state_name(f->state));
}

static void cell_reason(const struct health *h, const struct health_filesystem *f, char *text, size_t size)
{
	(void)h;
	append_escaped(text, size, f->reason);
}

static void cell_since(const struct health *h, const struct health_filesystem *f, char *text, size_t size)
{
	if (f->since_wall_us)
		append_time(text, size, f->since_wall_us, h->time_wall_us);
}

static void cell_probe(const struct health *h, const struct health_filesystem *f, char *text, size_t size)
{
	(void)h;
	if (f->last_probe_wall_us)
		str_append(text, size, "%.1f", (double)f->last_probe_duration_us / (double)US_PER_MS);
	else
		str_append(text, size, "never");
}

static void append_share(char *text, size_t size, uint64_t part, uint64_t whole)
{
	str_append(text, size, " (%.0f%%)", 100.0 * (double)part / (double)whole);
}

static void cell_available(const struct health *h, const struct health_filesystem *f, char *text, size_t size)
{
	(void)h;
	if (!f->size_bytes)
		return;
	space_append_bytes(text, size, f->available_bytes);
	append_share(text, size, f->available_bytes, f->size_bytes);
}

static void cell_inodes(const struct health *h, const struct health_filesystem *f, char *text, size_t size)
{
	(void)h;
	if (!f->inodes)
		return;
	str_append(text, size, "%" PRIu64, f->available_inodes);
	append_share(text, size, f->available_inodes, f->inodes);
}

static void cell_full_in(const struct health *h, const struct health_filesystem *f, char *text, size_t size)
{
	bool space = f->space_full_high_s && (!f->inodes_full_high_s || f->space_full_high_s <= f->inodes_full_high_s);
	uint64_t low_s = space ? f->space_full_low_s : f->inodes_full_low_s, high_s = space ? f->space_full_high_s : f->inodes_full_high_s;

	(void)h;
	if (high_s)
		str_append(text, size, "%" PRIu64 "-%" PRIu64 " min", low_s / 60, (high_s + 59) / 60);
}

static void cell_device(const struct health *h, const struct health_filesystem *f, char *text, size_t size)
{
	(void)h;
	append_escaped(text, size, f->device);
}

static void cell_roles(const struct health *h, const struct health_filesystem *f, char *text, size_t size)
{
	(void)h;
	for (uint32_t i = 0; i < f->role_count && i < HEALTH_ROLES_MAX; i++) {
		str_append(text, size, i ? "," : "");
		append_escaped(text, size, f->roles[i]);
	}
}

static void cell_errno(const struct health *h, const struct health_filesystem *f, char *text, size_t size)
{
	(void)h;
	if (!f->last_probe_errnum)
		return;
	const char *name = strerrorname_np(f->last_probe_errnum);
	if (name)
		str_append(text, size, "%s", name);
	else
		str_append(text, size, "%" PRId32, f->last_probe_errnum);
}

static void cell_message(const struct health *h, const struct health_filesystem *f, char *text, size_t size)
{
	(void)h;
	append_escaped(text, size, f->message);
}

static const struct table_column {
	const char *name;
	double width_hint;
	int flags;
	bool only_wide, colored;
	void (*cell)(const struct health *h, const struct health_filesystem *f, char *text, size_t size);
} columns[] = {
	{"MOUNT", 0.3, 0, false, false, cell_mount},
	{"TYPE", 0.05, 0, false, false, cell_type},
	{"SOURCE", 0.15, SCOLS_FL_TRUNC, false, false, cell_source},
	{"STATE", 0.05, 0, false, true, cell_state},
	{"REASON", 0.1, 0, false, false, cell_reason},
	{"SINCE", 0.1, 0, false, false, cell_since},
	{"PROBE (ms)", 0.05, SCOLS_FL_RIGHT, false, false, cell_probe},
	{"AVAIL", 0.05, SCOLS_FL_RIGHT, true, false, cell_available},
	{"INODES", 0.05, SCOLS_FL_RIGHT, true, false, cell_inodes},
	{"FULL IN", 0.05, SCOLS_FL_RIGHT, true, false, cell_full_in},
	{"DEVICE", 0.05, 0, true, false, cell_device},
	{"ROLES", 0.05, 0, true, false, cell_roles},
	{"ERRNO", 0.05, 0, true, false, cell_errno},
	{"MESSAGE", 0.3, 0, true, false, cell_message},
};

static const char *color_of_state(enum verdict_state state)
{
	static const char *const color[VERDICT_STATE_MAX_] = {
		[VERDICT_UNKNOWN] = COLOR_YELLOW, [VERDICT_HEALTHY] = COLOR_GREEN,    [VERDICT_WARNING] = COLOR_YELLOW,
		[VERDICT_BAD] = COLOR_RED,	  [VERDICT_RECOVERING] = COLOR_YELLOW,
	};

	return (unsigned)state < VERDICT_STATE_MAX_ ? color[state] : COLOR_NONE;
}

static const char *color_of_status(enum health_status status)
{
	return status == HEALTH_HEALTHY ? COLOR_GREEN : status == HEALTH_UNHEALTHY ? COLOR_RED : COLOR_YELLOW;
}

static void table_drop(struct libscols_table **table)
{
	scols_unref_table(*table);
}

/* libsmartcols 2.38 never returns from measuring bytes that the locale cannot read: where that is not UTF-8, only ASCII
 * may reach it. */
static void keep_ascii(char *text, size_t size)
{
	char ascii[CELL_BYTES] = "";

	if (strcmp(nl_langinfo(CODESET), "UTF-8") == 0)
		return;
	for (const char *p = text; *p; p++)
		str_append(ascii, sizeof(ascii), (unsigned char)*p < 0x80 ? "%c" : "\\x%02x", (unsigned char)*p);
	str_copy(text, size, ascii);
}

static int add_line(struct libscols_table *table, const struct health *h, const struct health_filesystem *f, const struct health_table_options *options)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	size_t at = 0;

	for (size_t i = 0; line && i < ARRAY_SIZE(columns); i++) {
		char text[CELL_BYTES] = "";
		if (columns[i].only_wide && !options->wide)
			continue;
		columns[i].cell(h, f, text, sizeof(text));
		keep_ascii(text, sizeof(text));
		if (scols_line_set_data(line, at, *text ? text : "-") < 0)
			return -ENOMEM;
		if (columns[i].colored && options->color)
			scols_cell_set_color(scols_line_get_cell(line, at), color_of_state(f->state));
		at++;
	}
	return line ? 0 : -ENOMEM;
}

static int print_filesystems(FILE *out, const struct health *h, const struct health_table_options *options, struct err *e)
{
	scoped(table_drop) struct libscols_table *table = scols_new_table();
	bool good = table != NULL;

	if (good) {
		scols_table_set_stream(table, out);
		scols_table_enable_colors(table, options->color);
		/* The cells are escaped already; libsmartcols would escape the backslashes again. */
		scols_table_enable_noencoding(table, 1);
		/* Nothing is cut or folded into cells at a narrow terminal: the terminal wraps lines, a pipe gets the same. */
		scols_table_set_termforce(table, SCOLS_TERMFORCE_NEVER);
	}
	for (size_t i = 0; good && i < ARRAY_SIZE(columns); i++)
		if (!columns[i].only_wide || options->wide)
			good = scols_table_new_column(table, columns[i].name, columns[i].width_hint, columns[i].flags) != NULL;
	for (uint32_t i = 0; good && i < h->filesystem_count; i++)
		good = add_line(table, h, &h->filesystems[i], options) == 0;
	if (!good || scols_print_table(table) < 0)
		return err_set(e, ENOMEM, "cannot print the table");
	return 0;
}

/* --- what stands around the table --- */

static void print_inputs(FILE *out, const struct health *h)
{
	for (uint32_t i = 0; i < h->input_count; i++) {
		const struct health_input *input = &h->inputs[i];
		char line[CELL_BYTES] = "";
		/* What was found, and which pattern matches nothing, is of interest when all is well, too. */
		if (strcmp(input->state, "ok") == 0 && strcmp(input->name, "discovery") != 0)
			continue;
		append_escaped(line, sizeof(line), input->name);
		str_append(line, sizeof(line), ": ");
		append_escaped(line, sizeof(line), input->state);
		str_append(line, sizeof(line), *input->detail ? ": " : "");
		append_escaped(line, sizeof(line), input->detail);
		fprintf(out, "%s\n", line);
	}
}

static void print_checkpoints(FILE *out, const struct health *h)
{
	for (uint32_t i = 0; i < h->checkpoint_count; i++) {
		const struct health_checkpoint *c = &h->checkpoints[i];
		char line[CELL_BYTES] = "checkpoint ";
		append_escaped(line, sizeof(line), c->name);
		str_append(line, sizeof(line), " (");
		append_escaped(line, sizeof(line), c->source);
		str_append(line, sizeof(line), "): %s%s", checkpoint_state_name(c->state), c->mounted ? "" : ", not mounted");
		str_append(line, sizeof(line), *c->message ? ": " : "");
		append_escaped(line, sizeof(line), c->message);
		fprintf(out, "%s\n", line);
	}
}

static void print_taint(FILE *out, const struct health *h)
{
	const struct report_taint *t = &h->report.taint;
	char line[CELL_BYTES] = "taint: ";

	if (!t->wanted) {
		fputs("taint: none\n", out);
		return;
	}
	append_escaped(line, sizeof(line), t->key);
	str_append(line, sizeof(line), "=");
	append_escaped(line, sizeof(line), t->value);
	str_append(line, sizeof(line), ":");
	append_escaped(line, sizeof(line), t->effect);
	str_append(line, sizeof(line), h->taint_held ? " is not on the node: " : " is on the node");
	if (h->taint_held)
		append_escaped(line, sizeof(line), *h->taint_why ? h->taint_why : "held");
	fprintf(out, "%s\n", line);
}

int health_table_print(FILE *out, const struct health *h, const struct health_table_options *options, struct err *e)
{
	char headline[HEALTH_LINE_BYTES];

	health_headline(h, headline);
	fprintf(out, "%s%s%s\n\n", options->color ? color_of_status(h->status) : "", headline, options->color ? COLOR_DEFAULT : "");
	if (h->filesystem_count > 0) {
		int r = print_filesystems(out, h, options, e);
		if (r < 0)
			return r;
		fputc('\n', out);
	}
	print_checkpoints(out, h);
	print_inputs(out, h);
	print_taint(out, h);
	return ferror(out) ? err_set(e, EIO, "cannot write") : 0;
}
