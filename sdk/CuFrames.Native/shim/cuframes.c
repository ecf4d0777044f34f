/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The outside of libcuframes.so: the functions of cuframes.h, each of which hands over to its twin managed_*, compiled from C#. Here is only what
 * must not run in managed code:
 *
 * - the start of the runtime at the first call that needs it, which leaves the caller's signal handlers and mask as they are;
 * - the refusal of every call in a process that was forked after that start: of the runtime's threads only the forking one is left there;
 * - the last error's text, and what needs no runtime to be told: version and names.
 */
#define _GNU_SOURCE

#include "cuframes.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <time.h>

#define LIKELY(condition) (__builtin_expect(!!(condition), 1) != 0)

/* ------------------------------------------------------------------------------------------------------------ last error */

static _Thread_local char last_error[1024];

/* Keeps a sentence for cuframes_last_error, cut where a character begins when it is too long. Any thread. */
static void set_last_error(const char *text, size_t length) {
    if (length >= sizeof last_error) {
        length = sizeof last_error - 1;
        while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80) {
            length--;
        }
    }

    memcpy(last_error, text, length);
    last_error[length] = '\0';
}

static int32_t fail(int32_t code, const char *text) {
    set_last_error(text, strlen(text));
    return code;
}

/* ------------------------------------------------------------------------------------------------------------ managed twins */

/* What the shim gives to managed code at the start. */
typedef struct shim_services {
    void (*set_last_error)(const char *text, size_t length);
    void (*delete_tensor)(void *tensor);
    void (*delete_versioned_tensor)(void *tensor);
} shim_services;

extern int32_t managed_start(const shim_services *services);
extern int32_t managed_set_log(cuframes_log_callback callback, void *user, uint32_t level);
extern int64_t managed_picture_bytes(uint32_t pixel_format, uint32_t width, uint32_t height);
extern int32_t managed_runtime_directory(char *buffer, size_t size);
extern int32_t managed_list(const char *directory, cuframes_stream_list **list);
extern int32_t managed_probe(const char *directory, const char *key, cuframes_stream_list **list);
extern size_t managed_stream_list_count(const cuframes_stream_list *list);
extern const cuframes_stream_info *managed_stream_list_at(const cuframes_stream_list *list, size_t index);
extern void managed_stream_list_free(cuframes_stream_list *list);
extern int32_t managed_subscriber_open(const char *key, const cuframes_subscriber_options *options, cuframes_subscriber **subscriber);
extern void managed_subscriber_close(cuframes_subscriber *subscriber);
extern int32_t managed_subscriber_next(cuframes_subscriber *subscriber, int64_t timeout, cuframes_frame *frame);
extern int32_t managed_subscriber_interrupt(cuframes_subscriber *subscriber);
extern int32_t managed_subscriber_descriptor(cuframes_subscriber *subscriber, int *descriptor);
extern int32_t managed_subscriber_get_info(cuframes_subscriber *subscriber, cuframes_subscriber_info *info);
extern int32_t managed_frame_release(cuframes_frame *frame);
extern int32_t managed_frame_release_stream(cuframes_frame *frame, void *stream);
extern int32_t managed_frame_retain(const cuframes_frame *frame);
extern int32_t managed_frame_check(const cuframes_frame *frame);
extern int32_t managed_frame_copy(const cuframes_frame *frame, void *destination, size_t size);
extern int32_t managed_frame_to_dlpack(const cuframes_frame *frame, uint32_t plane, uint32_t versioned, void *stream, uint32_t has_stream, void **tensor);
extern void managed_tensor_delete(void *context);
extern int32_t managed_publisher_open(
    const char *key, const cuframes_publisher_options *options, const cuframes_format *format, cuframes_publisher **publisher);
