/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON: a reader that builds an immutable tree in an arena, a binder that fills a struct from a
 * field table, and a writer. The same tables drive reading and writing, so the two can't drift.
 *
 * The reader sits on yajl's callbacks (this is the only file that includes yajl) and has hard
 * limits: size, depth 64, strings 1 MiB, 1M values; duplicate keys, NUL and lone surrogates in
 * strings, comments and trailing bytes are errors. Numbers keep their digits, so that 64-bit values
 * survive.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/arena.h"
#include "base/names.h"
#include "base/str.h"
#include "ctrctl/map.h"

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
	enum json_type type;
	const char *key;  /* in an object, else NULL */
	const char *text; /* the string; a number as written; "true"/"false" */
	size_t n;         /* number of children */
	struct json *child, *next;
};

#define json_for_each(it, parent) for (const struct json *it = (parent)->child; it; it = it->next)

enum { JSON_DEPTH_MAX = 64, JSON_VALUES_MAX = 1000000, JSON_STRING_MAX = 1 << 20 };

/* Parses n bytes (at most max_bytes) into the arena. Errors name the byte offset, line and column.
 */
int json_parse(const char *text, size_t n, size_t max_bytes, struct arena *,
	const struct json **ret, struct err *) _must_check_;

/* Member of an object, or NULL. */
const struct json *json_get(const struct json *object, const char *key);

/* ---- field tables ---- */

enum json_kind {
	J_BOOL,    /* bool */
	J_STR,     /* const char * */
	J_I32,     /* int32_t */
	J_U32,     /* uint32_t */
	J_I64,     /* int64_t */
	J_U64,     /* uint64_t */
	J_ENUM,    /* int, from a struct name_table */
	J_OBJECT,  /* struct, from a field table */
	J_MAP_STR, /* struct ctr_map_str: object of strings */
	J_MAP_OBJ, /* struct ctr_map_obj: object of objects; items are structs of `size` bytes */
	J_PRESENT, /* bool: the key is there, whatever its value; never written */
};

enum json_flags {
	J_REQUIRED = 1 << 0,
	J_OPT = 1 << 1,     /* member is a pointer; NULL when absent */
	J_LIST = 1 << 2,    /* member is a pointer to items, with a size_t n_<member> beside it */
	J_IGNORED = 1 << 3, /* known, and without effect here by intent: documented, never bound */
	J_EMPTY_IS_NULL = 1 << 5, /* J_STR: "" is the same as absent, as Go's omitempty has it */
	J_SEEN = 1 << 4, /* a bool at off_seen is set when the key is present, be its list empty */
	J_KEEP = 1 << 6, /* written even when it is 0 or false */
};

struct json_field {
	const char *name;
	enum json_kind kind;
	unsigned flags;
	size_t off, off_n, size, off_seen;
	const void *more; /* J_OBJECT, J_MAP_OBJ: field table; J_ENUM: struct name_table */
	int64_t min;      /* J_I*: smallest allowed; both 0 = the type's whole range */
	uint64_t max;     /* J_I*, J_U*: largest allowed */
	uint16_t number;  /* of the protobuf field; 0: the table is no message's */
};

/*
 * Fills *base from an object. Known keys with a wrong type, unknown enum values, numbers out of
 * range and missing required keys are errors that carry the place. Unknown keys: `unknown` decides.
 */
/* JSON_PROTO: refused (with a hint where a known name is near), and values are taken as protojson
 * and crictl spell them: keys in snake_case or lowerCamelCase (either spelling, but not both),
 * enums by name or number, 64-bit numbers as numbers or strings of digits; null is absent. */
enum json_unknown { JSON_UNKNOWN_IGNORE, JSON_UNKNOWN_REFUSE, JSON_PROTO };
int json_bind(const struct json *, const struct json_field *, void *base, enum json_unknown unknown,
	struct arena *, struct err *) _must_check_;

/* ---- writer ---- */

/* Compact or indented by `indent` spaces; "/" is never escaped; control bytes are. */
struct json_writer {
	struct str *out;
	int indent; /* 0 = compact */
	int depth;
	bool first;
	bool after_key;
	bool sorted; /* maps of strings are written by key, else in their own order */
};

