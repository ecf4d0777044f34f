/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Every way in which the functions of publishers and of the directory can refuse, with the sentence that they give. */
#include "publishing.h"

#include <grp.h>
#include <sys/prctl.h>
#include <sys/stat.h>

static cuframes_format small;

static void null_pointers(void) {
    cuframes_publisher_options options = publisher_options();
    cuframes_frame frame = CUFRAMES_FRAME_INIT;
    cuframes_publisher *publisher = (cuframes_publisher *)1;
    cuframes_stream_list *list = (cuframes_stream_list *)1;
    size_t count;

    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_publisher_open(NULL, &options, &small, &publisher));
    CHECK_SAYS("key is null");
    CHECK(publisher == NULL);
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_publisher_open("nulls", &options, &small, NULL));
    CHECK_SAYS("publisher is null");

    publisher = open_publisher("nulls", &options);
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_publisher_configure(publisher, NULL));
    CHECK_SAYS("format is null");
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_publisher_begin(publisher, NULL));
    CHECK_SAYS("frame is null");
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_begin(publisher, &frame));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_publisher_publish(publisher, NULL, NULL));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_publisher_publish_stream(publisher, NULL, NULL, NULL));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_publisher_abandon(publisher, NULL));
    fill(&frame, 1);
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_publish(publisher, &frame, NULL));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_publisher_get_info(publisher, NULL));
    CHECK_SAYS("info is null");
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_publisher_get_subscribers(publisher, NULL, sizeof(cuframes_subscriber_statistics), 0, NULL));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_publisher_get_subscribers(publisher, NULL, sizeof(cuframes_subscriber_statistics), 1, &count));
    CHECK_SAYS("sizeof(cuframes_subscriber_statistics)");
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_get_subscribers(publisher, NULL, 0, 0, &count));
    CHECK(count == 0);
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_set_state(publisher, CUFRAMES_STATE_SOURCE_LOST, NULL));

    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_list(directory, NULL));
    CHECK_SAYS("list is null");
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_probe(directory, "nulls", NULL));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_probe(directory, NULL, &list));
    CHECK_SAYS("key is null");
    CHECK(list == NULL);
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_runtime_directory(NULL, 100));
    CHECK(cuframes_stream_list_count(NULL) == 0);
    CHECK(cuframes_stream_list_at(NULL, 0) == NULL);
    cuframes_stream_list_free(NULL);
    cuframes_publisher_close(NULL);
    cuframes_publisher_close(publisher);
}

static void sizes(void) {
    cuframes_publisher_options options = publisher_options();
    cuframes_publisher *publisher;
    cuframes_publisher_info info = CUFRAMES_PUBLISHER_INFO_INIT;
    cuframes_format format = small;
    cuframes_frame frame;
    memset(&frame, 0, sizeof frame);

    options.size = 0;
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_publisher_open("sizes", &options, &small, &publisher));
    CHECK_SAYS("The size of options is 0 bytes. Initialise");
    options = publisher_options();
    format.size = 3;
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_publisher_open("sizes", &options, &format, &publisher));
    CHECK_SAYS("The size of format is 3 bytes. Initialise");
    publisher = open_publisher("sizes", &options);
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_publisher_begin(publisher, &frame));
    CHECK_SAYS("The size of frame is 0 bytes");
    CHECK_SAYS("CUFRAMES_FRAME_INIT");
    frame.size = sizeof frame - 1;
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_publisher_publish(publisher, &frame, NULL));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_publisher_abandon(publisher, &frame));
    info.size = 0;
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_publisher_get_info(publisher, &info));
    CHECK_SAYS("The size of info is 0 bytes. Initialise");
    cuframes_publisher_close(publisher);
}

static void keys(void) {
    static const char *const wrong[] = {"", "a b", "../cam", "\xc3\x9c", "cam/", "a/b/c"};
    cuframes_publisher_options options = publisher_options();
    cuframes_publisher *publisher;
    cuframes_stream_list *list;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CHECK_CODE(CUFRAMES_INVALID_KEY, cuframes_publisher_open(wrong[i], &options, &small, &publisher));
        CHECK_SAYS(wrong[i]);
        CHECK(publisher == NULL);
        CHECK_CODE(CUFRAMES_INVALID_KEY, cuframes_probe(directory, wrong[i], &list));
        CHECK(list == NULL);
    }
}