extern void managed_publisher_close(cuframes_publisher *publisher);
extern int32_t managed_publisher_configure(cuframes_publisher *publisher, const cuframes_format *format);
extern int32_t managed_publisher_begin(cuframes_publisher *publisher, cuframes_frame *frame);
extern int32_t managed_publisher_publish(cuframes_publisher *publisher, cuframes_frame *frame, uint64_t *sequence);
extern int32_t managed_publisher_publish_stream(cuframes_publisher *publisher, cuframes_frame *frame, void *stream, uint64_t *sequence);
extern int32_t managed_publisher_abandon(cuframes_publisher *publisher, cuframes_frame *frame);
extern int32_t managed_publisher_set_state(cuframes_publisher *publisher, uint32_t state, const char *reason);
extern int32_t managed_publisher_evict(cuframes_publisher *publisher, uint64_t subscriber_id, const char *reason);
extern int32_t managed_publisher_get_info(cuframes_publisher *publisher, cuframes_publisher_info *info);
extern int32_t managed_publisher_get_subscribers(
    cuframes_publisher *publisher, cuframes_subscriber_statistics *subscribers, size_t item_size, size_t capacity, size_t *count);
extern int32_t managed_packet_subscriber_open(
    const char *key, const cuframes_packet_subscriber_options *options, cuframes_packet_subscriber **subscriber);
extern void managed_packet_subscriber_close(cuframes_packet_subscriber *subscriber);
extern int32_t managed_packet_subscriber_next(cuframes_packet_subscriber *subscriber, int64_t timeout, cuframes_packet *packet);
extern int32_t managed_packet_subscriber_find(cuframes_packet_subscriber *subscriber, uint64_t sequence, cuframes_packet *packet);
extern int32_t managed_packet_subscriber_interrupt(cuframes_packet_subscriber *subscriber);
extern int32_t managed_packet_subscriber_descriptor(cuframes_packet_subscriber *subscriber, int *descriptor);
extern int32_t managed_packet_subscriber_get_info(cuframes_packet_subscriber *subscriber, cuframes_packet_subscriber_info *info);
extern int32_t managed_packet_subscriber_get_track(cuframes_packet_subscriber *subscriber, uint32_t number, cuframes_packet_track *track);
extern int32_t managed_packet_get_track(const cuframes_packet *packet, cuframes_packet_track *track);
extern int32_t managed_packet_check(const cuframes_packet *packet);
extern int32_t managed_packet_copy(const cuframes_packet *packet, void *destination, size_t size);
extern int32_t managed_packet_retain(const cuframes_packet *packet);
extern int32_t managed_packet_release(const cuframes_packet *packet);
extern int32_t managed_packet_publisher_open(
    const char *key, const cuframes_packet_publisher_options *options, cuframes_packet_publisher **publisher);
extern void managed_packet_publisher_close(cuframes_packet_publisher *publisher);
extern int32_t managed_packet_publisher_add_track(cuframes_packet_publisher *publisher, const cuframes_packet_track *track, uint32_t *number);
extern int32_t managed_packet_publisher_set_parameters(cuframes_packet_publisher *publisher, uint32_t number, const cuframes_packet_track *track);
extern int32_t managed_packet_publisher_publish(cuframes_packet_publisher *publisher, const cuframes_packet *packet, uint64_t *sequence);
extern int32_t managed_packet_publisher_set_state(cuframes_packet_publisher *publisher, uint32_t state, const char *reason);
extern int32_t managed_packet_publisher_evict(cuframes_packet_publisher *publisher, uint64_t subscriber_id, const char *reason);
extern int32_t managed_packet_publisher_get_info(cuframes_packet_publisher *publisher, cuframes_packet_publisher_info *info);
extern int32_t managed_packet_publisher_get_subscribers(
    cuframes_packet_publisher *publisher, cuframes_subscriber_statistics *subscribers, size_t item_size, size_t capacity, size_t *count);

/* ------------------------------------------------------------------------------------------------------------ start */

