#include "health/health_fields.h"

_Static_assert(sizeof(enum health_status) == sizeof(uint32_t) && sizeof(enum verdict_state) == sizeof(uint32_t) && sizeof(enum target_origin) == sizeof(uint32_t), "FIELD_WORD is four bytes");

static const char *status_word(unsigned value)
{
	return health_status_name((enum health_status)value);
}

static const char *state_word(unsigned value)
{
	return verdict_state_name((enum verdict_state)value);
}

static const char *origin_word(unsigned value)
{
	return value < TARGET_ORIGIN_MAX_ ? target_origin_name((enum target_origin)value) : target_origin_name(TARGET_CONFIGURED);
}

static const char *condition_word(unsigned value)
{
	return condition_status_name((enum condition_status)value);
}

static const char *holder_word(unsigned value)
{
	return taint_holder_name((enum taint_holder)value);
}

#define AT(type, member) offsetof(struct type, member), sizeof(((struct type *)0)->member)

static const struct field probe_fields[] = {
	{"time", FIELD_TIME, AT(health_filesystem, last_probe_wall_us)},
	{"durationMicros", FIELD_U64, AT(health_filesystem, last_probe_duration_us)},
	{"errno", FIELD_I32, AT(health_filesystem, last_probe_errnum)},
	{0},
};

static const struct field space_full_fields[] = {
	{"low", FIELD_U64, AT(health_filesystem, space_full_low_s)},
	{"high", FIELD_U64, AT(health_filesystem, space_full_high_s)},
	{0},
};

static const struct field inodes_full_fields[] = {
	{"low", FIELD_U64, AT(health_filesystem, inodes_full_low_s)},
	{"high", FIELD_U64, AT(health_filesystem, inodes_full_high_s)},
	{0},
};

static const struct field probes_fields[] = {
	{"count", FIELD_U64, AT(health_filesystem, probes.count)},
	{"good", FIELD_U64, AT(health_filesystem, probes.good)},
	{"failed", FIELD_U64, AT(health_filesystem, probes.failed)},
	{"unclear", FIELD_U64, AT(health_filesystem, probes.unclear)},
	{"totalMicros", FIELD_U64, AT(health_filesystem, probes.total_us)},
	{"durations", FIELD_COUNTS, AT(health_filesystem, probes.within)},
	{0},
};

static const struct field errors_fields[] = {
	{"count", FIELD_U64, AT(health_filesystem, kernel_errors)},
	{"time", FIELD_TIME, AT(health_filesystem, kernel_errors_wall_us)},
	{0},
};

const struct field health_filesystem_fields[] = {
	{"mountPoint", FIELD_NAME, AT(health_filesystem, mount_point)},
	{"source", FIELD_NAME, AT(health_filesystem, source)},
	{"fsType", FIELD_NAME, AT(health_filesystem, fs_type)},
	{"device", FIELD_NAME, AT(health_filesystem, device)},
	{"roles", FIELD_ROLES, AT(health_filesystem, roles)},
	{"state", FIELD_WORD, AT(health_filesystem, state), NULL, state_word, VERDICT_STATE_MAX_},
	{"reason", FIELD_TEXT, AT(health_filesystem, reason)},
	{"message", FIELD_TEXT, AT(health_filesystem, message)},
	{"since", FIELD_TIME, AT(health_filesystem, since_wall_us)},
	{"lastProbe", FIELD_OBJECT, AT(health_filesystem, last_probe_wall_us), probe_fields},
	{"sizeBytes", FIELD_U64, AT(health_filesystem, size_bytes)},
	{"availableBytes", FIELD_U64, AT(health_filesystem, available_bytes)},
	{"inodes", FIELD_U64, AT(health_filesystem, inodes)},
	{"availableInodes", FIELD_U64, AT(health_filesystem, available_inodes)},
	{"spaceFullInSeconds", FIELD_OBJECT, AT(health_filesystem, space_full_high_s), space_full_fields},
	{"inodesFullInSeconds", FIELD_OBJECT, AT(health_filesystem, inodes_full_high_s), inodes_full_fields},
	{"probes", FIELD_OBJECT, AT(health_filesystem, probes.count), probes_fields},
	{"kernelErrors", FIELD_OBJECT, AT(health_filesystem, kernel_errors_wall_us), errors_fields},
	{"path", FIELD_NAME, AT(health_filesystem, path)},
	{"mounted", FIELD_BOOL, AT(health_filesystem, mounted)},
	{"origin", FIELD_WORD, AT(health_filesystem, origin), NULL, origin_word, TARGET_ORIGIN_MAX_},
	{"ignored", FIELD_BOOL, AT(health_filesystem, ignored)},
	{0},
};

const struct field health_condition_fields[] = {
	{"type", FIELD_TEXT, AT(report_condition, type)},
	{"status", FIELD_WORD, AT(report_condition, status), NULL, condition_word, CONDITION_STATUS_MAX_},
	{"reason", FIELD_TEXT, AT(report_condition, reason)},
	{"message", FIELD_TEXT, AT(report_condition, message)},
	{"lastTransitionTime", FIELD_SECOND, AT(report_condition, transition_wall_us)},
	{0},
};

