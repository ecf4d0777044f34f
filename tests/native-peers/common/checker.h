/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checks what a reader takes: every byte of every frame, the order, and the count of missed frames. */
#ifndef CHECKER_H
#define CHECKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cuframes.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CHECKER_FAULTS 5
#define CHECKER_TEXT 512

/* All zeros is the state before the first frame. */
typedef struct checker {
  uint64_t epoch; /* of the frame before */
  uint64_t last;  /* sequence of the frame before */
  int64_t frames;
  int64_t missed;       /* sum of what frames say */
  int64_t torn;         /* looks that found a wrong byte or wrong metadata */
  int64_t lost;         /* frames that were lost while they were held */
  int64_t repeated;
  int64_t out_of_order;
  int64_t missed_wrong; /* frames whose sequence is not the last one's plus one plus the missed ones */
  int64_t epochs;
  int fault_count;
  char faults[CHECKER_FAULTS][CHECKER_TEXT]; /* the first ones, as sentences */
} checker;

/* Checks a frame's place in the stream. */
void checker_count(checker *checker, const cuframes_frame *frame);

/* Looks at all of a frame in main memory, content and metadata. False: a fault, which text tells. Counts nothing. */
bool checker_look(const cuframes_frame *frame, char *text, size_t size);

/* Looks at a copy of a frame that lies in one piece, and at the frame's metadata. */
bool checker_look_at_copy(const cuframes_frame *frame, const void *copy, char *text, size_t size);

/* Counts a look that found a fault. */
void checker_note_torn(checker *checker, const char *fault);

/* Counts a frame that was lost while it was held. */
void checker_note_lost(checker *checker, const cuframes_frame *frame);

/* Whether nothing was wrong. */
bool checker_is_clean(const checker *checker);

#ifdef __cplusplus
}
#endif

#endif
