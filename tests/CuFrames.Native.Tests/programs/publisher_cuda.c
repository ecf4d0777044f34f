/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Publishers of frames in device memory. The driver is opened as a program that has its own use for it does: libcuda.so.1, by name. */
#include "publishing.h"

#include <dlfcn.h>
#include <stddef.h>

typedef void *CUcontext;
typedef void *CUstream;
typedef uint64_t CUdeviceptr;

enum { CUDA_SUCCESS = 0, CUDA_ERROR_NOT_READY = 600, NON_BLOCKING = 1, WAIT_GEQ = 0, HOST_PORTABLE = 1, HOST_DEVICEMAP = 2 };

#define DRIVER(X)                                                        \
    X(cuInit, (unsigned))                                                \
    X(cuDeviceGetUuid_v2, (void *, int))                                 \
    X(cuDevicePrimaryCtxRetain, (CUcontext *, int))                      \
    X(cuDevicePrimaryCtxRelease_v2, (int))                               \
    X(cuCtxCreate_v2, (CUcontext *, unsigned, int))                      \
    X(cuCtxDestroy_v2, (CUcontext))                                      \
    X(cuCtxPushCurrent_v2, (CUcontext))                                  \
    X(cuCtxPopCurrent_v2, (CUcontext *))                                 \
    X(cuCtxGetCurrent, (CUcontext *))                                    \
    X(cuStreamCreate, (CUstream *, unsigned))                            \
    X(cuStreamDestroy_v2, (CUstream))                                    \
    X(cuStreamQuery, (CUstream))                                         \
    X(cuStreamSynchronize, (CUstream))                                   \
    X(cuStreamWaitValue64_v2, (CUstream, CUdeviceptr, uint64_t, unsigned)) \
    X(cuMemHostAlloc, (void **, size_t, unsigned))                       \
    X(cuMemFreeHost, (void *))                                           \
    X(cuMemHostGetDevicePointer_v2, (CUdeviceptr *, void *, unsigned))   \
    X(cuMemAlloc_v2, (CUdeviceptr *, size_t))                            \
    X(cuMemFree_v2, (CUdeviceptr))                                       \
    X(cuMemcpyHtoDAsync_v2, (CUdeviceptr, const void *, size_t, CUstream))

#define DECLARE(name, arguments) static int(*name) arguments;
DRIVER(DECLARE)

