#include "shim/csi_code.h"

#include <errno.h>

#include "base/scoped.h"

enum grpc_code csi_code(int errnum)
{
	static const struct {
		int errnum;
		enum grpc_code code;
	} table[] = {
		{0, GRPC_OK},
		/* a rule is broken */
		{EINVAL, GRPC_INVALID_ARGUMENT},
		{ENAMETOOLONG, GRPC_INVALID_ARGUMENT},
		{EBADMSG, GRPC_INVALID_ARGUMENT},
		/* who may */
		{EACCES, GRPC_PERMISSION_DENIED},
		{EPERM, GRPC_PERMISSION_DENIED},
		/* the same volume otherwise; something of somebody else; not on this node */
		{EEXIST, GRPC_ALREADY_EXISTS},
		{EBUSY, GRPC_FAILED_PRECONDITION},
		{ENOTSUP, GRPC_FAILED_PRECONDITION},
		{ENOSYS, GRPC_FAILED_PRECONDITION},
		{ENOTDIR, GRPC_FAILED_PRECONDITION},
		{ELOOP, GRPC_FAILED_PRECONDITION},
		{ENOENT, GRPC_NOT_FOUND},
		/* later */
		{EALREADY, GRPC_ABORTED},
		{EINPROGRESS, GRPC_ABORTED},
		{ETIMEDOUT, GRPC_DEADLINE_EXCEEDED},
		{ENOSPC, GRPC_RESOURCE_EXHAUSTED},
		{EDQUOT, GRPC_RESOURCE_EXHAUSTED},
		{ENOMEM, GRPC_RESOURCE_EXHAUSTED},
		{EMFILE, GRPC_RESOURCE_EXHAUSTED},
		{ENFILE, GRPC_RESOURCE_EXHAUSTED},
		{EAGAIN, GRPC_UNAVAILABLE},
		{ESTALE, GRPC_UNAVAILABLE}, /* another configuration has come meanwhile, or the server has lost its state */
		{ENOTCONN, GRPC_UNAVAILABLE},
		{EPIPE, GRPC_UNAVAILABLE},
		{ECONNREFUSED, GRPC_UNAVAILABLE},
		{ECONNRESET, GRPC_UNAVAILABLE},
		{EHOSTUNREACH, GRPC_UNAVAILABLE},
		{EHOSTDOWN, GRPC_UNAVAILABLE},
		{ENETUNREACH, GRPC_UNAVAILABLE},
		{ENETDOWN, GRPC_UNAVAILABLE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].errnum == errnum)
			return table[i].code;
	return GRPC_INTERNAL;
}
