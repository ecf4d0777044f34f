/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Frames in device memory: the caller's current context stays, a release holds until the streams that were named are done, one consumer's stream never waits for
 * another's, and what the driver refuses leaves the frame held. Arguments: directory, release fence (1, 2 or 4), and "refuse" when the driver is set up to
 * refuse the first release. */
#include "stream.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

typedef void *cu_context;
typedef void *cu_stream;

static void *driver;
static int (*cu_init)(unsigned);
static int (*cu_ctx_create)(cu_context *, unsigned, int);
static int (*cu_ctx_destroy)(cu_context);
static int (*cu_ctx_get_current)(cu_context *);
static int (*cu_ctx_set_current)(cu_context);
static int (*cu_stream_create)(cu_stream *, unsigned);
static int (*cu_stream_destroy)(cu_stream);
static int (*cu_stream_synchronize)(cu_stream);
static int (*cu_launch_host_func)(cu_stream, void (*)(void *), void *);
static int (*cu_memcpy_htod)(unsigned long long, const void *, size_t);
static int (*cu_memcpy_dtoh)(void *, unsigned long long, size_t);

static void load(void *function, const char *name) {
    void *symbol = dlsym(driver, name);
    CHECK(symbol != NULL);
    memcpy(function, &symbol, sizeof symbol);
}

static void load_driver(void) {
    driver = dlopen("libcuda.so.1", RTLD_NOW);
    CHECK(driver != NULL);
    load(&cu_init, "cuInit");
    load(&cu_ctx_create, "cuCtxCreate_v2");
    load(&cu_ctx_destroy, "cuCtxDestroy_v2");
    load(&cu_ctx_get_current, "cuCtxGetCurrent");
    load(&cu_ctx_set_current, "cuCtxSetCurrent");
    load(&cu_stream_create, "cuStreamCreate");
    load(&cu_stream_destroy, "cuStreamDestroy_v2");
    load(&cu_stream_synchronize, "cuStreamSynchronize");
    load(&cu_launch_host_func, "cuLaunchHostFunc");
    load(&cu_memcpy_htod, "cuMemcpyHtoD_v2");
    load(&cu_memcpy_dtoh, "cuMemcpyDtoH_v2");
    CHECK(cu_init(0) == 0);
}

/* The context that the caller has made current, and that every call must leave so. */
static cu_context own;

static void expect_current(const char *after) {
    cu_context current = &own;
    CHECK(cu_ctx_get_current(&current) == 0);
    if (current != own) {
        fprintf(stderr, "after %s the current context is %p instead of %p\n", after, current, own);
        exit(1);
    }
}