#define CU(call)                                                                                     \
    do {                                                                                             \
        int cu_found = (call);                                                                       \
        if (cu_found != CUDA_SUCCESS) {                                                              \
            fprintf(stderr, "%s:%d: %s answered %d\n", __FILE__, __LINE__, #call, cu_found);         \
            exit(1);                                                                                 \
        }                                                                                            \
    } while (0)

static void open_driver(void) {
    void *library = dlopen("libcuda.so.1", RTLD_NOW);
    CHECK(library != NULL);
#define FIND(name, arguments)                              \
    do {                                                   \
        void *found = dlsym(library, #name);               \
        CHECK(found != NULL);                              \
        memcpy((void *)&name, &found, sizeof found);       \
    } while (0);
    DRIVER(FIND)
    CU(cuInit(0));
}

static CUcontext current(void) {
    CUcontext context;
    CU(cuCtxGetCurrent(&context));
    return context;
}

static cuframes_publisher_options device_options(void) {
    cuframes_publisher_options options = publisher_options();
    options.memory = CUFRAMES_MEMORY_CUDA;
    return options;
}

/* Context, streams and staging memory of a program that has its own. */
static CUcontext program_context;
static CUstream work;
static CUstream stuck;
static volatile uint64_t *gate;

/* What frames are filled from: pinned memory, so that copies are read when they run. */
static uint8_t *staging;
#define STAGING_BYTES (1 << 20)

static void make_staging(void) {
    void *pinned;
    CU(cuMemHostAlloc(&pinned, STAGING_BYTES, HOST_PORTABLE));
    staging = pinned;
}

/* Puts the copies of a frame's planes into a stream. The staging memory is written at once: copies of the frame before must be over. */
static void enqueue_fill(const cuframes_frame *frame, uint64_t number, CUstream stream) {
    size_t used = 0;
    CUcontext popped;
    CHECK(frame->memory == CUFRAMES_MEMORY_CUDA);
    CU(cuCtxPushCurrent_v2(program_context));
    for (uint32_t plane = 0; plane < frame->plane_count; plane++) {
        const cuframes_plane *rows = &frame->planes[plane];
        size_t size = (size_t)(rows->pitch * rows->rows);
        uint8_t *host = staging + used;
        CHECK((used += size) <= STAGING_BYTES);
        for (int64_t row = 0; row < rows->rows; row++) {
            for (int64_t column = 0; column < rows->row_bytes; column++) {
                host[row * rows->pitch + column] = stamp(number, plane, row, column);
            }
        }

        CU(cuMemcpyHtoDAsync_v2((CUdeviceptr)(uintptr_t)rows->data, host, size, stream));
    }

    CU(cuCtxPopCurrent_v2(&popped));
}

static void enter_program_context(int ordinal, int is_own) {
    void *word;
    CUcontext popped;
    if (is_own) {
        CU(cuCtxCreate_v2(&program_context, 0, ordinal));
    } else {
        CU(cuDevicePrimaryCtxRetain(&program_context, ordinal));
        CU(cuCtxPushCurrent_v2(program_context));
    }

    make_staging();
    CU(cuMemHostAlloc(&word, 4096, HOST_PORTABLE | HOST_DEVICEMAP));
    gate = word;
    gate[0] = gate[1] = 0;
    CU(cuStreamCreate(&work, NON_BLOCKING));
    CU(cuStreamCreate(&stuck, NON_BLOCKING));
    CU(cuCtxPopCurrent_v2(&popped));
    CHECK(popped == program_context);
}

/* This stream's work does not end before somebody opens the gate. */
static void close_gate(void) {
    CUcontext popped;
    CUdeviceptr place;
    CU(cuCtxPushCurrent_v2(program_context));
    CU(cuMemHostGetDevicePointer_v2(&place, (void *)(uintptr_t)gate, 0));
    CU(cuStreamWaitValue64_v2(stuck, place, 1, WAIT_GEQ));
    CU(cuCtxPopCurrent_v2(&popped));
}

/* What follows in the program's stream does not begin before it is let go. Numbers grow. */
static void hold_work(uint64_t number) {
    CUcontext popped;
    CUdeviceptr place;
    CU(cuCtxPushCurrent_v2(program_context));
    CU(cuMemHostGetDevicePointer_v2(&place, (void *)(uintptr_t)gate, 0));
    CU(cuStreamWaitValue64_v2(work, place + sizeof *gate, number, WAIT_GEQ));
    CU(cuCtxPopCurrent_v2(&popped));
}

static void *let_work_go(void *number) {
    pause_ms(20);
    gate[1] = (uintptr_t)number;
    return NULL;
}

static int query(CUstream stream) {
    CUcontext popped;
    CU(cuCtxPushCurrent_v2(program_context));
    int found = cuStreamQuery(stream);
    CU(cuCtxPopCurrent_v2(&popped));
    return found;
}

static int synchronize(CUstream stream) {
    CUcontext popped;
    CU(cuCtxPushCurrent_v2(program_context));
    int found = cuStreamSynchronize(stream);
    CU(cuCtxPopCurrent_v2(&popped));
    return found;
}

static void leave_program_context(int ordinal, int is_own) {
    CUcontext popped;
    CU(cuCtxPushCurrent_v2(program_context));
    CU(cuStreamDestroy_v2(work));
    CU(cuStreamDestroy_v2(stuck));
    CU(cuMemFreeHost((void *)(uintptr_t)gate));
    CU(cuMemFreeHost(staging));
    CU(cuCtxPopCurrent_v2(&popped));
    if (is_own) {
        CU(cuCtxDestroy_v2(program_context));
    } else {
        CU(cuDevicePrimaryCtxRelease_v2(ordinal));
    }
}

/* The publisher waits for the stream that it is given, whose copies take their time, and for none of the others. */
static void waits_for_the_stream(void) {
    cuframes_publisher_options options = device_options();
    cuframes_subscriber_options reading = subscriber_options();
    open_driver();
    enter_program_context(0, 0);
    cuframes_publisher *publisher = open_publisher("waiting", &options);
    cuframes_subscriber *subscriber = open_subscriber("waiting", &reading);
    close_gate();
    for (uint64_t number = 1; number <= 8; number++) {
        cuframes_frame frame = CUFRAMES_FRAME_INIT;
        uint64_t sequence;
        pthread_t opener;
        CHECK_CODE(CUFRAMES_OK, cuframes_publisher_begin(publisher, &frame));

        /* However long this thread is held up, the copies are not over before another one says so. */
        hold_work(number);
        enqueue_fill(&frame, number, work);
        CHECK(query(work) == CUDA_ERROR_NOT_READY);
        CHECK(info_of(publisher).head == number - 1);
        CHECK(pthread_create(&opener, NULL, let_work_go, (void *)(uintptr_t)number) == 0);
        CHECK_CODE(CUFRAMES_OK, cuframes_publisher_publish_stream(publisher, &frame, work, &sequence));
        CHECK(gate[1] == number);
        CHECK(pthread_join(opener, NULL) == 0);
        CHECK(sequence == number && frame.sequence == number && frame.lease == 0 && frame.metadata.publish_time > 0);

        /* The other stream's work has not ended, and every byte of this one's is there. */
        CHECK(query(stuck) == CUDA_ERROR_NOT_READY);
        frame = take(subscriber, number);
        CHECK(frame.memory == CUFRAMES_MEMORY_CUDA && frame.cuda_device == 0);
        CHECK(query(stuck) == CUDA_ERROR_NOT_READY);
        CHECK_CODE(CUFRAMES_OK, cuframes_frame_release(&frame));
    }

    /* What the caller has waited for itself is published without a stream. */
    cuframes_frame frame = CUFRAMES_FRAME_INIT;
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_begin(publisher, &frame));
    enqueue_fill(&frame, 9, work);
    CU(synchronize(work));
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_publish(publisher, &frame, NULL));
    frame = take(subscriber, 9);
    CHECK_CODE(CUFRAMES_OK, cuframes_frame_release(&frame));
    CHECK(query(stuck) == CUDA_ERROR_NOT_READY);

    /* The driver ends a registration of memory only when the context has nothing to do. */
    *gate = 1;
    CU(synchronize(stuck));
    cuframes_subscriber_close(subscriber);
    cuframes_publisher_close(publisher);
    leave_program_context(0, 0);
}

