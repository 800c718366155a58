/* SPDX-License-Identifier: Apache-2.0 */
/* The program ctrctl-monitor as bytes: a static ELF file. See wire.h for how it is called. */
#ifndef MONITOR_IMAGE_H
#define MONITOR_IMAGE_H

#include <stddef.h>

extern const unsigned char monitor_image[];
extern const size_t monitor_image_size;

#endif
