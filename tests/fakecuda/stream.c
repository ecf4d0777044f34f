/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Streams: a thread each, which runs the operations in order. */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

static _Atomic uint64_t stream_number;

uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

void nap(uint64_t nanoseconds) {
  struct timespec time = {(time_t)(nanoseconds / 1000000000u), (long)(nanoseconds % 1000000000u)};
  while (nanosleep(&time, &time) != 0 && errno == EINTR) {
  }
}

/* The time that an operation takes is spent in three parts: before it touches memory, in the middle of it, and after it,
 * before anybody hears that it is done. */
void pause_third(CUstream stream) {
  if (stream->delay != 0)
    nap(stream->delay / 3);
}

static uint64_t next_delay(CUstream stream) {
  if (config.delay_max == 0)
    return 0;
  /* xorshift64 */
  stream->random ^= stream->random << 13;
  stream->random ^= stream->random >> 7;
  stream->random ^= stream->random << 17;
  return config.delay_min + stream->random % (config.delay_max - config.delay_min + 1);
}

void stream_drop(CUstream stream) {
  if (atomic_fetch_sub(&stream->references, 1) == 1) {
    pthread_cond_destroy(&stream->changed);
    pthread_mutex_destroy(&stream->mutex);
    free(stream);
  }
}

/* Waits in steps, because the other stream's context may end. */
static void wait_for(CUstream waiting, const struct dependency *dependency) {
  CUstream other = dependency->stream;
  pthread_mutex_lock(&other->mutex);
  while (other->completed < dependency->ticket && !stopped(waiting->context)) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += 10 * 1000 * 1000;
    if (until.tv_nsec >= 1000000000) {
      until.tv_sec++;
      until.tv_nsec -= 1000000000;
    }
    pthread_cond_clockwait(&other->changed, &other->mutex, CLOCK_MONOTONIC, &until);
  }
  pthread_mutex_unlock(&other->mutex);
}

static void finish(struct operation *operation) {
  for (int i = 0; i < operation->dependency_count; i++)
    stream_drop(operation->dependencies[i].stream);
  free(operation->dependencies);
  if (operation->drop != NULL)
    operation->drop(operation);
  free(operation);
}

static void *work(void *argument) {
  CUstream stream = argument;
  pthread_setname_np(pthread_self(), "fakecuda-stream");
  prctl(PR_SET_TIMERSLACK, 1000);
  pthread_mutex_lock(&stream->mutex);
  for (;;) {
    while (stream->head == NULL && !stream->closing)
      pthread_cond_wait(&stream->changed, &stream->mutex);
    struct operation *operation = stream->head;
    if (operation == NULL)
      break;
    stream->head = operation->next;
    if (stream->head == NULL)
      stream->tail = NULL;
    pthread_mutex_unlock(&stream->mutex);
    for (int i = 0; i < operation->dependency_count; i++)
      wait_for(stream, &operation->dependencies[i]);
    if (!stopped(stream->context)) {
      stream->delay = next_delay(stream);
      operation->run(operation, stream);
    }
    finish(operation);
    pthread_mutex_lock(&stream->mutex);
    stream->completed++;
    pthread_cond_broadcast(&stream->changed);
  }
  pthread_mutex_unlock(&stream->mutex);
  stream_drop(stream);
  return NULL;
}

/* With lock held. */
static CUstream make_stream(CUcontext context, bool is_null, bool blocking) {
  CUstream stream = calloc(1, sizeof *stream);
  stream->context = context;
  stream->is_null = is_null;
  stream->blocking = blocking;
  stream->random = (config.seed ^ atomic_fetch_add(&stream_number, 1) * 0x9e3779b97f4a7c15u) | 1;
  atomic_store(&stream->references, 2);
  pthread_mutex_init(&stream->mutex, NULL);
  pthread_cond_init(&stream->changed, NULL);
  /* The program's signal handlers must not run on a thread that it does not know. */
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  int problem = pthread_create(&thread, NULL, work, stream);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (problem != 0) {
    pthread_cond_destroy(&stream->changed);
    pthread_mutex_destroy(&stream->mutex);
    free(stream);
    return NULL;
  }
  pthread_detach(thread);
  stream->next = context->streams;
  context->streams = stream;
  return stream;
}

/* CU_STREAM_LEGACY is another name of the null stream; the per-thread default stream is not modelled. */
#define LEGACY ((CUstream)1)

