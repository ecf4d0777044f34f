/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A libcuframes.so.0 between FFmpeg and the real one, for the conformance suite: it passes every call on, and writes a line for each frame and packet that
 * FFmpeg has copied and for each end of a connection to the descriptor CUFRAMES_OBSERVER_FD. FFmpeg's own output has the content but neither sequence nor epoch.
 * CUFRAMES_OBSERVER_LIBRARY is the path of the real library. With CUFRAMES_OBSERVER_ONCE subscribers do not connect again. */

#include <dlfcn.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cuframes.h"

/* Functions that are only passed on. */
#define FORWARDED(F)                                                                                                                        \
  F(const char *, last_error, (void), ())                                                                                                   \
  F(const char *, error_name, (int32_t code), (code))                                                                                       \
  F(int32_t, set_log, (cuframes_log_callback callback, void *user, uint32_t level), (callback, user, level))                                \
  F(int32_t, runtime_directory, (char *buffer, size_t size), (buffer, size))                                                                \
  F(const char *, pixel_format_name, (uint32_t format), (format))                                                                           \
  F(int64_t, picture_bytes, (uint32_t format, uint32_t width, uint32_t height), (format, width, height))                                    \
  F(int32_t, probe, (const char *directory, const char *key, cuframes_stream_list **list), (directory, key, list))                          \
  F(const cuframes_stream_info *, stream_list_at, (const cuframes_stream_list *list, size_t index), (list, index))                          \
  F(int32_t, frame_release, (cuframes_frame *frame), (frame))                                                                               \
  F(int32_t, frame_release_stream, (cuframes_frame *frame, void *stream), (frame, stream))                                                  \
  F(int32_t, frame_check, (const cuframes_frame *frame), (frame))                                                                           \
  F(int32_t, publisher_open,                                                                                                                \
    (const char *key, const cuframes_publisher_options *options, const cuframes_format *format, cuframes_publisher **publisher),            \
    (key, options, format, publisher))                                                                                                      \
  F(int32_t, publisher_configure, (cuframes_publisher *publisher, const cuframes_format *format), (publisher, format))                      \
  F(int32_t, publisher_begin, (cuframes_publisher *publisher, cuframes_frame *frame), (publisher, frame))                                   \
  F(int32_t, publisher_publish, (cuframes_publisher *publisher, cuframes_frame *frame, uint64_t *sequence), (publisher, frame, sequence))   \
  F(int32_t, publisher_publish_stream, (cuframes_publisher *publisher, cuframes_frame *frame, void *stream, uint64_t *sequence),            \
    (publisher, frame, stream, sequence))                                                                                                   \
  F(int32_t, publisher_abandon, (cuframes_publisher *publisher, cuframes_frame *frame), (publisher, frame))                                 \
  F(int32_t, publisher_get_info, (cuframes_publisher *publisher, cuframes_publisher_info *info), (publisher, info))                         \
  F(int32_t, packet_subscriber_get_info, (cuframes_packet_subscriber *subscriber, cuframes_packet_subscriber_info *info), (subscriber, info)) \
  F(int32_t, packet_subscriber_get_track, (cuframes_packet_subscriber *subscriber, uint32_t number, cuframes_packet_track *track),          \
    (subscriber, number, track))                                                                                                            \
  F(int32_t, packet_get_track, (const cuframes_packet *packet, cuframes_packet_track *track), (packet, track))

/* Functions that this file adds something to, or that return nothing. */
#define OBSERVED(F)            \
  F(stream_list_free)          \
  F(subscriber_open)           \
  F(subscriber_close)          \
  F(subscriber_next)           \
  F(subscriber_get_info)       \
  F(frame_copy)                \
  F(publisher_close)           \
  F(packet_subscriber_open)    \
  F(packet_subscriber_close)   \
  F(packet_subscriber_next)    \
  F(packet_copy)

static struct {
#define MEMBER(result, name, parameters, arguments) __typeof__(cuframes_##name) *name;
  FORWARDED(MEMBER)
#undef MEMBER
#define MEMBER(name) __typeof__(cuframes_##name) *name;
  OBSERVED(MEMBER)
#undef MEMBER
} real;

static int output;
static uint32_t is_once;
static uint64_t lost; /* packets before the next one that is told of: one that was overwritten while FFmpeg copied it is lost, too */
static int has_ended; /* the only connection, which was told; FFmpeg has one thread for a subscriber */

static void *find(void *library, const char *name) {
  void *function = dlsym(library, name);
  if (function == NULL) {
    fprintf(stderr, "observer: %s\n", dlerror());
    abort();
  }
  return function;
}

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("CUFRAMES_OBSERVER_LIBRARY");
  const char *descriptor = getenv("CUFRAMES_OBSERVER_FD");
  void *library = path == NULL ? NULL : dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == NULL || descriptor == NULL) {
    fprintf(stderr, "observer: CUFRAMES_OBSERVER_LIBRARY (%s) and CUFRAMES_OBSERVER_FD are needed: %s\n", path, path == NULL ? "" : dlerror());
    abort();
  }
  output = atoi(descriptor);
  is_once = getenv("CUFRAMES_OBSERVER_ONCE") != NULL;
