/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The log: what comes, at which level, as which lines, and that a callback that was replaced is not called any more. */
#include "publishing.h"

#include <sched.h>

typedef struct sink {
    pthread_mutex_t gate;
    int count;
    struct {
        uint32_t level;
        char text[1024];
    } lines[128];
} sink;

static void keep(void *user, uint32_t level, const char *text) {
    sink *all = user;
    CHECK(pthread_mutex_lock(&all->gate) == 0);
    if (all->count < 128) {
        all->lines[all->count].level = level;
        snprintf(all->lines[all->count].text, sizeof all->lines[0].text, "%s", text);
        all->count++;
    }

    CHECK(pthread_mutex_unlock(&all->gate) == 0);
}

/* How many lines of a level begin so and have this part. */
static int lines(sink *all, uint32_t level, const char *beginning, const char *part) {
    int found = 0;
    CHECK(pthread_mutex_lock(&all->gate) == 0);
    for (int i = 0; i < all->count; i++) {
        const char *text = all->lines[i].text;
        found += all->lines[i].level == level && strncmp(text, beginning, strlen(beginning)) == 0 && strstr(text, part) != NULL;
    }

    CHECK(pthread_mutex_unlock(&all->gate) == 0);
    return found;
}

static int count_of(sink *all) {
    CHECK(pthread_mutex_lock(&all->gate) == 0);
    int count = all->count;
    CHECK(pthread_mutex_unlock(&all->gate) == 0);
    return count;
}

/* A reader comes, is evicted, comes again, loses the source, gets it back and sees the end. */
static void play(const char *key) {
    cuframes_publisher_options options = publisher_options();
    cuframes_subscriber_options reading = subscriber_options();
    cuframes_publisher *publisher = open_publisher(key, &options);
    cuframes_subscriber *subscriber = open_subscriber(key, &reading);
    cuframes_subscriber *refused;
    cuframes_subscriber_statistics statistics;
    cuframes_frame frame = CUFRAMES_FRAME_INIT;
    size_t count;
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_get_subscribers(publisher, &statistics, sizeof statistics, 1, &count));
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_evict(publisher, statistics.subscriber_id, "two\r\nlines\t\x1b[31m"));
    publish(publisher);
    frame = take(subscriber, 1);
    CHECK_CODE(CUFRAMES_OK, cuframes_frame_release(&frame));
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_set_state(publisher, CUFRAMES_STATE_SOURCE_LOST, "no cable"));
    CHECK_CODE(CUFRAMES_TIMED_OUT, cuframes_subscriber_next(subscriber, CUFRAMES_MILLISECONDS(60), &frame));
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_set_state(publisher, CUFRAMES_STATE_LIVE, "a cable"));
    CHECK_CODE(CUFRAMES_TIMED_OUT, cuframes_subscriber_next(subscriber, CUFRAMES_MILLISECONDS(60), &frame));
    reading.delivery = CUFRAMES_LOSSLESS;
    CHECK_CODE(CUFRAMES_DELIVERY_NOT_GRANTED, cuframes_subscriber_open(key, &reading, &refused));
    cuframes_publisher_close(publisher);
    CHECK_CODE(CUFRAMES_TIMED_OUT, cuframes_subscriber_next(subscriber, CUFRAMES_MILLISECONDS(60), &frame));
    cuframes_subscriber_close(subscriber);
}

static void all_lines(void) {
    sink all = {.gate = PTHREAD_MUTEX_INITIALIZER};
    CHECK_CODE(CUFRAMES_OK, cuframes_set_log(keep, &all, CUFRAMES_LOG_INFORMATION));
    play("yard");
    CHECK_CODE(CUFRAMES_OK, cuframes_set_log(NULL, NULL, 0));
    for (int i = 0; i < all.count; i++) {
        CHECK(strncmp(all.lines[i].text, "yard: ", 6) == 0);
        for (const char *each = all.lines[i].text; *each != '\0'; each++) {
            CHECK((unsigned char)*each >= ' ' && *each != 0x7F);
        }
    }

    /* As the publisher tells it. */
    CHECK(lines(&all, CUFRAMES_LOG_INFORMATION, "yard: Subscriber 1 of 'yard' joined", "test reader") == 1);
    CHECK(lines(&all, CUFRAMES_LOG_WARNING, "yard: Subscriber 1 of 'yard' was evicted", "two  lines  [31m") == 1);
    CHECK(lines(&all, CUFRAMES_LOG_WARNING, "yard: A subscriber of 'yard' was refused", "") == 1);
    CHECK(lines(&all, CUFRAMES_LOG_INFORMATION, "yard: Subscriber 2 of 'yard' left", "The publisher ends") == 1);

    /* As the subscriber does. */
    CHECK(lines(&all, CUFRAMES_LOG_INFORMATION, "yard: Connected to 'yard', published by 'test publisher'", "") == 2);
    CHECK(lines(&all, CUFRAMES_LOG_WARNING, "yard: The subscriber was evicted", "two  lines") == 1);
    CHECK(lines(&all, CUFRAMES_LOG_WARNING, "yard: The source is lost", "no cable") == 1);
    CHECK(lines(&all, CUFRAMES_LOG_INFORMATION, "yard: The source is back", "a cable") == 1);
    CHECK(lines(&all, CUFRAMES_LOG_WARNING, "yard: The subscriber is disconnected", "") == 1);
    CHECK(all.count == 11);
}

