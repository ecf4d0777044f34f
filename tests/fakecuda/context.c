/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices and contexts; what every call checks first. */
#define _GNU_SOURCE
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
_Thread_local bool in_host_function;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_bool initialised, forked;
static _Atomic int sticky;

static CUcontext contexts;                   /* lock */
static CUcontext primary[MAX_DEVICES];       /* lock; NULL: not active */
static unsigned primary_flags[MAX_DEVICES];  /* lock */

enum { COMPUTE_MAJOR = 9, COMPUTE_MINOR = 0 };
enum { STACK = 64 };
static _Thread_local CUcontext stack[STACK];
static _Thread_local int depth;

static void in_child(void) {
  atomic_store(&forked, true);
}

static void start(void) {
  config_read();
  pthread_atfork(NULL, NULL, in_child);
}

bool is_forked(void) {
  return atomic_load(&forked);
}

CUresult broken(void) {
  return (CUresult)atomic_load(&sticky);
}

void break_process(CUresult result) {
  int none = 0;
  atomic_compare_exchange_strong(&sticky, &none, (int)result);
}

bool stopped(CUcontext context) {
  return atomic_load(&sticky) != 0 || !atomic_load(&context->alive);
}

CUcontext current_context(void) {
  return depth == 0 ? NULL : stack[depth - 1];
}

CUresult enter(enum call call, int needs) {
  pthread_once(&once, start);
  CUresult fault = config_fault(call, count_call(call));
  if (fault != CUDA_SUCCESS) {
    if (result_is_sticky(fault))
      break_process(fault);
    return fault;
  }
  /* CUDA does not work in a child that forked from a process that uses it. */
  REQUIRE(needs == NEEDS_NOTHING || !atomic_load(&forked), CUDA_ERROR_NOT_INITIALIZED);
  REQUIRE(!in_host_function || needs == NEEDS_NOTHING, CUDA_ERROR_NOT_PERMITTED);
  REQUIRE(!(needs & (NEEDS_INIT | NEEDS_CONTEXT)) || atomic_load(&initialised), CUDA_ERROR_NOT_INITIALIZED);
  if (!(needs & EVEN_IF_BROKEN) && needs != NEEDS_NOTHING && broken() != CUDA_SUCCESS)
    return broken();
  if (needs & NEEDS_CONTEXT) {
    CUcontext context = current_context();
    REQUIRE(context != NULL, CUDA_ERROR_INVALID_CONTEXT);
    REQUIRE(atomic_load(&context->alive), CUDA_ERROR_CONTEXT_IS_DESTROYED);
  }
  return CUDA_SUCCESS;
}

/* ---- the driver and its devices ---- */

CUresult cuInit(unsigned flags) {
  ENTER(cuInit, NEEDS_NOTHING);
  REQUIRE(flags == 0, CUDA_ERROR_INVALID_VALUE);
  REQUIRE(!atomic_load(&forked), CUDA_ERROR_NOT_INITIALIZED);
  REQUIRE(config.devices > 0, CUDA_ERROR_NO_DEVICE);
  atomic_store(&initialised, true);
  return CUDA_SUCCESS;
}

CUresult cuDriverGetVersion(int *version) {
  ENTER(cuDriverGetVersion, NEEDS_NOTHING);
  REQUIRE(version != NULL, CUDA_ERROR_INVALID_VALUE);
  *version = 13000;
  return CUDA_SUCCESS;
}

CUresult cuGetErrorName(CUresult result, const char **name) {
  ENTER(cuGetErrorName, NEEDS_NOTHING);
  REQUIRE(name != NULL, CUDA_ERROR_INVALID_VALUE);
  switch (result) {
#define X(constant, number, text) \
  case constant:                  \
    *name = #constant;            \
    return CUDA_SUCCESS;
    CUDA_RESULTS(X)
#undef X
  }
  *name = NULL;
  return CUDA_ERROR_INVALID_VALUE;
}