/* Refused, with both parts in the sentence, and the key stays free. */
static void check_configuration(cuframes_publisher_options options, const char *found, const char *advice) {
    cuframes_publisher *publisher;
    CHECK_CODE(CUFRAMES_CONFIGURATION_INVALID, cuframes_publisher_open("configured", &options, &small, &publisher));
    CHECK_SAYS(found);
    CHECK_SAYS(advice);
    options = publisher_options();
    cuframes_publisher_close(open_publisher("configured", &options));
}

static void configurations(void) {
    cuframes_publisher_options options;
    cuframes_publisher *publisher;
#define WITH(field, value, found, advice)                \
    options = publisher_options();                       \
    options.field = (value);                             \
    check_configuration(options, found, advice)

    WITH(slots, 1, "A ring of 1 slots with a limit of 24", "Use 2 to 48 slots");
    WITH(slots, 25, "A ring of 25 slots with a limit of 24", "a limit not below them");
    WITH(slots, UINT32_MAX, "is not possible", "Use 2 to 48 slots");
    WITH(max_slots, 49, "a limit of 49", "Use 2 to 48 slots");
    WITH(max_leases, 65, "out of range", "MaxLeases is 1 to 64");
    WITH(memory, 7, "memory of the publisher's options is 7", "1 host, 2 cuda, 3 cuda-ipc");
    WITH(readers, 2, "readers of the publisher's options is 2", "1 everyone");
    WITH(memory_limit, -1, "out of range", "limits not negative");
    WITH(lease_timeout, -1, "out of range", "time-outs are greater than zero");
    WITH(lossless_timeout, CUFRAMES_FOREVER, "out of range", "time-outs are greater than zero");
    WITH(shrink_after, -5, "out of range", "time-outs are greater than zero");
    WITH(cuda_context, &options, "a CUDA context for frames in main memory", "leave cuda_context null");

    options = publisher_options();
    options.user_count = 3;
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_publisher_open("configured", &options, &small, &publisher));
    CHECK_SAYS("users of the publisher's options is null, and there are to be 3 ids");
    options = publisher_options();
    options.group_count = 1;
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_publisher_open("configured", &options, &small, &publisher));
    CHECK_SAYS("groups of");

    /* Times beyond what sums of them can hold are as good as for ever. */
    options = publisher_options();
    options.lossless_timeout = options.lease_timeout = options.shrink_after = INT64_MAX;
    publisher = open_publisher("configured", &options);
    publish(publisher);
    cuframes_publisher_close(publisher);
}

static void published_already(void) {
    cuframes_publisher_options options = publisher_options();
    cuframes_publisher *first = open_publisher("twice", &options);
    cuframes_publisher *second;
    char process[64];
    CHECK_CODE(CUFRAMES_ALREADY_PUBLISHED, cuframes_publisher_open("twice", &options, &small, &second));
    CHECK(second == NULL);
    snprintf(process, sizeof process, "Stream 'twice' is published already by process %d", (int)getpid());
    CHECK_SAYS(process);
    CHECK_SAYS("Choose another key or end that publisher");
    publish(first);
    cuframes_publisher_close(first);
    cuframes_publisher_close(open_publisher("twice", &options));
}

