/* SPDX-License-Identifier: Apache-2.0 */
/* The program ctrctl-https as bytes: a dynamic ELF file. See wire.h for how it is called. */
#ifndef HTTPS_IMAGE_H
#define HTTPS_IMAGE_H

#include <stddef.h>

extern const unsigned char https_image[];
extern const size_t https_image_size;

#endif