CUresult stream_take(CUstream handle, CUstream *stream) {
  CUcontext context = current_context();
  CUresult result = CUDA_SUCCESS;
  *stream = NULL;
  pthread_mutex_lock(&lock);
  if (handle == NULL || handle == LEGACY) {
    if (context->null_stream == NULL)
      context->null_stream = make_stream(context, true, false);
    *stream = context->null_stream;
    if (*stream == NULL)
      result = CUDA_ERROR_OUT_OF_MEMORY;
  } else {
    for (CUstream each = context->streams; each != NULL; each = each->next) {
      if (each == handle)
        *stream = each;
    }
    if (*stream == NULL)
      result = CUDA_ERROR_INVALID_HANDLE;
  }
  if (*stream != NULL)
    atomic_fetch_add(&(*stream)->references, 1);
  pthread_mutex_unlock(&lock);
  return result;
}

static void depend(struct operation *operation, CUstream on) {
  pthread_mutex_lock(&on->mutex);
  uint64_t ticket = on->enqueued;
  bool pending = on->completed < ticket;
  pthread_mutex_unlock(&on->mutex);
  if (!pending)
    return;
  operation->dependencies =
      realloc(operation->dependencies, (size_t)(operation->dependency_count + 1) * sizeof *operation->dependencies);
  operation->dependencies[operation->dependency_count++] = (struct dependency){on, ticket};
  atomic_fetch_add(&on->references, 1);
}

uint64_t stream_enqueue(CUstream stream, struct operation *operation) {
  CUcontext context = stream->context;
  /* The null stream and the blocking streams wait for one another. Under lock, so that no two wait in a circle. */
  bool ordered = stream->is_null || stream->blocking;
  if (ordered) {
    pthread_mutex_lock(&lock);
    for (CUstream each = context->streams; each != NULL; each = each->next) {
      if (each != stream && (stream->is_null ? each->blocking : each->is_null))
        depend(operation, each);
    }
  }
  pthread_mutex_lock(&stream->mutex);
  operation->next = NULL;
  if (stream->tail != NULL)
    stream->tail->next = operation;
  else
    stream->head = operation;
  stream->tail = operation;
  uint64_t ticket = ++stream->enqueued;
  pthread_cond_broadcast(&stream->changed);
  pthread_mutex_unlock(&stream->mutex);
  if (ordered)
    pthread_mutex_unlock(&lock);
  return ticket;
}

CUresult stream_wait(CUstream stream, uint64_t ticket) {
  pthread_mutex_lock(&stream->mutex);
  while (stream->completed < ticket)
    pthread_cond_wait(&stream->changed, &stream->mutex);
  pthread_mutex_unlock(&stream->mutex);
  return broken();
}

static CUresult stream_wait_all(CUstream stream) {
  pthread_mutex_lock(&stream->mutex);
  uint64_t ticket = stream->enqueued;
  pthread_mutex_unlock(&stream->mutex);
  return stream_wait(stream, ticket);
}

/* The streams of a context, with a reference each. */
static CUstream *streams_of(CUcontext context, bool all, int *count) {
  *count = 0;
  pthread_mutex_lock(&lock);
  for (CUstream each = context->streams; each != NULL; each = each->next)
    ++*count;
  CUstream *streams = calloc((size_t)*count + 1, sizeof *streams);
  *count = 0;
  for (CUstream each = context->streams; each != NULL; each = each->next) {
    if (all || each->blocking || each->is_null) {
      atomic_fetch_add(&each->references, 1);
      streams[(*count)++] = each;
    }
  }
  pthread_mutex_unlock(&lock);
  return streams;
}

static CUresult wait_for_streams(CUcontext context, bool all) {
  int count;
  CUstream *streams = streams_of(context, all, &count);
  for (int i = 0; i < count; i++) {
    stream_wait_all(streams[i]);
    stream_drop(streams[i]);
  }
  free(streams);
  return broken();
}

CUresult context_wait(CUcontext context) {
  return wait_for_streams(context, true);
}

static void close_stream(CUstream stream) {
  pthread_mutex_lock(&stream->mutex);
  stream->closing = true;
  pthread_cond_broadcast(&stream->changed);
  pthread_mutex_unlock(&stream->mutex);
  stream_drop(stream);
}

void streams_leave(CUcontext context) {
  pthread_mutex_lock(&lock);
  CUstream stream = context->streams;
  context->streams = context->null_stream = NULL;
  pthread_mutex_unlock(&lock);
  while (stream != NULL) {
    CUstream next = stream->next;
    if (!stream->is_null)
      live_lost(LIVE_STREAMS);
    close_stream(stream);
    stream = next;
  }
}

/* ---- calls ---- */

CUresult cuStreamCreate(CUstream *stream, unsigned flags) {
  ENTER(cuStreamCreate, NEEDS_CONTEXT);
  REQUIRE(stream != NULL && (flags & ~(unsigned)CU_STREAM_NON_BLOCKING) == 0, CUDA_ERROR_INVALID_VALUE);
  pthread_mutex_lock(&lock);
  *stream = make_stream(current_context(), false, flags == CU_STREAM_DEFAULT);
  pthread_mutex_unlock(&lock);
  REQUIRE(*stream != NULL, CUDA_ERROR_OUT_OF_MEMORY);
  live_add(LIVE_STREAMS, 1);
  return CUDA_SUCCESS;
}

