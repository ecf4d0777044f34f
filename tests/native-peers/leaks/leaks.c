/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opens and closes publishers and subscribers and moves frames, many times, in one process, and says what the process has before and after: one
 * line of JSON for each kind of round. What may not grow is judged by the test that starts it.
 *
 *   c-leaks DIRECTORY MEMORY ROUNDS FRAMES      MEMORY: host, cuda or cuda-ipc
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/checker.h"
#include "../common/device.h"
#include "../common/json.h"
#include "../common/options.h"
#include "../common/stamp.h"

struct figures {
  int64_t descriptors;
  int64_t threads;
  int64_t resident;  /* bytes, as all below */
  int64_t anonymous; /* resident memory of no file */
  int64_t virtual_size;
};

/* The runtime's heap takes a piece of memory when it is due, once. What leaks grows each time: so a growth by more bytes than this is looked at again. */
#define SETTLED ((int64_t)1 << 20)
#define ATTEMPTS 3

static const char *directory;
static uint32_t memory;
static device *graphics;

static void require(int32_t code, const char *what) {
  if (code != CUFRAMES_OK) {
    die("%s: %s: %s", what, cuframes_error_name(code), cuframes_last_error());
  }
}

static int64_t entries(const char *path) {
  DIR *folder = opendir(path);
  int64_t count = 0;
  while (readdir(folder) != NULL) {
    count++;
  }
  closedir(folder);
  return count;
}

static struct figures measure(void) {
  if (memory != CUFRAMES_MEMORY_HOST) {
    /* What was closed while a GPU still had its releases is given back by a loop that looks several times a second. */
    sleep_nanoseconds(CUFRAMES_MILLISECONDS(2000));
  }
  struct figures figures = {.descriptors = entries("/proc/self/fd"), .threads = entries("/proc/self/task")};
  FILE *status = fopen("/proc/self/status", "r");
  char line[256];
  while (fgets(line, sizeof line, status) != NULL) {
    int64_t value;
    if (sscanf(line, "VmSize: %" SCNd64, &value) == 1) {
      figures.virtual_size = value * 1024;
    } else if (sscanf(line, "VmRSS: %" SCNd64, &value) == 1) {
      figures.resident = value * 1024;
    } else if (sscanf(line, "RssAnon: %" SCNd64, &value) == 1) {
      figures.anonymous = value * 1024;
    }
  }
  fclose(status);
  return figures;
}

static void report(json *line, const char *name, const struct figures *figures) {
  json_open_object(line, name);
  json_number(line, "descriptors", figures->descriptors);
  json_number(line, "threads", figures->threads);
  json_number(line, "resident", figures->resident);
  json_number(line, "anonymous", figures->anonymous);
  json_number(line, "virtual", figures->virtual_size);
  json_close_object(line);
}

static cuframes_publisher *open_publisher(void) {
  cuframes_publisher_options options = CUFRAMES_PUBLISHER_OPTIONS_INIT;
  cuframes_format format = CUFRAMES_FORMAT_INIT;
  cuframes_publisher *publisher;
  format.pixel_format = CUFRAMES_NV12;
  format.width = 64;
  format.height = 48;
  options.directory = directory;
  options.memory = memory;
  require(cuframes_publisher_open("leaks", &options, &format, &publisher), "cuframes_publisher_open");
  return publisher;
}

static cuframes_subscriber *open_subscriber(void) {
  cuframes_subscriber_options options = CUFRAMES_SUBSCRIBER_OPTIONS_INIT;
  cuframes_subscriber *subscriber;
  options.directory = directory;
  options.delivery = CUFRAMES_IN_ORDER;
  require(cuframes_subscriber_open("leaks", &options, &subscriber), "cuframes_subscriber_open");
  return subscriber;
}

