/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Does in C what LanguagePeers.cs does in C#: publishes bursts of frames and measures how long it takes to take and to release them.
 * Arguments: key, directory, frames of a burst. */
#include <cuframes.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SLOTS = 48 };

static int64_t now(void)
{
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static void require(int32_t code, const char *what)
{
  if (code != CUFRAMES_OK) {
    fprintf(stderr, "%s: %s: %s\n", what, cuframes_error_name(code), cuframes_last_error());
    exit(70);
  }
}

/* Nanoseconds that taking and releasing all frames of a burst took. */
static int64_t measure(cuframes_publisher *publisher, cuframes_subscriber *subscriber, int frames)
{
  uint64_t published = 0;
  for (int i = 0; i < frames; i++) {
    cuframes_frame frame = CUFRAMES_FRAME_INIT;
    require(cuframes_publisher_begin(publisher, &frame), "begin");
    require(cuframes_publisher_publish(publisher, &frame, &published), "publish");
  }

  cuframes_frame frame = CUFRAMES_FRAME_INIT;
  int64_t start = now();
  for (int i = 0; i < frames; i++) {
    require(cuframes_subscriber_next(subscriber, 0, &frame), "next");
    require(cuframes_frame_release(&frame), "release");
  }

  int64_t end = now();
  if (frame.sequence != published) {
    fprintf(stderr, "The last frame taken is %llu, not %llu: frames were missed.\n", (unsigned long long)frame.sequence, (unsigned long long)published);
    exit(70);
  }

  return end - start;
}

int main(int count, char **arguments)
{
  if (count != 4) {
    fprintf(stderr, "usage: languages-c KEY DIRECTORY FRAMES\n");
    return 64;
  }

  int frames = atoi(arguments[3]);
  cuframes_format format = CUFRAMES_FORMAT_INIT;
  format.pixel_format = CUFRAMES_GRAY8;
  format.width = 64;
  format.height = 16;
  cuframes_publisher_options publishing = CUFRAMES_PUBLISHER_OPTIONS_INIT;
  publishing.directory = arguments[2];
  publishing.slots = publishing.max_slots = SLOTS;
  cuframes_publisher *publisher = NULL;
  require(cuframes_publisher_open(arguments[1], &publishing, &format, &publisher), "publisher_open");
  cuframes_subscriber_options reading = CUFRAMES_SUBSCRIBER_OPTIONS_INIT;
  reading.directory = arguments[2];
  reading.delivery = CUFRAMES_IN_ORDER;
  cuframes_subscriber *subscriber = NULL;
  require(cuframes_subscriber_open(arguments[1], &reading, &subscriber), "subscriber_open");

  printf("READY gcc %s\n", __VERSION__);
  fflush(stdout);
  int bursts;
  while (scanf(" run %d", &bursts) == 1) {
    double *costs = malloc((size_t)bursts * sizeof *costs);
    if (costs == NULL) {
      return 70;
    }

    for (int burst = 0; burst < bursts; burst++) {
      costs[burst] = (double)measure(publisher, subscriber, frames) / frames;
    }

    printf("COSTS -");
    for (int burst = 0; burst < bursts; burst++) {
      printf(" %.1f", costs[burst]);
    }

    printf("\n");
    fflush(stdout);
    free(costs);
  }

  cuframes_subscriber_close(subscriber);
  cuframes_publisher_close(publisher);
  return 0;
}
