/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Several threads at one subscriber: a second taker is told BUSY, interrupt and close end a wait, callbacks may not take, frames are released by any thread. */
#include "stream.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* What cuframes.h promises for an interruption is 50 ms; the rest is for a machine that is busy. A wait that nothing interrupts is longer: 60 s, or for ever;
 * that for the answer of a publisher ends by itself after 5 s, of which the test takes some 100 ms before it interrupts. */
#define INTERRUPTED_WITHIN CUFRAMES_MILLISECONDS(30000)
#define HANDSHAKE_INTERRUPTED_WITHIN CUFRAMES_MILLISECONDS(4500)

static cuframes_subscriber *subscriber;
static cuframes_publisher *publisher;

typedef struct waiter {
    pthread_t thread;
    cuframes_subscriber *subscriber;
    int64_t timeout;
    int32_t code;
    int64_t ended;
    char text[1024];
    cuframes_frame frame;
} waiter;

static void *wait_for_frame(void *argument) {
    waiter *self = argument;
    self->frame = (cuframes_frame)CUFRAMES_FRAME_INIT;
    do {
        /* BUSY while the other thread looks whether we are here. */
        self->code = cuframes_subscriber_next(self->subscriber, self->timeout, &self->frame);
    } while (self->code == CUFRAMES_BUSY);
    self->ended = now_ns();
    snprintf(self->text, sizeof self->text, "%s", cuframes_last_error());
    return NULL;
}

static void begin(waiter *waiting, cuframes_subscriber *target, int64_t timeout) {
    waiting->subscriber = target;
    waiting->timeout = timeout;
    CHECK(pthread_create(&waiting->thread, NULL, wait_for_frame, waiting) == 0);
}

/* Until the other thread is in its wait: then a second taker is told so. */
static void expect_busy(cuframes_subscriber *target) {
    cuframes_frame frame = CUFRAMES_FRAME_INIT;
    cuframes_subscriber_info info = CUFRAMES_SUBSCRIBER_INFO_INIT;
    int descriptor;
    int32_t code;
    while ((code = cuframes_subscriber_get_info(target, &info)) == CUFRAMES_OK) {
        pause_ms(1);
    }

    CHECK_CODE(CUFRAMES_BUSY, code);
    CHECK_CODE(CUFRAMES_BUSY, cuframes_subscriber_next(target, 0, &frame));
    CHECK_CODE(CUFRAMES_BUSY, cuframes_subscriber_descriptor(target, &descriptor));
}

static void busy(const char *directory) {
    waiter waiting;
    subscriber = open_subscriber(directory, CUFRAMES_NEWEST, 2);
    begin(&waiting, subscriber, CUFRAMES_FOREVER);
    expect_busy(subscriber);
    publish_frame(publisher);
    pthread_join(waiting.thread, NULL);
    CHECK_CODE(CUFRAMES_OK, waiting.code);
    check_content(&waiting.frame);

    /* Any thread releases. */
    CHECK_CODE(CUFRAMES_OK, cuframes_frame_release(&waiting.frame));
    CHECK(held_frames(subscriber) == 0);
}

static void interruption(void) {
    waiter waiting;
    cuframes_frame frame = CUFRAMES_FRAME_INIT;
    const int64_t timeouts[] = {CUFRAMES_FOREVER, CUFRAMES_MILLISECONDS(60000)};
    for (size_t i = 0; i < 2; i++) {
        begin(&waiting, subscriber, timeouts[i]);
        expect_busy(subscriber);
        int64_t called = now_ns();
        CHECK_CODE(CUFRAMES_OK, cuframes_subscriber_interrupt(subscriber));
        pthread_join(waiting.thread, NULL);
        CHECK_CODE(CUFRAMES_INTERRUPTED, waiting.code);
        CHECK(waiting.ended - called < INTERRUPTED_WITHIN);
        CHECK(strstr(waiting.text, "interrupt") != NULL);
    }

    /* The next wait, when there is none now; one wait only, and no frame is lost by it. */
    publish_frame(publisher);
    CHECK_CODE(CUFRAMES_OK, cuframes_subscriber_interrupt(subscriber));
    CHECK_CODE(CUFRAMES_OK, cuframes_subscriber_interrupt(subscriber));
    CHECK_CODE(CUFRAMES_INTERRUPTED, cuframes_subscriber_next(subscriber, CUFRAMES_FOREVER, &frame));
    CHECK_CODE(CUFRAMES_OK, cuframes_subscriber_next(subscriber, CUFRAMES_FOREVER, &frame));
    check_content(&frame);
    CHECK_CODE(CUFRAMES_OK, cuframes_frame_release(&frame));

    /* A call that does not wait has nothing to interrupt. */
    CHECK_CODE(CUFRAMES_OK, cuframes_subscriber_interrupt(subscriber));
    CHECK_CODE(CUFRAMES_TIMED_OUT, cuframes_subscriber_next(subscriber, 0, &frame));
    CHECK_CODE(CUFRAMES_INTERRUPTED, cuframes_subscriber_next(subscriber, CUFRAMES_MILLISECONDS(60000), &frame));
}

