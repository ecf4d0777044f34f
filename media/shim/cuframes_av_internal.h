/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of libcuframes_av share. Nothing of it is exported. */
#ifndef CUFRAMES_AV_INTERNAL_H
#define CUFRAMES_AV_INTERNAL_H

#include <stddef.h>

#define CUFRAMES_AV_LINE_CAPACITY 1024

/* Messages of libav, cut into lines; `last` is the newest whole line. */
struct cuframes_av_lines {
    char line[CUFRAMES_AV_LINE_CAPACITY];
    size_t length;
    char last[CUFRAMES_AV_LINE_CAPACITY];
};

/* Where messages go that libav logs on this thread and that belong to no source; NULL: they are dropped. */
extern _Thread_local struct cuframes_av_lines *cuframes_av_thread_lines;

/* Prepares the libav libraries and their log; any number of times, any thread. */
void cuframes_av_start(void);

#endif
