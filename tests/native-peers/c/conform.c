/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The two sides as the conformance suite wants them: conformance-tests/README.md. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "../common/commands.h"
#include "../common/sha256.h"
#include "../common/stamp.h"
#include "peer.h"

static volatile sig_atomic_t is_terminated;

static void terminate(int signal) {
  (void)signal;
  is_terminated = 1;
}

/* Ends with SIGTERM, or when whoever started this program is gone. */
static void watch(void) {
  struct sigaction action = {.sa_handler = terminate};
  sigaction(SIGTERM, &action, NULL);
  input_watch();
}

static bool is_stopped(void) { return is_terminated || input_has_ended(); }

int run_conform_publisher(const char *key, int64_t format_change) {
  cuframes_format first = CUFRAMES_FORMAT_INIT;
  cuframes_format second = CUFRAMES_FORMAT_INIT;
  first.pixel_format = CUFRAMES_NV12;
  first.width = 94;
  first.height = 62;
  second.pixel_format = CUFRAMES_I420;
  second.width = 65;
  second.height = 33;
  /* Limits that the suite can reach. */
  cuframes_publisher_options wanted = CUFRAMES_PUBLISHER_OPTIONS_INIT;
  wanted.slots = 6;
  wanted.max_slots = 8;
  wanted.max_leases = 4;
  wanted.max_subscribers = 40;
  wanted.lease_timeout = CUFRAMES_MILLISECONDS(500);
  wanted.lossless_timeout = CUFRAMES_MILLISECONDS(5000);
  wanted.readers = CUFRAMES_READERS_OWN_USER_AND_GROUP;
  watch();
  cuframes_publisher *publisher;
  require(cuframes_publisher_open(key, &wanted, &first, &publisher), "cuframes_publisher_open");
  device *device = NULL;
  int64_t since = 0;
  while (!is_stopped()) {
    sleep_nanoseconds(CUFRAMES_MILLISECONDS(10));
    if (format_change >= 0) {
      cuframes_publisher_info info = CUFRAMES_PUBLISHER_INFO_INIT;
      require(cuframes_publisher_get_info(publisher, &info), "cuframes_publisher_get_info");
      if (since == 0 && info.subscribers > 0) {
        since = now_nanoseconds();
      } else if (since != 0 && now_nanoseconds() - since >= format_change) {
        require(cuframes_publisher_configure(publisher, &second), "cuframes_publisher_configure");
        format_change = -1;
      }
    }
    int32_t code = publish_stamped(publisher, &device, false);
    if (code != CUFRAMES_DROPPED) {
      require(code, "publishing");
    }
  }
  cuframes_publisher_close(publisher);
  return 0;
}

static void say_end(const char *name, int32_t code) {
  printf("{\"event\":\"%s\",\"code\":%" PRId32 "}\n", name, code);
  fflush(stdout);
}

static void tell(void *user, const cuframes_event *event) {
  (void)user;
  if (event->kind == CUFRAMES_EVENT_EVICTED) {
    say_end("evicted", (int32_t)event->code);
  } else if (event->kind == CUFRAMES_EVENT_DISCONNECTED) {
    say_end("disconnected", (int32_t)event->code);
  }
}

static void hash_of(const cuframes_frame *frame, char hex[SHA256_HEX_BYTES]) {
  sha256 hash;
  sha256_begin(&hash);
  for (uint32_t i = 0; i < frame->plane_count; i++) {
    for (int64_t row = 0; row < frame->planes[i].rows; row++) {
      sha256_add(&hash, (const char *)frame->planes[i].data + row * frame->planes[i].pitch, (size_t)frame->planes[i].row_bytes);
    }
  }
  sha256_end(&hash, hex);
}

/* Reads until a call fails. */
static int32_t read_frames(cuframes_subscriber *subscriber) {
  while (!is_stopped()) {
    cuframes_frame frame = CUFRAMES_FRAME_INIT;
    int32_t code = cuframes_subscriber_next(subscriber, CUFRAMES_MILLISECONDS(200), &frame);
    if (code == CUFRAMES_TIMED_OUT) {
      continue;
    }
    if (code != CUFRAMES_OK) {
      return code;
    }
    char hex[SHA256_HEX_BYTES];
    hash_of(&frame, hex);
    bool is_valid = cuframes_frame_check(&frame) == CUFRAMES_OK;
    require(cuframes_frame_release(&frame), "cuframes_frame_release");
    if (is_valid) {
      printf("{\"sequence\":%" PRIu64 ",\"epoch\":\"%016" PRIx64 "\",\"sha256\":\"%s\",\"missed\":%" PRIu64 "}\n", frame.sequence, frame.epoch, hex,
             frame.missed);
      fflush(stdout);
    }
  }
  return CUFRAMES_OK;
}

int run_conform_subscriber(const char *key) {
  cuframes_subscriber_options wanted = CUFRAMES_SUBSCRIBER_OPTIONS_INIT;
  wanted.leases = 2;
  wanted.wait_for_stream = 1;
  wanted.on_event = tell;
  watch();
  while (!is_stopped()) {
    cuframes_subscriber *subscriber = NULL;
    int32_t code = cuframes_subscriber_open(key, &wanted, &subscriber);
    if (code == CUFRAMES_OK) {
      code = read_frames(subscriber);
    }
    if (code != CUFRAMES_OK) {
      /* A handshake that ended without an answer is no refusal, nor is what this side has refused. */
      say_end(code == CUFRAMES_DISCONNECTED || is_violation(code) ? "disconnected" : "refused", code);
    }
    cuframes_subscriber_close(subscriber);
  }
  return 0;
}

/* Reads until a call fails. */
static int32_t read_packets(cuframes_packet_subscriber *subscriber) {
  uint64_t lost = 0; /* before the next line: a packet that was overwritten while it was read is lost, too */
  while (!is_stopped()) {
    cuframes_packet packet = CUFRAMES_PACKET_INIT;
    int32_t code = cuframes_packet_subscriber_next(subscriber, CUFRAMES_MILLISECONDS(200), &packet);
    if (code == CUFRAMES_TIMED_OUT) {
      continue;
    }
    if (code != CUFRAMES_OK) {
      return code;
    }
    char hex[SHA256_HEX_BYTES];
    sha256 hash;
    sha256_begin(&hash);
    sha256_add(&hash, packet.data, packet.data_size);
    sha256_end(&hash, hex);
    lost += packet.missed;
    if (cuframes_packet_check(&packet) != CUFRAMES_OK) {
      lost++;
    } else {
      printf("{\"sequence\":%" PRIu64 ",\"epoch\":\"%016" PRIx64 "\",\"sha256\":\"%s\",\"missed\":%" PRIu64 "}\n", packet.sequence, packet.epoch, hex,
             lost);
      fflush(stdout);
      lost = 0;
    }
  }
  return CUFRAMES_OK;
}

int run_conform_packet_subscriber(const char *key) {
  cuframes_packet_subscriber_options wanted = CUFRAMES_PACKET_SUBSCRIBER_OPTIONS_INIT;
  wanted.wait_for_stream = 1;
  wanted.on_event = tell;
  watch();
  while (!is_stopped()) {
    cuframes_packet_subscriber *subscriber = NULL;
    int32_t code = cuframes_packet_subscriber_open(key, &wanted, &subscriber);
    if (code == CUFRAMES_OK) {
      code = read_packets(subscriber);
    }
    if (code != CUFRAMES_OK) {
      say_end(code == CUFRAMES_DISCONNECTED || is_violation(code) ? "disconnected" : "refused", code);
    }
    cuframes_packet_subscriber_close(subscriber);
  }
  return 0;
}