#define SAME(code, call)         \
    do {                         \
        CHECK_CODE(code, call);  \
        expect_current(#call);   \
    } while (0)

static cuframes_publisher *publisher;
static cuframes_subscriber *subscriber;
static cu_context library_context;
static uint32_t fence;

/* Work of a stream that goes on until it is let go. */
typedef struct gate {
    pthread_mutex_t lock;
    pthread_cond_t opened;
    int is_open;
} gate;

static void wait_at(void *argument) {
    gate *closed = argument;
    pthread_mutex_lock(&closed->lock);
    while (!closed->is_open) {
        pthread_cond_wait(&closed->opened, &closed->lock);
    }

    pthread_mutex_unlock(&closed->lock);
}

/* A call of the driver in a context. */
#define IN_CONTEXT(context, call)                \
    do {                                         \
        CHECK(cu_ctx_set_current(context) == 0); \
        CHECK((call) == 0);                      \
        CHECK(cu_ctx_set_current(own) == 0);     \
    } while (0)

static void block(cu_stream stream, gate *closed) {
    *closed = (gate){PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
    IN_CONTEXT(library_context, cu_launch_host_func(stream, wait_at, closed));
}

static void open_gate(gate *closed) {
    pthread_mutex_lock(&closed->lock);
    closed->is_open = 1;
    pthread_cond_broadcast(&closed->opened);
    pthread_mutex_unlock(&closed->lock);
}

/* The publisher's process. */
static void publish_device_frame(void) {
    cuframes_frame frame = CUFRAMES_FRAME_INIT;
    cuframes_publisher_info info = CUFRAMES_PUBLISHER_INFO_INIT;
    static uint8_t row_bytes[4096];
    SAME(CUFRAMES_OK, cuframes_publisher_get_info(publisher, &info));
    SAME(CUFRAMES_OK, cuframes_publisher_begin(publisher, &frame));
    CHECK(frame.memory == CUFRAMES_MEMORY_CUDA && frame.cuda_device == 0);
    CHECK(cu_ctx_set_current(info.cuda_context) == 0);
    for (uint32_t plane = 0; plane < frame.plane_count; plane++) {
        for (int64_t row = 0; row < frame.planes[plane].rows; row++) {
            for (int64_t column = 0; column < frame.planes[plane].row_bytes; column++) {
                row_bytes[column] = stamp(info.head + 1, plane, row, column);
            }

            CHECK(cu_memcpy_htod((unsigned long long)(uintptr_t)frame.planes[plane].data + (unsigned long long)(row * frame.planes[plane].pitch), row_bytes,
                      (size_t)frame.planes[plane].row_bytes) == 0);
        }
    }

    CHECK(cu_ctx_set_current(own) == 0);
    SAME(CUFRAMES_OK, cuframes_publisher_publish_stream(publisher, &frame, NULL, NULL));
}

static void expect_content(const cuframes_frame *frame) {
    static uint8_t picture[64 * 48 * 3 / 2];
    size_t position = 0;
    SAME(CUFRAMES_OK, cuframes_frame_copy(frame, picture, sizeof picture));
    for (uint32_t plane = 0; plane < frame->plane_count; plane++) {
        for (int64_t row = 0; row < frame->planes[plane].rows; row++) {
            for (int64_t column = 0; column < frame->planes[plane].row_bytes; column++) {
                CHECK(picture[position++] == stamp(frame->sequence, plane, row, column));
            }
        }
    }

    /* And by the address, in the context that the library names. */
    uint8_t first;
    IN_CONTEXT(library_context, cu_memcpy_dtoh(&first, (unsigned long long)(uintptr_t)frame->planes[0].data, 1));
    CHECK(first == stamp(frame->sequence, 0, 0, 0));
}

static int commands[2];
static int answers[2];

/* The publisher is a process of its own, as an event cannot be opened in the process that has made it. It publishes one frame for each byte. */
static void begin_publisher(const char *directory) {
    CHECK(pipe(commands) == 0 && pipe(answers) == 0);
    pid_t child = fork();
    CHECK(child >= 0);
    char byte = 0;
    if (child != 0) {
        close(commands[0]);
        close(answers[1]);
        CHECK(read(answers[0], &byte, 1) == 1);
        return;
    }

    close(commands[1]);
    close(answers[0]);
    load_driver();
    cuframes_publisher_options options = CUFRAMES_PUBLISHER_OPTIONS_INIT;
    cuframes_format format = CUFRAMES_FORMAT_INIT;
    options.directory = directory;
    options.memory = CUFRAMES_MEMORY_CUDA;
    format.pixel_format = CUFRAMES_NV12;
    format.width = 64;
    format.height = 48;
    SAME(CUFRAMES_OK, cuframes_publisher_open(STREAM_KEY, &options, &format, &publisher));
    do {
        CHECK(write(answers[1], &byte, 1) == 1);
        if (read(commands[0], &byte, 1) == 1) {
            publish_device_frame();
        }
        else {
            byte = 0;
        }
    } while (byte != 0);
    cuframes_publisher_close(publisher);
    expect_current("cuframes_publisher_close");
    exit(0);
}

static void end_publisher(void) {
    int status;
    close(commands[1]);
    CHECK(wait(&status) > 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void take(cuframes_frame *frame) {
    char byte = 1;
    CHECK(write(commands[1], &byte, 1) == 1 && read(answers[0], &byte, 1) == 1);
    *frame = (cuframes_frame)CUFRAMES_FRAME_INIT;
    SAME(CUFRAMES_OK, cuframes_subscriber_next(subscriber, CUFRAMES_MILLISECONDS(20000), frame));
    CHECK(frame->memory == CUFRAMES_MEMORY_CUDA && frame->cuda_device == 0 && frame->plane_count == 2);
    expect_content(frame);
}

/* Frames that are held, after the library has looked at the GPU. */
static uint32_t held(void) {
    cuframes_frame none = CUFRAMES_FRAME_INIT;
    SAME(CUFRAMES_TIMED_OUT, cuframes_subscriber_next(subscriber, 0, &none));
    uint32_t count = held_frames(subscriber);
    expect_current("cuframes_subscriber_get_info");
    return count;
}

static void expect_held_until_let_go(uint32_t count) {
    for (int i = 0; i < 20; i++) {
        CHECK(held() == count);
        pause_ms(2);
    }
}

static void expect_released(void) {
    int64_t end = now_ns() + CUFRAMES_MILLISECONDS(20000);
    while (held() != 0) {
        CHECK(now_ns() < end);
        pause_ms(1);
    }
}

static cu_stream make_stream(cu_context context) {
    cu_stream stream;
    IN_CONTEXT(context, cu_stream_create(&stream, 1));
    return stream;
}

static void *open_later(void *argument) {
    pause_ms(100);
    open_gate(argument);
    return NULL;
}

/* One owner: the stream's work holds the frame, and the caller does not wait unless the fence is CPU. */
static void one_owner(cu_stream stream) {
    cuframes_frame frame;
    gate closed;
    take(&frame);
    block(stream, &closed);
    if (fence == CUFRAMES_FENCE_CPU) {
        pthread_t opener;
        CHECK(pthread_create(&opener, NULL, open_later, &closed) == 0);
        SAME(CUFRAMES_OK, cuframes_frame_release_stream(&frame, stream));
        CHECK(closed.is_open);
        pthread_join(opener, NULL);
    }
    else {
        SAME(CUFRAMES_OK, cuframes_frame_release_stream(&frame, stream));
        CHECK(frame.lease == 0);
        expect_held_until_let_go(1);
        open_gate(&closed);
    }

    expect_released();
}

/* Three owners: two streams and one without. The lease ends behind both streams, whoever releases last, and no stream waits for the other. */
static void several_owners(cu_stream first, cu_stream second, int last_has_stream, int destroys) {
    cuframes_frame frame;
    gate one;
    gate two;
    take(&frame);
    cuframes_frame copies[2] = {frame, frame};
    SAME(CUFRAMES_OK, cuframes_frame_retain(&frame));
    SAME(CUFRAMES_OK, cuframes_frame_retain(&frame));
    cu_stream passing = destroys ? make_stream(library_context) : first;
    block(passing, &one);
    SAME(CUFRAMES_OK, cuframes_frame_release_stream(&copies[0], passing));
    SAME(CUFRAMES_OK, cuframes_frame_check(&frame));
    if (destroys) {
        /* The owner is done with its stream, whose work goes on. */
        IN_CONTEXT(library_context, cu_stream_destroy(passing));
    }

    block(second, &two);
    if (last_has_stream) {
        SAME(CUFRAMES_OK, cuframes_frame_release(&copies[1]));
        SAME(CUFRAMES_OK, cuframes_frame_release_stream(&frame, second));
    }
    else {
        SAME(CUFRAMES_OK, cuframes_frame_release_stream(&copies[1], second));
        SAME(CUFRAMES_OK, cuframes_frame_release(&frame));
    }

    CHECK(frame.lease == 0);
    SAME(CUFRAMES_INVALID_HANDLE, cuframes_frame_check(&copies[0]));
    expect_held_until_let_go(1);

    /* The second stream goes on while the first is busy, and the lease does not end with it. */
    open_gate(&two);
    IN_CONTEXT(library_context, cu_stream_synchronize(second));
    expect_held_until_let_go(1);
    open_gate(&one);
    expect_released();
}

/* The same stream twice is one stream: nothing else is needed. */
static void same_stream_twice(cu_stream stream) {
    cuframes_frame frame;
    take(&frame);
    cuframes_frame copy = frame;
    SAME(CUFRAMES_OK, cuframes_frame_retain(&frame));
    SAME(CUFRAMES_OK, cuframes_frame_release_stream(&copy, stream));
    SAME(CUFRAMES_OK, cuframes_frame_release_stream(&frame, stream));
    expect_released();
}

typedef struct dl_managed_tensor {
    void *data;
    int32_t device_type;
    int32_t device_id;
    char rest[32];
    void *manager_ctx;
    void (*deleter)(struct dl_managed_tensor *);
} dl_managed_tensor;

static void tensors(cu_stream stream) {
    cuframes_frame frame;
    gate closed;
    void *made;
    take(&frame);
    SAME(CUFRAMES_OK, cuframes_frame_to_dlpack(&frame, 1, 0, stream, 1, &made));
    dl_managed_tensor *tensor = made;
    CHECK(tensor->data == frame.planes[1].data && tensor->device_type == 2 && tensor->device_id == 0);
    SAME(CUFRAMES_OK, cuframes_frame_release(&frame));
    if (fence == CUFRAMES_FENCE_CPU) {
        tensor->deleter(tensor);
    }
    else {
        expect_held_until_let_go(1);
        block(stream, &closed);
        tensor->deleter(tensor);
        expect_current("a tensor's deleter");
        expect_held_until_let_go(1);
        open_gate(&closed);
    }

    expect_released();
}

/* A stream of another context is refused, and the frame stays held. */
static void foreign_stream(void) {
    cu_context other;
    cu_stream stream;
    cuframes_frame frame;
    take(&frame);
    CHECK(cu_ctx_create(&other, 0, 0) == 0);
    CHECK(cu_stream_create(&stream, 1) == 0);
    CHECK(cu_ctx_set_current(own) == 0);
    SAME(CUFRAMES_INVALID_ARGUMENT, cuframes_frame_release_stream(&frame, stream));
    CHECK(frame.lease != 0);
    SAME(CUFRAMES_OK, cuframes_frame_check(&frame));
    CHECK(held() == 1);
    SAME(CUFRAMES_OK, cuframes_frame_release(&frame));
    IN_CONTEXT(other, cu_stream_destroy(stream));
    CHECK(cu_ctx_destroy(other) == 0);
    CHECK(cu_ctx_set_current(own) == 0);
    expect_released();
}

/* What the driver refuses once, it does the next time. */
static void refused_release(cu_stream stream) {
    cuframes_frame frame;
    take(&frame);
    SAME(CUFRAMES_CUDA_CALL_FAILED, cuframes_frame_release_stream(&frame, stream));
    CHECK(frame.lease != 0);
    SAME(CUFRAMES_OK, cuframes_frame_check(&frame));
    CHECK(held() == 1);
    expect_content(&frame);
    SAME(CUFRAMES_OK, cuframes_frame_release_stream(&frame, stream));
    expect_released();
}

/* More streams than are remembered, one for each frame. */
static void many_streams(void) {
    for (int i = 0; i < 100; i++) {
        cuframes_frame frame;
        cu_stream stream = make_stream(library_context);
        take(&frame);
        SAME(CUFRAMES_OK, cuframes_frame_release_stream(&frame, stream));
        expect_released();
        IN_CONTEXT(library_context, cu_stream_destroy(stream));
    }
}

static void run(const char *directory, cu_context lent, int is_refused) {
    cuframes_subscriber_options options = CUFRAMES_SUBSCRIBER_OPTIONS_INIT;
    cuframes_subscriber_info info = CUFRAMES_SUBSCRIBER_INFO_INIT;
    options.directory = directory;
    options.leases = 4;
    options.fences = fence;
    options.cuda_context = lent;
    SAME(CUFRAMES_OK, cuframes_subscriber_open(STREAM_KEY, &options, &subscriber));
    SAME(CUFRAMES_OK, cuframes_subscriber_get_info(subscriber, &info));
    CHECK(info.memory == CUFRAMES_MEMORY_CUDA && info.cuda_device == 0 && info.cuda_context != NULL);
    CHECK(lent == NULL || info.cuda_context == lent);
    CHECK(info.release_fence == fence);
    library_context = info.cuda_context;
    cu_stream first = make_stream(library_context);
    cu_stream second = make_stream(library_context);
    if (is_refused) {
        refused_release(first);
    }
    else {
        cuframes_frame frame;
        take(&frame);
        SAME(CUFRAMES_OK, cuframes_frame_release_stream(&frame, NULL));
        expect_released();
        one_owner(first);
        same_stream_twice(first);
        tensors(first);
        foreign_stream();
        many_streams();
        if (fence != CUFRAMES_FENCE_CPU) {
            several_owners(first, second, 0, 0);
            several_owners(first, second, 1, 0);
            several_owners(first, second, 0, 1);
            several_owners(first, second, 1, 1);
        }
    }

    /* A frame outlives its subscriber here too. */
    cuframes_frame frame;
    take(&frame);
    SAME(CUFRAMES_OK, cuframes_frame_retain(&frame));
    cuframes_frame copy = frame;
    cuframes_subscriber_close(subscriber);
    expect_current("cuframes_subscriber_close");
    expect_content(&frame);
    SAME(CUFRAMES_OK, cuframes_frame_release_stream(&copy, second));
    SAME(CUFRAMES_OK, cuframes_frame_release_stream(&frame, first));
    SAME(CUFRAMES_INVALID_HANDLE, cuframes_frame_check(&copy));

    /* The library's own context is gone with the last frame, and these streams with it. */
    if (lent != NULL) {
        IN_CONTEXT(lent, cu_stream_destroy(first));
        IN_CONTEXT(lent, cu_stream_destroy(second));
    }
}

int main(int count, char **arguments) {
    const char *directory = arguments[1];
    int is_refused = count > 3;
    fence = (uint32_t)atoi(arguments[2]);
    begin_publisher(directory);
    load_driver();

    /* No current context at all; then one of the caller's that is not the library's; then the caller's given to the library. */
    run(directory, NULL, is_refused);
    if (!is_refused) {
        CHECK(cu_ctx_create(&own, 0, 0) == 0);
        run(directory, NULL, 0);
        run(directory, own, 0);
    }

    end_publisher();

    /* Everything goes back, some of it by the control thread, which needs the context for that. */
    uint64_t (*live_objects)(void);
    if (dlsym(driver, "fakecuda_live_objects") != NULL) {
        load(&live_objects, "fakecuda_live_objects");
        int64_t end = now_ns() + CUFRAMES_MILLISECONDS(20000);
        while (live_objects() != (own == NULL ? 0 : 1)) {
            CHECK(now_ns() < end);
            pause_ms(5);
        }
    }

    if (own != NULL) {
        CHECK(cu_ctx_destroy(own) == 0);
    }

    return 0;
}
