/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events. An event counts the calls that recorded it and the latest of those that is done; it is complete when the two are
 * equal. Interprocess events keep both counters in a file that the processes map. */
#define _GNU_SOURCE
#include "internal.h"

#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct event_state {
  _Atomic uint64_t recorded;  /* added to at cuEventRecord, by any process */
  _Atomic uint64_t completed; /* raised by a stream's worker, after all work before it (release) */
  _Atomic uint64_t time;      /* ns, of the record that completed last */
  _Atomic uint32_t wake;      /* futex: changes with completed */
};

enum { STATE_SIZE = 4096 };

struct CUevent_st {
  CUcontext context;
  unsigned flags;
  int fd;                /* of an interprocess event's file, locked by its maker; else -1 */
  uint64_t share[2];     /* its name */
  struct event_state *state;
  atomic_int references; /* the list, records and waits in streams, calls in progress */
  CUevent next;          /* lock */
};

static CUevent events; /* lock */

static void event_drop(CUevent event) {
  if (atomic_fetch_sub(&event->references, 1) != 1)
    return;
  if (event->flags & CU_EVENT_INTERPROCESS) {
    munmap(event->state, STATE_SIZE);
    if (event->fd >= 0)
      close(event->fd);
  } else {
    free(event->state);
  }
  free(event);
}

