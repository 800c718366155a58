/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options by table, spelled as Go's flag package and getopt_long take them: -long, --long, --opt=v,
 * --opt v, --flag=true, -it.
 * "--" ends them. A value is the last one given; lists collect.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "base/arena.h"

struct option_list {
	const char **items;
	size_t n;
};

enum option_kind {
	OPT_BOOL, /* bool */
	OPT_STR,  /* const char * */
	OPT_LIST, /* struct option_list */
	OPT_U32,  /* uint32_t */
};

struct option_row {
	const char *name;
	char letter; /* 0: none */
	enum option_kind kind;
	size_t off;        /* into the struct that is filled */
	const char *value; /* how help calls the value */
	const char *help;  /* NULL: not shown */
};

/* Where options may stand. */
enum option_order {
	OPT_ANYWHERE, /* between the arguments too */
	OPT_FIRST,    /* only before the first argument */
};

/* Fills *base from argv[1..argc-1]; the tables end with a row without a name. What is no option
 * goes to args (room for argc, NULL-terminated). Returns how many arguments there are, or -1 with
 * ERR_USAGE. */
int options_parse(const struct option_row *rows, enum option_order, int argc, char **argv,
	struct arena *, void *base, const char **args, struct err *) _must_check_;

/* One line per option. */
struct str;
void options_help(const struct option_row *rows, struct str *out);

#endif