void json_w_object(struct json_writer *);
void json_w_object_end(struct json_writer *);
void json_w_array(struct json_writer *);
void json_w_array_end(struct json_writer *);
void json_w_key(struct json_writer *, const char *key);
void json_w_str(struct json_writer *, const char *s); /* NULL writes null */
void json_w_u64(struct json_writer *, uint64_t);
void json_w_i64(struct json_writer *, int64_t);
void json_w_bool(struct json_writer *, bool);
void json_w_null(struct json_writer *);

/* A struct by its field table: absent (NULL, empty list, empty string pointer) members are left
 * out. */
void json_w_fields(struct json_writer *, const struct json_field *, const void *base);
/* A file of one: it and a newline. */
void json_write(const struct json_field *, const void *base, struct str *out);

/* Rows. A row whose kind doesn't fit the member doesn't compile. */
#define J_CHECK_(T, m, type) (0 * sizeof(char[_Generic(((T *)0)->m, type : 1, default : -1)]))
#define J_ROW_(T, m, nm, k, fl, type, more_)                                               \
	{                                                                                  \
		.name = (nm), .kind = (k), .flags = (fl),                                  \
		.off = offsetof(T, m) + J_CHECK_(T, m, type), .size = sizeof(((T *)0)->m), \
		.more = (more_)                                                            \
	}
#define J_ROW_BOOL(T, m, nm, fl)     J_ROW_(T, m, nm, J_BOOL, fl, bool, NULL)
#define J_ROW_STR(T, m, nm, fl)      J_ROW_(T, m, nm, J_STR, fl, const char *, NULL)
#define J_ROW_I32(T, m, nm, fl)      J_ROW_(T, m, nm, J_I32, fl, int32_t, NULL)
#define J_ROW_U32(T, m, nm, fl)      J_ROW_(T, m, nm, J_U32, fl, uint32_t, NULL)
#define J_ROW_I64(T, m, nm, fl)      J_ROW_(T, m, nm, J_I64, fl, int64_t, NULL)
#define J_ROW_U64(T, m, nm, fl)      J_ROW_(T, m, nm, J_U64, fl, uint64_t, NULL)
#define J_ROW_ENUM(T, m, nm, fl, tb) J_ROW_(T, m, nm, J_ENUM, fl, int, tb)
#define J_ROW_MAP(T, m, nm)          J_ROW_(T, m, nm, J_MAP_STR, 0, struct ctr_map_str, NULL)
/* An object embedded, optional (pointer), or a list of them; optional scalars; lists of scalars. */
#define J_ROW_OBJ(T, m, nm, fl, tb)                                                   \
	{                                                                             \
		.name = (nm), .kind = J_OBJECT, .flags = (fl), .off = offsetof(T, m), \
		.size = sizeof(((T *)0)->m), .more = (tb)                             \
	}
#define J_ROW_OPT(T, m, nm, k, type, tb)                                                    \
	{                                                                                   \
		.name = (nm), .kind = (k), .flags = J_OPT,                                  \
		.off = offsetof(T, m) + J_CHECK_(T, m, type), .size = sizeof(*((T *)0)->m), \
		.more = (tb)                                                                \
	}
#define J_ROW_LIST(T, m, nm, k, fl, type, tb)                                              \
	{                                                                                  \
		.name = (nm), .kind = (k), .flags = J_LIST | (fl),                         \
		.off = offsetof(T, m) + J_CHECK_(T, m, type), .off_n = offsetof(T, n_##m), \
		.size = sizeof(*((T *)0)->m), .more = (tb)                                 \
	}
#define J_ROW_MAP_OBJ(T, m, nm, S, tb)                                                         \
	{                                                                                      \
		.name = (nm), .kind = J_MAP_OBJ,                                               \
		.off = offsetof(T, m) + J_CHECK_(T, m, struct ctr_map_obj), .size = sizeof(S), \
		.more = (tb)                                                                   \
	}
#define J_ROW_LIST_SEEN(T, m, nm, k, type, tb, seen)                                       \
	{                                                                                  \
		.name = (nm), .kind = (k), .flags = J_LIST | J_SEEN,                       \
		.off = offsetof(T, m) + J_CHECK_(T, m, type), .off_n = offsetof(T, n_##m), \
		.off_seen = offsetof(T, seen) + J_CHECK_(T, seen, bool),                   \
		.size = sizeof(*((T *)0)->m), .more = (tb)                                 \
	}
#define J_ROW_IGNORED(nm)                        \
	{                                        \
		.name = (nm), .flags = J_IGNORED \
	}

#endif