static void directories(void) {
    cuframes_publisher_options options = publisher_options();
    cuframes_publisher *publisher;
    cuframes_stream_list *list;
    char path[4096];
    snprintf(path, sizeof path, "%s/missing", directory);
    options.directory = path;
    CHECK_CODE(CUFRAMES_SYSTEM_CALL_FAILED, cuframes_publisher_open("placed", &options, &small, &publisher));
    CHECK_SAYS("Stream 'placed' cannot be published");
    CHECK_SAYS(path);
    CHECK_SAYS("create the directory first");
    CHECK_CODE(CUFRAMES_STREAM_NOT_FOUND, cuframes_list(path, &list));
    CHECK(list == NULL);
    CHECK_SAYS(path);
    CHECK_SAYS("set CUFRAMES_DIR");

    CHECK(mkdir(path, 0755) == 0);
    CHECK(chmod(path, 0) == 0);
    if (geteuid() == 0) {
        CHECK(seteuid(54321) == 0);
    }

    CHECK_CODE(CUFRAMES_ACCESS_DENIED, cuframes_publisher_open("placed", &options, &small, &publisher));
    CHECK_SAYS(path);
    CHECK_SAYS("Check the owner and the mode");
    CHECK_CODE(CUFRAMES_ACCESS_DENIED, cuframes_list(path, &list));
    CHECK_SAYS("Add the user to the directory's group");
    CHECK_CODE(CUFRAMES_OK, cuframes_probe(path, "placed", &list));
    CHECK(cuframes_stream_list_at(list, 0)->error_code == CUFRAMES_ACCESS_DENIED);
    cuframes_stream_list_free(list);
}

static void handles(void) {
    cuframes_publisher_options options = publisher_options();
    cuframes_subscriber_options reading = subscriber_options();
    cuframes_publisher *publisher = open_publisher("handles", &options);
    cuframes_subscriber *subscriber = open_subscriber("handles", &reading);
    cuframes_stream_list *list;
    cuframes_publisher *none[6] = {NULL, (cuframes_publisher *)1, (cuframes_publisher *)UINTPTR_MAX, publisher, (cuframes_publisher *)subscriber, NULL};
    cuframes_frame frame = CUFRAMES_FRAME_INIT;
    cuframes_publisher_info info = CUFRAMES_PUBLISHER_INFO_INIT;
    size_t count;
    CHECK_CODE(CUFRAMES_OK, cuframes_list(directory, &list));
    none[5] = (cuframes_publisher *)list;
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_begin(publisher, &frame));
    cuframes_publisher_close(publisher);
    cuframes_publisher_close(publisher);

    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_publisher_configure(none[i], &small));
        CHECK_SAYS("no publisher's handle, or the publisher was closed");
        CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_publisher_begin(none[i], &frame));
        CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_publisher_publish(none[i], &frame, NULL));
        CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_publisher_publish_stream(none[i], &frame, NULL, NULL));
        CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_publisher_abandon(none[i], &frame));
        CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_publisher_set_state(none[i], CUFRAMES_STATE_LIVE, "reason"));
        CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_publisher_evict(none[i], 1, "reason"));
        CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_publisher_get_info(none[i], &info));
        CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_publisher_get_subscribers(none[i], NULL, 0, 0, &count));
        cuframes_publisher_close(none[i]);
        CHECK(i == 5 || cuframes_stream_list_count((cuframes_stream_list *)none[i]) == 0);
    }

    /* A publisher's close closes no list and no subscriber. */
    CHECK(cuframes_stream_list_count(list) == 1);
    CHECK_CODE(CUFRAMES_TIMED_OUT, cuframes_subscriber_next(subscriber, 0, &frame));
    cuframes_stream_list_free(list);
    cuframes_stream_list_free(list);
    CHECK(cuframes_stream_list_count(list) == 0);
    CHECK(cuframes_stream_list_at(list, 0) == NULL);
    cuframes_subscriber_close(subscriber);
}

