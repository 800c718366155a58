/* SPDX-License-Identifier: Apache-2.0 */
/* The field tables as lines "POINTER TYPE FLAG [NAMES]", in the form of
 * tests/data/oci_properties.csv, and the documented lists of what is ignored or refused. */
#include "model/oci.h"

#include <stdio.h>

static const char *const types[] = {
	[J_BOOL] = "boolean",
	[J_STR] = "string",
	[J_I32] = "integer",
	[J_U32] = "integer",
	[J_I64] = "integer",
	[J_U64] = "integer",
	[J_ENUM] = "string",
	[J_OBJECT] = "object",
	[J_MAP_STR] = "object",
	[J_MAP_OBJ] = "object",
};

static void print_table(const struct json_field *fields, const char *prefix);

static void print_names(const struct name_table *t)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->names[i] && *t->names[i])
			printf("%s%s", i ? "|" : "", t->names[i]);
}

static void print_row(const char *path, const struct json_field *f, const char *flag)
{
	printf("row %s %s %s ", path, types[f->kind], flag);
	if (f->kind == J_ENUM)
		print_names(f->more);
	printf("\n");
}

static void print_inside(const struct json_field *f, const char *path)
{
	char item[640];

	snprintf(item, sizeof(item), "%s/{key}", path);
	if (f->kind == J_MAP_STR)
		printf("row %s string optional \n", item);
	if (f->kind == J_MAP_OBJ) {
		printf("row %s object optional \n", item);
		print_table(f->more, item);
	}
	if (f->kind == J_OBJECT)
		print_table(f->more, path);
}

static void print_table(const struct json_field *fields, const char *prefix)
{
	for (const struct json_field *f = fields; f->name; f++) {
		const char *flag = f->flags & J_REQUIRED ? "required" : "optional";
		char path[512], item[520];
		snprintf(path, sizeof(path), "%s/%s", prefix, f->name);
		if (f->flags & J_IGNORED) {
			printf("ignored %s\n", path);
			continue;
		}
		if (!(f->flags & J_LIST)) {
			print_row(path, f, flag);
			print_inside(f, path);
			continue;
		}
		printf("row %s array %s \n", path, flag);
		snprintf(item, sizeof(item), "%s/[]", path);
		print_row(item, f, "optional");
		print_inside(f, item);
	}
}

int main(void)
{
	print_table(oci_spec_fields, "");
	for (size_t i = 0; oci_ignored(i); i++)
		printf("documented %s\n", oci_ignored(i)->path);
	for (size_t i = 0; oci_refusal(i); i++)
		printf("refused %s\n", oci_refusal(i)->path);
	return 0;
}
