/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Prints a line for each packet of a stream: packets KEY [PACKETS]. It waits for the stream if need be, and ends with it.
 */
#define _POSIX_C_SOURCE 200809L

#include <cuframes.h>
#include <inttypes.h>
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
  fprintf(stderr, "packets: %s: %s\n", what, cuframes_last_error());
  return 1;
}

/* CRC-32 as in zlib. */
static uint32_t crc_of(const uint8_t *data, uint64_t size) {
  uint32_t crc = 0xFFFFFFFF;
  for (uint64_t i = 0; i < size; i++) {
    crc ^= data[i];
    for (int bit = 0; bit < 8; bit++) {
      crc = crc & 1 ? crc >> 1 ^ 0xEDB88320 : crc >> 1;
    }
  }
  return ~crc;
}

static const char *kind_name(uint32_t kind) {
  return kind == CUFRAMES_TRACK_VIDEO ? "video" : kind == CUFRAMES_TRACK_AUDIO ? "audio" : "data";
}

/* What a decoder or a container is opened with. */
static int print_track(const cuframes_packet *packet) {
  static cuframes_packet_track track = CUFRAMES_PACKET_TRACK_INIT;
  if (cuframes_packet_get_track(packet, &track) != CUFRAMES_OK) {
    return fail("cannot read a track");
  }
  printf("track %u: %s %s %dx%d, %u bytes of extradata\n", track.track, kind_name(track.kind), track.codec_name, (int)track.width, (int)track.height,
         track.extradata_size);
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 2 || argc > 3) {
    fprintf(stderr, "usage: %s KEY [PACKETS]\n", argv[0]);
    return 2;
  }
  const uint64_t packets = argc == 3 ? strtoull(argv[2], NULL, 10) : UINT64_MAX;

  struct sigaction action = {.sa_handler = stop};
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);

  cuframes_packet_subscriber_options options = CUFRAMES_PACKET_SUBSCRIBER_OPTIONS_INIT;
  options.wait_for_stream = 1;
  options.no_reconnect = 1;

  cuframes_packet_subscriber *subscriber = NULL;
  if (cuframes_packet_subscriber_open(argv[1], &options, &subscriber) != CUFRAMES_OK) {
    return fail("cannot read");
  }

  uint32_t known[CUFRAMES_MAX_TRACKS] = {0};
  uint64_t read = 0;
  uint64_t missed = 0;
  int status = 0;
  while (read < packets && !is_stopped && status == 0) {
    cuframes_packet packet = CUFRAMES_PACKET_INIT;
    /* A limit, so that Ctrl-C is seen. */
    const int32_t code = cuframes_packet_subscriber_next(subscriber, CUFRAMES_MILLISECONDS(200), &packet);
    if (code == CUFRAMES_TIMED_OUT) {
      continue;
    }
    if (code == CUFRAMES_SHUTTING_DOWN || code == CUFRAMES_DISCONNECTED) {
      /* With no_reconnect the end of the stream is told. */
      break;
    }
    if (code != CUFRAMES_OK) {
      status = fail("cannot read a packet");
      break;
    }

    missed += packet.missed;
    if (known[packet.track] != packet.parameters) {
      known[packet.track] = packet.parameters;
      status = print_track(&packet);
    }
    /* In place, without a copy: what was computed counts if the packet is still there afterwards. */
    const uint32_t crc = crc_of(packet.data, packet.data_size);
    if (cuframes_packet_check(&packet) != CUFRAMES_OK) {
      fprintf(stderr, "too late: the packet was overwritten\n");
      continue;
    }
    printf("packet %" PRIu64 ": track %u, %" PRIu64 " bytes%s, pts ", packet.sequence, packet.track, packet.data_size,
           packet.flags & CUFRAMES_PACKET_FLAG_KEY ? ", key" : "");
    if (packet.pts == CUFRAMES_PTS_UNKNOWN) {
      printf("None");
    } else {
      printf("%" PRId64, packet.pts);
    }
    printf(", crc %08" PRIx32 "\n", crc);
    fflush(stdout);
    read++;
  }

  cuframes_packet_subscriber_close(subscriber);
  printf("%" PRIu64 " packets read, %" PRIu64 " missed\n", read, missed);
  return status;
}
