/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What publishers tell: figures, planes, metadata, events; and structures of older and newer headers. */
#include "publishing.h"

#include <stddef.h>
#include <sys/prctl.h>

#define FOREIGN 0xA5

static void *poisoned(size_t size) {
    void *memory = malloc(size);
    CHECK(memory != NULL);
    memset(memory, FOREIGN, size);
    return memory;
}

static int is_foreign(const void *memory, size_t from, size_t to) {
    for (size_t i = from; i < to; i++) {
        if (((const uint8_t *)memory)[i] != FOREIGN) {
            return 0;
        }
    }

    return 1;
}

static void figures(void) {
    cuframes_publisher_options options = publisher_options();
    cuframes_subscriber_options reading = subscriber_options();
    cuframes_publisher_info info;
    cuframes_subscriber *subscriber;
    cuframes_subscriber *refused;
    cuframes_frame held[2];
    char path[4096];
    options.slots = 3;
    options.max_slots = 5;
    cuframes_publisher *publisher = open_publisher("figures", &options);
    info = info_of(publisher);
    snprintf(path, sizeof path, "%s/figures.sock", directory);
    CHECK(info.size == sizeof info);
    CHECK(info.state == CUFRAMES_STATE_STARTING && info.epoch != 0 && info.head == 0 && info.published == 0 && info.dropped == 0);
    CHECK(info.evicted == 0 && info.hung_up == 0 && info.refused == 0 && info.slots == 3 && info.held_slots == 0 && info.subscribers == 0);
    CHECK(info.segment_bytes >= 3 * 64 * 48 * 3 / 2 && info.unanswered_bytes == 0 && info.cuda_device == -1 && info.cuda_context == NULL);
    CHECK(info.format.size == sizeof info.format && info.format.pixel_format == CUFRAMES_NV12 && info.format.width == 64 && info.format.height == 48);
    CHECK(info.format.colour_matrix == 2 && info.format.colour_primaries == 2 && info.format.colour_transfer == 2);
    CHECK(strcmp(info.socket_path, path) == 0);

    reading.delivery = CUFRAMES_IN_ORDER;
    reading.leases = 2;
    subscriber = open_subscriber("figures", &reading);
    for (int i = 0; i < 2; i++) {
        held[i] = take(subscriber, publish(publisher));
        CHECK(held[i].epoch == info.epoch);
    }

    publish(publisher);
    publish(publisher);
    info = info_of(publisher);
    CHECK(info.state == CUFRAMES_STATE_LIVE && info.head == 4 && info.published == 4 && info.held_slots == 2 && info.subscribers == 1);
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_set_state(publisher, CUFRAMES_STATE_SOURCE_LOST, "unplugged"));
    CHECK(info_of(publisher).state == CUFRAMES_STATE_SOURCE_LOST);
    publish(publisher);
    CHECK(info_of(publisher).state == CUFRAMES_STATE_LIVE);

    reading.delivery = CUFRAMES_LOSSLESS;
    CHECK_CODE(CUFRAMES_DELIVERY_NOT_GRANTED, cuframes_subscriber_open("figures", &reading, &refused));
    CHECK(info_of(publisher).refused == 1);
    cuframes_subscriber_close(subscriber);
    CHECK_SOON(info_of(publisher).subscribers == 0);
    CHECK(info_of(publisher).held_slots == 0 && info_of(publisher).hung_up == 0);
    for (int i = 0; i < 2; i++) {
        CHECK_CODE(CUFRAMES_OK, cuframes_frame_release(&held[i]));
    }

    cuframes_publisher_close(publisher);
}

