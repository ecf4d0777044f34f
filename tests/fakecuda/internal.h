/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the double share. Locks, in the order in which they may be taken:
 *   lock        contexts, streams, events, modules, handles of physical memory
 *   space       what is mapped where; read while an operation touches memory, written by whatever maps or unmaps
 *   a stream's  its queue
 * Nothing waits for a stream with one of the first two held. */
#ifndef FAKECUDA_INTERNAL_H
#define FAKECUDA_INTERNAL_H

#include "cuda_driver.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { MAX_DEVICES = 8 };
#define GRANULARITY ((size_t)2 << 20)

/* What programs (FFmpeg's loader is one) look up before they start and the double cannot do: each answers
 * CUDA_ERROR_NOT_SUPPORTED, whatever its arguments. */
#define FAKECUDA_REFUSED(X)                                                                                             \
  X(cuLinkCreate) X(cuLinkAddData) X(cuLinkComplete) X(cuLinkDestroy) X(cuModuleGetGlobal) X(cuTexObjectCreate)        \
  X(cuTexObjectDestroy) X(cuArrayCreate_v2) X(cuArray3DCreate_v2) X(cuArrayDestroy) X(cuDeviceGetLuid)                 \
  X(cuGLGetDevices_v2) X(cuGraphicsGLRegisterImage) X(cuGraphicsUnregisterResource) X(cuGraphicsMapResources)          \
  X(cuGraphicsUnmapResources) X(cuGraphicsSubResourceGetMappedArray) X(cuGraphicsResourceGetMappedPointer_v2)

/* Every function of the double, by exported name. */
#define FAKECUDA_CALLS(X)                                                                                               \
  X(cuInit) X(cuDriverGetVersion) X(cuGetErrorName) X(cuGetErrorString) X(cuGetProcAddress) X(cuGetProcAddress_v2)     \
  X(cuDeviceGetCount) X(cuDeviceGet) X(cuDeviceGetName) X(cuDeviceGetUuid) X(cuDeviceGetUuid_v2)                       \
  X(cuDeviceGetAttribute) X(cuDeviceTotalMem_v2) X(cuDeviceGetPCIBusId) X(cuDevicePrimaryCtxRetain)                    \
  X(cuDevicePrimaryCtxRelease_v2) X(cuDevicePrimaryCtxSetFlags_v2) X(cuDevicePrimaryCtxGetState) X(cuCtxCreate_v2)     \
  X(cuCtxDestroy_v2) X(cuCtxPushCurrent_v2) X(cuCtxPopCurrent_v2) X(cuCtxGetCurrent) X(cuCtxSetCurrent)                \
  X(cuCtxGetDevice) X(cuCtxSynchronize) X(cuMemGetInfo_v2) X(cuStreamCreate) X(cuStreamDestroy_v2) X(cuStreamQuery)    \
  X(cuStreamSynchronize) X(cuStreamWaitEvent) X(cuStreamWriteValue64_v2) X(cuStreamWaitValue64_v2) X(cuStreamGetCtx)   \
  X(cuLaunchHostFunc) X(cuEventCreate) X(cuEventDestroy_v2) X(cuEventRecord) X(cuEventQuery) X(cuEventSynchronize)     \
  X(cuEventElapsedTime) X(cuIpcGetEventHandle) X(cuIpcOpenEventHandle) X(cuIpcGetMemHandle) X(cuIpcOpenMemHandle_v2)   \
  X(cuIpcCloseMemHandle) X(cuMemAlloc_v2) X(cuMemFree_v2) X(cuMemHostAlloc) X(cuMemFreeHost) X(cuMemHostRegister_v2)   \
  X(cuMemHostUnregister) X(cuMemHostGetDevicePointer_v2) X(cuMemcpy2D_v2) X(cuMemcpy2DAsync_v2) X(cuMemcpyDtoH_v2)     \
  X(cuMemcpyHtoD_v2) X(cuMemcpyDtoD_v2) X(cuMemcpyDtoHAsync_v2) X(cuMemcpyHtoDAsync_v2) X(cuMemcpyDtoDAsync_v2)        \
  X(cuMemsetD8_v2) X(cuMemsetD8Async) X(cuMemGetAllocationGranularity) X(cuMemCreate) X(cuMemRelease)                  \
  X(cuMemExportToShareableHandle) X(cuMemImportFromShareableHandle) X(cuMemAddressReserve) X(cuMemAddressFree)         \
  X(cuMemMap) X(cuMemUnmap) X(cuMemSetAccess) X(cuMemGetAccess) X(cuPointerGetAttribute) X(cuModuleLoadData)           \
  X(cuModuleUnload) X(cuModuleGetFunction) X(cuLaunchKernel) X(cuDeviceGetByPCIBusId) X(cuDeviceComputeCapability)     \
  X(cuDevicePrimaryCtxReset_v2) X(cuCtxGetLimit) X(cuCtxSetLimit) X(cuStreamAddCallback) X(cuMemAllocPitch_v2)         \
  X(cuMemAllocManaged) X(cuMemcpy) X(cuMemcpyAsync) FAKECUDA_REFUSED(X)

