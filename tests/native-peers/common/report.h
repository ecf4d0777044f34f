/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of answers that are the same in all peers (README.md). */
#ifndef REPORT_H
#define REPORT_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "checker.h"
#include "cuframes.h"
#include "json.h"

#ifdef __cplusplus
extern "C" {
#endif

#define EVENTS 256
#define VIOLATIONS 16

/* What an event callback was told. Begins with zeros but for the gate: EVENT_LIST_INIT. */
typedef struct event_list {
  pthread_mutex_t gate;
  int count; /* all that were told; the first EVENTS are kept */
  struct {
    uint32_t kind;
    uint32_t code;
    char text[256];
  } events[EVENTS];
} event_list;
#define EVENT_LIST_INIT {.gate = PTHREAD_MUTEX_INITIALIZER}

/* A cuframes_event_callback; the user is an event_list. */
void event_list_note(void *user, const cuframes_event *event);

/* "events":[…] of all events. */
void report_events(json *line, event_list *events);

/* "evictions":[…] of those that `stats` tells. */
void report_evictions(json *line, event_list *events);

/* "statistics":{…}. */
void report_statistics(json *line, const cuframes_publisher_info *info, const cuframes_subscriber_statistics *subscribers, size_t count);

/* The summary's fields that the checker has, "faults" included. */
void report_checker(json *line, const checker *checker);

/* The fields of `metadata`. */
void report_metadata(json *line, const cuframes_metadata *metadata);

/* The metadata that `publish-described` sets. */
void describe(cuframes_metadata *metadata);

/* Whether a code says that the publisher broke the protocol, as opposed to a refusal or an end. */
int is_violation(int32_t code);

/* "host", "cuda", or "none". */
const char *memory_name(uint32_t memory);

/* "cpu", "stream" or "event". */
const char *fence_name(uint32_t fence);

#ifdef __cplusplus
}
#endif

#endif