static void readers_that_die(void) {
    cuframes_publisher_options options = publisher_options();
    int taken[2];
    int status;
    char byte;
    CHECK(pipe(taken) == 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
        cuframes_subscriber_options reading = subscriber_options();
        reading.wait_for_stream = 1;
        cuframes_subscriber *subscriber = open_subscriber("dying", &reading);
        cuframes_frame frame = CUFRAMES_FRAME_INIT;
        CHECK_CODE(CUFRAMES_OK, cuframes_subscriber_next(subscriber, CUFRAMES_MILLISECONDS(20000), &frame));
        CHECK(write(taken[1], "!", 1) == 1);
        for (;;) {
            pause();
        }
    }

    cuframes_publisher *publisher = open_publisher("dying", &options);
    CHECK_SOON(info_of(publisher).subscribers == 1);
    publish(publisher);
    CHECK(read(taken[0], &byte, 1) == 1);
    cuframes_subscriber_statistics statistics;
    size_t count;
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_get_subscribers(publisher, &statistics, sizeof statistics, 1, &count));
    CHECK(count == 1 && statistics.process_id == child && statistics.user_id == geteuid() && statistics.held_leases == 1);
    CHECK(info_of(publisher).held_slots == 1);
    CHECK(kill(child, SIGKILL) == 0);
    CHECK(waitpid(child, &status, 0) == child);
    CHECK_SOON(info_of(publisher).hung_up == 1);
    CHECK(info_of(publisher).held_slots == 0 && info_of(publisher).subscribers == 0);
    cuframes_publisher_close(publisher);
}

static void subscribers(void) {
    static const char *const programs[] = {"first", "second", "third reader with \xc3\x9cmlaut"};
    cuframes_publisher_options options = publisher_options();
    cuframes_publisher *publisher;
    cuframes_subscriber *readers[3];
    cuframes_subscriber_statistics statistics[4];
    size_t count;
    options.lossless_timeout = CUFRAMES_MILLISECONDS(10000);
    options.max_leases = 4;
    publisher = open_publisher("read", &options);
    for (uint32_t i = 0; i < 3; i++) {
        cuframes_subscriber_options reading = subscriber_options();
        reading.program = programs[i];
        reading.delivery = CUFRAMES_NEWEST + i;
        reading.leases = 3 + i;
        readers[i] = open_subscriber("read", &reading);
    }

    for (uint64_t sequence = 1; sequence <= 6; sequence++) {
        publish(publisher);
        for (int i = 1; i < 3; i++) {
            cuframes_frame frame = take(readers[i], sequence);
            CHECK_CODE(CUFRAMES_OK, cuframes_frame_release(&frame));
        }
    }

    cuframes_frame newest = take(readers[0], 6);
    publish(publisher);
    memset(statistics, FOREIGN, sizeof statistics);
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_get_subscribers(publisher, statistics, sizeof *statistics, 4, &count));
    CHECK(count == 3 && is_foreign(&statistics[3], 0, sizeof *statistics));
    for (uint32_t i = 0; i < 3; i++) {
        CHECK(strcmp(statistics[i].program, programs[i]) == 0);
        CHECK(statistics[i].subscriber_id == i + 1 && statistics[i].delivery == CUFRAMES_NEWEST + i);
        CHECK(statistics[i].granted_leases == (i == 2 ? 4u : 3u + i) && statistics[i].reserved == 0);
        CHECK(statistics[i].process_id == getpid() && statistics[i].user_id == geteuid());
        CHECK(statistics[i].held_leases == (i == 0 ? 1u : 0u) && statistics[i].lag == 1);
        CHECK(statistics[i].taken == (i == 0 ? 1u : 6u) && statistics[i].missed == (i == 0 ? 5u : 0u));
    }

    /* Too little room: as many as fit. A smaller item of an older header, a larger one of a newer. */
    memset(statistics, FOREIGN, sizeof statistics);
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_get_subscribers(publisher, statistics, sizeof *statistics, 1, &count));
    CHECK(count == 3 && statistics[0].subscriber_id == 1 && is_foreign(statistics, sizeof *statistics, sizeof statistics));
    uint8_t *small = poisoned(3 * 32 + 1);
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_get_subscribers(publisher, (cuframes_subscriber_statistics *)small, 32, 3, &count));
    CHECK(small[0] == 1 && small[32] == 2 && small[64] == 3 && small[96] == FOREIGN);
    size_t item = sizeof *statistics + 24;
    uint8_t *large = poisoned(3 * item + 1);
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_get_subscribers(publisher, (cuframes_subscriber_statistics *)large, item, 3, &count));
    CHECK(large[0] == 1 && large[item] == 2 && large[2 * item] == 3 && large[item - 1] == 0 && large[3 * item] == FOREIGN);
    free(small);
    free(large);

    CHECK_CODE(CUFRAMES_OK, cuframes_frame_release(&newest));
    for (int i = 0; i < 3; i++) {
        cuframes_subscriber_close(readers[i]);
    }

    cuframes_publisher_close(publisher);
}