static void close_while_waiting(const char *directory) {
    waiter waiting;
    cuframes_frame frame = CUFRAMES_FRAME_INIT;
    begin(&waiting, subscriber, CUFRAMES_FOREVER);
    expect_busy(subscriber);
    int64_t called = now_ns();
    cuframes_subscriber_close(subscriber);
    CHECK(now_ns() - called < INTERRUPTED_WITHIN);
    CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_subscriber_next(subscriber, 0, &frame));
    pthread_join(waiting.thread, NULL);
    CHECK_CODE(CUFRAMES_INTERRUPTED, waiting.code);

    /* Nobody publishes: the wait is for a publisher then. */
    cuframes_subscriber_options options = CUFRAMES_SUBSCRIBER_OPTIONS_INIT;
    options.directory = directory;
    options.wait_for_stream = 1;
    cuframes_subscriber *early = NULL;
    CHECK_CODE(CUFRAMES_OK, cuframes_subscriber_open("later", &options, &early));
    CHECK_CODE(CUFRAMES_TIMED_OUT, cuframes_subscriber_next(early, CUFRAMES_MILLISECONDS(30), &frame));
    begin(&waiting, early, CUFRAMES_FOREVER);
    expect_busy(early);
    called = now_ns();
    cuframes_subscriber_close(early);
    CHECK(now_ns() - called < INTERRUPTED_WITHIN);
    pthread_join(waiting.thread, NULL);
    CHECK_CODE(CUFRAMES_INTERRUPTED, waiting.code);
}

static pid_t stopping_child;
static int stopping_begins[2];

/* A publisher in a process of its own that stops once its socket is there: it accepts and never answers. */
static void make_stopping_publisher(const char *directory) {
    char byte;
    CHECK(pipe(stopping_begins) == 0);
    stopping_child = fork();
    CHECK(stopping_child >= 0);
    if (stopping_child == 0) {
        close(stopping_begins[1]);
        if (read(stopping_begins[0], &byte, 1) != 1) {
            exit(1);
        }

        cuframes_publisher_options options = CUFRAMES_PUBLISHER_OPTIONS_INIT;
        cuframes_publisher *stopping = NULL;
        options.directory = directory;
        CHECK_CODE(CUFRAMES_OK, cuframes_publisher_open("stopped", &options, NULL, &stopping));
        raise(SIGSTOP);
        cuframes_publisher_close(stopping);
        exit(0);
    }

    close(stopping_begins[0]);
}

