/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Handles and frames that are none, null arguments, structures of other sizes: each is refused or served, and nothing else happens. */
#include "stream.h"

#include <stddef.h>

static char directory_of_test[4096];

static void stale_handles(void) {
    const char *directory = directory_of_test;
    cuframes_publisher *publisher = open_publisher(directory, CUFRAMES_NV12, 64, 48);
    cuframes_subscriber *subscriber = open_subscriber(directory, CUFRAMES_NEWEST, 4);
    cuframes_frame frame = CUFRAMES_FRAME_INIT;
    cuframes_subscriber_info info = CUFRAMES_SUBSCRIBER_INFO_INIT;
    cuframes_publisher_info published = CUFRAMES_PUBLISHER_INFO_INIT;
    uintptr_t never[] = {1, 2, 3, 257, 0x1000, (uintptr_t)&frame, (uintptr_t)subscriber ^ 1 << 8, (uintptr_t)subscriber + ((uintptr_t)1 << 28), UINTPTR_MAX};
    int descriptor;

    for (size_t i = 0; i < sizeof never / sizeof *never; i++) {
        cuframes_subscriber *other = (cuframes_subscriber *)never[i];
        CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_subscriber_next(other, 0, &frame));
        CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_subscriber_interrupt(other));
        CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_subscriber_descriptor(other, &descriptor));
        CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_subscriber_get_info(other, &info));
        CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_publisher_get_info((cuframes_publisher *)never[i], &published));
        CHECK(cuframes_stream_list_count((cuframes_stream_list *)never[i]) == 0);
        CHECK(cuframes_stream_list_at((cuframes_stream_list *)never[i], 0) == NULL);
        cuframes_subscriber_close(other);
        cuframes_publisher_close((cuframes_publisher *)never[i]);
        cuframes_stream_list_free((cuframes_stream_list *)never[i]);
    }

    /* One kind is not another. */
    CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_subscriber_get_info((cuframes_subscriber *)publisher, &info));
    CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_publisher_get_info((cuframes_publisher *)subscriber, &published));
    cuframes_subscriber_close((cuframes_subscriber *)publisher);
    cuframes_publisher_close((cuframes_publisher *)subscriber);

    /* All of that has done no harm. */
    publish_frame(publisher);
    CHECK_CODE(CUFRAMES_OK, cuframes_subscriber_next(subscriber, CUFRAMES_MILLISECONDS(20000), &frame));
    check_content(&frame);

    /* A frame of a publisher is not a reader's, and the other way round. */
    cuframes_frame open = CUFRAMES_FRAME_INIT;
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_begin(publisher, &open));
    CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_frame_release(&open));
    CHECK(cuframes_publisher_publish(publisher, &frame, NULL) != CUFRAMES_OK);
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_abandon(publisher, &open));

    /* Released twice; by a copy; a structure that was never filled in; a lease that never was. */
    cuframes_frame copy = frame;
    cuframes_frame never_filled = CUFRAMES_FRAME_INIT;
    CHECK_CODE(CUFRAMES_OK, cuframes_frame_release(&frame));
    CHECK(frame.lease == 0);
    CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_frame_release(&frame));
    CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_frame_release(&copy));
    CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_frame_release_stream(&copy, NULL));
    CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_frame_retain(&copy));
    CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_frame_check(&copy));
    char pixel[64 * 48 * 3 / 2];
    CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_frame_copy(&copy, pixel, sizeof pixel));
    void *tensor = &copy;
    CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_frame_to_dlpack(&copy, 0, 0, NULL, 0, &tensor));
    CHECK(tensor == NULL);
    CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_frame_release(&never_filled));
    for (uint64_t lease = 0; lease < 600; lease += 7) {
        copy.lease = lease | (lease << 40);
        CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_frame_release(&copy));
    }

    /* Its place holds the next frame: the old lease does not release it. */
    cuframes_frame next = CUFRAMES_FRAME_INIT;
    publish_frame(publisher);
    CHECK_CODE(CUFRAMES_OK, cuframes_subscriber_next(subscriber, CUFRAMES_MILLISECONDS(20000), &next));
    cuframes_frame old = next;
    CHECK_CODE(CUFRAMES_OK, cuframes_frame_release(&next));
    publish_frame(publisher);
    CHECK_CODE(CUFRAMES_OK, cuframes_subscriber_next(subscriber, CUFRAMES_MILLISECONDS(20000), &next));
    CHECK((old.lease & 255) == (next.lease & 255) && old.lease != next.lease);
    CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_frame_release(&old));
    CHECK_CODE(CUFRAMES_OK, cuframes_frame_check(&next));
    CHECK(held_frames(subscriber) == 1);

    /* Several owners, each with a structure of its own. */
    cuframes_frame owners[5];
    for (size_t i = 0; i < 5; i++) {
        owners[i] = next;
        CHECK_CODE(CUFRAMES_OK, cuframes_frame_retain(&next));
    }

    CHECK_CODE(CUFRAMES_OK, cuframes_frame_release(&next));
    for (size_t i = 0; i < 5; i++) {
        CHECK(held_frames(subscriber) == 1);
        check_content(&owners[i]);
        CHECK_CODE(CUFRAMES_OK, cuframes_frame_check(&owners[i]));
        CHECK_CODE(CUFRAMES_OK, cuframes_frame_release(&owners[i]));
    }

    CHECK(held_frames(subscriber) == 0);

    /* After the close a frame is still held, its memory still there, and everything else refused. */
    publish_frame(publisher);
    CHECK_CODE(CUFRAMES_OK, cuframes_subscriber_next(subscriber, CUFRAMES_MILLISECONDS(20000), &next));
    copy = next;
    CHECK_CODE(CUFRAMES_OK, cuframes_frame_retain(&next));
    cuframes_subscriber_close(subscriber);
    cuframes_subscriber_close(subscriber);
    CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_subscriber_next(subscriber, 0, &frame));
    CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_subscriber_interrupt(subscriber));
    CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_subscriber_get_info(subscriber, &info));
    check_content(&next);
    CHECK_CODE(CUFRAMES_OK, cuframes_frame_copy(&next, pixel, sizeof pixel));
    CHECK((uint8_t)pixel[0] == stamp(next.sequence, 0, 0, 0));
    CHECK_CODE(CUFRAMES_OK, cuframes_frame_release(&next));
    CHECK_CODE(CUFRAMES_OK, cuframes_frame_release_stream(&copy, NULL));
    CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_frame_check(&copy));
    cuframes_publisher_close(publisher);
    CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_publisher_get_info(publisher, &published));
}

