/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * For the programs that test publishers: each is called with the name of a case and a folder of its own for sockets. */
#ifndef PUBLISHING_H
#define PUBLISHING_H

#include "check.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The last error's sentence has this part. */
#define CHECK_SAYS(part)                                                                                                     \
    do {                                                                                                                     \
        if (strstr(cuframes_last_error(), (part)) == NULL) {                                                                 \
            fprintf(stderr, "%s:%d: '%s' is not in the last error, '%s'\n", __FILE__, __LINE__, (part), cuframes_last_error()); \
            exit(1);                                                                                                         \
        }                                                                                                                    \
    } while (0)

/* Waits for what another thread brings about, far beyond any time that it should take. */
#define CHECK_SOON(condition)                                                                                                \
    do {                                                                                                                     \
        int check_rounds = 0;                                                                                                \
        while (!(condition)) {                                                                                               \
            if (check_rounds++ > 20000) {                                                                                    \
                fprintf(stderr, "%s:%d: %s did not come about\n", __FILE__, __LINE__, #condition);                           \
                exit(1);                                                                                                     \
            }                                                                                                                \
            pause_ms(1);                                                                                                     \
        }                                                                                                                    \
    } while (0)

typedef struct test_case {
    const char *name;
    void (*run)(void);
} test_case;

static const char *directory;

static inline void pause_ms(long milliseconds) {
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static inline cuframes_publisher_options publisher_options(void) {
    cuframes_publisher_options options = CUFRAMES_PUBLISHER_OPTIONS_INIT;
    options.directory = directory;
    options.program = "test publisher";
    return options;
}

static inline cuframes_subscriber_options subscriber_options(void) {
    cuframes_subscriber_options options = CUFRAMES_SUBSCRIBER_OPTIONS_INIT;
    options.directory = directory;
    options.program = "test reader";
    return options;
}

static inline cuframes_format format_of(uint32_t pixel_format, uint32_t width, uint32_t height) {
    cuframes_format format = CUFRAMES_FORMAT_INIT;
    format.pixel_format = pixel_format;
    format.width = width;
    format.height = height;
    return format;
}

static inline cuframes_publisher *open_publisher(const char *key, const cuframes_publisher_options *options) {
    cuframes_publisher *publisher;
    cuframes_format format = format_of(CUFRAMES_NV12, 64, 48);
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_open(key, options, &format, &publisher));
    return publisher;
}

static inline cuframes_subscriber *open_subscriber(const char *key, const cuframes_subscriber_options *options) {
    cuframes_subscriber *subscriber;
    CHECK_CODE(CUFRAMES_OK, cuframes_subscriber_open(key, options, &subscriber));
    return subscriber;
}

/* The byte at a place of a picture. */
static inline uint8_t stamp(uint64_t number, uint32_t plane, int64_t row, int64_t column) {
    return (uint8_t)(number * 31 + plane * 97 + (uint64_t)row * 7 + (uint64_t)column * 3);
}

/* Writes all of an open frame in main memory. */
static inline void fill(const cuframes_frame *frame, uint64_t number) {
    for (uint32_t plane = 0; plane < frame->plane_count; plane++) {
        const cuframes_plane *rows = &frame->planes[plane];
        for (int64_t row = 0; row < rows->rows; row++) {
            for (int64_t column = 0; column < rows->row_bytes; column++) {
                ((uint8_t *)rows->data)[row * rows->pitch + column] = stamp(number, plane, row, column);
            }
        }
    }
}

/* Checks every byte of a frame that is held, and that it is still valid afterwards. Wherever it lies, by a copy. */
static inline void check_content(const cuframes_frame *frame, uint64_t number) {
    size_t size = (size_t)cuframes_picture_bytes(frame->pixel_format, frame->width, frame->height);
    uint8_t *copy = malloc(size);
    const uint8_t *next = copy;
    CHECK(size > 0 && copy != NULL);
    CHECK_CODE(CUFRAMES_OK, cuframes_frame_copy(frame, copy, size));
    for (uint32_t plane = 0; plane < frame->plane_count; plane++) {
        for (int64_t row = 0; row < frame->planes[plane].rows; row++) {
            for (int64_t column = 0; column < frame->planes[plane].row_bytes; column++, next++) {
                if (*next != stamp(number, plane, row, column)) {
                    fprintf(stderr, "frame %llu: byte %lld of row %lld of plane %u is %u\n", (unsigned long long)number, (long long)column,
                        (long long)row, (unsigned)plane, (unsigned)*next);
                    exit(1);
                }
            }
        }
    }

    CHECK(next == copy + size);
    CHECK_CODE(CUFRAMES_OK, cuframes_frame_check(frame));
    free(copy);
}

/* Publishes a stamped frame in main memory. */
static inline uint64_t publish(cuframes_publisher *publisher) {
    cuframes_frame frame = CUFRAMES_FRAME_INIT;
    cuframes_publisher_info info = CUFRAMES_PUBLISHER_INFO_INIT;
    uint64_t sequence;
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_get_info(publisher, &info));
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_begin(publisher, &frame));
    fill(&frame, info.head + 1);
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_publish(publisher, &frame, &sequence));
    CHECK(sequence == info.head + 1 && frame.sequence == sequence && frame.lease == 0);
    return sequence;
}

/* Takes the next frame, checks all of it and leaves it held. */
static inline cuframes_frame take(cuframes_subscriber *subscriber, uint64_t sequence) {
    cuframes_frame frame = CUFRAMES_FRAME_INIT;
    CHECK_CODE(CUFRAMES_OK, cuframes_subscriber_next(subscriber, CUFRAMES_MILLISECONDS(20000), &frame));
    CHECK(frame.sequence == sequence);
    check_content(&frame, sequence);
    return frame;
}

static inline cuframes_publisher_info info_of(cuframes_publisher *publisher) {
    cuframes_publisher_info info = CUFRAMES_PUBLISHER_INFO_INIT;
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_get_info(publisher, &info));
    return info;
}

static inline int run_case(const test_case *cases, size_t count, int arguments, char **values) {
    CHECK(arguments >= 3);
    directory = values[2];
    for (size_t i = 0; i < count; i++) {
        if (strcmp(cases[i].name, values[1]) == 0) {
            cases[i].run();
            printf("passed\n");
            return 0;
        }
    }

    fprintf(stderr, "there is no case %s\n", values[1]);
    return 2;
}

#endif