static void formats(void) {
    static const uint32_t wrong[][3] = {
        {0, 64, 48}, {12345, 64, 48}, {CUFRAMES_NV12, 0, 48}, {CUFRAMES_NV12, 64, 0}, {CUFRAMES_NV12, 16385, 48}, {CUFRAMES_NV12, 64, UINT32_MAX}};
    cuframes_publisher_options options = publisher_options();
    cuframes_subscriber_options reading = subscriber_options();
    cuframes_publisher *publisher;
    cuframes_format format;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        format = format_of(wrong[i][0], wrong[i][1], wrong[i][2]);
        CHECK_CODE(CUFRAMES_FORMAT_UNSUPPORTED, cuframes_publisher_open("formats", &options, &format, &publisher));
        CHECK_SAYS("is not supported");
        CHECK_SAYS("Use 1 to 16384 columns and rows in one of nv12");
    }

    /* A publisher that has a format keeps it. */
    publisher = open_publisher("formats", &options);
    cuframes_subscriber *subscriber = open_subscriber("formats", &reading);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cuframes_frame frame;
        format = format_of(wrong[i][0], wrong[i][1], wrong[i][2]);
        CHECK_CODE(CUFRAMES_FORMAT_UNSUPPORTED, cuframes_publisher_configure(publisher, &format));
        frame = take(subscriber, publish(publisher));
        CHECK(frame.width == 64 && frame.height == 48 && frame.pixel_format == CUFRAMES_NV12);
        CHECK_CODE(CUFRAMES_OK, cuframes_frame_release(&frame));
    }

    format = small;
    format.colour_range = 3;
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_publisher_configure(publisher, &format));
    CHECK_SAYS("colour_range of the format is 3");
    CHECK_SAYS("2 full");
    cuframes_subscriber_close(subscriber);
    cuframes_publisher_close(publisher);
}

static void order_of_calls(void) {
    cuframes_publisher_options options = publisher_options();
    cuframes_frame frame = CUFRAMES_FRAME_INIT;
    cuframes_frame old = CUFRAMES_FRAME_INIT;
    cuframes_frame copy;
    cuframes_publisher *publisher;
    cuframes_publisher *other;
    cuframes_format larger = format_of(CUFRAMES_NV12, 128, 96);
    uint64_t sequence = 77;

    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_open("order", &options, NULL, &publisher));
    CHECK(info_of(publisher).format.pixel_format == 0);
    CHECK_CODE(CUFRAMES_WRONG_STATE, cuframes_publisher_begin(publisher, &frame));
    CHECK_SAYS("call cuframes_publisher_configure");
    CHECK_CODE(CUFRAMES_WRONG_STATE, cuframes_publisher_publish(publisher, &frame, &sequence));
    CHECK_SAYS("Begin one with cuframes_publisher_begin");
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_configure(publisher, &small));

    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_begin(publisher, &old));
    CHECK(old.lease != 0 && old.sequence == 0);
    copy = old;
    CHECK_CODE(CUFRAMES_WRONG_STATE, cuframes_publisher_begin(publisher, &frame));
    CHECK_SAYS("cannot begin another frame while a frame is open. Publish it or abandon it first");
    CHECK_CODE(CUFRAMES_WRONG_STATE, cuframes_publisher_begin(publisher, &old));
    CHECK(old.lease == copy.lease);
    CHECK_CODE(CUFRAMES_WRONG_STATE, cuframes_publisher_configure(publisher, &larger));
    CHECK_SAYS("cannot change the format while a frame is open");
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_abandon(publisher, &old));
    CHECK(old.lease == 0);
    CHECK_CODE(CUFRAMES_WRONG_STATE, cuframes_publisher_abandon(publisher, &old));
    CHECK_CODE(CUFRAMES_WRONG_STATE, cuframes_publisher_publish(publisher, &copy, &sequence));
    CHECK(info_of(publisher).published == 0);

    /* A copy of an earlier frame does not stand for the one that is open, nor does another publisher's. */
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_begin(publisher, &frame));
    CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_publisher_publish(publisher, &copy, &sequence));
    CHECK_SAYS("not the frame that is open");
    CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_publisher_publish_stream(publisher, &copy, NULL, &sequence));
    CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_publisher_abandon(publisher, &copy));
    other = open_publisher("other", &options);
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_begin(other, &old));
    CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_publisher_publish(publisher, &old, &sequence));
    CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_publisher_publish(other, &frame, &sequence));
    CHECK_CODE(CUFRAMES_WRONG_STATE, cuframes_publisher_publish_stream(publisher, &frame, NULL, &sequence));
    CHECK_SAYS("lies in main memory");
    CHECK(sequence == 77);

    /* Copies of the open one do. */
    copy = frame;
    fill(&frame, 1);
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_publish(publisher, &copy, &sequence));
    CHECK(sequence == 1);
    CHECK_CODE(CUFRAMES_WRONG_STATE, cuframes_publisher_publish(publisher, &frame, &sequence));

    /* An open frame does not hinder the close. */
    cuframes_publisher_close(other);
    CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_publisher_publish(other, &old, &sequence));
    cuframes_publisher_close(publisher);
}

