#include "volumes/enospc_judge.h"

enum enospc_confidence enospc_judge_watches(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	(void)what;
	return enospc_reached(f, NUMBER_WATCHES, NUMBER_WATCHES_MAX, "inotify watches of the uid (max_user_watches)", a);
}

enum enospc_confidence enospc_judge_instances(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	(void)what;
	return enospc_reached(f, NUMBER_INSTANCES, NUMBER_INSTANCES_MAX, "inotify instances of the uid (max_user_instances)", a);
}

enum enospc_confidence enospc_judge_mounts(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	(void)what;
	return enospc_reached(f, NUMBER_MOUNTS, NUMBER_MOUNTS_MAX, "mounts in this mount namespace (fs.mount-max)", a);
}

enum enospc_confidence enospc_judge_user_ns(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	(void)what;
	return enospc_reached(f, NUMBER_USER_NS, NUMBER_USER_NS_MAX, "user namespaces seen (user.max_user_namespaces)", a);
}

enum enospc_confidence enospc_judge_other_ns(const struct enospc_case *what, const struct enospc_facts *f, struct enospc_answer *a)
{
	(void)what;
	enum enospc_confidence c = enospc_reached(f, NUMBER_OTHER_NS, NUMBER_OTHER_NS_MAX, "namespaces seen of the kind nearest to its limit", a);
	enospc_say_where(a, f->other_ns);
	return c;
}
