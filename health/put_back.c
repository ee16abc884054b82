#include "health/put_back.h"

bool put_back_step(struct put_back *p, uint64_t now_us)
{
	uint64_t *oldest = &p->taken_us[0];

	for (unsigned i = 1; i < PUT_BACK_TIMES; i++)
		if (p->taken_us[i] < *oldest)
			oldest = &p->taken_us[i];
	if (*oldest && now_us - *oldest < PUT_BACK_WITHIN_US) {
		p->left_off_us = *oldest + PUT_BACK_WITHIN_US;
		return false;
	}
	*oldest = now_us;
	return true;
}