/* Publishes a stamped frame, takes it and looks at all of it. The figures of the publisher are asked for each time, too. */
static void move_frame(cuframes_publisher *publisher, cuframes_subscriber *subscriber) {
  cuframes_publisher_info info = CUFRAMES_PUBLISHER_INFO_INIT;
  cuframes_frame frame = CUFRAMES_FRAME_INIT;
  char text[CHECKER_TEXT];
  require(cuframes_publisher_get_info(publisher, &info), "cuframes_publisher_get_info");
  require(cuframes_publisher_begin(publisher, &frame), "cuframes_publisher_begin");
  uint64_t number = stamp_number(info.epoch, info.head + 1);
  frame.metadata.pts = stamp_pts(info.head + 1);
  frame.metadata.source_packet = info.head + 1;
  if (memory == CUFRAMES_MEMORY_HOST) {
    stamp_fill(&frame, number);
    require(cuframes_publisher_publish(publisher, &frame, NULL), "cuframes_publisher_publish");
  } else {
    void *picture = device_picture(graphics, stamp_picture_bytes(&frame));
    stamp_fill_picture(picture, &frame, number);
    device_upload(graphics, picture, &frame);
    require(cuframes_publisher_publish_stream(publisher, &frame, device_stream(graphics), NULL), "cuframes_publisher_publish_stream");
  }
  frame = (cuframes_frame)CUFRAMES_FRAME_INIT;
  require(cuframes_subscriber_next(subscriber, CUFRAMES_MILLISECONDS(10000), &frame), "cuframes_subscriber_next");
  text[0] = '\0';
  if (memory == CUFRAMES_MEMORY_HOST) {
    if (!checker_look(&frame, text, sizeof text)) {
      die("%s", text);
    }
    require(cuframes_frame_release(&frame), "cuframes_frame_release");
  } else {
    device_enqueue_copy(graphics, &frame);
    require(cuframes_frame_release_stream(&frame, device_stream(graphics)), "cuframes_frame_release_stream");
    if (device_look_at_oldest(graphics, text, sizeof text) && text[0] != '\0') {
      die("%s", text);
    }
  }
}

static void open_subscribers(int64_t count) {
  cuframes_publisher *publisher = open_publisher();
  for (int64_t i = 0; i < count; i++) {
    cuframes_subscriber *subscriber = open_subscriber();
    move_frame(publisher, subscriber);
    cuframes_subscriber_close(subscriber);
  }
  cuframes_publisher_close(publisher);
}

static void open_publishers(int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    cuframes_publisher *publisher = open_publisher();
    cuframes_subscriber *subscriber = open_subscriber();
    move_frame(publisher, subscriber);
    cuframes_subscriber_close(subscriber);
    cuframes_publisher_close(publisher);
  }
}

static void move_frames(int64_t count) {
  cuframes_publisher *publisher = open_publisher();
  cuframes_subscriber *subscriber = open_subscriber();
  for (int64_t i = 0; i < count; i++) {
    move_frame(publisher, subscriber);
  }
  cuframes_subscriber_close(subscriber);
  cuframes_publisher_close(publisher);
}

enum { PACKET_BYTES = 1000 };

static cuframes_packet_publisher *open_packet_publisher(void) {
  static cuframes_packet_track track = CUFRAMES_PACKET_TRACK_INIT;
  cuframes_packet_publisher *publisher;
  cuframes_packet_publisher_options options = CUFRAMES_PACKET_PUBLISHER_OPTIONS_INIT;
  options.directory = directory;
  options.byte_capacity = 65536;
  track.kind = CUFRAMES_TRACK_VIDEO;
  track.codec = CUFRAMES_CODEC_H264;
  track.time_base_numerator = 1;
  track.time_base_denominator = 90000;
  track.extradata_size = 100;
  require(cuframes_packet_publisher_open("leaks", &options, &publisher), "cuframes_packet_publisher_open");
  require(cuframes_packet_publisher_add_track(publisher, &track, NULL), "cuframes_packet_publisher_add_track");
  return publisher;
}

static cuframes_packet_subscriber *open_packet_subscriber(void) {
  cuframes_packet_subscriber *subscriber;
  cuframes_packet_subscriber_options options = CUFRAMES_PACKET_SUBSCRIBER_OPTIONS_INIT;
  options.directory = directory;
  require(cuframes_packet_subscriber_open("leaks", &options, &subscriber), "cuframes_packet_subscriber_open");
  return subscriber;
}

