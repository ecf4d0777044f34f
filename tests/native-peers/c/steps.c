/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/commands.h"
#include "../common/stamp.h"
#include "peer.h"

#define MOST_HELD 64

struct subscriber_steps {
  const options *options;
  event_list *events;
  cuframes_subscriber *subscriber;
  device *device; /* made at the first frame in device memory */
  cuframes_frame held[MOST_HELD];
  int held_count;
  int64_t torn; /* copies that were wrong since the last "settle" */
};

/* Says an answer without fields, or an error. */
static void say_done(const char *kind, int32_t code) {
  if (code != CUFRAMES_OK) {
    say_error(code);
    return;
  }
  json line = json_begin(kind);
  json_say(&line);
}

static void step_next(struct subscriber_steps *steps, int64_t timeout) {
  cuframes_frame frame = CUFRAMES_FRAME_INIT;
  char text[CHECKER_TEXT];
  int32_t code = cuframes_subscriber_next(steps->subscriber, timeout, &frame);
  if (code == CUFRAMES_OK && steps->device == NULL && frame.memory == CUFRAMES_MEMORY_CUDA) {
    cuframes_subscriber_info info = CUFRAMES_SUBSCRIBER_INFO_INIT;
    require(cuframes_subscriber_get_info(steps->subscriber, &info), "cuframes_subscriber_get_info");
    steps->device = device_open(frame.cuda_device, info.cuda_context);
  }
  if (code == CUFRAMES_OK) {
    steps->held[steps->held_count++] = frame;
    code = look(&frame, text, sizeof text);
  }
  if (code != CUFRAMES_OK) {
    say_error(code);
    return;
  }
  json line = json_begin("frame");
  json_unsigned(&line, "sequence", frame.sequence);
  json_epoch(&line, "epoch", frame.epoch);
  json_unsigned(&line, "missed", frame.missed);
  json_text(&line, "format", cuframes_pixel_format_name(frame.pixel_format));
  json_unsigned(&line, "width", frame.width);
  json_unsigned(&line, "height", frame.height);
  json_text(&line, "memory", memory_name(frame.memory));
  json_unsigned(&line, "planes", frame.plane_count);
  json_text(&line, "fault", text[0] == '\0' ? NULL : text);
  json_say(&line);
}

static void step_verify(struct subscriber_steps *steps) {
  int64_t torn = 0;
  int64_t lost = 0;
  for (int i = 0; i < steps->held_count; i++) {
    char text[CHECKER_TEXT];
    int32_t code = look(&steps->held[i], text, sizeof text);
    if (code == CUFRAMES_FRAME_LOST) {
      lost++;
    } else {
      require(code, "cuframes_frame_check");
      torn += text[0] != '\0';
    }
  }
  json line = json_begin("verify");
  json_number(&line, "held", steps->held_count);
  json_number(&line, "torn", torn);
  json_number(&line, "lost", lost);
  json_say(&line);
}

/* The place of a held frame, or -1 after saying an error. */
static int find(struct subscriber_steps *steps, const char *sequence) {
  for (int i = 0; i < steps->held_count; i++) {
    if (steps->held[i].sequence == strtoull(sequence, NULL, 10)) {
      return i;
    }
  }
  json line = json_begin("error");
  json_number(&line, "code", CUFRAMES_INVALID_HANDLE);
  json_text(&line, "name", cuframes_error_name(CUFRAMES_INVALID_HANDLE));
  json_text(&line, "text", "This frame is not held.");
  json_say(&line);
  return -1;
}

static void settle(struct subscriber_steps *steps) {
  char text[CHECKER_TEXT];
  while (steps->device != NULL && device_look_at_oldest(steps->device, text, sizeof text)) {
    steps->torn += text[0] != '\0';
  }
}

static void step_release(struct subscriber_steps *steps, const char *sequence, const char *how) {
  int index = find(steps, sequence);
  if (index < 0) {
    return;
  }
  cuframes_frame *frame = &steps->held[index];
  int32_t code;
  if (frame->memory == CUFRAMES_MEMORY_CUDA && strcmp(how, "cpu") != 0) {
    if (device_is_full(steps->device)) {
      settle(steps);
    }
    device_enqueue_copy(steps->device, frame);
    code = cuframes_frame_release_stream(frame, device_stream(steps->device));
  } else {
    code = cuframes_frame_release(frame);
  }
  if (code == CUFRAMES_OK) {
    memmove(frame, frame + 1, (size_t)(--steps->held_count - index) * sizeof *frame);
  }
  say_done("release", code);
}