static CUresult event_take(CUevent handle, CUevent *event) {
  *event = NULL;
  pthread_mutex_lock(&lock);
  for (CUevent each = events; each != NULL; each = each->next) {
    if (each == handle) {
      atomic_fetch_add(&each->references, 1);
      *event = each;
      break;
    }
  }
  pthread_mutex_unlock(&lock);
  return *event != NULL ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

static CUevent event_add(unsigned flags, struct event_state *state, int fd) {
  CUevent event = calloc(1, sizeof *event);
  event->context = current_context();
  event->flags = flags;
  event->state = state;
  event->fd = fd;
  atomic_store(&event->references, 1);
  pthread_mutex_lock(&lock);
  event->next = events;
  events = event;
  pthread_mutex_unlock(&lock);
  live_add(LIVE_EVENTS, 1);
  return event;
}

static void event_end(CUevent event) {
  if (event->fd >= 0)
    share_remove(SHARE_EVENT, event->share);
  event_drop(event);
}

void events_leave(CUcontext context) {
  CUevent gone = NULL;
  pthread_mutex_lock(&lock);
  for (CUevent *each = &events; *each != NULL;) {
    CUevent event = *each;
    if (event->context == context) {
      *each = event->next;
      event->next = gone;
      gone = event;
    } else {
      each = &event->next;
    }
  }
  pthread_mutex_unlock(&lock);
  while (gone != NULL) {
    CUevent next = gone->next;
    live_lost(LIVE_EVENTS);
    event_end(gone);
    gone = next;
  }
}

static bool reached(CUevent event, uint64_t record) {
  return atomic_load_explicit(&event->state->completed, memory_order_acquire) >= record;
}

/* Until the record is done, or the waiting context's work ends. */
static void wait_for_record(CUevent event, uint64_t record, CUcontext waiting) {
  while (!stopped(waiting)) {
    uint32_t wake = atomic_load(&event->state->wake);
    if (reached(event, record))
      return;
    struct timespec limit = {0, 10 * 1000 * 1000};
    syscall(SYS_futex, &event->state->wake, FUTEX_WAIT, wake, &limit, NULL, 0);
  }
}

/* ---- operations ---- */

struct event_operation {
  struct operation operation;
  CUevent event;
  uint64_t record;
};

static void drop_event(struct operation *operation) {
  event_drop(((struct event_operation *)operation)->event);
}

static void complete_record(struct operation *operation, CUstream stream) {
  struct event_operation *record = (struct event_operation *)operation;
  struct event_state *state = record->event->state;
  pause_third(stream);
  uint64_t before = atomic_load(&state->completed);
  atomic_store(&state->time, now());
  while (before < record->record && !atomic_compare_exchange_weak(&state->completed, &before, record->record)) {
  }
  atomic_fetch_add(&state->wake, 1);
  syscall(SYS_futex, &state->wake, FUTEX_WAKE, 0x7fffffff, NULL, NULL, 0);
}

static void wait_record(struct operation *operation, CUstream stream) {
  struct event_operation *wait = (struct event_operation *)operation;
  wait_for_record(wait->event, wait->record, stream->context);
}

static struct event_operation *make_operation(void (*run)(struct operation *, CUstream), CUevent event, uint64_t record) {
  struct event_operation *operation = calloc(1, sizeof *operation);
  operation->operation.run = run;
  operation->operation.drop = drop_event;
  operation->event = event;
  operation->record = record;
  return operation;
}

/* ---- calls ---- */

static struct event_state *map_state(int fd) {
  void *mapped = mmap(NULL, STATE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  return mapped == MAP_FAILED ? NULL : mapped;
}

CUresult cuEventCreate(CUevent *event, unsigned flags) {
  ENTER(cuEventCreate, NEEDS_CONTEXT);
  REQUIRE(event != NULL && flags <= 7, CUDA_ERROR_INVALID_VALUE);
  if (!(flags & CU_EVENT_INTERPROCESS)) {
    *event = event_add(flags, calloc(1, sizeof(struct event_state)), -1);
    return CUDA_SUCCESS;
  }
  REQUIRE(flags & CU_EVENT_DISABLE_TIMING, CUDA_ERROR_INVALID_VALUE);
  REQUIRE(config.features[FEATURE_IPC_EVENTS], CUDA_ERROR_NOT_SUPPORTED);
  uint64_t share[2];
  int fd = share_create(SHARE_EVENT, STATE_SIZE, share);
  REQUIRE(fd >= 0, CUDA_ERROR_OUT_OF_MEMORY);
  struct event_state *state = map_state(fd);
  if (state == NULL) {
    share_remove(SHARE_EVENT, share);
    close(fd);
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  *event = event_add(flags, state, fd);
  (*event)->share[0] = share[0];
  (*event)->share[1] = share[1];
  return CUDA_SUCCESS;
}

/* Returns at once; records and waits that are under way still happen. */
CUresult cuEventDestroy_v2(CUevent handle) {
  ENTER(cuEventDestroy_v2, NEEDS_CONTEXT);
  CUevent found = NULL;
  pthread_mutex_lock(&lock);
  for (CUevent *each = &events; *each != NULL; each = &(*each)->next) {
    if (*each == handle) {
      found = handle;
      *each = handle->next;
      break;
    }
  }
  pthread_mutex_unlock(&lock);
  REQUIRE(found != NULL, CUDA_ERROR_INVALID_HANDLE);
  live_add(LIVE_EVENTS, -1);
  event_end(found);
  return CUDA_SUCCESS;
}

CUresult cuEventRecord(CUevent handle, CUstream stream_handle) {
  ENTER(cuEventRecord, NEEDS_CONTEXT);
  CUevent event;
  CUstream stream;
  CUresult result = event_take(handle, &event);
  if (result != CUDA_SUCCESS)
    return result;
  result = stream_take(stream_handle, &stream);
  if (result == CUDA_SUCCESS && stream->context != event->context) {
    stream_drop(stream);
    result = CUDA_ERROR_INVALID_HANDLE;
  }
  if (result != CUDA_SUCCESS) {
    event_drop(event);
    return result;
  }
  uint64_t record = atomic_fetch_add(&event->state->recorded, 1) + 1;
  stream_enqueue(stream, &make_operation(complete_record, event, record)->operation);
  stream_drop(stream);
  return CUDA_SUCCESS;
}

CUresult cuEventQuery(CUevent handle) {
  ENTER(cuEventQuery, NEEDS_CONTEXT);
  CUevent event;
  CUresult result = event_take(handle, &event);
  if (result != CUDA_SUCCESS)
    return result;
  bool complete = reached(event, atomic_load(&event->state->recorded));
  event_drop(event);
  if (broken() != CUDA_SUCCESS)
    return broken();
  return complete ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY;
}

CUresult cuEventSynchronize(CUevent handle) {
  ENTER(cuEventSynchronize, NEEDS_CONTEXT);
  CUevent event;
  CUresult result = event_take(handle, &event);
  if (result != CUDA_SUCCESS)
    return result;
  wait_for_record(event, atomic_load(&event->state->recorded), current_context());
  event_drop(event);
  return broken();
}

CUresult cuEventElapsedTime(float *milliseconds, CUevent start_handle, CUevent end_handle) {
  ENTER(cuEventElapsedTime, NEEDS_CONTEXT);
  REQUIRE(milliseconds != NULL, CUDA_ERROR_INVALID_VALUE);
  CUevent start, end;
  CUresult result = event_take(start_handle, &start);
  if (result != CUDA_SUCCESS)
    return result;
  result = event_take(end_handle, &end);
  if (result != CUDA_SUCCESS) {
    event_drop(start);
    return result;
  }
  uint64_t start_record = atomic_load(&start->state->recorded), end_record = atomic_load(&end->state->recorded);
  if (((start->flags | end->flags) & CU_EVENT_DISABLE_TIMING) || start_record == 0 || end_record == 0)
    result = CUDA_ERROR_INVALID_HANDLE;
  else if (!reached(start, start_record) || !reached(end, end_record))
    result = CUDA_ERROR_NOT_READY;
  else
    *milliseconds = (float)((double)(int64_t)(atomic_load(&end->state->time) - atomic_load(&start->state->time)) / 1e6);
  event_drop(start);
  event_drop(end);
  return result;
}

CUresult cuStreamWaitEvent(CUstream stream_handle, CUevent handle, unsigned flags) {
  ENTER(cuStreamWaitEvent, NEEDS_CONTEXT);
  REQUIRE(flags == 0, CUDA_ERROR_INVALID_VALUE);
  CUevent event;
  CUstream stream;
  CUresult result = event_take(handle, &event);
  if (result != CUDA_SUCCESS)
    return result;
  result = stream_take(stream_handle, &stream);
  if (result != CUDA_SUCCESS) {
    event_drop(event);
    return result;
  }
  /* The record that counts is the latest at this call. */
  uint64_t record = atomic_load(&event->state->recorded);
  stream_enqueue(stream, &make_operation(wait_record, event, record)->operation);
  stream_drop(stream);
  return CUDA_SUCCESS;
}

CUresult cuIpcGetEventHandle(CUipcEventHandle *handle, CUevent event_handle) {
  ENTER(cuIpcGetEventHandle, NEEDS_CONTEXT);
  REQUIRE(handle != NULL, CUDA_ERROR_INVALID_VALUE);
  CUevent event;
  CUresult result = event_take(event_handle, &event);
  if (result != CUDA_SUCCESS)
    return result;
  if (event->fd >= 0) {
    struct share_handle content;
    share_fill(&content, SHARE_EVENT, event->share, STATE_SIZE, event->context->device);
    memcpy(handle, &content, sizeof content);
  } else {
    result = CUDA_ERROR_INVALID_HANDLE;
  }
  event_drop(event);
  return result;
}

CUresult cuIpcOpenEventHandle(CUevent *event, CUipcEventHandle handle) {
  ENTER(cuIpcOpenEventHandle, NEEDS_CONTEXT);
  REQUIRE(event != NULL, CUDA_ERROR_INVALID_VALUE);
  REQUIRE(config.features[FEATURE_IPC_EVENTS], CUDA_ERROR_NOT_SUPPORTED);
  struct share_handle content;
  memcpy(&content, &handle, sizeof content);
  int fd, device;
  CUresult result = share_open(&content, SHARE_EVENT, &fd, &device);
  if (result != CUDA_SUCCESS)
    return result;
  struct event_state *state = map_state(fd);
  close(fd);
  REQUIRE(state != NULL, CUDA_ERROR_MAP_FAILED);
  *event = event_add(CU_EVENT_INTERPROCESS | CU_EVENT_DISABLE_TIMING, state, -1);
  return CUDA_SUCCESS;
}
