/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "checker.h"

#include <inttypes.h>
#include <stdio.h>

#include "stamp.h"

static void note(checker *checker, const char *fault) {
  if (checker->fault_count < CHECKER_FAULTS) {
    snprintf(checker->faults[checker->fault_count++], CHECKER_TEXT, "%s", fault);
  }
}

void checker_count(checker *checker, const cuframes_frame *frame) {
  char text[CHECKER_TEXT];
  checker->frames++;
  checker->missed += (int64_t)frame->missed;
  if (frame->epoch != checker->epoch) {
    checker->epoch = frame->epoch;
    checker->epochs++;
  } else if (frame->sequence == checker->last) {
    checker->repeated++;
    snprintf(text, sizeof text, "frame %" PRIu64 " came twice", frame->sequence);
    note(checker, text);
  } else if (frame->sequence < checker->last) {
    checker->out_of_order++;
    snprintf(text, sizeof text, "frame %" PRIu64 " came after %" PRIu64, frame->sequence, checker->last);
    note(checker, text);
  } else if (frame->sequence != checker->last + 1 + frame->missed) {
    checker->missed_wrong++;
    snprintf(text, sizeof text, "frame %" PRIu64 " came after %" PRIu64 " and says that %" PRIu64 " were missed", frame->sequence, checker->last,
             frame->missed);
    note(checker, text);
  }
  checker->last = frame->sequence;
}

bool checker_look(const cuframes_frame *frame, char *text, size_t size) {
  return stamp_check_metadata(frame, text, size) && stamp_check(frame, stamp_number(frame->epoch, frame->sequence), text, size);
}

bool checker_look_at_copy(const cuframes_frame *frame, const void *copy, char *text, size_t size) {
  return stamp_check_metadata(frame, text, size) &&
         stamp_check_picture(copy, frame, stamp_number(frame->epoch, frame->sequence), text, size);
}

void checker_note_torn(checker *checker, const char *fault) {
  checker->torn++;
  note(checker, fault);
}

void checker_note_lost(checker *checker, const cuframes_frame *frame) {
  char text[CHECKER_TEXT];
  checker->lost++;
  snprintf(text, sizeof text, "frame %" PRIu64 " was lost while it was held", frame->sequence);
  note(checker, text);
}

bool checker_is_clean(const checker *checker) {
  return checker->torn + checker->lost + checker->repeated + checker->out_of_order + checker->missed_wrong == 0;
}