static void other_headers(void) {
    /* A caller's structure that ends earlier is not written beyond its end; one that ends later keeps what the library does not know. */
    cuframes_publisher_options *options = poisoned(sizeof *options + 64);
    cuframes_publisher_options known = publisher_options();
    cuframes_format *format = poisoned(sizeof *format + 16);
    cuframes_format full = format_of(CUFRAMES_GRAY8, 32, 16);
    cuframes_publisher *publisher;

    /* The options end before the first pointer: everything from there on is the default, so the directory comes from the environment. */
    memcpy(options, &known, offsetof(cuframes_publisher_options, directory));
    options->size = offsetof(cuframes_publisher_options, directory);
    options->slots = 4;
    memcpy(format, &full, offsetof(cuframes_format, rate_numerator));
    format->size = offsetof(cuframes_format, rate_numerator);
    CHECK(setenv("CUFRAMES_DIR", directory, 1) == 0);
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_open("older", options, format, &publisher));
    CHECK(is_foreign(options, offsetof(cuframes_publisher_options, directory), sizeof *options + 64));
    CHECK(is_foreign(format, offsetof(cuframes_format, rate_numerator), sizeof *format + 16));
    CHECK(info_of(publisher).slots == 4 && info_of(publisher).format.width == 32 && info_of(publisher).format.rate_numerator == 0);

    static const size_t ends[] = {4, 8, offsetof(cuframes_publisher_info, published) + 3, offsetof(cuframes_publisher_info, socket_path) + 5};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        cuframes_publisher_info *info = poisoned(sizeof *info);
        info->size = (uint32_t)ends[i];
        CHECK_CODE(CUFRAMES_OK, cuframes_publisher_get_info(publisher, info));
        CHECK(info->size == ends[i]);
        CHECK(is_foreign(info, ends[i], sizeof *info));
        free(info);
    }

    cuframes_publisher_info *info = poisoned(sizeof *info + 100);
    info->size = sizeof *info + 100;
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_get_info(publisher, info));
    CHECK(info->size == sizeof *info + 100 && info->slots == 4);
    CHECK(is_foreign(info, sizeof *info, sizeof *info + 100));
    free(info);
    cuframes_publisher_close(publisher);

    /* Newer: what the library does not know is not read. */
    *options = known;
    options->size = sizeof *options + 64;
    *format = full;
    format->size = sizeof *format + 16;
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_open("newer", options, format, &publisher));
    cuframes_frame *frame = poisoned(sizeof *frame + 40);
    frame->size = sizeof *frame + 40;
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_begin(publisher, frame));
    CHECK(frame->size == sizeof *frame + 40 && is_foreign(frame, sizeof *frame, sizeof *frame + 40));
    fill(frame, 1);
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_publish(publisher, frame, NULL));
    cuframes_publisher_close(publisher);
    free(frame);
    free(options);
    free(format);
}

