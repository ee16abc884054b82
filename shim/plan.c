/* plan.c - see plan.h. */
#include "shim/plan.h"

bool plan_is_empty(const struct plan *plan)
{
	return plan->env_count == 0 && plan->unified_count == 0 && !plan->set_oom_score_adj;
}
