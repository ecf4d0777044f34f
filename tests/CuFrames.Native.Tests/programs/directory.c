/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Lists of streams. */
#include "publishing.h"

#include <sys/prctl.h>

static void streams(void) {
    cuframes_publisher_options options = publisher_options();
    cuframes_subscriber_options reading = subscriber_options();
    cuframes_format format = format_of(CUFRAMES_P010, 322, 180);
    cuframes_publisher *first;
    cuframes_publisher *second;
    cuframes_stream_list *list;
    cuframes_stream_list *one;
    const cuframes_stream_info *stream;
    cuframes_frame frame;
    uint8_t host[CUFRAMES_UUID_BYTES] = {0};

    CHECK_CODE(CUFRAMES_OK, cuframes_list(directory, &list));
    CHECK(list != NULL && cuframes_stream_list_count(list) == 0 && cuframes_stream_list_at(list, 0) == NULL);
    cuframes_stream_list_free(list);

    options.program = "\xc3\x9c" "bertragung";
    options.source = "rtsp://camera/2";
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_open("yard@low", &options, NULL, &second));
    options.program = "front program";
    options.source = NULL;
    options.slots = 4;
    options.max_slots = 9;
    format.rate_numerator = 25;
    format.rate_denominator = 1;
    format.colour_matrix = 9;
    format.colour_range = CUFRAMES_RANGE_FULL;
    format.colour_primaries = 9;
    format.colour_transfer = 16;
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_open("front", &options, &format, &first));
    cuframes_subscriber *subscriber = open_subscriber("front", &reading);
    frame = take(subscriber, publish(first));
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_set_state(second, CUFRAMES_STATE_SOURCE_LOST, "the cable is out"));

    CHECK_CODE(CUFRAMES_OK, cuframes_list(directory, &list));
    CHECK(cuframes_stream_list_count(list) == 2 && cuframes_stream_list_at(list, 2) == NULL && cuframes_stream_list_at(list, SIZE_MAX) == NULL);
    stream = cuframes_stream_list_at(list, 0);
    CHECK(strcmp(stream->key, "front") == 0 && strcmp(stream->program, "front program") == 0 && strcmp(stream->source, "") == 0);
    CHECK(stream->error_code == CUFRAMES_OK && strcmp(stream->error, "") == 0 && strcmp(stream->state_text, "") == 0);
    CHECK(stream->state == CUFRAMES_STATE_LIVE && stream->memory == CUFRAMES_MEMORY_HOST && stream->slots == 4 && stream->max_slots == 9);
    CHECK(stream->subscribers == 1 && stream->epoch == info_of(first).epoch && stream->head == 1 && stream->dropped == 0 && stream->evicted == 0);
    CHECK(stream->memory_bytes == (uint64_t)info_of(first).segment_bytes && memcmp(stream->cuda_device_uuid, host, sizeof host) == 0);
    CHECK(stream->format.size == sizeof format && memcmp(&stream->format, &format, sizeof format) == 0);
    stream = cuframes_stream_list_at(list, 1);
    CHECK(strcmp(stream->key, "yard@low") == 0 && strcmp(stream->program, "\xc3\x9c" "bertragung") == 0 && strcmp(stream->source, "rtsp://camera/2") == 0);
    CHECK(stream->state == CUFRAMES_STATE_SOURCE_LOST && strcmp(stream->state_text, "the cable is out") == 0);
    CHECK(stream->format.pixel_format == CUFRAMES_FORMAT_UNKNOWN && stream->head == 0 && stream->subscribers == 0);

    CHECK_CODE(CUFRAMES_OK, cuframes_probe(directory, "front", &one));
    CHECK(one != list && cuframes_stream_list_count(one) == 1 && cuframes_stream_list_at(one, 1) == NULL);
    CHECK(strcmp(cuframes_stream_list_at(one, 0)->key, "front") == 0 && cuframes_stream_list_at(one, 0)->head == 1);

    /* What a list says stays, whatever happens to the streams. */
    CHECK_CODE(CUFRAMES_OK, cuframes_frame_release(&frame));
    cuframes_subscriber_close(subscriber);
    cuframes_publisher_close(first);
    CHECK(strcmp(cuframes_stream_list_at(one, 0)->program, "front program") == 0);
    CHECK(strcmp(cuframes_stream_list_at(list, 1)->state_text, "the cable is out") == 0);
    cuframes_stream_list_free(one);
    CHECK(cuframes_stream_list_count(one) == 0 && cuframes_stream_list_count(list) == 2);
    cuframes_stream_list_free(list);

    CHECK_CODE(CUFRAMES_OK, cuframes_list(directory, &list));
    CHECK(cuframes_stream_list_count(list) == 1 && strcmp(cuframes_stream_list_at(list, 0)->key, "yard@low") == 0);
    cuframes_stream_list_free(list);
    cuframes_publisher_close(second);
}

