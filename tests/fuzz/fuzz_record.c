/* A datagram from another role: header, length, payload; then what the broker and stokerd look at in it. */
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/record.h"
#include "base/str.h"
#include "health/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int pair[2];
	struct record record;
	struct err e = {0};

	if (size == 0 || size > 65536 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
		return 0;
	scoped(fd_drop) int ours = pair[0], theirs = pair[1];
	if (send(theirs, data, size, MSG_NOSIGNAL) != (ssize_t)size || record_receive(ours, &record, &e) != 1)
		return 0;
	scoped(fd_drop) int passed = record.fd;
	(void)passed;
	const struct report_state *state = record_payload(&record, sizeof(*state));
	const struct finding *finding = record_payload(&record, sizeof(*finding));
	if (state)
		(void)str_is_ended(state->detail, sizeof(state->detail));
	if (finding)
		(void)finding_is_good(finding);
	return 0;
}