/* Publishes a packet, takes it and looks at all of it; asks for its track, and keeps its memory for a moment. */
static void move_packet(cuframes_packet_publisher *publisher, cuframes_packet_subscriber *subscriber) {
  static uint8_t value;
  static uint8_t bytes[PACKET_BYTES];
  static uint8_t copy[PACKET_BYTES];
  static cuframes_packet_track track = CUFRAMES_PACKET_TRACK_INIT;
  cuframes_packet packet = CUFRAMES_PACKET_INIT;
  uint64_t sequence = 0;
  memset(bytes, ++value, sizeof bytes);
  packet.data = bytes;
  packet.data_size = sizeof bytes;
  packet.flags = CUFRAMES_PACKET_FLAG_KEY;
  require(cuframes_packet_publisher_publish(publisher, &packet, &sequence), "cuframes_packet_publisher_publish");
  packet = (cuframes_packet)CUFRAMES_PACKET_INIT;
  require(cuframes_packet_subscriber_next(subscriber, CUFRAMES_MILLISECONDS(10000), &packet), "cuframes_packet_subscriber_next");
  require(cuframes_packet_get_track(&packet, &track), "cuframes_packet_get_track");
  require(cuframes_packet_retain(&packet), "cuframes_packet_retain");
  require(cuframes_packet_copy(&packet, copy, sizeof copy), "cuframes_packet_copy");
  if (packet.sequence != sequence || packet.data_size != sizeof bytes || memcmp(packet.data, bytes, sizeof bytes) != 0 || memcmp(copy, bytes, sizeof bytes) != 0) {
    die("packet %llu is not the one that was published", (unsigned long long)sequence);
  }
  require(cuframes_packet_check(&packet), "cuframes_packet_check");
  require(cuframes_packet_release(&packet), "cuframes_packet_release");
}

static void open_packet_subscribers(int64_t count) {
  cuframes_packet_publisher *publisher = open_packet_publisher();
  for (int64_t i = 0; i < count; i++) {
    cuframes_packet_subscriber *subscriber = open_packet_subscriber();
    if (i > 0) {
      /* The newest key frame is there already. */
      cuframes_packet packet = CUFRAMES_PACKET_INIT;
      require(cuframes_packet_subscriber_next(subscriber, CUFRAMES_MILLISECONDS(10000), &packet), "cuframes_packet_subscriber_next");
    }
    move_packet(publisher, subscriber);
    cuframes_packet_subscriber_close(subscriber);
  }
  cuframes_packet_publisher_close(publisher);
}

static void move_packets(int64_t count) {
  cuframes_packet_publisher *publisher = open_packet_publisher();
  cuframes_packet_subscriber *subscriber = open_packet_subscriber();
  for (int64_t i = 0; i < count; i++) {
    move_packet(publisher, subscriber);
  }
  cuframes_packet_subscriber_close(subscriber);
  cuframes_packet_publisher_close(publisher);
}

static void open_packet_publishers(int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    move_packets(1);
  }
}

static void compare(const char *what, void (*act)(int64_t), int64_t warm_up, int64_t count) {
  act(warm_up);
  struct figures before;
  struct figures after = measure();
  int attempt = 0;
  do {
    before = after;
    act(count);
    after = measure();
  } while (after.anonymous - before.anonymous > SETTLED && ++attempt < ATTEMPTS);
  json line = json_begin(what);
  json_number(&line, "count", count);
  report(&line, "before", &before);
  report(&line, "after", &after);
  json_say(&line);
}

int main(int count, char **words) {
  if (count != 5) {
    die_of_usage("usage: %s DIRECTORY MEMORY ROUNDS FRAMES", words[0]);
  }
  char *option[] = {"--memory", words[2], "--rounds", words[3], "--frames", words[4]};
  options options = {.words = option, .count = 6};
  directory = words[1];
  memory = option_memory(&options);
  if (memory != CUFRAMES_MEMORY_HOST) {
    cuframes_publisher *publisher = open_publisher();
    cuframes_publisher_info info = CUFRAMES_PUBLISHER_INFO_INIT;
    require(cuframes_publisher_get_info(publisher, &info), "cuframes_publisher_get_info");
    graphics = device_open(info.cuda_device, info.cuda_context);
    cuframes_publisher_close(publisher);
  }
  int64_t rounds = option_number(&options, "rounds", 0);
  int64_t frames = option_number(&options, "frames", 0);
  compare("subscribers", open_subscribers, rounds, rounds);
  compare("publishers", open_publishers, rounds, rounds);
  compare("frames", move_frames, frames / 10, frames);
  if (memory == CUFRAMES_MEMORY_HOST) {
    /* Packets know no other memory. */
    compare("packet-subscribers", open_packet_subscribers, rounds, rounds);
    compare("packet-publishers", open_packet_publishers, rounds, rounds);
    compare("packets", move_packets, frames / 10, frames);
  }
  device_close(graphics);
  return 0;
}