#pragma GCC visibility push(default)
#define X(name) CUresult name(void);
FAKECUDA_REFUSED(X)
#undef X
#pragma GCC visibility pop

enum call {
#define X(name) CALL_##name,
  FAKECUDA_CALLS(X)
#undef X
  CALL_COUNT
};

/* ---- config.c: the environment, read once at the first call ---- */

enum feature { FEATURE_VMM, FEATURE_POSIX_FD, FEATURE_STREAM_MEM_OPS, FEATURE_HOST_REGISTER, FEATURE_IPC_EVENTS, FEATURE_COUNT };

struct config {
  int devices;                 /* that this process sees */
  int physical[MAX_DEVICES];   /* index among all devices, by ordinal */
  int features[FEATURE_COUNT]; /* 0: missing */
  uint64_t memory;             /* bytes on each device */
  uint64_t delay_min, delay_max; /* ns */
  uint64_t seed;
  char directory[256];
};
extern struct config config;

void config_read(void);
/* The uuid of a device by its index among all. */
CUuuid device_uuid(int physical);
/* The ordinal that this process sees, or -1. */
int device_by_uuid(const unsigned char uuid[16]);
/* What FAKECUDA_FAIL asks for at the n-th use (from 1) of a call, or CUDA_SUCCESS. */
CUresult config_fault(enum call call, uint64_t use);
const char *call_name(enum call call);
CUresult result_by_name(const char *name); /* -1: none of that name */
bool result_is_sticky(CUresult result);

/* ---- counts.c ---- */

enum live {
  LIVE_ALLOCATIONS, LIVE_PHYSICAL, LIVE_VMM_IMPORTS, LIVE_RESERVATIONS, LIVE_MAPPINGS, LIVE_IPC_IMPORTS,
  LIVE_HOST_ALLOCATIONS, LIVE_REGISTRATIONS, LIVE_STREAMS, LIVE_EVENTS, LIVE_MODULES, LIVE_CONTEXTS, LIVE_COUNT
};
enum direction { HTOD, DTOH, DTOD, HTOH, DIRECTION_COUNT };

void live_add(enum live kind, int64_t change);
void live_lost(enum live kind); /* went with its context, without a call of its own */
uint64_t count_call(enum call call);
void count_copy(enum direction direction, uint64_t bytes);
void count_memset(uint64_t bytes);

/* ---- context.c ---- */

extern pthread_mutex_t lock;

enum { LIMIT_COUNT = CU_LIMIT_PERSISTING_L2_CACHE_SIZE + 1 };

struct CUctx_st {
  int device;
  bool primary;
  int references;        /* lock */
  unsigned flags;
  size_t limits[LIMIT_COUNT]; /* lock */
  atomic_bool alive;     /* written under lock; read by workers at any time */
  CUstream null_stream;  /* lock; made at first use */
  CUstream streams;      /* lock; the null stream among them */
  CUcontext next;        /* lock; contexts are never freed, so that a stale handle is told apart */
};

/* Whether this is a child that forked and did not start another program. */
bool is_forked(void);

/* What a call needs before it runs. */
enum needs { NEEDS_NOTHING = 0, NEEDS_INIT = 1, NEEDS_CONTEXT = 2, EVEN_IF_BROKEN = 4 };