enum state {
    STATE_UNUSED = 0, /* nothing was called that needs the runtime: fork is fine */
    STATE_STARTING = 1,
    STATE_READY = 2,
    STATE_FORKED = 3 /* a child of a process in which it was not UNUSED */
};

/* Written by the thread that starts (release), by the child of a fork, which has one thread; read by every call (acquire). */
static _Atomic int state;

/* Between fork and its return in the child. */
static void enter_child(void) {
    if (atomic_load_explicit(&state, memory_order_relaxed) != STATE_UNUSED) {
        atomic_store_explicit(&state, STATE_FORKED, memory_order_relaxed);
    }
}

/* Registered when the library is loaded, so that no fork falls between the registration and the start. */
__attribute__((constructor)) static void watch_forks(void) {
    pthread_atfork(NULL, NULL, enter_child);
}

static int32_t refuse_fork(void) {
    return fail(CUFRAMES_FORKED,
        "This process was forked after CuFrames had been used in its parent, whose threads did not come along. "
        "Start the process that reads or publishes before the first call, or begin it with exec.");
}

/* The DLPack deleters. All of a tensor, its context too, is one block of malloc. */
static void delete_tensor(void *tensor);
static void delete_versioned_tensor(void *tensor);

static const shim_services services = {set_last_error, delete_tensor, delete_versioned_tensor};

/* Address space that the runtime reserves: five times its heap's limit (CuFrames.Native.csproj) and its tables. It ends the process when it gets none, so
 * it is tried before. */
#define RESERVED_BYTES ((size_t)832 << 20)