static void states_and_evictions(void) {
    cuframes_publisher_options options = publisher_options();
    cuframes_subscriber_options reading = subscriber_options();
    cuframes_publisher *publisher = open_publisher("states", &options);
    cuframes_subscriber *subscriber;
    cuframes_subscriber_statistics statistics;
    cuframes_frame frame = CUFRAMES_FRAME_INIT;
    size_t count;
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_publisher_set_state(publisher, CUFRAMES_STATE_ENDED, NULL));
    CHECK_SAYS("cannot tell state 3");
    CHECK_SAYS("its publisher is closed");
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_publisher_set_state(publisher, 4, NULL));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_publisher_evict(publisher, 1, NULL));
    CHECK_SAYS("There is no subscriber 1");
    CHECK_SAYS("cuframes_publisher_get_subscribers");

    reading.no_reconnect = 1;
    for (int round = 0; round < 2; round++) {
        subscriber = open_subscriber("states", &reading);
        CHECK_CODE(CUFRAMES_OK, cuframes_publisher_get_subscribers(publisher, &statistics, sizeof statistics, 1, &count));
        CHECK(count == 1);
        CHECK_CODE(CUFRAMES_OK, cuframes_publisher_evict(publisher, statistics.subscriber_id, round == 0 ? "go away, reader" : NULL));
        CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_publisher_evict(publisher, statistics.subscriber_id, NULL));
        CHECK_CODE(CUFRAMES_EVICTED_BY_OPERATOR, cuframes_subscriber_next(subscriber, CUFRAMES_MILLISECONDS(20000), &frame));
        CHECK_SAYS(round == 0 ? "go away, reader" : "operator ended this subscription");
        cuframes_subscriber_close(subscriber);
    }

    CHECK(info_of(publisher).evicted == 2);
    cuframes_publisher_close(publisher);
}

static void *begin_and_wait(void *publisher) {
    cuframes_frame frame = CUFRAMES_FRAME_INIT;
    return (void *)(intptr_t)cuframes_publisher_begin(publisher, &frame);
}

static void two_threads(void) {
    /* The first thread waits in begin for a lossless reader that holds every slot. */
    cuframes_publisher_options options = publisher_options();
    cuframes_subscriber_options reading = subscriber_options();
    cuframes_frame frame = CUFRAMES_FRAME_INIT;
    cuframes_frame held[2];
    cuframes_publisher *publisher;
    cuframes_subscriber *subscriber;
    pthread_t thread;
    void *result;
    options.slots = options.max_slots = 2;
    options.max_leases = 2;
    options.lossless_timeout = CUFRAMES_MILLISECONDS(100000);
    publisher = open_publisher("threads", &options);
    reading.delivery = CUFRAMES_LOSSLESS;
    subscriber = open_subscriber("threads", &reading);
    for (int i = 0; i < 2; i++) {
        held[i] = take(subscriber, publish(publisher));
    }

    CHECK(pthread_create(&thread, NULL, begin_and_wait, publisher) == 0);
    CHECK_SOON(cuframes_publisher_abandon(publisher, &frame) == CUFRAMES_BUSY);
    CHECK_SAYS("one thread at a time publishes");
    CHECK_CODE(CUFRAMES_BUSY, cuframes_publisher_begin(publisher, &frame));
    CHECK_CODE(CUFRAMES_BUSY, cuframes_publisher_publish(publisher, &frame, NULL));
    CHECK_CODE(CUFRAMES_BUSY, cuframes_publisher_publish_stream(publisher, &frame, NULL, NULL));
    CHECK_CODE(CUFRAMES_BUSY, cuframes_publisher_configure(publisher, &small));

    /* What any thread may call goes on. */
    CHECK(info_of(publisher).held_slots == 2);
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_set_state(publisher, CUFRAMES_STATE_SOURCE_LOST, "meanwhile"));
    check_content(&held[0], 1);
    CHECK_CODE(CUFRAMES_OK, cuframes_frame_release(&held[0]));
    CHECK(pthread_join(thread, &result) == 0);
    CHECK((intptr_t)result == CUFRAMES_OK);
    check_content(&held[1], 2);
    CHECK_CODE(CUFRAMES_OK, cuframes_frame_release(&held[1]));
    cuframes_subscriber_close(subscriber);
    cuframes_publisher_close(publisher);
}

