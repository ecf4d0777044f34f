/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "peer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/stamp.h"

void require(int32_t code, const char *what) {
  if (code != CUFRAMES_OK) {
    die("%s: %s (%" PRId32 "): %s", what, cuframes_error_name(code), code, cuframes_last_error());
  }
}

void say_error(int32_t code) {
  json line = json_begin("error");
  json_number(&line, "code", code);
  json_text(&line, "name", cuframes_error_name(code));
  json_text(&line, "text", cuframes_last_error());
  json_say(&line);
}

int32_t open_publisher(const options *options, const cuframes_format *format, event_list *events, cuframes_publisher **publisher) {
  cuframes_publisher_options wanted = CUFRAMES_PUBLISHER_OPTIONS_INIT;
  const char *readers = option_text(options, "readers");
  wanted.directory = option_required(options, "dir");
  wanted.memory = option_memory(options);
  wanted.slots = (uint32_t)option_number(options, "slots", 4);
  wanted.max_slots = (uint32_t)option_number(options, "max-slots", 16);
  wanted.max_leases = (uint32_t)option_number(options, "max-leases", 8);
  wanted.max_subscribers = (uint32_t)option_number(options, "max-subscribers", 64);
  wanted.lossless_timeout = option_milliseconds(options, "lossless-ms", 0);
  wanted.lease_timeout = option_milliseconds(options, "lease-timeout-ms", 5000);
  wanted.shrink_after = option_milliseconds(options, "shrink-after-ms", 10000);
  wanted.program = option_text(options, "program");
  wanted.source = option_text(options, "source");
  wanted.readers = readers != NULL && strcmp(readers, "own") == 0 ? CUFRAMES_READERS_OWN_USER_AND_GROUP : CUFRAMES_READERS_EVERYONE;
  wanted.on_event = event_list_note;
  wanted.event_user = events;
  return cuframes_publisher_open(option_required(options, "key"), &wanted, format, publisher);
}

int32_t open_subscriber(const options *options, event_list *events, cuframes_subscriber **subscriber) {
  cuframes_subscriber_options wanted = CUFRAMES_SUBSCRIBER_OPTIONS_INIT;
  wanted.directory = option_required(options, "dir");
  wanted.delivery = option_delivery(options);
  wanted.leases = (uint32_t)option_number(options, "leases", 2);
  wanted.fences = option_fences(options);
  wanted.program = option_text(options, "program");
  wanted.wait_for_stream = option_number(options, "wait-for-stream", 0) != 0;
  wanted.no_reconnect = option_number(options, "no-reconnect", 0) != 0;
  wanted.on_event = event_list_note;
  wanted.event_user = events;
  return cuframes_subscriber_open(option_required(options, "key"), &wanted, subscriber);
}

void report_publisher(json *line, cuframes_publisher *publisher) {
  static _Thread_local cuframes_subscriber_statistics subscribers[64];
  cuframes_publisher_info info = CUFRAMES_PUBLISHER_INFO_INIT;
  size_t count;
  require(cuframes_publisher_get_info(publisher, &info), "cuframes_publisher_get_info");
  require(cuframes_publisher_get_subscribers(publisher, subscribers, sizeof subscribers[0], 64, &count), "cuframes_publisher_get_subscribers");
  report_statistics(line, &info, subscribers, count < 64 ? count : 64);
}

int32_t publish_stamped(cuframes_publisher *publisher, device **device, bool is_described) {
  cuframes_publisher_info info = CUFRAMES_PUBLISHER_INFO_INIT;
  cuframes_frame frame = CUFRAMES_FRAME_INIT;
  require(cuframes_publisher_get_info(publisher, &info), "cuframes_publisher_get_info");
  int32_t code = cuframes_publisher_begin(publisher, &frame);
  if (code != CUFRAMES_OK) {
    return code;
  }
  uint64_t wanted = info.head + 1;
  uint64_t number = stamp_number(info.epoch, wanted);
  uint64_t sequence = 0;
  frame.metadata.pts = stamp_pts(wanted);
  frame.metadata.source_packet = wanted;
  if (is_described) {
    describe(&frame.metadata);
  }
  if (frame.memory == CUFRAMES_MEMORY_CUDA) {
    if (*device == NULL) {
      *device = device_open(info.cuda_device, info.cuda_context);
    }
    void *picture = device_picture(*device, stamp_picture_bytes(&frame));
    stamp_fill_picture(picture, &frame, number);
    device_upload(*device, picture, &frame);
    code = cuframes_publisher_publish_stream(publisher, &frame, device_stream(*device), &sequence);
  } else {
    stamp_fill(&frame, number);
    code = cuframes_publisher_publish(publisher, &frame, &sequence);
  }
  if (code == CUFRAMES_OK && sequence != wanted) {
    die("frame %" PRIu64 " was published as %" PRIu64, wanted, sequence);
  }
  return code;
}

int32_t look(const cuframes_frame *frame, char *text, size_t size) {
  text[0] = '\0';
  if (frame->memory == CUFRAMES_MEMORY_CUDA) {
    size_t bytes = stamp_picture_bytes(frame);
    void *copy = malloc(bytes);
    if (copy == NULL) {
      die("no memory for a copy of %zu bytes", bytes);
    }
    memset(copy, 0xEE, bytes);
    int32_t code = cuframes_frame_copy(frame, copy, bytes);
    if (code != CUFRAMES_OK && code != CUFRAMES_FRAME_LOST) {
      require(code, "cuframes_frame_copy");
    }
    if (code == CUFRAMES_OK && checker_look_at_copy(frame, copy, text, size)) {
      text[0] = '\0';
    }
    free(copy);
  } else if (checker_look(frame, text, size)) {
    text[0] = '\0';
  }
  return cuframes_frame_check(frame);
}

int main(int count, char **words) {
  const char *command = count > 1 ? words[1] : "";
  options options = {.words = words + 2, .count = count - 2};
  if (strcmp(command, "publish") == 0) {
    return run_publish(&options);
  }
  if (strcmp(command, "read") == 0) {
    return run_read(&options);
  }
  if (strcmp(command, "publisher") == 0) {
    return run_publisher_steps(&options);
  }
  if (strcmp(command, "subscriber") == 0) {
    return run_subscriber_steps(&options);
  }
  if (strcmp(command, "conform-publisher") == 0 && count == 3) {
    return run_conform_publisher(words[2], -1);
  }
  if (strcmp(command, "conform-publisher") == 0 && count == 5 && strcmp(words[3], "--format-change-ms") == 0) {
    return run_conform_publisher(words[2], CUFRAMES_MILLISECONDS(atoll(words[4])));
  }
  if (strcmp(command, "conform-subscriber") == 0 && count == 3) {
    return run_conform_subscriber(words[2]);
  }
  if (strcmp(command, "conform-packet-subscriber") == 0 && count == 3) {
    return run_conform_packet_subscriber(words[2]);
  }
  die_of_usage("usage: %s publish|read|publisher|subscriber --option value ... | conform-publisher KEY [--format-change-ms N] | conform-subscriber KEY | "
               "conform-packet-subscriber KEY",
               words[0]);
}