/* Every call, with this context current before and after. */
static void call_everything(CUcontext before, void *given, CUcontext expected) {
#define UNCHANGED(call)                                                                                    \
    do {                                                                                                   \
        call;                                                                                              \
        CHECK(current() == before);                                                                        \
    } while (0)
    cuframes_publisher_options options = device_options();
    cuframes_subscriber_options reading = subscriber_options();
    cuframes_format format = format_of(CUFRAMES_NV12, 64, 48);
    cuframes_format larger = format_of(CUFRAMES_I420, 98, 50);
    cuframes_frame frame = CUFRAMES_FRAME_INIT;
    cuframes_frame read;
    cuframes_publisher *publisher;
    cuframes_subscriber *subscriber;
    cuframes_stream_list *list;
    uint8_t copy[64 * 48 * 2];
    CHECK(current() == before);
    options.cuda_context = given;
    reading.cuda_context = given;
    UNCHANGED(CHECK_CODE(CUFRAMES_OK, cuframes_publisher_open("context", &options, &format, &publisher)));
    UNCHANGED(CHECK_CODE(CUFRAMES_OK, cuframes_subscriber_open("context", &reading, &subscriber)));
    UNCHANGED(CHECK(info_of(publisher).cuda_context == expected && info_of(publisher).cuda_device == 0));
    for (uint64_t number = 1; number <= 3; number++) {
        UNCHANGED(CHECK_CODE(CUFRAMES_OK, cuframes_publisher_begin(publisher, &frame)));
        enqueue_fill(&frame, number, work);
        UNCHANGED(CHECK_CODE(CUFRAMES_OK, cuframes_publisher_publish_stream(publisher, &frame, work, NULL)));
        UNCHANGED(CHECK_CODE(CUFRAMES_OK, cuframes_publisher_begin(publisher, &frame)));
        UNCHANGED(CHECK_CODE(CUFRAMES_OK, cuframes_publisher_abandon(publisher, &frame)));
        UNCHANGED(read = take(subscriber, number));
        UNCHANGED(CHECK_CODE(CUFRAMES_OK, cuframes_frame_copy(&read, copy, sizeof copy)));
        UNCHANGED(CHECK_CODE(CUFRAMES_OK, cuframes_frame_release_stream(&read, work)));
        CU(synchronize(work));
    }

    UNCHANGED(CHECK_CODE(CUFRAMES_OK, cuframes_publisher_configure(publisher, &larger)));
    UNCHANGED(CHECK_CODE(CUFRAMES_OK, cuframes_publisher_begin(publisher, &frame)));
    enqueue_fill(&frame, 4, work);
    UNCHANGED(CHECK_CODE(CUFRAMES_OK, cuframes_publisher_publish_stream(publisher, &frame, work, NULL)));
    UNCHANGED(read = take(subscriber, 4));
    UNCHANGED(CHECK_CODE(CUFRAMES_OK, cuframes_frame_release(&read)));
    UNCHANGED(CHECK_CODE(CUFRAMES_OK, cuframes_publisher_set_state(publisher, CUFRAMES_STATE_SOURCE_LOST, "")));
    UNCHANGED(CHECK_CODE(CUFRAMES_OK, cuframes_list(directory, &list)));
    CHECK(cuframes_stream_list_at(list, 0)->memory == CUFRAMES_MEMORY_CUDA);
    cuframes_stream_list_free(list);
    UNCHANGED(CHECK_CODE(CUFRAMES_OK, cuframes_publisher_evict(publisher, 1, NULL)));
    UNCHANGED(cuframes_subscriber_close(subscriber));
    UNCHANGED(cuframes_publisher_close(publisher));
}