static void planes_and_formats(void) {
    static const struct {
        uint32_t format;
        uint32_t planes;
        int64_t row_bytes[3];
        int64_t rows[3];
    } pictures[] = {
        {CUFRAMES_NV12, 2, {101, 102, 0}, {67, 34, 0}}, {CUFRAMES_I420, 3, {101, 51, 51}, {67, 34, 34}}, {CUFRAMES_P010, 2, {202, 204, 0}, {67, 34, 0}},
        {CUFRAMES_GRAY8, 1, {101, 0, 0}, {67, 0, 0}}, {CUFRAMES_RGB24, 1, {303, 0, 0}, {67, 0, 0}}, {CUFRAMES_BGR24, 1, {303, 0, 0}, {67, 0, 0}},
        {CUFRAMES_RGBA, 1, {404, 0, 0}, {67, 0, 0}}, {CUFRAMES_BGRA, 1, {404, 0, 0}, {67, 0, 0}},
        {CUFRAMES_RGBP, 1, {101, 0, 0}, {201, 0, 0}}, {CUFRAMES_BGRP, 1, {101, 0, 0}, {201, 0, 0}}, {CUFRAMES_RGBP_F16, 1, {202, 0, 0}, {201, 0, 0}},
        {CUFRAMES_BGRP_F16, 1, {202, 0, 0}, {201, 0, 0}}, {CUFRAMES_RGBP_F32, 1, {404, 0, 0}, {201, 0, 0}}, {CUFRAMES_BGRP_F32, 1, {404, 0, 0}, {201, 0, 0}}};
    cuframes_publisher_options options = publisher_options();
    cuframes_subscriber_options reading = subscriber_options();
    cuframes_publisher *publisher;
    cuframes_subscriber *subscriber;
    uint64_t sequence;
    uint64_t last = 0;
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_open("pictures", &options, NULL, &publisher));
    reading.delivery = CUFRAMES_IN_ORDER;
    reading.leases = 3;
    subscriber = open_subscriber("pictures", &reading);
    cuframes_frame before = CUFRAMES_FRAME_INIT;
    for (size_t i = 0; i < sizeof pictures / sizeof *pictures; i++) {
        cuframes_format format = format_of(pictures[i].format, 101, 67);
        cuframes_frame frame = CUFRAMES_FRAME_INIT;
        memset(&frame.planes, FOREIGN, sizeof frame.planes);
        CHECK_CODE(CUFRAMES_OK, cuframes_publisher_configure(publisher, &format));
        CHECK(info_of(publisher).format.pixel_format == pictures[i].format);

        /* A change of format is a change for readers with its first frame only: the frame before is still held and whole. */
        CHECK_CODE(CUFRAMES_OK, cuframes_publisher_begin(publisher, &frame));
        CHECK(frame.memory == CUFRAMES_MEMORY_HOST && frame.cuda_device == -1 && frame.epoch == info_of(publisher).epoch);
        CHECK(frame.pixel_format == pictures[i].format && frame.width == 101 && frame.height == 67 && frame.plane_count == pictures[i].planes);
        CHECK(frame.owner != 0 && frame.sequence == 0 && frame.missed == 0);
        for (uint32_t plane = 0; plane < CUFRAMES_MAX_PLANES; plane++) {
            const cuframes_plane *found = &frame.planes[plane];
            if (plane >= frame.plane_count) {
                CHECK(found->data == NULL && found->pitch == 0 && found->row_bytes == 0 && found->rows == 0);
            } else {
                CHECK(found->row_bytes == pictures[i].row_bytes[plane] && found->rows == pictures[i].rows[plane]);
                const int is_tensor = pictures[i].rows[0] == 201;
                CHECK(is_tensor ? found->pitch == found->row_bytes : found->pitch >= found->row_bytes && found->pitch % 64 == 0);
                CHECK((uintptr_t)found->data % 64 == 0);
            }
        }

        fill(&frame, ++last);
        CHECK_CODE(CUFRAMES_OK, cuframes_publisher_publish(publisher, &frame, &sequence));
        CHECK(sequence == last);
        frame = take(subscriber, last);
        CHECK(frame.pixel_format == pictures[i].format && frame.plane_count == pictures[i].planes);
        if (before.lease != 0) {
            check_content(&before, last - 1);
            CHECK_CODE(CUFRAMES_OK, cuframes_frame_release(&before));
        }

        before = frame;
    }

    cuframes_subscriber_close(subscriber);
    cuframes_publisher_close(publisher);
    CHECK_CODE(CUFRAMES_OK, cuframes_frame_release(&before));
}

