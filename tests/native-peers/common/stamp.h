/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Stamps: every byte of a frame follows from its number and its place (README.md). A torn frame, a repeated one, a shifted plane or a missing
 * row shows. */
#ifndef STAMP_H
#define STAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cuframes.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the frame with this sequence is stamped with: a frame of another run of the publisher does not pass for one of this run. */
uint64_t stamp_number(uint64_t epoch, uint64_t sequence);

/* Presentation time of a frame at 25 frames per second, in nanoseconds. */
int64_t stamp_pts(uint64_t sequence);

/* Bytes of a frame's visible picture without padding. */
size_t stamp_picture_bytes(const cuframes_frame *frame);

/* Fills all planes of a frame in main memory. */
void stamp_fill(const cuframes_frame *frame, uint64_t number);

/* Fills a picture that lies in one piece, planes in order and rows without padding, of the frame's geometry. */
void stamp_fill_picture(void *picture, const cuframes_frame *frame, uint64_t number);

/* Checks all planes of a frame in main memory. False: a fault, which text tells (size bytes, cut off). */
bool stamp_check(const cuframes_frame *frame, uint64_t number, char *text, size_t size);

/* Checks a picture that lies in one piece, of the frame's geometry. */
bool stamp_check_picture(const void *picture, const cuframes_frame *frame, uint64_t number, char *text, size_t size);

/* Checks what is told of a frame. */
bool stamp_check_metadata(const cuframes_frame *frame, char *text, size_t size);

#ifdef __cplusplus
}
#endif

#endif
