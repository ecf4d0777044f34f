/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * fork before the first use is fine; after it the child is refused everything, and the parent goes on. */
#include "stream.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

typedef struct dl_managed_tensor {
    char tensor[48];
    void *manager_ctx;
    void (*deleter)(struct dl_managed_tensor *);
} dl_managed_tensor;

static void expect_child(pid_t child) {
    int status;
    CHECK(child > 0);
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void use(const char *directory) {
    cuframes_publisher *publisher = open_publisher(directory, CUFRAMES_NV12, 64, 48);
    cuframes_subscriber *subscriber = open_subscriber(directory, CUFRAMES_NEWEST, 2);
    cuframes_frame frame = CUFRAMES_FRAME_INIT;
    publish_frame(publisher);
    CHECK_CODE(CUFRAMES_OK, cuframes_subscriber_next(subscriber, CUFRAMES_MILLISECONDS(20000), &frame));
    check_content(&frame);
    CHECK_CODE(CUFRAMES_OK, cuframes_frame_release(&frame));
    cuframes_subscriber_close(subscriber);
    cuframes_publisher_close(publisher);
}

static void expect_refusals(cuframes_subscriber *subscriber, cuframes_publisher *publisher, cuframes_stream_list *list, cuframes_frame *frame, dl_managed_tensor *tensor) {
    char buffer[256];
    int descriptor;
    size_t count;
    uint64_t lease = frame->lease;
    void *other;
    cuframes_subscriber_info subscriber_info = CUFRAMES_SUBSCRIBER_INFO_INIT;
    cuframes_publisher_info publisher_info = CUFRAMES_PUBLISHER_INFO_INIT;
    cuframes_format format = CUFRAMES_FORMAT_INIT;
    cuframes_subscriber *opened = NULL;
    cuframes_publisher *made = NULL;
    cuframes_stream_list *streams = NULL;

    CHECK_CODE(CUFRAMES_FORKED, cuframes_set_log(NULL, NULL, 0));
    CHECK_CODE(CUFRAMES_FORKED, cuframes_runtime_directory(buffer, sizeof buffer));
    CHECK_CODE(CUFRAMES_FORKED, cuframes_list(NULL, &streams));
    CHECK_CODE(CUFRAMES_FORKED, cuframes_probe(NULL, STREAM_KEY, &streams));
    CHECK_CODE(CUFRAMES_FORKED, cuframes_subscriber_open(STREAM_KEY, NULL, &opened));
    CHECK_CODE(CUFRAMES_FORKED, cuframes_subscriber_next(subscriber, CUFRAMES_FOREVER, frame));
    CHECK_CODE(CUFRAMES_FORKED, cuframes_subscriber_interrupt(subscriber));
    CHECK_CODE(CUFRAMES_FORKED, cuframes_subscriber_descriptor(subscriber, &descriptor));
    CHECK_CODE(CUFRAMES_FORKED, cuframes_subscriber_get_info(subscriber, &subscriber_info));
    CHECK_CODE(CUFRAMES_FORKED, cuframes_frame_release(frame));
    CHECK_CODE(CUFRAMES_FORKED, cuframes_frame_release_stream(frame, NULL));
    CHECK_CODE(CUFRAMES_FORKED, cuframes_frame_retain(frame));
    CHECK_CODE(CUFRAMES_FORKED, cuframes_frame_check(frame));
    CHECK_CODE(CUFRAMES_FORKED, cuframes_frame_copy(frame, buffer, sizeof buffer));
    CHECK_CODE(CUFRAMES_FORKED, cuframes_frame_to_dlpack(frame, 0, 0, NULL, 0, &other));
    CHECK_CODE(CUFRAMES_FORKED, cuframes_publisher_open("other", NULL, NULL, &made));
    CHECK_CODE(CUFRAMES_FORKED, cuframes_publisher_configure(publisher, &format));
    CHECK_CODE(CUFRAMES_FORKED, cuframes_publisher_begin(publisher, frame));
    CHECK_CODE(CUFRAMES_FORKED, cuframes_publisher_publish(publisher, frame, NULL));
    CHECK_CODE(CUFRAMES_FORKED, cuframes_publisher_publish_stream(publisher, frame, NULL, NULL));
    CHECK_CODE(CUFRAMES_FORKED, cuframes_publisher_abandon(publisher, frame));
    CHECK_CODE(CUFRAMES_FORKED, cuframes_publisher_set_state(publisher, CUFRAMES_STATE_LIVE, NULL));
    CHECK_CODE(CUFRAMES_FORKED, cuframes_publisher_evict(publisher, 1, NULL));
    CHECK_CODE(CUFRAMES_FORKED, cuframes_publisher_get_info(publisher, &publisher_info));
    CHECK_CODE(CUFRAMES_FORKED, cuframes_publisher_get_subscribers(publisher, NULL, 0, 0, &count));
    CHECK(strstr(cuframes_last_error(), "forked") != NULL);
    CHECK(strcmp(cuframes_error_name(CUFRAMES_FORKED), "FORKED") == 0);
    CHECK(cuframes_version() != 0);
    CHECK(cuframes_picture_bytes(CUFRAMES_NV12, 64, 48) == 0);
    CHECK(strcmp(cuframes_pixel_format_name(CUFRAMES_NV12), "nv12") == 0);
    CHECK(cuframes_stream_list_count(list) == 0);
    CHECK(cuframes_stream_list_at(list, 0) == NULL);
    CHECK(opened == NULL && made == NULL && streams == NULL && frame->lease == lease);

    /* These tell nothing, and touch nothing that is the parent's. */
    cuframes_stream_list_free(list);
    tensor->deleter(tensor);
    cuframes_subscriber_close(subscriber);
    cuframes_publisher_close(publisher);
}

int main(int count, char **arguments) {
    if (count == 3) {
        /* What the parent has started by posix_spawn. */
        use(arguments[1]);
        return 0;
    }

    const char *directory = arguments[1];
    CHECK(cuframes_version() != 0);
    pid_t child = fork();
    if (child == 0) {
        use(directory);
        exit(0);
    }

    expect_child(child);
    cuframes_publisher *publisher = open_publisher(directory, CUFRAMES_NV12, 64, 48);
    cuframes_subscriber *subscriber = open_subscriber(directory, CUFRAMES_NEWEST, 2);
    cuframes_stream_list *list = NULL;
    cuframes_frame frame = CUFRAMES_FRAME_INIT;
    void *tensor = NULL;
    publish_frame(publisher);
    CHECK_CODE(CUFRAMES_OK, cuframes_subscriber_next(subscriber, CUFRAMES_MILLISECONDS(20000), &frame));
    CHECK_CODE(CUFRAMES_OK, cuframes_frame_to_dlpack(&frame, 0, 0, NULL, 0, &tensor));
    CHECK_CODE(CUFRAMES_OK, cuframes_list(directory, &list));
    CHECK(cuframes_stream_list_count(list) == 1);

    child = fork();
    if (child == 0) {
        expect_refusals(subscriber, publisher, list, &frame, tensor);

        /* A child of the child is no better off. */
        pid_t grandchild = fork();
        if (grandchild == 0) {
            CHECK_CODE(CUFRAMES_FORKED, cuframes_frame_check(&frame));
            exit(0);
        }

        expect_child(grandchild);
        exit(0);
    }

    expect_child(child);

    /* The parent has lost nothing: not the frame, not the stream, not its readers. */
    CHECK_CODE(CUFRAMES_OK, cuframes_frame_check(&frame));
    check_content(&frame);
    CHECK(cuframes_stream_list_count(list) == 1);
    CHECK(held_frames(subscriber) == 1);
    publish_frame(publisher);
    cuframes_frame second = CUFRAMES_FRAME_INIT;
    CHECK_CODE(CUFRAMES_OK, cuframes_subscriber_next(subscriber, CUFRAMES_MILLISECONDS(20000), &second));
    check_content(&second);
    CHECK_CODE(CUFRAMES_OK, cuframes_frame_release(&second));
    CHECK_CODE(CUFRAMES_OK, cuframes_frame_release(&frame));
    ((dl_managed_tensor *)tensor)->deleter(tensor);
    CHECK(held_frames(subscriber) == 0);
    cuframes_stream_list_free(list);
    cuframes_subscriber_close(subscriber);
    cuframes_publisher_close(publisher);

    /* exec begins anew. */
    char again[] = "again";
    char *command[] = {arguments[0], arguments[1], again, NULL};
    CHECK(posix_spawn(&child, arguments[0], NULL, NULL, command, environ) == 0);
    expect_child(child);
    return 0;
}