CUresult cuGetErrorString(CUresult result, const char **text) {
  ENTER(cuGetErrorString, NEEDS_NOTHING);
  REQUIRE(text != NULL, CUDA_ERROR_INVALID_VALUE);
  switch (result) {
#define X(constant, number, sentence) \
  case constant:                      \
    *text = sentence;                 \
    return CUDA_SUCCESS;
    CUDA_RESULTS(X)
#undef X
  }
  *text = NULL;
  return CUDA_ERROR_INVALID_VALUE;
}

static CUresult find_function(const char *symbol, void **function, int *status) {
  enum { FOUND = 0, NO_SUCH_SYMBOL = 1 };
  static const struct {
    const char *name;
    void *address;
  } functions[] = {
#define X(name) {#name, (void *)name},
    FAKECUDA_CALLS(X)
#undef X
  };
  REQUIRE(symbol != NULL && function != NULL, CUDA_ERROR_INVALID_VALUE);
  /* The newest version of a name comes last in the list. */
  *function = NULL;
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
    size_t length = strlen(symbol);
    if (strncmp(functions[i].name, symbol, length) == 0 &&
        (functions[i].name[length] == 0 || strcmp(functions[i].name + length, "_v2") == 0))
      *function = functions[i].address;
  }
  if (status != NULL)
    *status = *function != NULL ? FOUND : NO_SUCH_SYMBOL;
  return *function != NULL ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}

CUresult cuGetProcAddress(const char *symbol, void **function, int version, uint64_t flags) {
  ENTER(cuGetProcAddress, NEEDS_NOTHING);
  (void)version;
  (void)flags;
  return find_function(symbol, function, NULL);
}

CUresult cuGetProcAddress_v2(const char *symbol, void **function, int version, uint64_t flags, int *status) {
  ENTER(cuGetProcAddress_v2, NEEDS_NOTHING);
  (void)version;
  (void)flags;
  return find_function(symbol, function, status);
}

CUresult cuDeviceGetCount(int *count) {
  ENTER(cuDeviceGetCount, NEEDS_INIT | EVEN_IF_BROKEN);
  REQUIRE(count != NULL, CUDA_ERROR_INVALID_VALUE);
  *count = config.devices;
  return CUDA_SUCCESS;
}

static bool is_device(CUdevice device) {
  return device >= 0 && device < config.devices;
}

