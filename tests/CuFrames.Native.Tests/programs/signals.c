/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The library leaves signal handlers, the signal mask and the alternative stack of its caller as they are; its threads take none but SIGRTMIN; handlers of
 * the caller for its own faults work before and after; a signal to the process interrupts no wait. */
#include "stream.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct sigaction before[NSIG];
static sigset_t mask_before;
static stack_t stack_before;
static volatile sig_atomic_t alarms;
static volatile sig_atomic_t faults;
static sigjmp_buf recovery;

static void count_alarm(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)info;
    (void)context;
    alarms++;
}

static void recover(int number) {
    (void)number;
    faults++;
    siglongjmp(recovery, 1);
}

static void fault(void) {
    volatile int *volatile nowhere = NULL;
    if (sigsetjmp(recovery, 1) == 0) {
        *nowhere = 1;
        CHECK(!"the fault was not noticed");
    }
}

static void remember(void) {
    for (int number = 1; number < NSIG; number++) {
        CHECK(sigaction(number, NULL, &before[number]) == 0 || errno == EINVAL);
    }

    CHECK(pthread_sigmask(SIG_SETMASK, NULL, &mask_before) == 0);
    CHECK(sigaltstack(NULL, &stack_before) == 0);
}

static void expect_unchanged(void) {
    for (int number = 1; number < NSIG; number++) {
        struct sigaction now;
        if (number == SIGRTMIN || sigaction(number, NULL, &now) != 0) {
            continue;
        }

        if (now.sa_sigaction != before[number].sa_sigaction || now.sa_flags != before[number].sa_flags ||
            memcmp(&now.sa_mask, &before[number].sa_mask, sizeof(unsigned long)) != 0) {
            fprintf(stderr, "the handler of signal %d has changed\n", number);
            exit(1);
        }
    }

    sigset_t mask;
    stack_t stack;
    CHECK(pthread_sigmask(SIG_SETMASK, NULL, &mask) == 0);
    for (int number = 1; number < NSIG; number++) {
        CHECK(sigismember(&mask, number) == sigismember(&mask_before, number));
    }

    CHECK(sigaltstack(NULL, &stack) == 0);
    CHECK(stack.ss_sp == stack_before.ss_sp && stack.ss_flags == stack_before.ss_flags);
}

/* Threads other than this one. Their masks are read from the kernel. */
static int expect_masked_threads(void) {
    int threads = 0;
    DIR *folder = opendir("/proc/self/task");
    CHECK(folder != NULL);
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        char path[300];
        char line[256];
        unsigned long long blocked = 0;
        char name[64] = "";
        if (entry->d_name[0] == '.' || atoi(entry->d_name) == (int)syscall(SYS_gettid)) {
            continue;
        }

        /* The C library blocks all signals, its own two too, while it makes a thread: such a one is looked at again. One that ends while its file is open
         * tells nothing of its mask. */
        snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
        int is_known = 0;
        for (int tries = 0; tries < 1000 && !is_known; tries++) {
            FILE *status = fopen(path, "r");
            if (status == NULL) {
                break;
            }

            int is_told = 0;
            while (fgets(line, sizeof line, status) != NULL) {
                (void)sscanf(line, "Name: %63s", name);
                is_told |= sscanf(line, "SigBlk: %llx", &blocked) == 1;
            }

            fclose(status);
            is_known = is_told && (blocked >> 31 & 3) != 3;
            if (!is_known) {
                pause_ms(1);
            }
        }

        if (!is_known) {
            CHECK(access(path, F_OK) != 0);
            continue;
        }

        threads++;
        for (int number = 1; number < NSIG; number++) {
            /* 32 and 33 are the C library's own, and nobody blocks KILL and STOP. */
            if (number == SIGKILL || number == SIGSTOP || number == 32 || number == 33) {
                continue;
            }

            /* The kernel sends these to the thread that makes the fault, and a thread that blocks them ends the process by it. */
            int is_own_fault = number == SIGSEGV || number == SIGBUS || number == SIGFPE || number == SIGILL;
            int is_blocked = (int)(blocked >> (number - 1) & 1);
            if (is_blocked != (number != SIGRTMIN && !is_own_fault)) {
                fprintf(stderr, "thread %s %s signal %d\n", name, is_blocked ? "blocks" : "takes", number);
                exit(1);
            }
        }
    }

    closedir(folder);
    return threads;
}

static void *send_alarms(void *target) {
    for (int i = 0; i < 20; i++) {
        pause_ms(10);
        CHECK(kill(getpid(), SIGALRM) == 0);
    }

    pause_ms(50);
    publish_frame(target);
    return NULL;
}

