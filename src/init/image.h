/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program init as bytes: a static ELF file, padded to whole pages (4096), so that a plan
 * written right behind it in the same memfd begins on a page of its own. See wire.h for how it is
 * called.
 */
#ifndef INIT_IMAGE_H
#define INIT_IMAGE_H

#include <stddef.h>

extern const unsigned char init_image[];
extern const size_t init_image_size;

#endif