static void current_context(void) {
    CUcontext other;
    CUcontext popped;
    CUdeviceptr memory;
    open_driver();
    enter_program_context(0, 0);

    /* None current; then one of the program's own, which is not the publisher's. */
    call_everything(NULL, NULL, program_context);
    CU(cuCtxCreate_v2(&other, 0, 0));
    call_everything(other, NULL, program_context);
    CU(cuCtxPopCurrent_v2(&popped));
    leave_program_context(0, 0);

    /* The program's own context is the publisher's and the reader's. */
    enter_program_context(0, 1);
    call_everything(NULL, program_context, program_context);
    CU(cuCtxPushCurrent_v2(other));
    call_everything(other, program_context, program_context);
    CU(cuCtxPopCurrent_v2(&popped));

    /* It is as it was. */
    CU(cuCtxPushCurrent_v2(program_context));
    CU(cuMemAlloc_v2(&memory, 4096));
    CU(cuMemFree_v2(memory));
    CU(cuCtxPopCurrent_v2(&popped));
    leave_program_context(0, 1);
    CU(cuCtxDestroy_v2(other));
}

static void streams_of_other_contexts(void) {
    cuframes_publisher_options options = device_options();
    cuframes_frame frame = CUFRAMES_FRAME_INIT;
    open_driver();
    enter_program_context(0, 1);
    cuframes_publisher *publisher = open_publisher("streams", &options);
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_begin(publisher, &frame));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_publisher_publish_stream(publisher, &frame, work, NULL));
    CHECK_SAYS("none of the context");
    CHECK(info_of(publisher).head == 0);

    /* The frame is still open. Null is the default stream of the publisher's own context. */
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_publish_stream(publisher, &frame, NULL, NULL));
    CHECK(info_of(publisher).head == 1);
    cuframes_publisher_close(publisher);
    leave_program_context(0, 1);
}