static void dropped_frames(void) {
    cuframes_publisher_options options = publisher_options();
    cuframes_subscriber_options reading = subscriber_options();
    cuframes_frame frame = CUFRAMES_FRAME_INIT;
    cuframes_frame held[3];
    cuframes_publisher *publisher;
    cuframes_subscriber *subscriber;
    options.slots = options.max_slots = 3;
    options.lease_timeout = CUFRAMES_MILLISECONDS(100000);
    publisher = open_publisher("dropped", &options);
    reading.leases = 3;
    reading.delivery = CUFRAMES_IN_ORDER;
    subscriber = open_subscriber("dropped", &reading);
    for (uint64_t i = 0; i < 3; i++) {
        held[i] = take(subscriber, publish(publisher));
    }

    for (uint64_t i = 1; i <= 5; i++) {
        CHECK_CODE(CUFRAMES_DROPPED, cuframes_publisher_begin(publisher, &frame));
        CHECK_SAYS("readers hold every slot");
        CHECK_SAYS("Go on with the next one");
        CHECK(frame.lease == 0);
        CHECK(info_of(publisher).dropped == i);
        CHECK_CODE(CUFRAMES_WRONG_STATE, cuframes_publisher_publish(publisher, &frame, NULL));
    }

    for (uint64_t i = 0; i < 3; i++) {
        check_content(&held[i], i + 1);
    }

    CHECK_CODE(CUFRAMES_OK, cuframes_frame_release(&held[1]));
    held[1] = take(subscriber, publish(publisher));
    CHECK(held[1].sequence == 4 && info_of(publisher).dropped == 5 && info_of(publisher).published == 4);
    for (int i = 0; i < 3; i++) {
        CHECK_CODE(CUFRAMES_OK, cuframes_frame_release(&held[i]));
    }

    cuframes_subscriber_close(subscriber);
    cuframes_publisher_close(publisher);
}

static void memory_limits(void) {
    cuframes_publisher_options options = publisher_options();
    cuframes_subscriber_options reading = subscriber_options();
    cuframes_publisher *publisher;
    cuframes_subscriber *subscriber;
    cuframes_format large = format_of(CUFRAMES_RGBA, 1920, 1080);
    cuframes_frame frame;
    options.memory_limit = 4 << 20;
    CHECK_CODE(CUFRAMES_OUT_OF_RESOURCES, cuframes_publisher_open("limited", &options, &large, &publisher));
    CHECK(publisher == NULL);
    CHECK_SAYS("its limit is 4.0 MiB");
    CHECK_SAYS("Raise the memory limit or lower the number of slots");

    /* Room for the first ring, and not for the larger format's. */
    options.memory_limit = 1 << 20;
    publisher = open_publisher("limited", &options);
    subscriber = open_subscriber("limited", &reading);
    CHECK_CODE(CUFRAMES_OUT_OF_RESOURCES, cuframes_publisher_configure(publisher, &large));
    CHECK_SAYS("its limit is 1.0 MiB");
    frame = take(subscriber, publish(publisher));
    CHECK(frame.width == 64 && info_of(publisher).format.width == 64 && info_of(publisher).segment_bytes <= 1 << 20);
    CHECK_CODE(CUFRAMES_OK, cuframes_frame_release(&frame));
    cuframes_subscriber_close(subscriber);
    cuframes_publisher_close(publisher);
}

