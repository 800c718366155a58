/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of each property of config.json in a guest, as lines
 * "FIELD<TAB>WAY<TAB>WAIVER<TAB>TEXT". */
#include "backend/proxmox/wish-oci.h"

#include <stdio.h>

int main(void)
{
	const struct wish_oci_row *r;

	for (size_t i = 0; (r = wish_oci_row(i)); i++)
		printf("%s\t%s\t%s\t%s\n", r->field, wish_way_name(r->way),
			r->way == WISH_WAIVED ? settings_waiver_name(r->waiver) : "-", r->what);
	return 0;
}