static void many_streams(void) {
    /* More streams than a cache keeps, each made anew: none is mixed up with another. */
    enum { STREAMS = 150 };
    cuframes_publisher_options options = device_options();
    cuframes_subscriber_options reading = subscriber_options();
    CUcontext popped;
    open_driver();
    enter_program_context(0, 0);
    cuframes_publisher *publisher = open_publisher("streams", &options);
    cuframes_subscriber *subscriber = open_subscriber("streams", &reading);
    for (uint64_t number = 1; number <= STREAMS; number++) {
        cuframes_frame frame = CUFRAMES_FRAME_INIT;
        CUstream stream;
        CU(cuCtxPushCurrent_v2(program_context));
        CU(cuStreamCreate(&stream, NON_BLOCKING));
        CU(cuCtxPopCurrent_v2(&popped));
        CHECK_CODE(CUFRAMES_OK, cuframes_publisher_begin(publisher, &frame));
        enqueue_fill(&frame, number, stream);
        CHECK_CODE(CUFRAMES_OK, cuframes_publisher_publish_stream(publisher, &frame, stream, NULL));
        frame = take(subscriber, number);
        CHECK_CODE(CUFRAMES_OK, cuframes_frame_release(&frame));
        if (number % 3 != 0) {
            CU(cuCtxPushCurrent_v2(program_context));
            CU(cuStreamDestroy_v2(stream));
            CU(cuCtxPopCurrent_v2(&popped));
        }
    }

    cuframes_subscriber_close(subscriber);
    cuframes_publisher_close(publisher);
    leave_program_context(0, 0);
}

/* Run with three devices. */
static void devices(void) {
    cuframes_publisher_options options = device_options();
    cuframes_format format = format_of(CUFRAMES_NV12, 64, 48);
    cuframes_publisher *publisher;
    cuframes_stream_list *list;
    uint8_t uuid[CUFRAMES_UUID_BYTES];
    static const int32_t wrong[] = {3, -1, INT32_MAX, INT32_MIN};
    open_driver();
    for (int32_t ordinal = 0; ordinal < 3; ordinal++) {
        cuframes_frame frame = CUFRAMES_FRAME_INIT;
        options.cuda_device = ordinal;
        publisher = open_publisher("numbered", &options);
        CHECK(info_of(publisher).cuda_device == ordinal && info_of(publisher).cuda_context != NULL);
        CHECK_CODE(CUFRAMES_OK, cuframes_publisher_begin(publisher, &frame));
        CHECK(frame.cuda_device == ordinal && frame.memory == CUFRAMES_MEMORY_CUDA && frame.planes[1].data != NULL);
        CHECK_CODE(CUFRAMES_OK, cuframes_list(directory, &list));
        CU(cuDeviceGetUuid_v2(uuid, ordinal));
        CHECK(memcmp(cuframes_stream_list_at(list, 0)->cuda_device_uuid, uuid, sizeof uuid) == 0);
        CHECK(cuframes_stream_list_at(list, 0)->memory == CUFRAMES_MEMORY_CUDA);
        cuframes_stream_list_free(list);
        cuframes_publisher_close(publisher);
    }

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char found[64];
        options.cuda_device = wrong[i];
        snprintf(found, sizeof found, "is %d, and this process sees 3 CUDA devices", (int)wrong[i]);
        CHECK_CODE(CUFRAMES_CONFIGURATION_INVALID, cuframes_publisher_open("numbered", &options, &format, &publisher));
        CHECK_SAYS(found);
        CHECK_SAYS("CUDA_VISIBLE_DEVICES");
    }

    /* A context says itself which device it is of. */
    enter_program_context(2, 1);
    options.cuda_device = 1;
    options.cuda_context = program_context;
    publisher = open_publisher("numbered", &options);
    CHECK(info_of(publisher).cuda_device == 2 && info_of(publisher).cuda_context == program_context);
    cuframes_publisher_close(publisher);
    leave_program_context(2, 1);
}

static void legacy_handles(void) {
    cuframes_publisher_options options = publisher_options();
    cuframes_frame frame = CUFRAMES_FRAME_INIT;
    cuframes_stream_list *list;
    options.memory = CUFRAMES_MEMORY_CUDA_IPC;
    cuframes_publisher *publisher = open_publisher("legacy", &options);
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_begin(publisher, &frame));
    CHECK(frame.memory == CUFRAMES_MEMORY_CUDA && frame.cuda_device == 0);
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_publish(publisher, &frame, NULL));
    CHECK_CODE(CUFRAMES_OK, cuframes_probe(directory, "legacy", &list));
    CHECK(cuframes_stream_list_at(list, 0)->memory == CUFRAMES_MEMORY_CUDA && cuframes_stream_list_at(list, 0)->head == 1);
    cuframes_stream_list_free(list);
    cuframes_publisher_close(publisher);
}

