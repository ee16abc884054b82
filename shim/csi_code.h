/* csi_code.h - which gRPC status an errno is: the CSI specification's table, and what the kubelet makes of each. Pure.
 *
 * docs/volumes.md shows the same table. The kubelet tries again after every error, later each time; FAILED_PRECONDITION and
 * INVALID_ARGUMENT tell people that trying again changes nothing. */
#pragma once

#include "shim/grpc.h"

enum grpc_code csi_code(int errnum);