static void log_line(void *user, uint32_t level, const char *text) {
    (void)user;
    (void)level;
    (void)text;
}

int main(int count, char **arguments) {
    (void)count;
    const char *directory = arguments[1];
    char buffer[64 * 48 * 2];

    /* Handlers of the caller, in all the ways that there are. */
    struct sigaction action = {0};
    action.sa_sigaction = count_alarm;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    sigaddset(&action.sa_mask, SIGUSR2);
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    action = (struct sigaction){0};
    action.sa_handler = recover;
    action.sa_flags = SA_NODEFER | SA_ONSTACK;
    CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
    CHECK(sigaction(SIGFPE, &action, NULL) == 0);
    signal(SIGCHLD, SIG_IGN);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGQUIT, SIG_IGN);
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigaddset(&blocked, SIGTERM);
    CHECK(pthread_sigmask(SIG_BLOCK, &blocked, NULL) == 0);
    static char stack_memory[1 << 16];
    const stack_t stack = {.ss_sp = stack_memory, .ss_size = sizeof stack_memory};
    CHECK(sigaltstack(&stack, NULL) == 0);
    remember();
    fault();

    CHECK_CODE(CUFRAMES_OK, cuframes_set_log(log_line, NULL, CUFRAMES_LOG_INFORMATION));
    expect_unchanged();
    cuframes_publisher *publisher = open_publisher(directory, CUFRAMES_NV12, 64, 48);
    expect_unchanged();
    cuframes_subscriber *subscriber = open_subscriber(directory, CUFRAMES_IN_ORDER, 4);
    cuframes_stream_list *list;
    cuframes_frame frame = CUFRAMES_FRAME_INIT;
    cuframes_subscriber *none;
    int descriptor;
    void *tensor;
    CHECK_CODE(CUFRAMES_STREAM_NOT_FOUND, cuframes_subscriber_open("nobody", NULL, &none));
    CHECK_CODE(CUFRAMES_TIMED_OUT, cuframes_subscriber_next(subscriber, CUFRAMES_MILLISECONDS(100), &frame));
    CHECK_CODE(CUFRAMES_OK, cuframes_subscriber_descriptor(subscriber, &descriptor));
    CHECK_CODE(CUFRAMES_TIMED_OUT, cuframes_subscriber_next(subscriber, 0, &frame));
    publish_frame(publisher);
    CHECK_CODE(CUFRAMES_OK, cuframes_subscriber_next(subscriber, CUFRAMES_FOREVER, &frame));
    CHECK_CODE(CUFRAMES_OK, cuframes_frame_copy(&frame, buffer, sizeof buffer));
    CHECK_CODE(CUFRAMES_OK, cuframes_frame_to_dlpack(&frame, 0, 1, NULL, 0, &tensor));
    CHECK_CODE(CUFRAMES_OK, cuframes_frame_release(&frame));
    CHECK_CODE(CUFRAMES_OK, cuframes_list(directory, &list));
    cuframes_stream_list_free(list);
    expect_unchanged();

    /* The control thread and the collector's: without them this proves nothing. */
    CHECK(expect_masked_threads() >= 2);

    /* The caller's handler for its own faults, installed before, and another one installed afterwards. */
    fault();
    CHECK(faults == 2);
    action.sa_flags = 0;
    CHECK(sigaction(SIGBUS, &action, NULL) == 0);
    CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
    remember();
    fault();
    CHECK(faults == 3);

    /* Signals to the process come to this thread, as no other takes them, and the wait goes on. */
    pthread_t sender;
    sigset_t all;
    sigset_t old;
    sigfillset(&all);
    CHECK(pthread_sigmask(SIG_SETMASK, &all, &old) == 0);
    CHECK(pthread_create(&sender, NULL, send_alarms, publisher) == 0);
    CHECK(pthread_sigmask(SIG_SETMASK, &old, NULL) == 0);
    CHECK_CODE(CUFRAMES_OK, cuframes_subscriber_next(subscriber, CUFRAMES_FOREVER, &frame));
    check_content(&frame);
    CHECK_CODE(CUFRAMES_OK, cuframes_frame_release(&frame));
    pthread_join(sender, NULL);
    CHECK(alarms > 0);

    cuframes_subscriber_close(subscriber);
    cuframes_publisher_close(publisher);
    CHECK_CODE(CUFRAMES_OK, cuframes_set_log(NULL, NULL, 0));
    expect_unchanged();
    fault();
    CHECK(faults == 4);
    return 0;
}