static void metadata(void) {
    cuframes_publisher_options options = publisher_options();
    cuframes_subscriber_options reading = subscriber_options();
    cuframes_format format = format_of(CUFRAMES_NV12, 64, 48);
    cuframes_frame frame = CUFRAMES_FRAME_INIT;
    cuframes_publisher *publisher;
    cuframes_subscriber *subscriber;
    struct timespec before;
    struct timespec after;
    format.rate_numerator = 30000;
    format.rate_denominator = 1001;
    format.colour_matrix = 1;
    format.colour_range = CUFRAMES_RANGE_LIMITED;
    format.colour_primaries = 9;
    format.colour_transfer = 16;
    options.source = "a test";
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_open("told", &options, &format, &publisher));
    subscriber = open_subscriber("told", &reading);
    cuframes_subscriber_info info = CUFRAMES_SUBSCRIBER_INFO_INIT;
    CHECK_CODE(CUFRAMES_OK, cuframes_subscriber_get_info(subscriber, &info));
    CHECK(strcmp(info.publisher, "test publisher") == 0 && strcmp(info.source, "a test") == 0);
    CHECK(info.format.rate_numerator == 30000 && info.format.rate_denominator == 1001);

    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_begin(publisher, &frame));
    const cuframes_metadata *begun = &frame.metadata;
    CHECK(begun->pts == CUFRAMES_PTS_UNKNOWN && begun->capture_time == 0 && begun->arrival_time == 0 && begun->source_packet == 0);
    CHECK(begun->duration == 0 && begun->flags == 0 && begun->picture_type == 0 && begun->rotation == 0 && begun->chroma_location == 0);
    CHECK(begun->colour_matrix == 1 && begun->colour_range == CUFRAMES_RANGE_LIMITED && begun->colour_primaries == 9 && begun->colour_transfer == 16);
    fill(&frame, 1);
    cuframes_metadata written = {.pts = -17,
        .capture_time = 1700000000123456789,
        .arrival_time = 42,
        .source_packet = UINT64_MAX,
        .duration = 40000000,
        .flags = CUFRAMES_FLAG_KEY | CUFRAMES_FLAG_DISCONTINUITY | CUFRAMES_FLAG_END_OF_STREAM,
        .picture_type = CUFRAMES_PICTURE_BIDIRECTIONAL,
        .colour_matrix = 6,
        .colour_range = CUFRAMES_RANGE_FULL,
        .colour_primaries = 5,
        .colour_transfer = 4,
        .rotation = 3,
        .chroma_location = 2};
    frame.metadata = written;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &before) == 0);
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_publish(publisher, &frame, NULL));
    CHECK(clock_gettime(CLOCK_MONOTONIC, &after) == 0);
    int64_t published = frame.metadata.publish_time;
    CHECK(published >= before.tv_sec * 1000000000LL + before.tv_nsec && published <= after.tv_sec * 1000000000LL + after.tv_nsec);
    frame = take(subscriber, 1);
    written.publish_time = published;
    CHECK(memcmp(&frame.metadata, &written, sizeof written) == 0);
    CHECK_CODE(CUFRAMES_OK, cuframes_frame_release(&frame));
    cuframes_subscriber_close(subscriber);
    cuframes_publisher_close(publisher);
}

/* What the callback was told. Written by the control thread and the publishing one, one at a time. */
static struct {
    pthread_mutex_t gate;
    int count;
    struct {
        uint32_t kind;
        uint32_t code;
        uint64_t epoch;
        uint64_t subscriber_id;
        char text[512];
    } all[64];
} told = {.gate = PTHREAD_MUTEX_INITIALIZER};

static void note(void *user, const cuframes_event *event) {
    CHECK(user == &told && event->size == sizeof *event && event->reserved == 0);
    CHECK(pthread_mutex_lock(&told.gate) == 0);
    CHECK(told.count < 64);
    told.all[told.count].kind = event->kind;
    told.all[told.count].code = event->code;
    told.all[told.count].epoch = event->epoch;
    told.all[told.count].subscriber_id = event->subscriber_id;
    snprintf(told.all[told.count].text, sizeof told.all[told.count].text, "%s", event->text);
    told.count++;
    CHECK(pthread_mutex_unlock(&told.gate) == 0);
}

/* How often an event was told, with this part in its sentence. */
static int times(uint32_t kind, uint32_t code, uint64_t subscriber_id, const char *part) {
    int found = 0;
    CHECK(pthread_mutex_lock(&told.gate) == 0);
    for (int i = 0; i < told.count; i++) {
        found += told.all[i].kind == kind && told.all[i].code == code && told.all[i].subscriber_id == subscriber_id && strstr(told.all[i].text, part) != NULL;
    }

    CHECK(pthread_mutex_unlock(&told.gate) == 0);
    return found;
}