static void step_info(struct subscriber_steps *steps) {
  cuframes_subscriber_info info = CUFRAMES_SUBSCRIBER_INFO_INIT;
  int32_t code = cuframes_subscriber_get_info(steps->subscriber, &info);
  if (code != CUFRAMES_OK) {
    say_error(code);
    return;
  }
  json line = json_begin("info");
  json_bool(&line, "isConnected", info.is_connected != 0);
  json_unsigned(&line, "state", info.state);
  json_text(&line, "memory", memory_name(info.memory));
  json_epoch(&line, "epoch", info.epoch);
  json_unsigned(&line, "granted", info.granted_leases);
  json_unsigned(&line, "held", info.held_frames);
  json_unsigned(&line, "taken", info.taken);
  json_unsigned(&line, "missed", info.missed);
  json_unsigned(&line, "reconnects", info.reconnects);
  json_unsigned(&line, "evictions", info.evictions);
  json_text(&line, "fence", fence_name(info.release_fence));
  json_say(&line);
}

static void step_subscriber(struct subscriber_steps *steps, char *words[COMMAND_WORDS]) {
  if (strcmp(words[0], "open") == 0) {
    say_done("open", open_subscriber(steps->options, steps->events, &steps->subscriber));
  } else if (strcmp(words[0], "next") == 0) {
    step_next(steps, CUFRAMES_MILLISECONDS(atoll(words[1])));
  } else if (strcmp(words[0], "verify") == 0) {
    step_verify(steps);
  } else if (strcmp(words[0], "metadata") == 0) {
    int index = find(steps, words[1]);
    if (index >= 0) {
      json line = json_begin("metadata");
      report_metadata(&line, &steps->held[index].metadata);
      json_say(&line);
    }
  } else if (strcmp(words[0], "release") == 0) {
    step_release(steps, words[1], words[2]);
  } else if (strcmp(words[0], "settle") == 0) {
    settle(steps);
    json line = json_begin("settle");
    json_number(&line, "torn", steps->torn);
    json_say(&line);
    steps->torn = 0;
  } else if (strcmp(words[0], "info") == 0) {
    step_info(steps);
  } else if (strcmp(words[0], "events") == 0) {
    json line = json_begin("events");
    report_events(&line, steps->events);
    json_say(&line);
  } else if (strcmp(words[0], "close") == 0) {
    cuframes_subscriber_close(steps->subscriber);
    steps->subscriber = NULL;
    say_done("close", CUFRAMES_OK);
  } else {
    die_of_usage("no command '%s'", words[0]);
  }
}

int run_subscriber_steps(const options *options) {
  static event_list events = EVENT_LIST_INIT;
  static struct subscriber_steps steps;
  steps.options = options;
  steps.events = &events;
  char line[COMMAND_BYTES];
  char *words[COMMAND_WORDS];
  say_done("ready", CUFRAMES_OK);
  while (command_read(line)) {
    command_split(line, words);
    step_subscriber(&steps, words);
  }
  settle(&steps);
  while (steps.held_count > 0) {
    require(cuframes_frame_release(&steps.held[--steps.held_count]), "cuframes_frame_release");
  }
  cuframes_subscriber_close(steps.subscriber);
  device_close(steps.device);
  return 0;
}

struct publisher_steps {
  const options *options;
  event_list *events;
  cuframes_publisher *publisher;
  device *device;
};

static void step_open(struct publisher_steps *steps) {
  cuframes_format formats[OPTIONS_FORMATS];
  option_formats(steps->options, formats);
  int32_t code = open_publisher(steps->options, &formats[0], steps->events, &steps->publisher);
  if (code != CUFRAMES_OK) {
    say_error(code);
    return;
  }
  cuframes_publisher_info info = CUFRAMES_PUBLISHER_INFO_INIT;
  require(cuframes_publisher_get_info(steps->publisher, &info), "cuframes_publisher_get_info");
  json line = json_begin("open");
  json_epoch(&line, "epoch", info.epoch);
  json_say(&line);
}