static int32_t require_address_space(void) {
    void *place = mmap(NULL, RESERVED_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (place == MAP_FAILED) {
        char text[256];
        int error = errno;
        (void)snprintf(text, sizeof text,
            "The runtime of CuFrames needs %zu MiB of address space, and mmap answered '%s'. Raise the limit of address space (ulimit -v, RLIMIT_AS).",
            RESERVED_BYTES >> 20, strerror(error));
        return fail(CUFRAMES_OUT_OF_RESOURCES, text);
    }

    munmap(place, RESERVED_BYTES);
    return CUFRAMES_OK;
}

/* Starts the runtime. It installs handlers for faults, which its own code never makes, and one for SIGRTMIN, by which the collector stops threads:
 * the latter stays, every other signal is given back to the caller. The threads that it makes inherit the mask, which lets pass
 * what the kernel sends to the thread that made a fault, as those that the SDK makes do (SignalMask.cs). */
static int32_t start_runtime(void) {
    struct sigaction before[NSIG];
    int is_known[NSIG] = {0};
    sigset_t all;
    sigset_t mask;

    int32_t code = require_address_space();
    if (code != CUFRAMES_OK) {
        return code;
    }

    for (int signal = 1; signal < NSIG; signal++) {
        is_known[signal] = signal != SIGRTMIN && sigaction(signal, NULL, &before[signal]) == 0;
    }

    sigfillset(&all);
    sigdelset(&all, SIGRTMIN);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    pthread_sigmask(SIG_BLOCK, &all, &mask);
    code = managed_start(&services);
    for (int signal = 1; signal < NSIG; signal++) {
        struct sigaction now;
        if (is_known[signal] && sigaction(signal, NULL, &now) == 0 &&
            (now.sa_sigaction != before[signal].sa_sigaction || now.sa_flags != before[signal].sa_flags)) {
            sigaction(signal, &before[signal], NULL);
        }
    }

    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    return code;
}

/* The way of every call that does not find the runtime ready. */
__attribute__((cold, noinline)) static int32_t require_runtime(void) {
    for (;;) {
        int found = STATE_UNUSED;
        if (atomic_compare_exchange_strong(&state, &found, STATE_STARTING)) {
            int32_t code = start_runtime();
            atomic_store_explicit(&state, code == CUFRAMES_OK ? STATE_READY : STATE_UNUSED, memory_order_release);
            return code;
        }

        switch (found) {
        case STATE_READY:
            return CUFRAMES_OK;
        case STATE_FORKED:
            return refuse_fork();
        default: {
            /* Another thread starts it, which takes milliseconds and happens once. */
            const struct timespec pause = {0, 100000};
            nanosleep(&pause, NULL);
        }
        }
    }
}

static inline int is_ready(void) {
    return LIKELY(atomic_load_explicit(&state, memory_order_acquire) == STATE_READY);
}

/* Starts the runtime if need be, then is the managed twin. */
#define HAND_OVER(call)                          \
    do {                                         \
        if (!is_ready()) {                       \
            int32_t obstacle = require_runtime(); \
            if (obstacle != CUFRAMES_OK) {       \
                return obstacle;                 \
            }                                    \
        }                                        \
        return call;                             \
    } while (0)

/* For calls that tell nothing: without a runtime there is nothing that they could be about. */
#define IF_READY(call)     \
    do {                   \
        if (is_ready()) {  \
            call;          \
        }                  \
    } while (0)

/* ------------------------------------------------------------------------------------------------------------ general */

uint32_t cuframes_version(void) {
    return (uint32_t)CUFRAMES_VERSION_MAJOR << 16 | (uint32_t)CUFRAMES_VERSION_MINOR << 8 | (uint32_t)CUFRAMES_VERSION_PATCH;
}

const char *cuframes_last_error(void) {
    return last_error;
}

const char *cuframes_error_name(int32_t code) {
    static const char *const wire[] = {
        "NONE", "PROTOCOL_ERROR", "VERSION_MISMATCH", "UNSUPPORTED_TLV", "DESCRIPTOR_COUNT", "INVALID_KEY", "STREAM_NOT_FOUND", "ALREADY_PUBLISHED",
        "ACCESS_DENIED", "TOO_MANY_SUBSCRIBERS", "DELIVERY_NOT_GRANTED", "DOMAIN_NOT_MAPPABLE", "HANDSHAKE_TIMEOUT", "LEASE_TIMEOUT",
        "LEASE_QUOTA_EXCEEDED", "PAGE_INVALID", "LOSSLESS_TIMEOUT", "SOCKET_NOT_READ", "EVICTED_BY_OPERATOR", "SHUTTING_DOWN", "OUT_OF_RESOURCES",
        "SEGMENT_INVALID", "CONTROL_BLOCK_INVALID", "FRAME_INVALID", "FRAME_LOST", "FORMAT_UNSUPPORTED", "TIMED_OUT", "DISCONNECTED",
        "CONFIGURATION_INVALID", "SOURCE_FAILED", "SYSTEM_CALL_FAILED", "LEASES_EXHAUSTED", "CUDA_IPC_NAMESPACE", "CUDA_CALL_FAILED",
        "CUDA_UNAVAILABLE", "PACKET_INVALID", "PACKET_LOST", "PACKET_TOO_LARGE"};
    static const char *const own[] = {
        "INVALID_ARGUMENT", "INVALID_HANDLE", "BUSY", "FORKED", "INTERRUPTED", "DROPPED", "WRONG_STATE", "INTERNAL"};
    _Static_assert(sizeof wire / sizeof *wire == CUFRAMES_PACKET_TOO_LARGE + 1, "one name for each code of the wire");
    _Static_assert(sizeof own / sizeof *own == CUFRAMES_INTERNAL - CUFRAMES_INVALID_ARGUMENT + 1, "one name for each code of the library");

    if (code >= 0 && code <= CUFRAMES_PACKET_TOO_LARGE) {
        return wire[code];
    }

    return code >= CUFRAMES_INVALID_ARGUMENT && code <= CUFRAMES_INTERNAL ? own[code - CUFRAMES_INVALID_ARGUMENT] : "UNKNOWN";
}

int32_t cuframes_set_log(cuframes_log_callback callback, void *user, uint32_t level) {
    HAND_OVER(managed_set_log(callback, user, level));
}

/* For each plane the samples side by side; chroma planes (all but the first) are halved in both directions. */
static const struct {
    uint32_t format;
    const char *name;
    uint32_t sample;
    uint32_t planes;
    uint8_t samples[3];
    uint8_t is_tensor;
} pixel_formats[] = {
    {CUFRAMES_NV12, "nv12", CUFRAMES_SAMPLE_UINT8, 2, {1, 2}, 0},
    {CUFRAMES_I420, "i420", CUFRAMES_SAMPLE_UINT8, 3, {1, 1, 1}, 0},
    {CUFRAMES_P010, "p010", CUFRAMES_SAMPLE_UINT16, 2, {1, 2}, 0},
    {CUFRAMES_GRAY8, "gray8", CUFRAMES_SAMPLE_UINT8, 1, {1}, 0},
    {CUFRAMES_RGB24, "rgb24", CUFRAMES_SAMPLE_UINT8, 1, {3}, 0},
    {CUFRAMES_BGR24, "bgr24", CUFRAMES_SAMPLE_UINT8, 1, {3}, 0},
    {CUFRAMES_RGBA, "rgba", CUFRAMES_SAMPLE_UINT8, 1, {4}, 0},
    {CUFRAMES_BGRA, "bgra", CUFRAMES_SAMPLE_UINT8, 1, {4}, 0},
    {CUFRAMES_RGBP, "rgbp", CUFRAMES_SAMPLE_UINT8, 1, {1}, 1},
    {CUFRAMES_BGRP, "bgrp", CUFRAMES_SAMPLE_UINT8, 1, {1}, 1},
    {CUFRAMES_RGBP_F16, "rgbp_f16", CUFRAMES_SAMPLE_FLOAT16, 1, {1}, 1},
    {CUFRAMES_BGRP_F16, "bgrp_f16", CUFRAMES_SAMPLE_FLOAT16, 1, {1}, 1},
    {CUFRAMES_RGBP_F32, "rgbp_f32", CUFRAMES_SAMPLE_FLOAT32, 1, {1}, 1},
    {CUFRAMES_BGRP_F32, "bgrp_f32", CUFRAMES_SAMPLE_FLOAT32, 1, {1}, 1}};

#define PIXEL_FORMATS (sizeof pixel_formats / sizeof *pixel_formats)

const char *cuframes_pixel_format_name(uint32_t pixel_format) {
    for (size_t i = 0; i < PIXEL_FORMATS; i++) {
        if (pixel_formats[i].format == pixel_format) {
            return pixel_formats[i].name;
        }
    }

    return pixel_format == CUFRAMES_FORMAT_UNKNOWN ? "unknown" : NULL;
}

uint32_t cuframes_pixel_format_parse(const char *name) {
    for (size_t i = 0; name != NULL && i < PIXEL_FORMATS; i++) {
        if (strcasecmp(pixel_formats[i].name, name) == 0) {
            return pixel_formats[i].format;
        }
    }

    return CUFRAMES_FORMAT_UNKNOWN;
}

uint32_t cuframes_sample_type(uint32_t pixel_format) {
    for (size_t i = 0; i < PIXEL_FORMATS; i++) {
        if (pixel_formats[i].format == pixel_format) {
            return pixel_formats[i].sample;
        }
    }

    return CUFRAMES_SAMPLE_NONE;
}

uint32_t cuframes_plane_shape(uint32_t pixel_format, uint32_t plane, uint32_t width, uint32_t height, int64_t shape[3]) {
    size_t i = 0;
    while (i < PIXEL_FORMATS && pixel_formats[i].format != pixel_format) {
        i++;
    }

    /* The protocol's limit (docs/protocol.md 4.8). */
    const uint32_t most = 16384;
    if (i == PIXEL_FORMATS || plane >= pixel_formats[i].planes || width == 0 || height == 0 || width > most || height > most || shape == NULL) {
        return 0;
    }

    const int64_t rows = plane > 0 ? (height + 1) / 2 : height;
    const int64_t columns = plane > 0 ? (width + 1) / 2 : width;
    if (pixel_formats[i].is_tensor) {
        shape[0] = 3;
        shape[1] = rows;
        shape[2] = columns;
        return 3;
    }

    shape[0] = rows;
    shape[1] = columns;
    if (pixel_formats[i].samples[plane] == 1) {
        return 2;
    }

    shape[2] = pixel_formats[i].samples[plane];
    return 3;
}

int64_t cuframes_picture_bytes(uint32_t pixel_format, uint32_t width, uint32_t height) {
    if (!is_ready() && require_runtime() != CUFRAMES_OK) {
        return 0;
    }

    return managed_picture_bytes(pixel_format, width, height);
}

/* ------------------------------------------------------------------------------------------------------------ directory */

int32_t cuframes_runtime_directory(char *buffer, size_t size) {
    HAND_OVER(managed_runtime_directory(buffer, size));
}

int32_t cuframes_list(const char *directory, cuframes_stream_list **list) {
    HAND_OVER(managed_list(directory, list));
}

int32_t cuframes_probe(const char *directory, const char *key, cuframes_stream_list **list) {
    HAND_OVER(managed_probe(directory, key, list));
}

size_t cuframes_stream_list_count(const cuframes_stream_list *list) {
    return is_ready() ? managed_stream_list_count(list) : 0;
}

const cuframes_stream_info *cuframes_stream_list_at(const cuframes_stream_list *list, size_t index) {
    return is_ready() ? managed_stream_list_at(list, index) : NULL;
}

void cuframes_stream_list_free(cuframes_stream_list *list) {
    IF_READY(managed_stream_list_free(list));
}

/* ------------------------------------------------------------------------------------------------------------ reading */

int32_t cuframes_subscriber_open(const char *key, const cuframes_subscriber_options *options, cuframes_subscriber **subscriber) {
    HAND_OVER(managed_subscriber_open(key, options, subscriber));
}

void cuframes_subscriber_close(cuframes_subscriber *subscriber) {
    IF_READY(managed_subscriber_close(subscriber));
}

int32_t cuframes_subscriber_next(cuframes_subscriber *subscriber, int64_t timeout, cuframes_frame *frame) {
    HAND_OVER(managed_subscriber_next(subscriber, timeout, frame));
}

int32_t cuframes_subscriber_interrupt(cuframes_subscriber *subscriber) {
    HAND_OVER(managed_subscriber_interrupt(subscriber));
}

int32_t cuframes_subscriber_descriptor(cuframes_subscriber *subscriber, int *descriptor) {
    HAND_OVER(managed_subscriber_descriptor(subscriber, descriptor));
}

int32_t cuframes_subscriber_get_info(cuframes_subscriber *subscriber, cuframes_subscriber_info *info) {
    HAND_OVER(managed_subscriber_get_info(subscriber, info));
}

int32_t cuframes_frame_release(cuframes_frame *frame) {
    HAND_OVER(managed_frame_release(frame));
}

int32_t cuframes_frame_release_stream(cuframes_frame *frame, void *stream) {
    HAND_OVER(managed_frame_release_stream(frame, stream));
}

int32_t cuframes_frame_retain(const cuframes_frame *frame) {
    HAND_OVER(managed_frame_retain(frame));
}

int32_t cuframes_frame_check(const cuframes_frame *frame) {
    HAND_OVER(managed_frame_check(frame));
}

int32_t cuframes_frame_copy(const cuframes_frame *frame, void *destination, size_t size) {
    HAND_OVER(managed_frame_copy(frame, destination, size));
}

int32_t cuframes_frame_to_dlpack(const cuframes_frame *frame, uint32_t plane, uint32_t versioned, void *stream, uint32_t has_stream, void **tensor) {
    HAND_OVER(managed_frame_to_dlpack(frame, plane, versioned, stream, has_stream, tensor));
}

/* A DLManagedTensor has its manager_ctx behind the DLTensor of 48 bytes, a DLManagedTensorVersioned behind its version of 8 bytes. */
static void delete_tensor_with(void *tensor, size_t context_offset) {
    if (tensor == NULL) {
        return;
    }

    void *context;
    memcpy(&context, (const char *)tensor + context_offset, sizeof context);
    IF_READY(managed_tensor_delete(context));
    free(tensor);
}

static void delete_tensor(void *tensor) {
    delete_tensor_with(tensor, 48);
}

static void delete_versioned_tensor(void *tensor) {
    delete_tensor_with(tensor, 8);
}

/* ------------------------------------------------------------------------------------------------------------ publishing */

int32_t cuframes_publisher_open(
    const char *key, const cuframes_publisher_options *options, const cuframes_format *format, cuframes_publisher **publisher) {
    HAND_OVER(managed_publisher_open(key, options, format, publisher));
}

void cuframes_publisher_close(cuframes_publisher *publisher) {
    IF_READY(managed_publisher_close(publisher));
}

int32_t cuframes_publisher_configure(cuframes_publisher *publisher, const cuframes_format *format) {
    HAND_OVER(managed_publisher_configure(publisher, format));
}

int32_t cuframes_publisher_begin(cuframes_publisher *publisher, cuframes_frame *frame) {
    HAND_OVER(managed_publisher_begin(publisher, frame));
}

int32_t cuframes_publisher_publish(cuframes_publisher *publisher, cuframes_frame *frame, uint64_t *sequence) {
    HAND_OVER(managed_publisher_publish(publisher, frame, sequence));
}

int32_t cuframes_publisher_publish_stream(cuframes_publisher *publisher, cuframes_frame *frame, void *stream, uint64_t *sequence) {
    HAND_OVER(managed_publisher_publish_stream(publisher, frame, stream, sequence));
}

int32_t cuframes_publisher_abandon(cuframes_publisher *publisher, cuframes_frame *frame) {
    HAND_OVER(managed_publisher_abandon(publisher, frame));
}

int32_t cuframes_publisher_set_state(cuframes_publisher *publisher, uint32_t stream_state, const char *reason) {
    HAND_OVER(managed_publisher_set_state(publisher, stream_state, reason));
}

int32_t cuframes_publisher_evict(cuframes_publisher *publisher, uint64_t subscriber_id, const char *reason) {
    HAND_OVER(managed_publisher_evict(publisher, subscriber_id, reason));
}

int32_t cuframes_publisher_get_info(cuframes_publisher *publisher, cuframes_publisher_info *info) {
    HAND_OVER(managed_publisher_get_info(publisher, info));
}

int32_t cuframes_publisher_get_subscribers(
    cuframes_publisher *publisher, cuframes_subscriber_statistics *subscribers, size_t item_size, size_t capacity, size_t *count) {
    HAND_OVER(managed_publisher_get_subscribers(publisher, subscribers, item_size, capacity, count));
}

/* ------------------------------------------------------------------------------------------------------------ packets */

int32_t cuframes_packet_subscriber_open(const char *key, const cuframes_packet_subscriber_options *options, cuframes_packet_subscriber **subscriber) {
    HAND_OVER(managed_packet_subscriber_open(key, options, subscriber));
}

void cuframes_packet_subscriber_close(cuframes_packet_subscriber *subscriber) {
    IF_READY(managed_packet_subscriber_close(subscriber));
}

int32_t cuframes_packet_subscriber_next(cuframes_packet_subscriber *subscriber, int64_t timeout, cuframes_packet *packet) {
    HAND_OVER(managed_packet_subscriber_next(subscriber, timeout, packet));
}

int32_t cuframes_packet_subscriber_find(cuframes_packet_subscriber *subscriber, uint64_t sequence, cuframes_packet *packet) {
    HAND_OVER(managed_packet_subscriber_find(subscriber, sequence, packet));
}

int32_t cuframes_packet_subscriber_interrupt(cuframes_packet_subscriber *subscriber) {
    HAND_OVER(managed_packet_subscriber_interrupt(subscriber));
}

int32_t cuframes_packet_subscriber_descriptor(cuframes_packet_subscriber *subscriber, int *descriptor) {
    HAND_OVER(managed_packet_subscriber_descriptor(subscriber, descriptor));
}

int32_t cuframes_packet_subscriber_get_info(cuframes_packet_subscriber *subscriber, cuframes_packet_subscriber_info *info) {
    HAND_OVER(managed_packet_subscriber_get_info(subscriber, info));
}

int32_t cuframes_packet_subscriber_get_track(cuframes_packet_subscriber *subscriber, uint32_t number, cuframes_packet_track *track) {
    HAND_OVER(managed_packet_subscriber_get_track(subscriber, number, track));
}

int32_t cuframes_packet_get_track(const cuframes_packet *packet, cuframes_packet_track *track) {
    HAND_OVER(managed_packet_get_track(packet, track));
}

int32_t cuframes_packet_check(const cuframes_packet *packet) {
    HAND_OVER(managed_packet_check(packet));
}

int32_t cuframes_packet_copy(const cuframes_packet *packet, void *destination, size_t size) {
    HAND_OVER(managed_packet_copy(packet, destination, size));
}

int32_t cuframes_packet_retain(const cuframes_packet *packet) {
    HAND_OVER(managed_packet_retain(packet));
}

int32_t cuframes_packet_release(const cuframes_packet *packet) {
    HAND_OVER(managed_packet_release(packet));
}

int32_t cuframes_packet_publisher_open(const char *key, const cuframes_packet_publisher_options *options, cuframes_packet_publisher **publisher) {
    HAND_OVER(managed_packet_publisher_open(key, options, publisher));
}

void cuframes_packet_publisher_close(cuframes_packet_publisher *publisher) {
    IF_READY(managed_packet_publisher_close(publisher));
}

int32_t cuframes_packet_publisher_add_track(cuframes_packet_publisher *publisher, const cuframes_packet_track *track, uint32_t *number) {
    HAND_OVER(managed_packet_publisher_add_track(publisher, track, number));
}

int32_t cuframes_packet_publisher_set_parameters(cuframes_packet_publisher *publisher, uint32_t number, const cuframes_packet_track *track) {
    HAND_OVER(managed_packet_publisher_set_parameters(publisher, number, track));
}

int32_t cuframes_packet_publisher_publish(cuframes_packet_publisher *publisher, const cuframes_packet *packet, uint64_t *sequence) {
    HAND_OVER(managed_packet_publisher_publish(publisher, packet, sequence));
}

int32_t cuframes_packet_publisher_set_state(cuframes_packet_publisher *publisher, uint32_t stream_state, const char *reason) {
    HAND_OVER(managed_packet_publisher_set_state(publisher, stream_state, reason));
}

int32_t cuframes_packet_publisher_evict(cuframes_packet_publisher *publisher, uint64_t subscriber_id, const char *reason) {
    HAND_OVER(managed_packet_publisher_evict(publisher, subscriber_id, reason));
}

int32_t cuframes_packet_publisher_get_info(cuframes_packet_publisher *publisher, cuframes_packet_publisher_info *info) {
    HAND_OVER(managed_packet_publisher_get_info(publisher, info));
}

int32_t cuframes_packet_publisher_get_subscribers(
    cuframes_packet_publisher *publisher, cuframes_subscriber_statistics *subscribers, size_t item_size, size_t capacity, size_t *count) {
    HAND_OVER(managed_packet_publisher_get_subscribers(publisher, subscribers, item_size, capacity, count));
}
