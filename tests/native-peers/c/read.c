/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/commands.h"
#include "peer.h"

#define MOST_HELD 64

/* Every so many releases of frames in device memory one is done by the CPU: which fence ends a lease is the reader's choice each time. */
#define CPU_EVERY 17

struct reading {
  const options *options;
  cuframes_subscriber *subscriber;
  device *device; /* made at the first frame in device memory */
  checker checker;
  cuframes_frame held[MOST_HELD]; /* the oldest first */
  int held_count;
  int64_t releases;
  bool was_clean;
  int violation_count;
  char violations[VIOLATIONS][CHECKER_TEXT];
};

/* Said at once, because this process may be killed before it can say its summary. */
static void say_fault(struct reading *reading) {
  if (reading->was_clean && !checker_is_clean(&reading->checker)) {
    reading->was_clean = false;
    json line = json_begin("fault");
    report_checker(&line, &reading->checker);
    json_say(&line);
  }
}

static void look_at_frame(struct reading *reading, const cuframes_frame *frame) {
  char text[CHECKER_TEXT];
  int32_t code = look(frame, text, sizeof text);
  if (code == CUFRAMES_FRAME_LOST) {
    checker_note_lost(&reading->checker, frame);
  } else {
    require(code, "cuframes_frame_check");
    if (text[0] != '\0') {
      checker_note_torn(&reading->checker, text);
    }
  }
}

/* Looks at copies that the stream has made, or at all. */
static void look_at_copies(struct reading *reading, bool all) {
  char text[CHECKER_TEXT];
  while (reading->device != NULL && (all ? device_look_at_oldest(reading->device, text, sizeof text)
                                         : device_look_at_complete(reading->device, text, sizeof text))) {
    if (text[0] != '\0') {
      checker_note_torn(&reading->checker, text);
    }
  }
}

static void require_fence(struct reading *reading, device **device) {
  cuframes_subscriber_info info = CUFRAMES_SUBSCRIBER_INFO_INIT;
  require(cuframes_subscriber_get_info(reading->subscriber, &info), "cuframes_subscriber_get_info");
  uint32_t wanted = option_fences(reading->options) & ~(uint32_t)CUFRAMES_FENCE_CPU;
  if ((wanted == CUFRAMES_FENCE_STREAM || wanted == CUFRAMES_FENCE_EVENT) && info.is_connected && info.release_fence != wanted) {
    die("the release fence is %s and not %s. %s", fence_name(info.release_fence), fence_name(wanted), info.release_fence_reason);
  }
  if (*device == NULL) {
    *device = device_open(info.cuda_device, info.cuda_context);
  }
}

static void release_oldest(struct reading *reading) {
  cuframes_frame frame = reading->held[0];
  memmove(reading->held, reading->held + 1, (size_t)--reading->held_count * sizeof frame);
  if (frame.memory != CUFRAMES_MEMORY_CUDA) {
    look_at_frame(reading, &frame);
    require(cuframes_frame_release(&frame), "cuframes_frame_release");
    return;
  }
  char text[CHECKER_TEXT];
  if (device_is_full(reading->device) && device_look_at_oldest(reading->device, text, sizeof text) && text[0] != '\0') {
    checker_note_torn(&reading->checker, text);
  }
  device_enqueue_copy(reading->device, &frame);
  if (++reading->releases % CPU_EVERY == 0) {
    look_at_copies(reading, true);
    if (cuframes_frame_check(&frame) == CUFRAMES_FRAME_LOST) {
      checker_note_lost(&reading->checker, &frame);
    }
    require(cuframes_frame_release(&frame), "cuframes_frame_release");
  } else {
    require(cuframes_frame_release_stream(&frame, device_stream(reading->device)), "cuframes_frame_release_stream");
  }
  look_at_copies(reading, false);
}

static void take(struct reading *reading, const cuframes_frame *frame) {
  checker_count(&reading->checker, frame);
  if (frame->memory == CUFRAMES_MEMORY_CUDA) {
    require_fence(reading, &reading->device);
  }
  /* A slow reader. */
  sleep_nanoseconds(option_number(reading->options, "dwell-us", 0) * 1000);
  look_at_frame(reading, frame);
  reading->held[reading->held_count++] = *frame;
}

static void note_violation(struct reading *reading) {
  const char *text = cuframes_last_error();
  json line = json_begin("fault");
  json_text(&line, "Message", text);
  json_say(&line);
  if (reading->violation_count < VIOLATIONS) {
    snprintf(reading->violations[reading->violation_count++], CHECKER_TEXT, "%s", text);
  }
}