/* Counts the call, injects faults and checks what it needs. */
CUresult enter(enum call call, int needs);
#define ENTER(name, needs)                              \
  do {                                                  \
    CUresult entered = enter(CALL_##name, needs);       \
    if (entered != CUDA_SUCCESS)                        \
      return entered;                                   \
  } while (0)
#define REQUIRE(condition, result) \
  do {                             \
    if (!(condition))              \
      return (result);             \
  } while (0)

CUcontext current_context(void);
/* The sticky error, or CUDA_SUCCESS. */
CUresult broken(void);
/* From now on every call of this process answers with this error. */
void break_process(CUresult result);
/* Whether a context's work ends unfinished: the context is gone or broken. */
bool stopped(CUcontext context);
extern _Thread_local bool in_host_function;

/* ---- memory.c: what is mapped where ---- */

extern pthread_rwlock_t space;

enum area_kind { AREA_ALLOCATION, AREA_VMM, AREA_IPC, AREA_PINNED, AREA_REGISTERED };

/* Physical memory of a device. References: one of the handle, one of each mapping. Counted under space. */
struct physical {
  int fd;
  size_t size;
  int device;
  int references;
  bool released; /* the handle is gone */
  bool imported;
  int handle_types;
  uint64_t handle;
  struct physical *next;
};

struct area {
  uintptr_t start;
  size_t size;
  size_t asked; /* bytes that the program asked for; the rest is there because pages are whole */
  enum area_kind kind;
  int device;
  CUcontext context;            /* that it goes with; NULL: VMM */
  unsigned char access[MAX_DEVICES]; /* AREA_VMM */
  bool read_only;               /* AREA_REGISTERED */
  bool managed;                 /* AREA_ALLOCATION: the host's as much as the device's */
  struct physical *physical;    /* AREA_VMM */
  int fd;                       /* AREA_ALLOCATION: the memory, or once exported its file; else -1 */
  uint64_t share[2];            /* AREA_ALLOCATION once exported, AREA_IPC: the name; else 0 */
  uint64_t serial;
  int references;               /* AREA_IPC */
  struct area *next;
};

static inline bool is_host(const struct area *area) {
  return area->kind == AREA_PINNED || area->kind == AREA_REGISTERED;
}

/* All with space held. */
struct area *area_at(uintptr_t address);
bool is_reserved(uintptr_t address); /* for mappings, whether or not there is one */
struct area *area_add(uintptr_t start, size_t size, enum area_kind kind, int device, CUcontext context);
void area_remove(struct area *area);
enum access { ACCESS_OK, ACCESS_DENIED, ACCESS_UNMAPPED };
enum access check_access(uintptr_t address, uint64_t size, int device, bool write);
/* The same, taking space itself. */
enum access check_access_now(uintptr_t address, uint64_t size, int device, bool write);

uint64_t memory_used(int device);
/* Everything that goes with a context. */
void memory_leave(CUcontext context);

/* ---- stream.c ---- */

struct dependency {
  CUstream stream;
  uint64_t ticket;
};

struct operation {
  void (*run)(struct operation *operation, CUstream stream);
  void (*drop)(struct operation *operation); /* after run, or instead; does not free the operation itself; may be NULL */
  struct dependency *dependencies;
  int dependency_count;
  struct operation *next;
};

struct CUstream_st {
  CUcontext context;
  bool is_null, blocking;
  atomic_int references;      /* the context's list, the worker, calls in progress, dependencies */
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  struct operation *head, *tail; /* mutex */
  uint64_t enqueued, completed;  /* mutex */
  bool closing;                  /* mutex */
  uint64_t random;               /* worker */
  uint64_t delay;                /* worker: ns that the operation under way takes */
  CUstream next;                 /* lock */
};

/* The stream of a handle, with a reference; NULL is the null stream of the current context. */
CUresult stream_take(CUstream handle, CUstream *stream);
void stream_drop(CUstream stream);
/* Hands the operation over; its number in the stream. */
uint64_t stream_enqueue(CUstream stream, struct operation *operation);
/* Until everything up to the ticket is done; the sticky error if there is one. */
CUresult stream_wait(CUstream stream, uint64_t ticket);
CUresult context_wait(CUcontext context);
void streams_leave(CUcontext context);
/* A part (of three) of the time that the operation under way takes. */
void pause_third(CUstream stream);
void nap(uint64_t nanoseconds);
uint64_t now(void);

/* ---- event.c ---- */

void events_leave(CUcontext context);

/* ---- share.c: memory and events by name, in the folder ---- */

enum share_kind { SHARE_MEMORY = 1, SHARE_EVENT = 2 };

struct share_handle {
  char magic[8];
  uint32_t pid; /* as the exporter sees itself */
  uint32_t kind;
  uint64_t id[2];
  uint64_t size;
  unsigned char uuid[16];
  char reserved[8];
};
_Static_assert(sizeof(struct share_handle) == 64, "an IPC handle has 64 bytes");

/* A new file of this size, kept locked while this process lives; -1. */
int share_create(enum share_kind kind, uint64_t size, uint64_t id[2]);
void share_remove(enum share_kind kind, const uint64_t id[2]);
void share_fill(struct share_handle *handle, enum share_kind kind, const uint64_t id[2], uint64_t size, int device);
/* Checks a peer's handle and opens its file. */
CUresult share_open(const struct share_handle *handle, enum share_kind kind, int *fd, int *device);

/* ---- module.c ---- */

void modules_leave(CUcontext context);

#endif