static void events(void) {
    cuframes_publisher_options options = publisher_options();
    cuframes_subscriber_options reading = subscriber_options();
    cuframes_frame frame = CUFRAMES_FRAME_INIT;
    cuframes_frame held[6];
    cuframes_subscriber *subscriber;
    cuframes_subscriber *other;
    options.on_event = note;
    options.event_user = &told;
    options.slots = 2;
    options.max_slots = 6;
    options.memory_limit = 6 * 2 * 8192;
    options.shrink_after = CUFRAMES_MILLISECONDS(300);
    options.lease_timeout = CUFRAMES_MILLISECONDS(100000);
    cuframes_publisher *publisher = open_publisher("told", &options);
    uint64_t epoch = info_of(publisher).epoch;
    reading.leases = 6;
    reading.delivery = CUFRAMES_IN_ORDER;
    reading.program = "holder";
    subscriber = open_subscriber("told", &reading);
    CHECK_SOON(times(CUFRAMES_EVENT_SUBSCRIBER_JOINED, CUFRAMES_OK, 1, "Subscriber 1 of 'told' joined: 'holder'") == 1);
    reading.delivery = CUFRAMES_LOSSLESS;
    CHECK_CODE(CUFRAMES_DELIVERY_NOT_GRANTED, cuframes_subscriber_open("told", &reading, &other));
    CHECK_SOON(times(CUFRAMES_EVENT_SUBSCRIBER_REFUSED, CUFRAMES_DELIVERY_NOT_GRANTED, 0, "was refused") == 1);

    for (int i = 0; i < 6; i++) {
        held[i] = take(subscriber, publish(publisher));
    }

    CHECK(times(CUFRAMES_EVENT_RING_GROWN, CUFRAMES_OK, 0, "slots") >= 1);
    CHECK_CODE(CUFRAMES_DROPPED, cuframes_publisher_begin(publisher, &frame));
    for (int i = 0; i < 6; i++) {
        CHECK_CODE(CUFRAMES_OK, cuframes_frame_release(&held[i]));
    }

    uint64_t sequence = 6;
    for (int rounds = 0; times(CUFRAMES_EVENT_RING_SHRUNK, CUFRAMES_OK, 0, "shrinks to 2 slots") == 0; rounds++) {
        CHECK(rounds < 5000);
        frame = take(subscriber, publish(publisher));
        CHECK(frame.sequence == ++sequence);
        CHECK_CODE(CUFRAMES_OK, cuframes_frame_release(&frame));
        pause_ms(4);
    }

    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_evict(publisher, 1, "enough"));
    CHECK(times(CUFRAMES_EVENT_SUBSCRIBER_EVICTED, CUFRAMES_EVICTED_BY_OPERATOR, 1, "enough") == 1);
    cuframes_subscriber_close(subscriber);
    reading.delivery = CUFRAMES_NEWEST;
    subscriber = open_subscriber("told", &reading);
    CHECK_SOON(times(CUFRAMES_EVENT_SUBSCRIBER_JOINED, CUFRAMES_OK, 2, "joined") == 1);
    cuframes_subscriber_close(subscriber);
    CHECK_SOON(times(CUFRAMES_EVENT_SUBSCRIBER_LEFT, CUFRAMES_OK, 2, "Subscriber 2 of 'told' left") == 1);
    CHECK(times(CUFRAMES_EVENT_INTERNAL_ERROR, CUFRAMES_OK, 0, "") == 0);
    for (int i = 0; i < told.count; i++) {
        CHECK(told.all[i].epoch == epoch);
    }

    cuframes_publisher_close(publisher);
}

