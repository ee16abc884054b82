#include "base/scoped.h"

#include <stdlib.h>
#include <string.h>

void scoped_free(void *pointer_to_pointer)
{
	void *p = NULL;

	memcpy(&p, pointer_to_pointer, sizeof(p)); /* no aliasing through void ** */
	free(p);
}
