/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stamp.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const uint64_t step = UINT64_C(0x9E3779B97F4A7C15);

uint64_t stamp_number(uint64_t epoch, uint64_t sequence) { return ((epoch & 0xFF) << 36) | sequence; }

int64_t stamp_pts(uint64_t sequence) { return (int64_t)sequence * 40000000; }

size_t stamp_picture_bytes(const cuframes_frame *frame) {
  size_t bytes = 0;
  for (uint32_t plane = 0; plane < frame->plane_count; plane++) {
    bytes += (size_t)(frame->planes[plane].row_bytes * frame->planes[plane].rows);
  }
  return bytes;
}

static uint64_t start_of(uint64_t number, uint64_t plane, uint64_t row) {
  uint64_t x = (number << 20) ^ (plane << 60) ^ row;
  x ^= x >> 30;
  x *= UINT64_C(0xBF58476D1CE4E5B9);
  x ^= x >> 27;
  x *= UINT64_C(0x94D049BB133111EB);
  return x ^ (x >> 31);
}

/* Rows of a picture in one piece may begin at any byte, so words are copied. */
static void fill_row(unsigned char *row, size_t bytes, uint64_t word) {
  for (; bytes >= sizeof word; bytes -= sizeof word, row += sizeof word, word += step) {
    memcpy(row, &word, sizeof word);
  }
  memcpy(row, &word, bytes);
}

static bool row_matches(const unsigned char *row, size_t bytes, uint64_t word) {
  uint64_t difference = 0;
  for (; bytes >= sizeof word; bytes -= sizeof word, row += sizeof word, word += step) {
    uint64_t found;
    memcpy(&found, row, sizeof found);
    difference |= found ^ word;
  }
  return difference == 0 && memcmp(row, &word, bytes) == 0;
}

/* Planes of a picture in one piece come one after the other. */
static unsigned char *plane_of(const void *picture, const cuframes_frame *frame, uint32_t plane) {
  unsigned char *start = (unsigned char *)(uintptr_t)picture;
  for (uint32_t i = 0; i < plane; i++) {
    start += frame->planes[i].row_bytes * frame->planes[i].rows;
  }
  return start;
}

static void fill_plane(unsigned char *data, int64_t pitch, const cuframes_plane *plane, uint32_t index, uint64_t number) {
  for (int64_t row = 0; row < plane->rows; row++, data += pitch) {
    fill_row(data, (size_t)plane->row_bytes, start_of(number, index, (uint64_t)row));
  }
}

static bool check_plane(
    const unsigned char *data, int64_t pitch, const cuframes_plane *plane, uint32_t index, uint64_t number, char *text, size_t size) {
  for (int64_t row = 0; row < plane->rows; row++, data += pitch) {
    if (!row_matches(data, (size_t)plane->row_bytes, start_of(number, index, (uint64_t)row))) {
      snprintf(text, size, "frame %" PRIu64 ": plane %" PRIu32 ", row %" PRId64 " of %" PRId64 " differs", number, index, row, plane->rows);
      return false;
    }
  }
  return true;
}

void stamp_fill(const cuframes_frame *frame, uint64_t number) {
  for (uint32_t i = 0; i < frame->plane_count; i++) {
    fill_plane(frame->planes[i].data, frame->planes[i].pitch, &frame->planes[i], i, number);
  }
}

void stamp_fill_picture(void *picture, const cuframes_frame *frame, uint64_t number) {
  for (uint32_t i = 0; i < frame->plane_count; i++) {
    fill_plane(plane_of(picture, frame, i), frame->planes[i].row_bytes, &frame->planes[i], i, number);
  }
}

bool stamp_check(const cuframes_frame *frame, uint64_t number, char *text, size_t size) {
  for (uint32_t i = 0; i < frame->plane_count; i++) {
    if (!check_plane(frame->planes[i].data, frame->planes[i].pitch, &frame->planes[i], i, number, text, size)) {
      return false;
    }
  }
  return true;
}

bool stamp_check_picture(const void *picture, const cuframes_frame *frame, uint64_t number, char *text, size_t size) {
  for (uint32_t i = 0; i < frame->plane_count; i++) {
    if (!check_plane(plane_of(picture, frame, i), frame->planes[i].row_bytes, &frame->planes[i], i, number, text, size)) {
      return false;
    }
  }
  return true;
}

bool stamp_check_metadata(const cuframes_frame *frame, char *text, size_t size) {
  if (frame->metadata.pts == stamp_pts(frame->sequence) && frame->metadata.source_packet == frame->sequence && frame->metadata.publish_time != 0) {
    return true;
  }
  snprintf(text, size, "frame %" PRIu64 ": its metadata are those of frame %" PRIu64, frame->sequence, frame->metadata.source_packet);
  return false;
}
