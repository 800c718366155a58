/* SPDX-License-Identifier: Apache-2.0 */
/* pause - sleeps until a signal ends it: the container that exec enters. */
#include <unistd.h>

int main(void)
{
	for (;;)
		pause();
}