static void growth_that_fails(void) {
    cuframes_publisher_options options = publisher_options();
    cuframes_subscriber_options reading = subscriber_options();
    cuframes_format format = format_of(CUFRAMES_RGBA, 640, 480);
    cuframes_frame frame = CUFRAMES_FRAME_INIT;
    cuframes_frame held[2];
    cuframes_publisher *publisher;
    options.on_event = note;
    options.event_user = &told;
    options.slots = 2;
    options.memory_limit = 3 << 20;
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_open("stuck", &options, &format, &publisher));
    reading.delivery = CUFRAMES_IN_ORDER;
    cuframes_subscriber *subscriber = open_subscriber("stuck", &reading);
    for (int i = 0; i < 2; i++) {
        held[i] = take(subscriber, publish(publisher));
    }

    CHECK_CODE(CUFRAMES_DROPPED, cuframes_publisher_begin(publisher, &frame));
    CHECK(times(CUFRAMES_EVENT_GROWTH_FAILED, CUFRAMES_OUT_OF_RESOURCES, 0, "its limit is 3.0 MiB") == 1);
    for (int i = 0; i < 2; i++) {
        check_content(&held[i], (uint64_t)i + 1);
        CHECK_CODE(CUFRAMES_OK, cuframes_frame_release(&held[i]));
    }

    cuframes_subscriber_close(subscriber);
    cuframes_publisher_close(publisher);
}

static void *ask_and_change(void *publisher) {
    for (int i = 0; i < 3000; i++) {
        cuframes_publisher_info info = CUFRAMES_PUBLISHER_INFO_INIT;
        size_t count;
        int32_t code = cuframes_publisher_get_info(publisher, &info);
        if (code == CUFRAMES_INVALID_HANDLE) {
            break;
        }

        CHECK(code == CUFRAMES_OK);
        CHECK((info.format.width == 64 && info.format.height == 48) || (info.format.width == 96 && info.format.height == 32));
        code = cuframes_publisher_get_subscribers(publisher, NULL, 0, 0, &count);
        CHECK(code == CUFRAMES_OK || code == CUFRAMES_INVALID_HANDLE);
        code = cuframes_publisher_set_state(publisher, i % 2 == 0 ? CUFRAMES_STATE_SOURCE_LOST : CUFRAMES_STATE_LIVE, "changing");
        CHECK(code == CUFRAMES_OK || code == CUFRAMES_INVALID_HANDLE);
    }

    return NULL;
}

static void any_thread(void) {
    /* Figures and states from other threads, while frames are published, formats change and the publisher is closed. */
    for (int round = 0; round < 8; round++) {
        cuframes_publisher_options options = publisher_options();
        cuframes_subscriber_options reading = subscriber_options();
        cuframes_format formats[2] = {format_of(CUFRAMES_NV12, 64, 48), format_of(CUFRAMES_RGBA, 96, 32)};

        /* Old formats' memory comes back when the reader and the control thread find time for it. */
        options.memory_limit = 64 << 20;
        cuframes_publisher *publisher = open_publisher("busy", &options);
        cuframes_subscriber *subscriber = open_subscriber("busy", &reading);
        pthread_t threads[3];
        for (int i = 0; i < 3; i++) {
            CHECK(pthread_create(&threads[i], NULL, ask_and_change, publisher) == 0);
        }

        for (uint64_t sequence = 1; sequence <= 200; sequence++) {
            cuframes_frame frame = CUFRAMES_FRAME_INIT;
            CHECK_CODE(CUFRAMES_OK, cuframes_publisher_configure(publisher, &formats[sequence / 20 % 2]));
            CHECK_CODE(CUFRAMES_OK, cuframes_publisher_begin(publisher, &frame));
            fill(&frame, sequence);
            CHECK_CODE(CUFRAMES_OK, cuframes_publisher_publish(publisher, &frame, NULL));
            frame = take(subscriber, sequence);
            CHECK_CODE(CUFRAMES_OK, cuframes_frame_release(&frame));
        }

        cuframes_publisher_close(publisher);
        for (int i = 0; i < 3; i++) {
            CHECK(pthread_join(threads[i], NULL) == 0);
        }

        cuframes_subscriber_close(subscriber);
    }
}

int main(int arguments, char **values) {
    static const test_case cases[] = {
        {"figures", figures}, {"readers-that-die", readers_that_die}, {"subscribers", subscribers}, {"other-headers", other_headers},
        {"planes-and-formats", planes_and_formats}, {"metadata", metadata}, {"events", events}, {"growth-that-fails", growth_that_fails},
        {"any-thread", any_thread}};
    return run_case(cases, sizeof cases / sizeof *cases, arguments, values);
}