static void levels(void) {
    sink all = {.gate = PTHREAD_MUTEX_INITIALIZER};
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_set_log(keep, &all, 0));
    CHECK_SAYS("The level of the log is 0");
    CHECK_SAYS("3 information");
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_set_log(keep, &all, 4));
    play("silent");
    CHECK(count_of(&all) == 0);
    CHECK_CODE(CUFRAMES_OK, cuframes_set_log(keep, &all, CUFRAMES_LOG_WARNING));
    play("loud");
    CHECK(count_of(&all) == 5 && lines(&all, CUFRAMES_LOG_WARNING, "loud: ", "") == 5);
    CHECK_CODE(CUFRAMES_OK, cuframes_set_log(keep, &all, CUFRAMES_LOG_ERROR));
    play("errors");
    CHECK(count_of(&all) == 5);

    /* A refused change leaves the callback as it is. */
    CHECK_CODE(CUFRAMES_OK, cuframes_set_log(keep, &all, CUFRAMES_LOG_WARNING));
    CHECK_CODE(CUFRAMES_INVALID_ARGUMENT, cuframes_set_log(keep, &all, 77));
    play("still");
    CHECK(count_of(&all) == 10);
    CHECK_CODE(CUFRAMES_OK, cuframes_set_log(NULL, &all, 99));
    play("never");
    CHECK(count_of(&all) == 10);
}

static void long_lines(void) {
    /* A sentence is cut where a character begins, and ends with a zero byte. */
    sink all = {.gate = PTHREAD_MUTEX_INITIALIZER};
    cuframes_publisher_options options = publisher_options();
    cuframes_subscriber_options reading = subscriber_options();
    cuframes_subscriber_statistics statistics;
    size_t count;
    char reason[6001];
    for (size_t i = 0; i < 6000; i += 3) {
        memcpy(reason + i, "\xe2\x82\xac", 3);
    }

    reason[6000] = '\0';
    CHECK_CODE(CUFRAMES_OK, cuframes_set_log(keep, &all, CUFRAMES_LOG_WARNING));
    cuframes_publisher *publisher = open_publisher("long", &options);
    cuframes_subscriber *subscriber = open_subscriber("long", &reading);
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_get_subscribers(publisher, &statistics, sizeof statistics, 1, &count));
    CHECK_CODE(CUFRAMES_OK, cuframes_publisher_evict(publisher, statistics.subscriber_id, reason));
    CHECK(lines(&all, CUFRAMES_LOG_WARNING, "long: ", "\xe2\x82\xac\xe2\x82\xac") == 1);
    cuframes_subscriber_close(subscriber);
    cuframes_publisher_close(publisher);
    CHECK_CODE(CUFRAMES_OK, cuframes_set_log(NULL, NULL, 0));
}

/* A callback's own memory: it must not be called once cuframes_set_log has replaced it. */
typedef struct owner {
    atomic_int is_gone;
    atomic_int inside;
    atomic_long calls;
} owner;

static void touch(void *user, uint32_t level, const char *text) {
    owner *mine = user;
    CHECK(level >= 1 && level <= 3 && text[0] != '\0');
    atomic_fetch_add(&mine->inside, 1);
    CHECK(atomic_load(&mine->is_gone) == 0);
    for (volatile int i = 0; i < 100000; i++) {
    }

    CHECK(atomic_load(&mine->is_gone) == 0);
    atomic_fetch_add(&mine->calls, 1);
    atomic_fetch_sub(&mine->inside, 1);
}

static atomic_int is_over;

static void *make_lines(void *number) {
    char key[32];
    cuframes_publisher_options options = publisher_options();
    cuframes_subscriber_options reading = subscriber_options();
    snprintf(key, sizeof key, "noisy-%d", (int)(intptr_t)number);
    cuframes_publisher *publisher = open_publisher(key, &options);
    while (!atomic_load(&is_over)) {
        cuframes_subscriber_close(open_subscriber(key, &reading));
    }

    cuframes_publisher_close(publisher);
    return NULL;
}

static void swaps(void) {
    enum { SWAPS = 1000 };
    static owner owners[SWAPS];
    pthread_t threads[3];
    long calls = 0;
    for (int i = 0; i < 3; i++) {
        CHECK(pthread_create(&threads[i], NULL, make_lines, (void *)(intptr_t)i) == 0);
    }

    for (int i = 0; i < SWAPS; i++) {
        CHECK_CODE(CUFRAMES_OK, cuframes_set_log(touch, &owners[i], CUFRAMES_LOG_INFORMATION));
        if (i > 0) {
            CHECK(atomic_load(&owners[i - 1].inside) == 0);
            atomic_store(&owners[i - 1].is_gone, 1);
        }

        /* Lines come; the next change falls anywhere into one, or between two. */
        while (atomic_load(&owners[i].calls) == 0) {
            sched_yield();
        }

        for (volatile int k = 0; k < i % 64 * 3000; k++) {
        }
    }

    CHECK_CODE(CUFRAMES_OK, cuframes_set_log(NULL, NULL, 0));
    atomic_store(&owners[SWAPS - 1].is_gone, 1);
    for (int i = 0; i < SWAPS; i++) {
        calls += atomic_load(&owners[i].calls);
    }

    pause_ms(50);
    atomic_store(&is_over, 1);
    for (int i = 0; i < 3; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }

    printf("%ld lines over %d swaps\n", calls, SWAPS);
    CHECK(calls >= SWAPS);
}

int main(int arguments, char **values) {
    static const test_case cases[] = {{"all-lines", all_lines}, {"levels", levels}, {"long-lines", long_lines}, {"swaps", swaps}};
    return run_case(cases, sizeof cases / sizeof *cases, arguments, values);
}