static void null_arguments(void) {
    const char *directory = directory_of_test;
    cuframes_publisher *publisher = open_publisher(directory, CUFRAMES_GRAY8, 64, 48);
    cuframes_subscriber *subscriber = open_subscriber(directory, CUFRAMES_NEWEST, 2);
    cuframes_frame frame = CUFRAMES_FRAME_INIT;
    cuframes_subscriber *opened = (cuframes_subscriber *)&frame;
    cuframes_publisher *made = (cuframes_publisher *)&frame;
    char buffer[1];
    void *tensor;

    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_subscriber_open(NULL, NULL, &opened));
    CHECK(opened == NULL);
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_subscriber_open(STREAM_KEY, NULL, NULL));
    CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_subscriber_next(NULL, 0, &frame));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_subscriber_next(subscriber, 0, NULL));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_subscriber_next(subscriber, -2, &frame));
    CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_subscriber_interrupt(NULL));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_subscriber_descriptor(subscriber, NULL));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_subscriber_get_info(subscriber, NULL));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_frame_release(NULL));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_frame_release_stream(NULL, NULL));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_frame_retain(NULL));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_frame_check(NULL));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_frame_copy(NULL, buffer, sizeof buffer));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_frame_to_dlpack(NULL, 0, 0, NULL, 0, &tensor));
    cuframes_subscriber_close(NULL);

    publish_frame(publisher);
    CHECK_CODE(CUFRAMES_OK, cuframes_subscriber_next(subscriber, CUFRAMES_MILLISECONDS(20000), &frame));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_frame_copy(&frame, NULL, 64 * 48));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_frame_copy(&frame, buffer, sizeof buffer));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_frame_to_dlpack(&frame, 0, 0, NULL, 0, NULL));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_frame_to_dlpack(&frame, 1, 0, NULL, 0, &tensor));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_frame_to_dlpack(&frame, 0, 2, NULL, 0, &tensor));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_frame_to_dlpack(&frame, 0, 0, NULL, 2, &tensor));
    CHECK_CODE(CUFRAMES_OK, cuframes_frame_release(&frame));
    CHECK(held_frames(subscriber) == 0);

    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_publisher_open(NULL, NULL, NULL, &made));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_publisher_open("other", NULL, NULL, NULL));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_publisher_configure(publisher, NULL));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_publisher_begin(publisher, NULL));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_publisher_publish(publisher, NULL, NULL));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_publisher_publish_stream(publisher, NULL, NULL, NULL));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_publisher_abandon(publisher, NULL));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_publisher_get_info(publisher, NULL));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_publisher_get_subscribers(publisher, NULL, 0, 0, NULL));
    cuframes_publisher_close(NULL);
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_runtime_directory(NULL, 10));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_runtime_directory(buffer, sizeof buffer));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_list(NULL, NULL));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_probe(NULL, NULL, NULL));
    CHECK(cuframes_stream_list_count(NULL) == 0 && cuframes_stream_list_at(NULL, 0) == NULL);
    cuframes_stream_list_free(NULL);
    cuframes_subscriber_close(subscriber);
    cuframes_publisher_close(publisher);
}