static void faults(void) {
    cuframes_stream_list *list;
    const cuframes_stream_info *stream;
    char path[4096];
    FILE *file;

    /* Nobody there, and a file that is no socket. */
    CHECK_CODE(CUFRAMES_OK, cuframes_probe(directory, "nobody", &list));
    CHECK(cuframes_stream_list_count(list) == 1);
    stream = cuframes_stream_list_at(list, 0);
    CHECK(stream->error_code == CUFRAMES_STREAM_NOT_FOUND && strcmp(stream->key, "nobody") == 0);
    CHECK(strstr(stream->error, "Nobody publishes stream 'nobody'") != NULL && strstr(stream->error, directory) != NULL);
    CHECK(strstr(stream->error, "Start its publisher") != NULL);
    CHECK(strcmp(stream->program, "") == 0 && strcmp(stream->source, "") == 0 && strcmp(stream->state_text, "") == 0 && stream->epoch == 0);
    cuframes_stream_list_free(list);

    snprintf(path, sizeof path, "%s/file.sock", directory);
    file = fopen(path, "w");
    CHECK(file != NULL && fclose(file) == 0);
    CHECK_CODE(CUFRAMES_OK, cuframes_list(directory, &list));
    CHECK(cuframes_stream_list_count(list) == 0);
    cuframes_stream_list_free(list);
}

static void dead_publishers(void) {
    char byte;
    int ready[2];
    int status;
    cuframes_stream_list *list;
    cuframes_publisher_options options = publisher_options();
    CHECK(pipe(ready) == 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
        (void)open_publisher("dead", &options);
        CHECK(write(ready[1], "!", 1) == 1);
        for (;;) {
            pause();
        }
    }

    CHECK(read(ready[0], &byte, 1) == 1);
    CHECK_CODE(CUFRAMES_OK, cuframes_list(directory, &list));
    CHECK(cuframes_stream_list_count(list) == 1);
    cuframes_stream_list_free(list);
    CHECK(kill(child, SIGKILL) == 0);
    CHECK(waitpid(child, &status, 0) == child);
    CHECK_CODE(CUFRAMES_OK, cuframes_list(directory, &list));
    CHECK(cuframes_stream_list_count(list) == 0);
    cuframes_stream_list_free(list);
    CHECK_CODE(CUFRAMES_OK, cuframes_probe(directory, "dead", &list));
    CHECK(cuframes_stream_list_at(list, 0)->error_code == CUFRAMES_STREAM_NOT_FOUND);
    cuframes_stream_list_free(list);

    /* The key is free. */
    cuframes_publisher_close(open_publisher("dead", &options));
}

static void runtime_directory(void) {
    char path[4096];
    size_t needed = strlen(directory) + 1;
    cuframes_stream_list *list;
    cuframes_publisher_options options = publisher_options();
    CHECK(setenv("CUFRAMES_DIR", directory, 1) == 0);
    memset(path, 'x', sizeof path);
    CHECK_CODE(CUFRAMES_OK, cuframes_runtime_directory(path, needed));
    CHECK(strcmp(path, directory) == 0 && path[needed] == 'x');
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_runtime_directory(path, needed - 1));
    CHECK_SAYS(directory);
    CHECK_SAYS("needs");
    CHECK_SAYS("the buffer has");
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_runtime_directory(path, 0));

    /* It is where streams are published and listed when nothing else is said. */
    options.directory = NULL;
    cuframes_publisher *publisher = open_publisher("somewhere", &options);
    CHECK(strncmp(info_of(publisher).socket_path, directory, strlen(directory)) == 0);
    CHECK_CODE(CUFRAMES_OK, cuframes_list(NULL, &list));
    CHECK(cuframes_stream_list_count(list) == 1);
    cuframes_stream_list_free(list);
    CHECK_CODE(CUFRAMES_OK, cuframes_probe(NULL, "somewhere", &list));
    CHECK(cuframes_stream_list_at(list, 0)->error_code == CUFRAMES_OK);
    cuframes_stream_list_free(list);
    cuframes_publisher_close(publisher);
}

static void many_lists(void) {
    /* A handle that was freed is none of a list made later. */
    enum { COUNT = 200 };
    cuframes_stream_list *lists[COUNT];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < COUNT; i++) {
            CHECK_CODE(CUFRAMES_OK, cuframes_list(directory, &lists[i]));
            for (int k = 0; k < i; k++) {
                CHECK(lists[k] != lists[i]);
            }
        }

        for (int i = 0; i < COUNT; i++) {
            cuframes_stream_list_free(lists[i]);
        }
    }
}

int main(int arguments, char **values) {
    static const test_case cases[] = {
        {"streams", streams}, {"faults", faults}, {"dead-publishers", dead_publishers}, {"runtime-directory", runtime_directory}, {"many-lists", many_lists}};
    return run_case(cases, sizeof cases / sizeof *cases, arguments, values);
}
