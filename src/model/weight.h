/* SPDX-License-Identifier: Apache-2.0 */
/* CPU shares, as requests have them, to cgroup v2's weights. */
#ifndef MODEL_WEIGHT_H
#define MODEL_WEIGHT_H

#include <stdint.h>

/* cpu.weight of shares, 1 to 10000; 0 of 0. The same curve as runc's and crun's. */
uint64_t cpu_weight(uint64_t shares);

#endif
