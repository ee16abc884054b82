/* stoker_doctor_roles.h - the live processes of this agent, as far as /proc shows them. */
#pragma once

#include "health/doctor.h"

/* Those that were started with this configuration, and their children. In a container without hostPID only its own are seen. */
void stoker_doctor_find_roles(const char *config_path, struct doctor_facts *ret);