/* A child that opens the stream as another user. The library is not in use yet when it is forked.
 * Returns the code; the sentence must have the part. */
static int32_t read_as(uid_t user, gid_t group, const char *part, int ready) {
    char go;
    cuframes_subscriber_options reading = subscriber_options();
    cuframes_subscriber *subscriber;
    int32_t code;
    CHECK(setgroups(0, NULL) == 0 && setgid(group) == 0 && setuid(user) == 0);

    /* Becoming another user takes this back. */
    CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
    CHECK(read(ready, &go, 1) == 1);
    code = cuframes_subscriber_open("guarded", &reading, &subscriber);
    if (code == CUFRAMES_ACCESS_DENIED) {
        CHECK_SAYS(part);
    } else {
        CHECK_CODE(CUFRAMES_OK, code);
        cuframes_subscriber_close(subscriber);
    }

    return code;
}

static void check_access(cuframes_publisher_options options, uid_t user, gid_t group, int32_t expected) {
    int ready[2];
    int status;
    pid_t child;
    CHECK(pipe(ready) == 0);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        exit(read_as(user, group, "may not read this stream", ready[0]) == expected ? 0 : 1);
    }

    /* The parent uses the library in a child of its own, so that it can fork again. */
    pid_t publishing = fork();
    CHECK(publishing >= 0);
    if (publishing == 0) {
        CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
        (void)open_publisher("guarded", &options);
        CHECK(write(ready[1], "!", 1) == 1);
        for (;;) {
            pause();
        }
    }

    CHECK(waitpid(child, &status, 0) == child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fprintf(stderr, "user %d, group %d: not as expected (%s)\n", (int)user, (int)group, cuframes_error_name(expected));
        exit(1);
    }

    CHECK(kill(publishing, SIGKILL) == 0);
    CHECK(waitpid(publishing, &status, 0) == publishing);
    close(ready[0]);
    close(ready[1]);
}

static void who_may_read(void) {
    static const uint32_t ids[] = {1, 54321};
    cuframes_publisher_options options = publisher_options();
    CHECK(chmod(directory, 0755) == 0);
    check_access(options, 54321, 54321, CUFRAMES_ACCESS_DENIED);
    check_access(options, 54321, getegid(), CUFRAMES_OK);
    options.users = ids;
    options.user_count = 2;
    check_access(options, 54321, 54320, CUFRAMES_OK);
    check_access(options, 54322, 54320, CUFRAMES_ACCESS_DENIED);

    /* The lists add to the default: the own group may still read. */
    check_access(options, 54322, getegid(), CUFRAMES_OK);
    options.users = NULL;
    options.user_count = 0;
    options.groups = ids;
    options.group_count = 2;
    check_access(options, 54322, 54321, CUFRAMES_OK);
    check_access(options, 54322, 54322, CUFRAMES_ACCESS_DENIED);
    check_access(options, 54322, getegid(), CUFRAMES_OK);
    options.groups = NULL;
    options.group_count = 0;
    options.readers = CUFRAMES_READERS_EVERYONE;
    check_access(options, 54322, 54322, CUFRAMES_OK);
}

int main(int arguments, char **values) {
    static const test_case cases[] = {
        {"null-pointers", null_pointers}, {"sizes", sizes}, {"keys", keys}, {"configurations", configurations}, {"published-already", published_already},
        {"directories", directories}, {"handles", handles}, {"formats", formats}, {"order-of-calls", order_of_calls},
        {"states-and-evictions", states_and_evictions}, {"two-threads", two_threads}, {"dropped-frames", dropped_frames},
        {"memory-limits", memory_limits}, {"who-may-read", who_may_read}};
    small = format_of(CUFRAMES_NV12, 64, 48);
    return run_case(cases, sizeof cases / sizeof *cases, arguments, values);
}
