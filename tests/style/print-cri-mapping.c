/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of each field of a CreateContainerRequest in a guest, as lines
 * "FIELD<TAB>WAY<TAB>WAIVER<TAB>TEXT". */
#include "backend/proxmox/wish-cri.h"

#include <stdio.h>

int main(void)
{
	const struct wish_cri_row *r;

	for (size_t i = 0; (r = wish_cri_row(i)); i++)
		printf("%s\t%s\t%s\t%s\n", r->field, wish_way_name(r->way),
			r->waiver < 0 ? "-" : settings_waiver_name(r->waiver), r->what);
	return 0;
}
