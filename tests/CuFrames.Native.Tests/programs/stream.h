/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A publisher and a subscriber in one process, for the small programs of the tests. */
#ifndef STREAM_H
#define STREAM_H

#include "check.h"

#include <time.h>

#define STREAM_KEY "test"

static inline int64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static inline void pause_ms(int milliseconds) {
    const struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    nanosleep(&time, NULL);
}

static inline cuframes_publisher *open_publisher(const char *directory, uint32_t pixel_format, uint32_t width, uint32_t height) {
    cuframes_publisher_options options = CUFRAMES_PUBLISHER_OPTIONS_INIT;
    cuframes_format format = CUFRAMES_FORMAT_INIT;
    cuframes_publisher *publisher = NULL;
    options.directory = directory;
    format.pixel_format = pixel_format;
    format.width = width;
    format.height = height;
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_open(STREAM_KEY, &options, &format, &publisher));
    return publisher;
}

static inline cuframes_subscriber *open_subscriber(const char *directory, uint32_t delivery, uint32_t leases) {
    cuframes_subscriber_options options = CUFRAMES_SUBSCRIBER_OPTIONS_INIT;
    cuframes_subscriber *subscriber = NULL;
    options.directory = directory;
    options.delivery = delivery;
    options.leases = leases;
    CHECK_CODE(CUFRAMES_OK, cuframes_subscriber_open(STREAM_KEY, &options, &subscriber));
    return subscriber;
}

/* The byte of a frame in main memory at a plane, row and column. */
static inline uint8_t stamp(uint64_t sequence, uint32_t plane, int64_t row, int64_t column) {
    return (uint8_t)(sequence * 37 + plane * 101 + (uint64_t)row * 7 + (uint64_t)column);
}

static inline uint64_t publish_frame(cuframes_publisher *publisher) {
    cuframes_frame frame = CUFRAMES_FRAME_INIT;
    cuframes_publisher_info info = CUFRAMES_PUBLISHER_INFO_INIT;
    uint64_t sequence = 0;
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_get_info(publisher, &info));
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_begin(publisher, &frame));
    for (uint32_t plane = 0; plane < frame.plane_count; plane++) {
        for (int64_t row = 0; row < frame.planes[plane].rows; row++) {
            uint8_t *bytes = (uint8_t *)frame.planes[plane].data + row * frame.planes[plane].pitch;
            for (int64_t column = 0; column < frame.planes[plane].row_bytes; column++) {
                bytes[column] = stamp(info.head + 1, plane, row, column);
            }
        }
    }

    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_publish(publisher, &frame, &sequence));
    CHECK(sequence == info.head + 1);
    return sequence;
}

/* Every visible byte of a frame in main memory. */
static inline void check_content(const cuframes_frame *frame) {
    for (uint32_t plane = 0; plane < frame->plane_count; plane++) {
        for (int64_t row = 0; row < frame->planes[plane].rows; row++) {
            const uint8_t *bytes = (const uint8_t *)frame->planes[plane].data + row * frame->planes[plane].pitch;
            for (int64_t column = 0; column < frame->planes[plane].row_bytes; column++) {
                CHECK(bytes[column] == stamp(frame->sequence, plane, row, column));
            }
        }
    }
}

static inline uint32_t held_frames(cuframes_subscriber *subscriber) {
    cuframes_subscriber_info info = CUFRAMES_SUBSCRIBER_INFO_INIT;
    CHECK_CODE(CUFRAMES_OK, cuframes_subscriber_get_info(subscriber, &info));
    return info.held_frames;
}

#endif