static const struct field taint_fields[] = {
	{"key", FIELD_TEXT, AT(health, report.taint.key)},
	{"value", FIELD_TEXT, AT(health, report.taint.value)},
	{"effect", FIELD_TEXT, AT(health, report.taint.effect)},
	{"held", FIELD_BOOL, AT(health, taint_held)},
	{"why", FIELD_TEXT, AT(health, taint_why)},
	{"heldBy", FIELD_WORD, AT(health, taint_holder), NULL, holder_word, HOLDER_MAX_},
	{0},
};

const struct field health_input_fields[] = {
	{"state", FIELD_TEXT, AT(health_input, state)},
	{"detail", FIELD_TEXT, AT(health_input, detail)},
	{"since", FIELD_TIME, AT(health_input, since_wall_us)},
	{0},
};

static const char *checkpoint_word(unsigned value)
{
	return checkpoint_state_name((enum checkpoint_state)value);
}

const struct field health_checkpoint_fields[] = {
	{"name", FIELD_TEXT, AT(health_checkpoint, name)},
	{"source", FIELD_NAME, AT(health_checkpoint, source)},
	{"state", FIELD_WORD, AT(health_checkpoint, state), NULL, checkpoint_word, CHECKPOINT_STATE_MAX_},
	{"mounted", FIELD_BOOL, AT(health_checkpoint, mounted)},
	{"message", FIELD_TEXT, AT(health_checkpoint, message)},
	{"since", FIELD_TIME, AT(health_checkpoint, since_wall_us)},
	{0},
};

const struct field health_head_fields[] = {
	{"node", FIELD_TEXT, AT(health, node)},
	{"time", FIELD_TIME, AT(health, time_wall_us)},
	{"status", FIELD_WORD, AT(health, status), NULL, status_word, HEALTH_STATUS_MAX_},
	{0},
};

const struct field health_taint_field = {"taint", FIELD_OBJECT, AT(health, report.taint.wanted), taint_fields};

static const struct field agent_fields[] = {
	{"startTime", FIELD_TIME, AT(health, agent.started_wall_us)},
	{"version", FIELD_TEXT, AT(health, agent.version)},
	{"kernelLogGaps", FIELD_U64, AT(health, agent.kmsg_gaps)},
	{"kernelLogRecordsLost", FIELD_U64, AT(health, agent.kmsg_lost)},
	{"reportWrites", FIELD_U64, AT(health, agent.report_writes)},
	{"lastReportTime", FIELD_TIME, AT(health, agent.last_write_wall_us)},
	{"abandonedProbes", FIELD_U64, AT(health, agent.abandoned_probes)},
	{"bootId", FIELD_TEXT, AT(health, agent.boot_id)},
	{0},
};

const struct field health_agent_field = {"agent", FIELD_OBJECT, AT(health, agent.started_wall_us), agent_fields};

static const struct field nri_fields[] = {
	{"live", FIELD_BOOL, AT(health, nri.live)},
	{"runtime", FIELD_TEXT, AT(health, nri.runtime)},
	{"runtimeVersion", FIELD_TEXT, AT(health, nri.runtime_version)},
	{"nriVersion", FIELD_TEXT, AT(health, nri.nri_version)},
	{"exitCodes", FIELD_BOOL, AT(health, nri.exit_codes)},
	{"oomScoreAdj", FIELD_BOOL, AT(health, nri.oom_score_adj)},
	{"unified", FIELD_BOOL, AT(health, nri.unified)},
	{"requests", FIELD_U64, AT(health, nri.requests)},
	{"late", FIELD_U64, AT(health, nri.late)},
	{"refused", FIELD_U64, AT(health, nri.refused)},
	{"adjusted", FIELD_U64, AT(health, nri.adjusted)},
	{"unverified", FIELD_U64, AT(health, nri.unverified)},
	{"reconnects", FIELD_U64, AT(health, nri.reconnects)},
	{0},
};

const struct field health_nri_field = {"nri", FIELD_OBJECT, AT(health, nri.present), nri_fields};

static const struct field volumes_fields[] = {
	{"registered", FIELD_BOOL, AT(health, volumes.registered)},
	{"count", FIELD_U64, AT(health, volumes.count)},
	{"sizeBytes", FIELD_U64, AT(health, volumes.size_bytes)},
	{"usedBytes", FIELD_U64, AT(health, volumes.used_bytes)},
	{"bounded", FIELD_U64, AT(health, volumes.bounded)},
	{"emptied", FIELD_U64, AT(health, volumes.emptied)},
	{"refused", FIELD_U64, AT(health, volumes.refused)},
	{"publishCalls", FIELD_U64, AT(health, volumes.publish)},
	{"unpublishCalls", FIELD_U64, AT(health, volumes.unpublish)},
	{"statsCalls", FIELD_U64, AT(health, volumes.stats)},
	{"failedCalls", FIELD_U64, AT(health, volumes.failed)},
	{0},
};

const struct field health_volumes_field = {"volumes", FIELD_OBJECT, AT(health, volumes.present), volumes_fields};
