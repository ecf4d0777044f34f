/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Publishes a moving pattern: publish KEY [FRAMES]. Without FRAMES it goes on until Ctrl-C.
 */
#define _POSIX_C_SOURCE 200809L

#include <cuframes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WIDTH = 640, HEIGHT = 360, FRAMES_PER_SECOND = 25 };

static volatile sig_atomic_t is_stopped;

static void stop(int signal) {
  (void)signal;
  is_stopped = 1;
}

/* The library's sentence says what was tried, what was found and what to do. */
static int fail(const char *what) {
  fprintf(stderr, "publish: %s: %s\n", what, cuframes_last_error());
  return 1;
}

/* Diagonal stripes that move by one pixel with each frame, and a colour that changes slowly. */
static void draw(const cuframes_frame *frame, uint64_t number) {
  const cuframes_plane *luma = &frame->planes[0];
  const cuframes_plane *chroma = &frame->planes[1];
  for (int64_t y = 0; y < luma->rows; y++) {
    /* Rows are pitch bytes apart, which may be more than they hold. */
    uint8_t *row = (uint8_t *)luma->data + y * luma->pitch;
    for (int64_t x = 0; x < luma->row_bytes; x++) {
      row[x] = (uint8_t)((uint64_t)(x + y) + number);
    }
  }
  for (int64_t y = 0; y < chroma->rows; y++) {
    memset((uint8_t *)chroma->data + y * chroma->pitch, (int)(number / 4 % 256), (size_t)chroma->row_bytes);
  }
}

int main(int argc, char **argv) {
  if (argc < 2 || argc > 3) {
    fprintf(stderr, "usage: %s KEY [FRAMES]\n", argv[0]);
    return 2;
  }
  const uint64_t frames = argc == 3 ? strtoull(argv[2], NULL, 10) : UINT64_MAX;

  /* The library has no signal handlers of its own: the program's stay as they are. */
  struct sigaction action = {.sa_handler = stop};
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);

  cuframes_format format = CUFRAMES_FORMAT_INIT;
  format.pixel_format = CUFRAMES_NV12;
  format.width = WIDTH;
  format.height = HEIGHT;
  format.rate_numerator = FRAMES_PER_SECOND;
  format.rate_denominator = 1;

  cuframes_publisher_options options = CUFRAMES_PUBLISHER_OPTIONS_INIT;
  options.source = "a pattern";

  cuframes_publisher *publisher = NULL;
  if (cuframes_publisher_open(argv[1], &options, &format, &publisher) != CUFRAMES_OK) {
    return fail("cannot publish");
  }
  printf("publishing '%s', %dx%d nv12\n", argv[1], WIDTH, HEIGHT);
  fflush(stdout);

  struct timespec due;
  clock_gettime(CLOCK_MONOTONIC, &due);
  uint64_t published = 0;
  uint64_t dropped = 0;
  int status = 0;
  for (uint64_t tick = 0; published < frames && !is_stopped; tick++) {
    cuframes_frame frame = CUFRAMES_FRAME_INIT;
    int32_t code = cuframes_publisher_begin(publisher, &frame);
    if (code == CUFRAMES_OK) {
      /* Straight into the memory that readers map. */
      draw(&frame, tick);
      frame.metadata.pts = (int64_t)tick * (1000000000 / FRAMES_PER_SECOND);
      code = cuframes_publisher_publish(publisher, &frame, NULL);
    }
    if (code == CUFRAMES_OK) {
      published++;
    } else if (code == CUFRAMES_DROPPED) {
      /* Readers hold every slot. A publisher never waits for them: this picture is left out. */
      dropped++;
    } else {
      status = fail("cannot publish a frame");
      break;
    }

    due.tv_nsec += 1000000000 / FRAMES_PER_SECOND;
    due.tv_sec += due.tv_nsec / 1000000000;
    due.tv_nsec %= 1000000000;
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
  }

  cuframes_publisher_close(publisher);
  printf("%llu frames published, %llu dropped\n", (unsigned long long)published, (unsigned long long)dropped);
  return status;
}
