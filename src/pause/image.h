/* SPDX-License-Identifier: Apache-2.0 */
/* The program pause as bytes: a static ELF file. */
#ifndef PAUSE_IMAGE_H
#define PAUSE_IMAGE_H

#include <stddef.h>

extern const unsigned char pause_image[];
extern const size_t pause_image_size;

#endif