/* Returns at once; the stream goes when its work is done. */
CUresult cuStreamDestroy_v2(CUstream handle) {
  ENTER(cuStreamDestroy_v2, NEEDS_CONTEXT);
  CUcontext context = current_context();
  CUstream found = NULL;
  pthread_mutex_lock(&lock);
  for (CUstream *each = &context->streams; *each != NULL; each = &(*each)->next) {
    if (*each == handle && !handle->is_null) {
      found = handle;
      *each = handle->next;
      break;
    }
  }
  pthread_mutex_unlock(&lock);
  REQUIRE(found != NULL, CUDA_ERROR_INVALID_HANDLE);
  live_add(LIVE_STREAMS, -1);
  close_stream(found);
  return CUDA_SUCCESS;
}

static bool is_idle(CUstream stream) {
  pthread_mutex_lock(&stream->mutex);
  bool idle = stream->completed == stream->enqueued;
  pthread_mutex_unlock(&stream->mutex);
  return idle;
}

CUresult cuStreamQuery(CUstream handle) {
  ENTER(cuStreamQuery, NEEDS_CONTEXT);
  CUstream stream;
  CUresult result = stream_take(handle, &stream);
  if (result != CUDA_SUCCESS)
    return result;
  bool idle = is_idle(stream);
  if (stream->is_null) {
    int count;
    CUstream *streams = streams_of(stream->context, false, &count);
    for (int i = 0; i < count; i++) {
      idle = is_idle(streams[i]) && idle;
      stream_drop(streams[i]);
    }
    free(streams);
  }
  stream_drop(stream);
  if (broken() != CUDA_SUCCESS)
    return broken();
  return idle ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY;
}

CUresult cuStreamSynchronize(CUstream handle) {
  ENTER(cuStreamSynchronize, NEEDS_CONTEXT);
  CUstream stream;
  CUresult result = stream_take(handle, &stream);
  if (result != CUDA_SUCCESS)
    return result;
  result = stream->is_null ? wait_for_streams(stream->context, false) : stream_wait_all(stream);
  stream_drop(stream);
  return result;
}

CUresult cuStreamGetCtx(CUstream handle, CUcontext *context) {
  ENTER(cuStreamGetCtx, NEEDS_CONTEXT);
  REQUIRE(context != NULL, CUDA_ERROR_INVALID_VALUE);
  CUstream stream;
  CUresult result = stream_take(handle, &stream);
  if (result != CUDA_SUCCESS)
    return result;
  *context = stream->context;
  stream_drop(stream);
  return CUDA_SUCCESS;
}

/* ---- values in memory ---- */

struct value_operation {
  struct operation operation;
  CUdeviceptr address;
  uint64_t value;
  unsigned condition;
};

static void write_value(struct operation *operation, CUstream stream) {
  struct value_operation *write = (struct value_operation *)operation;
  pause_third(stream);
  pthread_rwlock_rdlock(&space);
  bool there = check_access(write->address, 8, stream->context->device, true) == ACCESS_OK;
  if (there)
    atomic_store_explicit((_Atomic uint64_t *)write->address, write->value, memory_order_release);
  pthread_rwlock_unlock(&space);
  if (!there)
    break_process(CUDA_ERROR_ILLEGAL_ADDRESS);
  pause_third(stream);
}

static bool holds(uint64_t found, uint64_t value, unsigned condition) {
  switch (condition) {
    case CU_STREAM_WAIT_VALUE_GEQ: return (int64_t)(found - value) >= 0;
    case CU_STREAM_WAIT_VALUE_EQ: return found == value;
    case CU_STREAM_WAIT_VALUE_AND: return (found & value) != 0;
    default: return ~(found | value) != 0;
  }
}

static void wait_value(struct operation *operation, CUstream stream) {
  struct value_operation *wait = (struct value_operation *)operation;
  while (!stopped(stream->context)) {
    uint64_t found = 0;
    pthread_rwlock_rdlock(&space);
    bool there = check_access(wait->address, 8, stream->context->device, false) == ACCESS_OK;
    if (there)
      found = atomic_load_explicit((_Atomic uint64_t *)wait->address, memory_order_acquire);
    pthread_rwlock_unlock(&space);
    if (!there) {
      break_process(CUDA_ERROR_ILLEGAL_ADDRESS);
      return;
    }
    if (holds(found, wait->value, wait->condition))
      return;
    nap(20000);
  }
}

