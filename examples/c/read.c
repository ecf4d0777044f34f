/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reads a stream and prints a line for each frame: read KEY [FRAMES]. It waits for the stream if need be, and ends with it.
 */
#define _POSIX_C_SOURCE 200809L

#include <cuframes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static volatile sig_atomic_t is_stopped;

static void stop(int signal) {
  (void)signal;
  is_stopped = 1;
}

/* The library's sentence says what was tried, what was found and what to do. */
static int fail(const char *what) {
  fprintf(stderr, "read: %s: %s\n", what, cuframes_last_error());
  return 1;
}

/* The mean of the first plane's bytes: luma, where the format has it. */
static double mean(const uint8_t *data, int64_t pitch, int64_t row_bytes, int64_t rows) {
  uint64_t sum = 0;
  for (int64_t y = 0; y < rows; y++) {
    const uint8_t *row = data + y * pitch;
    for (int64_t x = 0; x < row_bytes; x++) {
      sum += row[x];
    }
  }
  return (double)sum / (double)(row_bytes * rows);
}

/* Looks at a frame where it lies. One in device memory is copied here; a program that computes on the GPU takes planes[].data as it is. */
static int look(const cuframes_frame *frame, double *result) {
  const cuframes_plane *plane = &frame->planes[0];
  if (frame->memory == CUFRAMES_MEMORY_HOST) {
    *result = mean(plane->data, plane->pitch, plane->row_bytes, plane->rows);
    return 0;
  }

  const int64_t bytes = cuframes_picture_bytes(frame->pixel_format, frame->width, frame->height);
  uint8_t *picture = malloc((size_t)bytes);
  if (picture == NULL) {
    perror("read");
    return 1;
  }
  const int32_t code = cuframes_frame_copy(frame, picture, (size_t)bytes);
  if (code == CUFRAMES_OK) {
    *result = mean(picture, plane->row_bytes, plane->row_bytes, plane->rows);
  }
  free(picture);
  return code == CUFRAMES_OK ? 0 : fail("cannot copy a frame");
}

int main(int argc, char **argv) {
  if (argc < 2 || argc > 3) {
    fprintf(stderr, "usage: %s KEY [FRAMES]\n", argv[0]);
    return 2;
  }
  const uint64_t frames = argc == 3 ? strtoull(argv[2], NULL, 10) : UINT64_MAX;

  struct sigaction action = {.sa_handler = stop};
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);

  cuframes_subscriber_options options = CUFRAMES_SUBSCRIBER_OPTIONS_INIT;
  options.delivery = CUFRAMES_IN_ORDER;
  options.wait_for_stream = 1;
  options.no_reconnect = 1;

  cuframes_subscriber *subscriber = NULL;
  if (cuframes_subscriber_open(argv[1], &options, &subscriber) != CUFRAMES_OK) {
    return fail("cannot read");
  }

  uint64_t read = 0;
  uint64_t missed = 0;
  int status = 0;
  while (read < frames && !is_stopped && status == 0) {
    cuframes_frame frame = CUFRAMES_FRAME_INIT;
    /* A limit, so that Ctrl-C is seen. */
    const int32_t code = cuframes_subscriber_next(subscriber, CUFRAMES_MILLISECONDS(200), &frame);
    if (code == CUFRAMES_TIMED_OUT) {
      continue;
    }
    if (code == CUFRAMES_SHUTTING_DOWN || code == CUFRAMES_DISCONNECTED) {
      /* With no_reconnect the end of the stream is told. */
      break;
    }
    if (code != CUFRAMES_OK) {
      status = fail("cannot read a frame");
      break;
    }

    double value = 0;
    status = look(&frame, &value);
    if (cuframes_frame_check(&frame) != CUFRAMES_OK) {
      /* This reader was evicted while it looked: what it saw may be two frames. */
      status = fail("frame lost");
    }
    if (status == 0) {
      printf("frame %llu: %ux%u %s, mean of the first plane %.3f\n", (unsigned long long)frame.sequence, frame.width, frame.height,
             cuframes_pixel_format_name(frame.pixel_format), value);
      fflush(stdout);
      read++;
      missed += frame.missed;
    }
    /* Held until here: nobody wrote to it. */
    cuframes_frame_release(&frame);
  }

  cuframes_subscriber_close(subscriber);
  printf("%llu frames read, %llu missed\n", (unsigned long long)read, (unsigned long long)missed);
  return status;
}