static void step_publish(struct publisher_steps *steps, int64_t count, bool is_described) {
  int64_t published = 0;
  int64_t dropped = 0;
  for (int64_t i = 0; i < count; i++) {
    int32_t code = publish_stamped(steps->publisher, &steps->device, is_described);
    if (code == CUFRAMES_DROPPED) {
      dropped++;
    } else if (code == CUFRAMES_OK) {
      published++;
    } else {
      say_error(code);
      return;
    }
  }
  cuframes_publisher_info info = CUFRAMES_PUBLISHER_INFO_INIT;
  require(cuframes_publisher_get_info(steps->publisher, &info), "cuframes_publisher_get_info");
  json line = json_begin("publish");
  json_number(&line, "published", published);
  json_number(&line, "dropped", dropped);
  json_unsigned(&line, "head", info.head);
  json_say(&line);
}

static void step_abandon(struct publisher_steps *steps) {
  cuframes_frame frame = CUFRAMES_FRAME_INIT;
  int32_t code = cuframes_publisher_begin(steps->publisher, &frame);
  if (code == CUFRAMES_OK) {
    if (frame.memory == CUFRAMES_MEMORY_HOST) {
      stamp_fill(&frame, 0);
    }
    code = cuframes_publisher_abandon(steps->publisher, &frame);
  }
  say_done("abandon", code);
}

static void step_evict(struct publisher_steps *steps, const char *program) {
  static cuframes_subscriber_statistics subscribers[64];
  size_t count;
  require(cuframes_publisher_get_subscribers(steps->publisher, subscribers, sizeof subscribers[0], 64, &count), "cuframes_publisher_get_subscribers");
  uint64_t id = 0;
  for (size_t i = 0; i < count && i < 64; i++) {
    if (strcmp(subscribers[i].program, program) == 0) {
      id = subscribers[i].subscriber_id;
    }
  }
  say_done("evict", cuframes_publisher_evict(steps->publisher, id, "asked to"));
}

static void step_publisher(struct publisher_steps *steps, char *words[COMMAND_WORDS]) {
  if (strcmp(words[0], "open") == 0) {
    step_open(steps);
  } else if (strcmp(words[0], "publish") == 0) {
    step_publish(steps, atoll(words[1]), false);
  } else if (strcmp(words[0], "publish-described") == 0) {
    step_publish(steps, 1, true);
  } else if (strcmp(words[0], "abandon") == 0) {
    step_abandon(steps);
  } else if (strcmp(words[0], "configure") == 0) {
    cuframes_format format = parse_format(words[1]);
    say_done("configure", cuframes_publisher_configure(steps->publisher, &format));
  } else if (strcmp(words[0], "state") == 0) {
    say_done("state", cuframes_publisher_set_state(steps->publisher, (uint32_t)atoi(words[1]), words[2]));
  } else if (strcmp(words[0], "evict") == 0) {
    step_evict(steps, words[1]);
  } else if (strcmp(words[0], "info") == 0) {
    json line = json_begin("info");
    report_publisher(&line, steps->publisher);
    json_say(&line);
  } else if (strcmp(words[0], "events") == 0) {
    json line = json_begin("events");
    report_events(&line, steps->events);
    json_say(&line);
  } else if (strcmp(words[0], "close") == 0) {
    device_close(steps->device);
    steps->device = NULL;
    cuframes_publisher_close(steps->publisher);
    steps->publisher = NULL;
    say_done("close", CUFRAMES_OK);
  } else {
    die_of_usage("no command '%s'", words[0]);
  }
}

int run_publisher_steps(const options *options) {
  static event_list events = EVENT_LIST_INIT;
  struct publisher_steps steps = {.options = options, .events = &events};
  char line[COMMAND_BYTES];
  char *words[COMMAND_WORDS];
  say_done("ready", CUFRAMES_OK);
  while (command_read(line)) {
    command_split(line, words);
    step_publisher(&steps, words);
  }
  device_close(steps.device);
  cuframes_publisher_close(steps.publisher);
  return 0;
}