#define FIND(result, name, parameters, arguments) *(void **)&real.name = find(library, "cuframes_" #name);
  FORWARDED(FIND)
#undef FIND
#define FIND(name) *(void **)&real.name = find(library, "cuframes_" #name);
  OBSERVED(FIND)
#undef FIND
}

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...) {
  char line[256];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  if (write(output, line, (size_t)length) != length) {
    _exit(1); /* whoever started this is gone */
  }
}

#define FORWARD(result, name, parameters, arguments) \
  CUFRAMES_API result cuframes_##name parameters { return real.name arguments; }
FORWARDED(FORWARD)

CUFRAMES_API void cuframes_stream_list_free(cuframes_stream_list *list) { real.stream_list_free(list); }

CUFRAMES_API void cuframes_subscriber_close(cuframes_subscriber *subscriber) { real.subscriber_close(subscriber); }

CUFRAMES_API void cuframes_publisher_close(cuframes_publisher *publisher) { real.publisher_close(publisher); }

CUFRAMES_API void cuframes_packet_subscriber_close(cuframes_packet_subscriber *subscriber) { real.packet_subscriber_close(subscriber); }

static void tell(void *user, const cuframes_event *event) {
  (void)user;
  if (event->kind == CUFRAMES_EVENT_EVICTED || event->kind == CUFRAMES_EVENT_DISCONNECTED) {
    say("%s %" PRIu32 "\n", event->kind == CUFRAMES_EVENT_EVICTED ? "evicted" : "disconnected", event->code);
    has_ended = is_once != 0;
  }
}

/* A call that failed: a handshake that ended without an answer is no refusal, nor is what this side has refused. */
static int32_t result_of(int32_t code) {
  switch (code) {
    case CUFRAMES_OK:
    case CUFRAMES_TIMED_OUT:
      break;
    case CUFRAMES_DISCONNECTED:
    case CUFRAMES_PROTOCOL_ERROR:
    case CUFRAMES_UNSUPPORTED_TLV:
    case CUFRAMES_DESCRIPTOR_COUNT:
    case CUFRAMES_PAGE_INVALID:
    case CUFRAMES_SEGMENT_INVALID:
    case CUFRAMES_CONTROL_BLOCK_INVALID:
    case CUFRAMES_FRAME_INVALID:
    case CUFRAMES_PACKET_INVALID:
      if (!has_ended) {
        say("disconnected %" PRId32 "\n", code);
      }
      break;
    default:
      if (!has_ended) {
        say("refused %" PRId32 "\n", code);
      }
      break;
  }
  return code;
}

CUFRAMES_API int32_t cuframes_subscriber_open(const char *key, const cuframes_subscriber_options *options, cuframes_subscriber **subscriber) {
  cuframes_subscriber_options wanted = *options;
  wanted.no_reconnect = is_once;
  wanted.on_event = tell;
  has_ended = 0;
  return result_of(real.subscriber_open(key, &wanted, subscriber));
}

CUFRAMES_API int32_t cuframes_subscriber_next(cuframes_subscriber *subscriber, int64_t timeout, cuframes_frame *frame) {
  return result_of(real.subscriber_next(subscriber, timeout, frame));
}

/* The suite plays one connection after the other and announces no rate, about which FFmpeg would ask it in a second connection. */
CUFRAMES_API int32_t cuframes_subscriber_get_info(cuframes_subscriber *subscriber, cuframes_subscriber_info *info) {
  int32_t code = real.subscriber_get_info(subscriber, info);
  if (code == CUFRAMES_OK && info->format.rate_numerator == 0) {
    info->format.rate_numerator = 25;
    info->format.rate_denominator = 1;
  }
  return code;
}

CUFRAMES_API int32_t cuframes_frame_copy(const cuframes_frame *frame, void *destination, size_t size) {
  int32_t code = real.frame_copy(frame, destination, size);
  if (code == CUFRAMES_OK) {
    say("taken 0 %" PRIu64 " %016" PRIx64 " %" PRIu64 "\n", frame->sequence, frame->epoch, frame->missed);
  }
  return code;
}

CUFRAMES_API int32_t cuframes_packet_subscriber_open(
    const char *key, const cuframes_packet_subscriber_options *options, cuframes_packet_subscriber **subscriber) {
  cuframes_packet_subscriber_options wanted = *options;
  wanted.no_reconnect = is_once;
  wanted.on_event = tell;
  has_ended = 0;
  lost = 0;
  return result_of(real.packet_subscriber_open(key, &wanted, subscriber));
}

CUFRAMES_API int32_t cuframes_packet_subscriber_next(cuframes_packet_subscriber *subscriber, int64_t timeout, cuframes_packet *packet) {
  return result_of(real.packet_subscriber_next(subscriber, timeout, packet));
}

CUFRAMES_API int32_t cuframes_packet_copy(const cuframes_packet *packet, void *destination, size_t size) {
  int32_t code = real.packet_copy(packet, destination, size);
  lost += packet->missed;
  if (code == CUFRAMES_OK) {
    say("taken %" PRIu32 " %" PRIu64 " %016" PRIx64 " %" PRIu64 "\n", packet->track, packet->sequence, packet->epoch, lost);
    lost = 0;
  } else if (code == CUFRAMES_PACKET_LOST) {
    lost++;
  }
  return code;
}
