/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "../common/commands.h"
#include "peer.h"

struct publish {
  cuframes_publisher *publisher;
  event_list *events;
};

static void answer(void *user, const char *line) {
  struct publish *publish = user;
  if (strcmp(line, "stats") == 0) {
    json answer = json_begin("stats");
    report_publisher(&answer, publish->publisher);
    report_evictions(&answer, publish->events);
    json_say(&answer);
  }
}

static uint32_t slots_of(cuframes_publisher *publisher) {
  cuframes_publisher_info info = CUFRAMES_PUBLISHER_INFO_INIT;
  require(cuframes_publisher_get_info(publisher, &info), "cuframes_publisher_get_info");
  return info.slots;
}

static void publish_all(const options *options, cuframes_publisher *publisher, commands *commands, const cuframes_format *formats, int format_count) {
  const int64_t batch = 1000;
  int64_t frames = option_number(options, "frames", INT64_MAX);
  int64_t wraps = option_number(options, "wraps", INT64_MAX);
  int64_t cycle = option_number(options, "cycle-every", INT64_MAX);
  int64_t rate = option_number(options, "fps", 0);
  int64_t published = 0;
  int64_t attempts = 0;
  int64_t changes = 0;
  int64_t refused_changes = 0;
  int format = 0;
  double wrapped = 0;
  device *device = NULL;
  int64_t start = now_nanoseconds();
  while (published < frames && wrapped < (double)wraps && !commands_is_exiting(commands)) {
    attempts++;
    int32_t code = publish_stamped(publisher, &device, false);
    if (code != CUFRAMES_DROPPED) {
      require(code, "publishing");
      published++;
      if (published % cycle == 0) {
        format = (format + 1) % format_count;
        code = cuframes_publisher_configure(publisher, &formats[format]);
        if (code == CUFRAMES_OUT_OF_RESOURCES) {
          /* Stopped readers have yet to give old segments back; the old format goes on. */
          refused_changes++;
        } else {
          require(code, "cuframes_publisher_configure");
          changes++;
        }
      }
      if (published % batch == 0) {
        wrapped += (double)batch / slots_of(publisher);
      }
    }
    if (rate > 0) {
      sleep_nanoseconds(start + attempts * 1000000000 / rate - now_nanoseconds());
    }
  }
  json line = json_begin("done");
  json_number(&line, "published", published);
  json_number(&line, "attempts", attempts);
  json_number(&line, "changes", changes);
  json_number(&line, "refusedChanges", refused_changes);
  json_real(&line, "wraps", wrapped);
  json_real(&line, "seconds", (double)(now_nanoseconds() - start) / 1e9);
  report_publisher(&line, publisher);
  json_say(&line);
  device_close(device);
}

int run_publish(const options *options) {
  static event_list events = EVENT_LIST_INIT;
  cuframes_format formats[OPTIONS_FORMATS];
  int format_count = option_formats(options, formats);
  struct publish publish = {.events = &events};
  require(open_publisher(options, &formats[0], &events, &publish.publisher), "cuframes_publisher_open");
  cuframes_publisher_info info = CUFRAMES_PUBLISHER_INFO_INIT;
  require(cuframes_publisher_get_info(publish.publisher, &info), "cuframes_publisher_get_info");
  json line = json_begin("ready");
  json_epoch(&line, "epoch", info.epoch);
  json_say(&line);
  commands *commands = commands_start(answer, &publish);
  if (option_number(options, "start-on-go", 0) != 0) {
    commands_wait_for_go(commands);
  }
  publish_all(options, publish.publisher, commands, formats, format_count);
  commands_join(commands);
  cuframes_publisher_close(publish.publisher);
  return 0;
}