static void wrong_options(void) {
    cuframes_publisher *publisher = open_publisher(directory_of_test, CUFRAMES_GRAY8, 64, 48);
    cuframes_subscriber_options options = CUFRAMES_SUBSCRIBER_OPTIONS_INIT;
    cuframes_subscriber *subscriber = NULL;
    options.directory = directory_of_test;
    options.delivery = 4;
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_subscriber_open(STREAM_KEY, &options, &subscriber));
    options.delivery = CUFRAMES_LOSSLESS;
    CHECK_CODE(CUFRAMES_DELIVERY_NOT_GRANTED, cuframes_subscriber_open(STREAM_KEY, &options, &subscriber));
    options.delivery = 0;
    options.fences = 8;
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_subscriber_open(STREAM_KEY, &options, &subscriber));
    options.fences = 0;
    options.leases = 65;
    CHECK_CODE(CUFRAMES_CONFIGURATION_INVALID, cuframes_subscriber_open(STREAM_KEY, &options, &subscriber));
    options.leases = UINT32_MAX;
    CHECK_CODE(CUFRAMES_CONFIGURATION_INVALID, cuframes_subscriber_open(STREAM_KEY, &options, &subscriber));
    options.leases = 0;
    CHECK_CODE(CUFRAMES_INVALID_KEY, cuframes_subscriber_open("no/key", &options, &subscriber));
    CHECK_CODE(CUFRAMES_STREAM_NOT_FOUND, cuframes_subscriber_open("nobody", &options, &subscriber));
    CHECK(strstr(cuframes_last_error(), "nobody") != NULL);
    CHECK(subscriber == NULL);
    options.size = 0;
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_subscriber_open(STREAM_KEY, &options, &subscriber));
    cuframes_publisher_close(publisher);
}