CUresult cuDeviceGet(CUdevice *device, int ordinal) {
  ENTER(cuDeviceGet, NEEDS_INIT | EVEN_IF_BROKEN);
  REQUIRE(device != NULL, CUDA_ERROR_INVALID_VALUE);
  REQUIRE(is_device(ordinal), CUDA_ERROR_INVALID_DEVICE);
  *device = ordinal;
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetName(char *name, int length, CUdevice device) {
  ENTER(cuDeviceGetName, NEEDS_INIT | EVEN_IF_BROKEN);
  REQUIRE(name != NULL && length > 0, CUDA_ERROR_INVALID_VALUE);
  REQUIRE(is_device(device), CUDA_ERROR_INVALID_DEVICE);
  snprintf(name, (size_t)length, "Fakecuda device %d", config.physical[device]);
  return CUDA_SUCCESS;
}

static CUresult get_uuid(CUuuid *uuid, CUdevice device) {
  REQUIRE(uuid != NULL, CUDA_ERROR_INVALID_VALUE);
  REQUIRE(is_device(device), CUDA_ERROR_INVALID_DEVICE);
  *uuid = device_uuid(config.physical[device]);
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetUuid(CUuuid *uuid, CUdevice device) {
  ENTER(cuDeviceGetUuid, NEEDS_INIT | EVEN_IF_BROKEN);
  return get_uuid(uuid, device);
}

CUresult cuDeviceGetUuid_v2(CUuuid *uuid, CUdevice device) {
  ENTER(cuDeviceGetUuid_v2, NEEDS_INIT | EVEN_IF_BROKEN);
  return get_uuid(uuid, device);
}

CUresult cuDeviceGetAttribute(int *value, int attribute, CUdevice device) {
  ENTER(cuDeviceGetAttribute, NEEDS_INIT | EVEN_IF_BROKEN);
  REQUIRE(value != NULL && attribute > 0 && attribute < CU_DEVICE_ATTRIBUTE_LAST, CUDA_ERROR_INVALID_VALUE);
  REQUIRE(is_device(device), CUDA_ERROR_INVALID_DEVICE);
  const int *has = config.features;
  switch (attribute) {
    case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X:
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y: *value = 1024; break;
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z: *value = 64; break;
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X:
    case CU_DEVICE_ATTRIBUTE_MAX_PITCH: *value = 2147483647; break;
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y:
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z: *value = 65535; break;
    case CU_DEVICE_ATTRIBUTE_WARP_SIZE: *value = 32; break;
    case CU_DEVICE_ATTRIBUTE_TEXTURE_ALIGNMENT: *value = 512; break; /* libav aligns rows by it */
    case CU_DEVICE_ATTRIBUTE_CLOCK_RATE: *value = 1000000; break;
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: *value = 4; break;
    case CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT: *value = 2; break;
    case CU_DEVICE_ATTRIBUTE_GPU_OVERLAP:
    case CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY:
    case CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS:
    case CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY:
    case CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING: *value = 1; break;
    case CU_DEVICE_ATTRIBUTE_PCI_BUS_ID: *value = config.physical[device] + 1; break;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: *value = COMPUTE_MAJOR; break;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: *value = COMPUTE_MINOR; break;
    case CU_DEVICE_ATTRIBUTE_CAN_USE_STREAM_MEM_OPS_V1:
    case CU_DEVICE_ATTRIBUTE_CAN_USE_64_BIT_STREAM_MEM_OPS_V1:
    case CU_DEVICE_ATTRIBUTE_CAN_USE_STREAM_WAIT_VALUE_NOR_V1:
    case CU_DEVICE_ATTRIBUTE_CAN_USE_64_BIT_STREAM_MEM_OPS:
    case CU_DEVICE_ATTRIBUTE_CAN_USE_STREAM_WAIT_VALUE_NOR: *value = has[FEATURE_STREAM_MEM_OPS]; break;
    case CU_DEVICE_ATTRIBUTE_HOST_REGISTER_SUPPORTED:
    case CU_DEVICE_ATTRIBUTE_CAN_USE_HOST_POINTER_FOR_REGISTERED_MEM:
    case CU_DEVICE_ATTRIBUTE_READ_ONLY_HOST_REGISTER_SUPPORTED: *value = has[FEATURE_HOST_REGISTER]; break;
    case CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED: *value = has[FEATURE_VMM]; break;
    case CU_DEVICE_ATTRIBUTE_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR_SUPPORTED:
      *value = has[FEATURE_VMM] && has[FEATURE_POSIX_FD];
      break;
    case CU_DEVICE_ATTRIBUTE_IPC_EVENT_SUPPORTED: *value = has[FEATURE_IPC_EVENTS]; break;
    default: *value = 0; break;
  }
  return CUDA_SUCCESS;
}

CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice device) {
  ENTER(cuDeviceTotalMem_v2, NEEDS_INIT | EVEN_IF_BROKEN);
  REQUIRE(bytes != NULL, CUDA_ERROR_INVALID_VALUE);
  REQUIRE(is_device(device), CUDA_ERROR_INVALID_DEVICE);
  *bytes = config.memory;
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetPCIBusId(char *text, int length, CUdevice device) {
  ENTER(cuDeviceGetPCIBusId, NEEDS_INIT | EVEN_IF_BROKEN);
  REQUIRE(text != NULL && length > 0, CUDA_ERROR_INVALID_VALUE);
  REQUIRE(is_device(device), CUDA_ERROR_INVALID_DEVICE);
  REQUIRE(length >= 13, CUDA_ERROR_INVALID_VALUE);
  snprintf(text, (size_t)length, "0000:%02X:00.0", config.physical[device] + 1);
  return CUDA_SUCCESS;
}

/* With or without the domain and the function, as the real driver reads it. */
CUresult cuDeviceGetByPCIBusId(CUdevice *device, const char *text) {
  ENTER(cuDeviceGetByPCIBusId, NEEDS_INIT | EVEN_IF_BROKEN);
  REQUIRE(device != NULL && text != NULL, CUDA_ERROR_INVALID_VALUE);
  unsigned domain = 0, bus, number, function = 0;
  int end = 0;
  bool read = sscanf(text, "%x:%x:%x%n", &domain, &bus, &number, &end) == 3;
  if (!read) {
    domain = 0;
    read = sscanf(text, "%x:%x%n", &bus, &number, &end) == 2;
  }
  REQUIRE(read, CUDA_ERROR_INVALID_VALUE);
  text += end;
  if (*text == '.') {
    REQUIRE(sscanf(text, ".%x%n", &function, &end) == 1, CUDA_ERROR_INVALID_VALUE);
    text += end;
  }
  REQUIRE(*text == 0, CUDA_ERROR_INVALID_VALUE);
  for (int i = 0; i < config.devices; i++) {
    if (domain == 0 && bus == (unsigned)config.physical[i] + 1 && number == 0 && function == 0) {
      *device = i;
      return CUDA_SUCCESS;
    }
  }
  return CUDA_ERROR_INVALID_DEVICE;
}

CUresult cuDeviceComputeCapability(int *major, int *minor, CUdevice device) {
  ENTER(cuDeviceComputeCapability, NEEDS_INIT | EVEN_IF_BROKEN);
  REQUIRE(major != NULL && minor != NULL, CUDA_ERROR_INVALID_VALUE);
  REQUIRE(is_device(device), CUDA_ERROR_INVALID_DEVICE);
  *major = COMPUTE_MAJOR;
  *minor = COMPUTE_MINOR;
  return CUDA_SUCCESS;
}

/* ---- contexts ---- */

static CUcontext make_context(CUdevice device, unsigned flags, bool is_primary) {
  CUcontext context = calloc(1, sizeof *context);
  context->device = device;
  context->flags = flags;
  context->primary = is_primary;
  context->references = 1;
  context->limits[CU_LIMIT_STACK_SIZE] = 1024;
  context->limits[CU_LIMIT_PRINTF_FIFO_SIZE] = 1 << 20;
  context->limits[CU_LIMIT_MALLOC_HEAP_SIZE] = 8 << 20;
  context->limits[CU_LIMIT_DEV_RUNTIME_SYNC_DEPTH] = 2;
  context->limits[CU_LIMIT_DEV_RUNTIME_PENDING_LAUNCH_COUNT] = 2048;
  context->limits[CU_LIMIT_MAX_L2_FETCH_GRANULARITY] = 64;
  atomic_store(&context->alive, true);
  context->next = contexts;
  contexts = context;
  live_add(LIVE_CONTEXTS, 1);
  return context;
}

/* Everything in it goes. The caller has taken it off the list of the active ones; lock is not held. */
static void end_context(CUcontext context) {
  atomic_store(&context->alive, false);
  context_wait(context);
  streams_leave(context);
  events_leave(context);
  modules_leave(context);
  memory_leave(context);
  live_add(LIVE_CONTEXTS, -1);
}

static bool is_alive(CUcontext context) {
  bool found = false;
  pthread_mutex_lock(&lock);
  for (CUcontext each = contexts; each != NULL && !found; each = each->next)
    found = each == context && atomic_load(&each->alive);
  pthread_mutex_unlock(&lock);
  return found;
}

CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
  ENTER(cuDevicePrimaryCtxRetain, NEEDS_INIT);
  REQUIRE(context != NULL, CUDA_ERROR_INVALID_VALUE);
  REQUIRE(is_device(device), CUDA_ERROR_INVALID_DEVICE);
  pthread_mutex_lock(&lock);
  if (primary[device] != NULL)
    primary[device]->references++;
  else
    primary[device] = make_context(device, primary_flags[device], true);
  *context = primary[device];
  pthread_mutex_unlock(&lock);
  return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device) {
  ENTER(cuDevicePrimaryCtxRelease_v2, NEEDS_INIT);
  REQUIRE(is_device(device), CUDA_ERROR_INVALID_DEVICE);
  pthread_mutex_lock(&lock);
  CUcontext context = primary[device];
  CUcontext last = NULL;
  if (context != NULL && --context->references == 0) {
    last = context;
    primary[device] = NULL;
  }
  pthread_mutex_unlock(&lock);
  REQUIRE(context != NULL, CUDA_ERROR_INVALID_CONTEXT);
  if (last != NULL)
    end_context(last);
  return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxSetFlags_v2(CUdevice device, unsigned flags) {
  ENTER(cuDevicePrimaryCtxSetFlags_v2, NEEDS_INIT);
  REQUIRE(is_device(device), CUDA_ERROR_INVALID_DEVICE);
  pthread_mutex_lock(&lock);
  primary_flags[device] = flags;
  if (primary[device] != NULL)
    primary[device]->flags = flags;
  pthread_mutex_unlock(&lock);
  return CUDA_SUCCESS;
}

/* Everything in the context goes, however many hold it; who held it has a context that is destroyed. */
CUresult cuDevicePrimaryCtxReset_v2(CUdevice device) {
  ENTER(cuDevicePrimaryCtxReset_v2, NEEDS_INIT);
  REQUIRE(is_device(device), CUDA_ERROR_INVALID_DEVICE);
  pthread_mutex_lock(&lock);
  CUcontext context = primary[device];
  primary[device] = NULL;
  pthread_mutex_unlock(&lock);
  if (context != NULL)
    end_context(context);
  return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRelease(CUdevice device) __attribute__((alias("cuDevicePrimaryCtxRelease_v2")));
CUresult cuDevicePrimaryCtxSetFlags(CUdevice device, unsigned flags) __attribute__((alias("cuDevicePrimaryCtxSetFlags_v2")));
CUresult cuDevicePrimaryCtxReset(CUdevice device) __attribute__((alias("cuDevicePrimaryCtxReset_v2")));

CUresult cuDevicePrimaryCtxGetState(CUdevice device, unsigned *flags, int *active) {
  ENTER(cuDevicePrimaryCtxGetState, NEEDS_INIT | EVEN_IF_BROKEN);
  REQUIRE(flags != NULL && active != NULL, CUDA_ERROR_INVALID_VALUE);
  REQUIRE(is_device(device), CUDA_ERROR_INVALID_DEVICE);
  pthread_mutex_lock(&lock);
  *flags = primary_flags[device];
  *active = primary[device] != NULL;
  pthread_mutex_unlock(&lock);
  return CUDA_SUCCESS;
}

CUresult cuCtxCreate_v2(CUcontext *context, unsigned flags, CUdevice device) {
  ENTER(cuCtxCreate_v2, NEEDS_INIT);
  REQUIRE(context != NULL, CUDA_ERROR_INVALID_VALUE);
  REQUIRE(is_device(device), CUDA_ERROR_INVALID_DEVICE);
  REQUIRE(depth < STACK, CUDA_ERROR_OUT_OF_MEMORY);
  pthread_mutex_lock(&lock);
  *context = make_context(device, flags, false);
  pthread_mutex_unlock(&lock);
  stack[depth++] = *context;
  return CUDA_SUCCESS;
}

CUresult cuCtxDestroy_v2(CUcontext context) {
  ENTER(cuCtxDestroy_v2, NEEDS_INIT);
  REQUIRE(context != NULL, CUDA_ERROR_INVALID_VALUE);
  REQUIRE(is_alive(context) && !context->primary, CUDA_ERROR_INVALID_CONTEXT);
  if (current_context() == context)
    depth--;
  end_context(context);
  return CUDA_SUCCESS;
}

CUresult cuCtxPushCurrent_v2(CUcontext context) {
  ENTER(cuCtxPushCurrent_v2, NEEDS_INIT | EVEN_IF_BROKEN);
  REQUIRE(context != NULL, CUDA_ERROR_INVALID_VALUE);
  REQUIRE(is_alive(context), CUDA_ERROR_INVALID_CONTEXT);
  REQUIRE(depth < STACK, CUDA_ERROR_OUT_OF_MEMORY);
  stack[depth++] = context;
  return CUDA_SUCCESS;
}

CUresult cuCtxPopCurrent_v2(CUcontext *context) {
  ENTER(cuCtxPopCurrent_v2, NEEDS_INIT | EVEN_IF_BROKEN);
  REQUIRE(depth > 0, CUDA_ERROR_INVALID_CONTEXT);
  depth--;
  if (context != NULL)
    *context = stack[depth];
  return CUDA_SUCCESS;
}

CUresult cuCtxGetCurrent(CUcontext *context) {
  ENTER(cuCtxGetCurrent, NEEDS_INIT | EVEN_IF_BROKEN);
  REQUIRE(context != NULL, CUDA_ERROR_INVALID_VALUE);
  *context = current_context();
  return CUDA_SUCCESS;
}

CUresult cuCtxSetCurrent(CUcontext context) {
  ENTER(cuCtxSetCurrent, NEEDS_INIT | EVEN_IF_BROKEN);
  if (context == NULL) {
    if (depth > 0)
      depth--;
    return CUDA_SUCCESS;
  }
  REQUIRE(is_alive(context), CUDA_ERROR_INVALID_CONTEXT);
  if (depth == 0)
    depth = 1;
  stack[depth - 1] = context;
  return CUDA_SUCCESS;
}

CUresult cuCtxGetDevice(CUdevice *device) {
  ENTER(cuCtxGetDevice, NEEDS_CONTEXT | EVEN_IF_BROKEN);
  REQUIRE(device != NULL, CUDA_ERROR_INVALID_VALUE);
  *device = current_context()->device;
  return CUDA_SUCCESS;
}

CUresult cuCtxSynchronize(void) {
  ENTER(cuCtxSynchronize, NEEDS_CONTEXT);
  return context_wait(current_context());
}

/* Kept and told, and otherwise without an effect: kernels need no stack here. */
CUresult cuCtxSetLimit(int limit, size_t value) {
  ENTER(cuCtxSetLimit, NEEDS_CONTEXT);
  REQUIRE(limit >= 0 && limit < LIMIT_COUNT, CUDA_ERROR_UNSUPPORTED_LIMIT);
  pthread_mutex_lock(&lock);
  current_context()->limits[limit] = value;
  pthread_mutex_unlock(&lock);
  return CUDA_SUCCESS;
}

CUresult cuCtxGetLimit(size_t *value, int limit) {
  ENTER(cuCtxGetLimit, NEEDS_CONTEXT);
  REQUIRE(value != NULL, CUDA_ERROR_INVALID_VALUE);
  REQUIRE(limit >= 0 && limit < LIMIT_COUNT, CUDA_ERROR_UNSUPPORTED_LIMIT);
  pthread_mutex_lock(&lock);
  *value = current_context()->limits[limit];
  pthread_mutex_unlock(&lock);
  return CUDA_SUCCESS;
}

CUresult cuMemGetInfo_v2(size_t *available, size_t *total) {
  ENTER(cuMemGetInfo_v2, NEEDS_CONTEXT);
  REQUIRE(available != NULL && total != NULL, CUDA_ERROR_INVALID_VALUE);
  *total = config.memory;
  *available = config.memory - memory_used(current_context()->device);
  return CUDA_SUCCESS;
}

/* ---- what is looked up and not done ---- */

#define X(name)                      \
  CUresult name(void) {              \
    ENTER(name, NEEDS_NOTHING);      \
    return CUDA_ERROR_NOT_SUPPORTED; \
  }
FAKECUDA_REFUSED(X)
#undef X