/* The answer of a publisher is waited for up to 5 s: an interruption ends that too. */
static void interruption_of_a_handshake(const char *directory) {
    waiter waiting;
    int status;
    cuframes_frame frame = CUFRAMES_FRAME_INIT;
    cuframes_subscriber_options options = CUFRAMES_SUBSCRIBER_OPTIONS_INIT;
    cuframes_subscriber *early = NULL;
    options.directory = directory;
    options.wait_for_stream = 1;
    CHECK_CODE(CUFRAMES_OK, cuframes_subscriber_open("stopped", &options, &early));
    CHECK(write(stopping_begins[1], "b", 1) == 1);
    CHECK(waitpid(stopping_child, &status, WUNTRACED) == stopping_child && WIFSTOPPED(status));
    for (int closes = 0; closes < 2; closes++) {
        begin(&waiting, early, CUFRAMES_FOREVER);
        expect_busy(early);
        pause_ms(100);
        int64_t called = now_ns();
        if (closes) {
            cuframes_subscriber_close(early);
        }
        else {
            CHECK_CODE(CUFRAMES_OK, cuframes_subscriber_interrupt(early));
        }

        pthread_join(waiting.thread, NULL);
        CHECK_CODE(CUFRAMES_INTERRUPTED, waiting.code);
        CHECK(waiting.ended - called < HANDSHAKE_INTERRUPTED_WITHIN);
    }

    CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_subscriber_next(early, 0, &frame));
    CHECK(kill(stopping_child, SIGCONT) == 0);
    CHECK(waitpid(stopping_child, &status, 0) == stopping_child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int events;
static int32_t code_in_callback;
static int closes_in_callback;

static void on_event(void *user, const cuframes_event *event) {
    cuframes_frame frame = CUFRAMES_FRAME_INIT;
    CHECK(user == &events);
    CHECK(event->size == sizeof *event && event->text != NULL && event->text[0] != '\0');
    if (event->kind == CUFRAMES_EVENT_CONNECTED && events == 0) {
        CHECK(event->code == CUFRAMES_OK && event->epoch != 0 && event->subscriber_id == 0);
    }
    else if (event->kind == CUFRAMES_EVENT_DISCONNECTED) {
        CHECK(event->code == CUFRAMES_SHUTTING_DOWN);
        code_in_callback = cuframes_subscriber_next(subscriber, 0, &frame);
        if (closes_in_callback) {
            cuframes_subscriber_close(subscriber);
        }
    }

    events++;
}

/* What a callback must not do is refused, or done later, and does no harm. */
static void callbacks(const char *directory) {
    cuframes_subscriber_options options = CUFRAMES_SUBSCRIBER_OPTIONS_INIT;
    cuframes_frame frame = CUFRAMES_FRAME_INIT;
    options.directory = directory;
    options.on_event = on_event;
    options.event_user = &events;
    options.no_reconnect = 1;
    for (closes_in_callback = 0; closes_in_callback < 2; closes_in_callback++) {
        events = 0;
        CHECK_CODE(CUFRAMES_OK, cuframes_subscriber_open(STREAM_KEY, &options, &subscriber));
        CHECK(events == 1);
        publish_frame(publisher);
        CHECK_CODE(CUFRAMES_OK, cuframes_subscriber_next(subscriber, CUFRAMES_MILLISECONDS(20000), &frame));
        CHECK_CODE(CUFRAMES_OK, cuframes_frame_release(&frame));
        cuframes_publisher_close(publisher);
        code_in_callback = 0;
        CHECK_CODE(CUFRAMES_SHUTTING_DOWN, cuframes_subscriber_next(subscriber, CUFRAMES_FOREVER, &frame));
        CHECK(events == 2);
        CHECK_CODE(CUFRAMES_BUSY, code_in_callback);
        if (closes_in_callback) {
            CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_subscriber_next(subscriber, 0, &frame));
        }
        else {
            CHECK_CODE(CUFRAMES_DISCONNECTED, cuframes_subscriber_next(subscriber, CUFRAMES_FOREVER, &frame));
            cuframes_subscriber_close(subscriber);
        }

        publisher = open_publisher(directory, CUFRAMES_GRAY8, 64, 48);
    }
}

typedef struct releaser {
    pthread_t thread;
    cuframes_frame frame;
} releaser;

static void *release_later(void *argument) {
    releaser *self = argument;
    check_content(&self->frame);
    CHECK_CODE(CUFRAMES_OK, cuframes_frame_release(&self->frame));
    CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_frame_release(&self->frame));
    return NULL;
}

/* Every frame has four owners in four threads. */
static void owners_in_threads(const char *directory) {
    releaser owners[4];
    subscriber = open_subscriber(directory, CUFRAMES_IN_ORDER, 2);
    for (int i = 0; i < 300; i++) {
        cuframes_frame frame = CUFRAMES_FRAME_INIT;
        publish_frame(publisher);
        CHECK_CODE(CUFRAMES_OK, cuframes_subscriber_next(subscriber, CUFRAMES_MILLISECONDS(20000), &frame));
        for (size_t k = 0; k < 4; k++) {
            CHECK_CODE(CUFRAMES_OK, cuframes_frame_retain(&frame));
            owners[k].frame = frame;
        }

        CHECK_CODE(CUFRAMES_OK, cuframes_frame_release(&frame));
        for (size_t k = 0; k < 4; k++) {
            CHECK(pthread_create(&owners[k].thread, NULL, release_later, &owners[k]) == 0);
        }

        for (size_t k = 0; k < 4; k++) {
            pthread_join(owners[k].thread, NULL);
        }

        CHECK(held_frames(subscriber) == 0);
    }

    cuframes_subscriber_close(subscriber);
}

static void *start(void *gate) {
    char path[4096];
    pthread_barrier_wait(gate);
    CHECK_CODE(CUFRAMES_OK, cuframes_runtime_directory(path, sizeof path));
    return NULL;
}

int main(int count, char **arguments) {
    (void)count;
    const char *directory = arguments[1];
    make_stopping_publisher(directory);

    /* The first call, by eight threads at once. */
    pthread_t starters[8];
    pthread_barrier_t gate;
    pthread_barrier_init(&gate, NULL, 8);
    for (size_t i = 0; i < 8; i++) {
        CHECK(pthread_create(&starters[i], NULL, start, &gate) == 0);
    }

    for (size_t i = 0; i < 8; i++) {
        pthread_join(starters[i], NULL);
    }

    publisher = open_publisher(directory, CUFRAMES_GRAY8, 64, 48);
    busy(directory);
    interruption();
    close_while_waiting(directory);
    interruption_of_a_handshake(directory);
    callbacks(directory);
    owners_in_threads(directory);
    cuframes_publisher_close(publisher);
    return 0;
}