static void read_all(struct reading *reading, commands *commands) {
  int64_t leases = option_number(reading->options, "leases", 2);
  int64_t hold = option_number(reading->options, "hold", 1);
  int64_t most = hold < leases ? hold : leases;
  bool is_first = true;
  while (!commands_is_exiting(commands)) {
    while (reading->held_count >= most) {
      release_oldest(reading);
    }
    cuframes_frame frame = CUFRAMES_FRAME_INIT;
    int32_t code = cuframes_subscriber_next(reading->subscriber, CUFRAMES_MILLISECONDS(300), &frame);
    if (code == CUFRAMES_TIMED_OUT) {
      if (commands_is_finishing(commands)) {
        break;
      }
      continue;
    }
    if (is_violation(code)) {
      /* The next call connects again. */
      note_violation(reading);
      continue;
    }
    require(code, "cuframes_subscriber_next");
    if (is_first) {
      is_first = false;
      json line = json_begin("connected");
      json_say(&line);
    }
    take(reading, &frame);
    say_fault(reading);
  }
}

/* Releases all frames and goes on until the GPU has ended their leases. */
static void release_all(struct reading *reading) {
  cuframes_subscriber_info info = CUFRAMES_SUBSCRIBER_INFO_INIT;
  do {
    while (reading->held_count > 0) {
      release_oldest(reading);
    }
    look_at_copies(reading, true);
    if (reading->device != NULL) {
      device_synchronize(reading->device);
    }
    /* The subscriber sees that a release was carried out when it is asked for a frame. */
    cuframes_frame frame = CUFRAMES_FRAME_INIT;
    if (reading->device != NULL && cuframes_subscriber_next(reading->subscriber, 0, &frame) == CUFRAMES_OK) {
      take(reading, &frame);
    }
    require(cuframes_subscriber_get_info(reading->subscriber, &info), "cuframes_subscriber_get_info");
  } while (reading->held_count > 0 || (info.held_frames > 0 && info.is_connected));
  say_fault(reading);
}

static void say_summary(struct reading *reading) {
  cuframes_subscriber_info info = CUFRAMES_SUBSCRIBER_INFO_INIT;
  require(cuframes_subscriber_get_info(reading->subscriber, &info), "cuframes_subscriber_get_info");
  json line = json_begin("summary");
  report_checker(&line, &reading->checker);
  json_unsigned(&line, "taken", info.taken);
  json_unsigned(&line, "ownMissed", info.missed);
  json_unsigned(&line, "evictions", info.evictions);
  json_unsigned(&line, "reconnects", info.reconnects);
  json_open_list(&line, "violations");
  for (int i = 0; i < reading->violation_count; i++) {
    json_text(&line, NULL, reading->violations[i]);
  }
  json_close_list(&line);
  json_say(&line);
}

static int take_and_hold(struct reading *reading, int64_t count) {
  for (int64_t i = 0; i < count && i < MOST_HELD; i++) {
    cuframes_frame frame = CUFRAMES_FRAME_INIT;
    require(cuframes_subscriber_next(reading->subscriber, CUFRAMES_MILLISECONDS(60000), &frame), "cuframes_subscriber_next");
    take(reading, &frame);
  }
  json line = json_begin("holding");
  json_number(&line, "held", reading->held_count);
  json_bool(&line, "isClean", checker_is_clean(&reading->checker));
  json_say(&line);
  char command[COMMAND_BYTES];
  while (command_read(command)) {
  }
  release_all(reading);
  cuframes_subscriber_close(reading->subscriber);
  device_close(reading->device);
  return 0;
}

int run_read(const options *options) {
  static event_list events = EVENT_LIST_INIT;
  static struct reading reading = {.was_clean = true};
  char *more[64];
  if (options->count > 62) {
    die_of_usage("too many options");
  }
  memcpy(more, options->words, (size_t)options->count * sizeof more[0]);
  more[options->count] = "--wait-for-stream";
  more[options->count + 1] = "1";
  struct options all = {.words = more, .count = options->count + 2};
  reading.options = options;
  require(open_subscriber(&all, &events, &reading.subscriber), "cuframes_subscriber_open");
  json line = json_begin("ready");
  json_say(&line);
  int64_t count = option_number(options, "take-and-hold", 0);
  if (count > 0) {
    return take_and_hold(&reading, count);
  }
  commands *commands = commands_start(NULL, NULL);
  read_all(&reading, commands);
  release_all(&reading);
  say_summary(&reading);
  commands_join(commands);
  cuframes_subscriber_close(reading.subscriber);
  device_close(reading.device);
  return 0;
}
