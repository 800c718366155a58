/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of the CRI messages: the number of the protobuf field, then the member. M is the struct
 * whose table is being written; the JSON name is the member's, unless a row says another. Private
 * to model/cri*.c.
 */
#ifndef MODEL_CRI_TABLES_H
#define MODEL_CRI_TABLES_H

#include "model/cri.h"

#define ROW_(num, m, nm, k, fl, type, more_)                                               \
	{                                                                                  \
		.name = (nm), .number = (num), .kind = (k), .flags = (fl),                 \
		.off = offsetof(M, m) + J_CHECK_(M, m, type), .size = sizeof(((M *)0)->m), \
		.more = (more_)                                                            \
	}
#define LIST_(num, m, nm, k, type, more_)                                                  \
	{                                                                                  \
		.name = (nm), .number = (num), .kind = (k), .flags = J_LIST,               \
		.off = offsetof(M, m) + J_CHECK_(M, m, type), .off_n = offsetof(M, n_##m), \
		.size = sizeof(*((M *)0)->m), .more = (more_)                              \
	}

/* As in proto3, empty and absent are the same. */
#define STR(num, m)                    ROW_(num, m, #m, J_STR, J_EMPTY_IS_NULL, const char *, NULL)
#define BOOL(num, m)                   ROW_(num, m, #m, J_BOOL, 0, bool, NULL)
#define BOOL_AS(num, m, nm)            ROW_(num, m, nm, J_BOOL, 0, bool, NULL)
#define PRESENT(num, m)                ROW_(num, m, #m, J_PRESENT, 0, bool, NULL)
#define I32(num, m)                    ROW_(num, m, #m, J_I32, 0, int32_t, NULL)
#define U32(num, m)                    ROW_(num, m, #m, J_U32, 0, uint32_t, NULL)
#define I64(num, m)                    ROW_(num, m, #m, J_I64, 0, int64_t, NULL)
#define U64(num, m)                    ROW_(num, m, #m, J_U64, 0, uint64_t, NULL)
#define ENUM(num, m, names)            ROW_(num, m, #m, J_ENUM, 0, int, names)
#define MAP(num, m)                    ROW_(num, m, #m, J_MAP_STR, 0, struct ctr_map_str, NULL)
#define STRS(num, m)                   LIST_(num, m, #m, J_STR, const char **, NULL)
#define I64S(num, m)                   LIST_(num, m, #m, J_I64, int64_t *, NULL)
#define MSGS(num, m, S, fields)        LIST_(num, m, #m, J_OBJECT, S *, fields)
#define MSGS_AS(num, m, nm, S, fields) LIST_(num, m, nm, J_OBJECT, S *, fields)
/* A message has presence: a pointer, NULL when absent. */
#define MSG_AS(num, m, nm, S, fields)                                                            \
	{                                                                                        \
		.name = (nm), .number = (num), .kind = J_OBJECT, .flags = J_OPT,                 \
		.off = offsetof(M, m) + J_CHECK_(M, m, S *), .size = sizeof(S), .more = (fields) \
	}
#define MSG(num, m, S, fields) MSG_AS(num, m, #m, S, fields)

extern const struct json_field cri_linux_container_fields[];
extern const struct json_field cri_linux_pod_fields[];
extern const struct json_field cri_id_mapping_fields[];

extern const struct name_table cri_protocol_names;
extern const struct name_table cri_propagation_names;
extern const struct name_table cri_namespace_mode_names;
extern const struct name_table cri_groups_policy_names;
extern const struct name_table cri_profile_type_names;

#endif