static CUresult enqueue_value(CUstream handle, CUdeviceptr address, uint64_t value, unsigned condition, bool write) {
  REQUIRE(config.features[FEATURE_STREAM_MEM_OPS], CUDA_ERROR_NOT_SUPPORTED);
  REQUIRE(address != 0 && address % 8 == 0, CUDA_ERROR_INVALID_VALUE);
  CUstream stream;
  CUresult result = stream_take(handle, &stream);
  if (result != CUDA_SUCCESS)
    return result;
  if (check_access_now(address, 8, stream->context->device, write) != ACCESS_OK) {
    stream_drop(stream);
    return CUDA_ERROR_INVALID_VALUE;
  }
  struct value_operation *operation = calloc(1, sizeof *operation);
  operation->operation.run = write ? write_value : wait_value;
  operation->address = address;
  operation->value = value;
  operation->condition = condition;
  stream_enqueue(stream, &operation->operation);
  stream_drop(stream);
  return CUDA_SUCCESS;
}

CUresult cuStreamWriteValue64_v2(CUstream handle, CUdeviceptr address, uint64_t value, unsigned flags) {
  ENTER(cuStreamWriteValue64_v2, NEEDS_CONTEXT);
  REQUIRE(flags <= CU_STREAM_WRITE_VALUE_NO_MEMORY_BARRIER, CUDA_ERROR_INVALID_VALUE);
  return enqueue_value(handle, address, value, 0, true);
}

CUresult cuStreamWaitValue64_v2(CUstream handle, CUdeviceptr address, uint64_t value, unsigned flags) {
  ENTER(cuStreamWaitValue64_v2, NEEDS_CONTEXT);
  REQUIRE((flags & ~(unsigned)CU_STREAM_WAIT_VALUE_FLUSH) <= CU_STREAM_WAIT_VALUE_NOR, CUDA_ERROR_INVALID_VALUE);
  return enqueue_value(handle, address, value, flags & ~(unsigned)CU_STREAM_WAIT_VALUE_FLUSH, false);
}

/* ---- host functions ---- */

struct host_operation {
  struct operation operation;
  CUhostFn function;
  void *argument;
};

static void call_host(struct operation *operation, CUstream stream) {
  struct host_operation *host = (struct host_operation *)operation;
  pause_third(stream);
  in_host_function = true;
  host->function(host->argument);
  in_host_function = false;
  pause_third(stream);
}

CUresult cuLaunchHostFunc(CUstream handle, CUhostFn function, void *argument) {
  ENTER(cuLaunchHostFunc, NEEDS_CONTEXT);
  REQUIRE(function != NULL, CUDA_ERROR_INVALID_VALUE);
  CUstream stream;
  CUresult result = stream_take(handle, &stream);
  if (result != CUDA_SUCCESS)
    return result;
  struct host_operation *operation = calloc(1, sizeof *operation);
  operation->operation.run = call_host;
  operation->function = function;
  operation->argument = argument;
  stream_enqueue(stream, &operation->operation);
  stream_drop(stream);
  return CUDA_SUCCESS;
}

/* A callback is a host function that hears of an error too: it is called once, whatever happens. */
struct callback_operation {
  struct operation operation;
  CUstream handle;
  CUstreamCallback function;
  void *argument;
  bool called;
};

static void call_back(struct callback_operation *callback, CUresult status) {
  callback->called = true;
  in_host_function = true;
  callback->function(callback->handle, status, callback->argument);
  in_host_function = false;
}

static void run_callback(struct operation *operation, CUstream stream) {
  pause_third(stream);
  call_back((struct callback_operation *)operation, CUDA_SUCCESS);
  pause_third(stream);
}

static void drop_callback(struct operation *operation) {
  struct callback_operation *callback = (struct callback_operation *)operation;
  if (!callback->called)
    call_back(callback, broken() != CUDA_SUCCESS ? broken() : CUDA_ERROR_CONTEXT_IS_DESTROYED);
}

CUresult cuStreamAddCallback(CUstream handle, CUstreamCallback function, void *argument, unsigned flags) {
  ENTER(cuStreamAddCallback, NEEDS_CONTEXT);
  REQUIRE(function != NULL && flags == 0, CUDA_ERROR_INVALID_VALUE);
  CUstream stream;
  CUresult result = stream_take(handle, &stream);
  if (result != CUDA_SUCCESS)
    return result;
  struct callback_operation *operation = calloc(1, sizeof *operation);
  operation->operation.run = run_callback;
  operation->operation.drop = drop_callback;
  operation->handle = handle;
  operation->function = function;
  operation->argument = argument;
  stream_enqueue(stream, &operation->operation);
  stream_drop(stream);
  return CUDA_SUCCESS;
}