/* A structure as a header of another version would have it: of another size, with something else behind it. */
static void other_sizes(void) {
    const char *directory = directory_of_test;
    cuframes_publisher *publisher = open_publisher(directory, CUFRAMES_NV12, 64, 48);
    cuframes_subscriber *subscriber = open_subscriber(directory, CUFRAMES_NEWEST, 2);
    union {
        cuframes_frame frame;
        cuframes_subscriber_info info;
        cuframes_publisher_info published;
        cuframes_format format;
        uint8_t bytes[4096];
    } room;

    /* Every size from the smallest that a frame can have, to one of a later version. */
    for (size_t size = 24; size <= sizeof(cuframes_frame) + 64; size += 4) {
        memset(&room, 0xA5, sizeof room);
        room.frame.size = (uint32_t)size;
        uint64_t sequence = publish_frame(publisher);
        CHECK_CODE(CUFRAMES_OK, cuframes_subscriber_next(subscriber, CUFRAMES_MILLISECONDS(20000), &room.frame));
        CHECK(room.frame.size == size && room.frame.lease != 0);
        CHECK(size < offsetof(cuframes_frame, epoch) || room.frame.sequence == sequence);
        for (size_t i = size < sizeof(cuframes_frame) ? size : sizeof(cuframes_frame); i < sizeof room; i++) {
            CHECK(room.bytes[i] == 0xA5);
        }

        CHECK_CODE(CUFRAMES_OK, cuframes_frame_check(&room.frame));
        CHECK_CODE(CUFRAMES_OK, cuframes_frame_release(&room.frame));
        CHECK(room.frame.lease == 0);
        for (size_t i = size < sizeof(cuframes_frame) ? size : sizeof(cuframes_frame); i < sizeof room; i++) {
            CHECK(room.bytes[i] == 0xA5);
        }
    }

    for (uint32_t size = 0; size < 24; size += 4) {
        memset(&room, 0xA5, sizeof room);
        room.frame.size = size;
        CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_subscriber_next(subscriber, 0, &room.frame));
        CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_frame_release(&room.frame));
        for (size_t i = 4; i < sizeof room; i++) {
            CHECK(room.bytes[i] == 0xA5);
        }
    }

    for (size_t size = 4; size <= sizeof(cuframes_subscriber_info) + 64; size += 4) {
        memset(&room, 0xA5, sizeof room);
        room.info.size = (uint32_t)size;
        CHECK_CODE(CUFRAMES_OK, cuframes_subscriber_get_info(subscriber, &room.info));
        CHECK(room.info.size == size);
        CHECK(size < 8 || room.info.is_connected == 1);
        for (size_t i = size < sizeof room.info ? size : sizeof room.info; i < sizeof room; i++) {
            CHECK(room.bytes[i] == 0xA5);
        }
    }

    for (size_t size = 4; size <= sizeof(cuframes_publisher_info) + 64; size += 4) {
        memset(&room, 0xA5, sizeof room);
        room.published.size = (uint32_t)size;
        CHECK_CODE(CUFRAMES_OK, cuframes_publisher_get_info(publisher, &room.published));
        CHECK(room.published.size == size);
        for (size_t i = size < sizeof room.published ? size : sizeof room.published; i < sizeof room; i++) {
            CHECK(room.bytes[i] == 0xA5);
        }
    }

    /* Options that end before a field have its default: what lies behind is not read. */
    cuframes_subscriber_options options;
    memset(&options, 0xFF, sizeof options);
    options.size = offsetof(cuframes_subscriber_options, leases);
    options.delivery = CUFRAMES_IN_ORDER;
    cuframes_subscriber *shorter = NULL;
    CHECK_CODE(CUFRAMES_STREAM_NOT_FOUND, cuframes_subscriber_open("nobody", &options, &shorter));
    cuframes_subscriber_close(subscriber);
    cuframes_publisher_close(publisher);
}

int main(int count, char **arguments) {
    (void)count;
    snprintf(directory_of_test, sizeof directory_of_test, "%s", arguments[1]);
    stale_handles();
    null_arguments();
    wrong_options();
    other_sizes();
    return 0;
}
