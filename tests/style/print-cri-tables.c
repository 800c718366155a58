/* SPDX-License-Identifier: Apache-2.0 */
/* The field tables of CreateContainerRequest as lines "row PATH NUMBER TYPE LABEL NAMES". */
#include "model/cri.h"

#include <stdio.h>

static const char *const types[] = {
	[J_BOOL] = "bool",
	[J_STR] = "string",
	[J_I32] = "int32",
	[J_U32] = "uint32",
	[J_I64] = "int64",
	[J_U64] = "uint64",
	[J_ENUM] = "enum",
	[J_OBJECT] = "message",
	[J_MAP_STR] = "map<string,string>",
	[J_MAP_OBJ] = "map",
	[J_PRESENT] = "present",
};

static void print_table(const struct json_field *fields, const char *prefix)
{
	for (const struct json_field *f = fields; f->name; f++) {
		const struct name_table *names = f->kind == J_ENUM ? f->more : NULL;
		char path[512];
		snprintf(path, sizeof(path), "%s.%s", prefix, f->name);
		printf("row %s %u %s %s ", path + 1, f->number, types[f->kind],
			f->flags & J_LIST                            ? "repeated"
			: f->kind == J_OBJECT && !(f->flags & J_OPT) ? "embedded"
								     : "single");
		for (size_t i = 0; names && i < names->n; i++)
			printf("%s%s=%zu", i ? "|" : "", names->names[i] ? names->names[i] : "?",
				i);
		printf("\n");
		if (f->kind == J_OBJECT)
			print_table(f->more, path);
	}
}

int main(void)
{
	print_table(cri_request_fields, "");
	return 0;
}