/* Run without a device. */
static void no_device(void) {
    cuframes_publisher_options options = device_options();
    cuframes_format format = format_of(CUFRAMES_NV12, 64, 48);
    cuframes_publisher *publisher;
    CHECK_CODE(CUFRAMES_CUDA_UNAVAILABLE, cuframes_publisher_open("absent", &options, &format, &publisher));
    CHECK_SAYS("CUDA");
    CHECK(publisher == NULL);

    /* Main memory is not concerned. */
    options = publisher_options();
    publisher = open_publisher("absent", &options);
    publish(publisher);
    cuframes_publisher_close(publisher);
}

/* Run with the second cuStreamQuery of the library's failing; the first is of the first frame. */
static void failed_work(void) {
    cuframes_publisher_options options = device_options();
    cuframes_subscriber_options reading = subscriber_options();
    cuframes_frame frame = CUFRAMES_FRAME_INIT;
    uint64_t sequence = 77;
    open_driver();
    enter_program_context(0, 0);
    cuframes_publisher *publisher = open_publisher("failing", &options);
    cuframes_subscriber *subscriber = open_subscriber("failing", &reading);
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_begin(publisher, &frame));
    enqueue_fill(&frame, 1, work);
    CHECK_CODE(CUFRAMES_CUDA_CALL_FAILED, cuframes_publisher_publish_stream(publisher, &frame, work, &sequence));
    CHECK_SAYS("cuStreamQuery");
    CHECK(sequence == 77 && frame.lease != 0 && info_of(publisher).head == 0);
    cuframes_frame none = CUFRAMES_FRAME_INIT;
    CHECK_CODE(CUFRAMES_TIMED_OUT, cuframes_subscriber_next(subscriber, 0, &none));

    /* The frame is still open: it can be tried again, or given up. */
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_publish_stream(publisher, &frame, work, &sequence));
    CHECK(sequence == 1);
    frame = take(subscriber, 1);
    CHECK_CODE(CUFRAMES_OK, cuframes_frame_release(&frame));
    cuframes_subscriber_close(subscriber);
    cuframes_publisher_close(publisher);
    leave_program_context(0, 0);
}

/* Run with the second cuMemCreate out of memory. */
static void no_device_memory(void) {
    cuframes_publisher_options options = device_options();
    cuframes_subscriber_options reading = subscriber_options();
    cuframes_format larger = format_of(CUFRAMES_RGBA, 1920, 1080);
    cuframes_frame frame = CUFRAMES_FRAME_INIT;
    open_driver();
    enter_program_context(0, 0);
    cuframes_publisher *publisher = open_publisher("full", &options);
    cuframes_subscriber *subscriber = open_subscriber("full", &reading);
    int32_t code = cuframes_publisher_configure(publisher, &larger);
    CHECK(code == CUFRAMES_OUT_OF_RESOURCES);
    CHECK_SAYS("memory");
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_begin(publisher, &frame));
    CHECK(frame.width == 64);
    enqueue_fill(&frame, 1, work);
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_publish_stream(publisher, &frame, work, NULL));
    frame = take(subscriber, 1);
    CHECK_CODE(CUFRAMES_OK, cuframes_frame_release(&frame));
    cuframes_subscriber_close(subscriber);
    cuframes_publisher_close(publisher);
    leave_program_context(0, 0);
}

int main(int arguments, char **values) {
    static const test_case cases[] = {
        {"waits-for-the-stream", waits_for_the_stream}, {"current-context", current_context}, {"streams-of-other-contexts", streams_of_other_contexts},
        {"many-streams", many_streams}, {"devices", devices}, {"legacy-handles", legacy_handles}, {"no-device", no_device}, {"failed-work", failed_work},
        {"no-device-memory", no_device_memory}};
    return run_case(cases, sizeof cases / sizeof *cases, arguments, values);
}
