/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "device.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "../../fakecuda/cuda_driver.h"
#include "checker.h"
#include "options.h"
#include "stamp.h"

#define COPIES 8
#define PICTURES 4

/* The driver's functions that are used. */
#define FUNCTIONS(X)                                                                                                                           \
  X(cuInit)                                                                                                                                    \
  X(cuGetErrorName)                                                                                                                            \
  X(cuDeviceGet)                                                                                                                               \
  X(cuDevicePrimaryCtxRetain)                                                                                                                  \
  X(cuDevicePrimaryCtxRelease_v2)                                                                                                              \
  X(cuCtxPushCurrent_v2)                                                                                                                       \
  X(cuCtxPopCurrent_v2)                                                                                                                        \
  X(cuStreamCreate)                                                                                                                            \
  X(cuStreamDestroy_v2)                                                                                                                        \
  X(cuStreamSynchronize)                                                                                                                       \
  X(cuEventCreate)                                                                                                                             \
  X(cuEventDestroy_v2)                                                                                                                         \
  X(cuEventRecord)                                                                                                                             \
  X(cuEventQuery)                                                                                                                              \
  X(cuEventSynchronize)                                                                                                                        \
  X(cuMemHostAlloc)                                                                                                                            \
  X(cuMemFreeHost)                                                                                                                             \
  X(cuMemcpy2DAsync_v2)

static struct {
#define X(name) __typeof__(name) *name;
  FUNCTIONS(X)
#undef X
} driver;

/* Page-locked memory. */
struct buffer {
  unsigned char *memory;
  size_t size;
};

struct copy {
  struct buffer buffer;
  CUevent done;
  cuframes_frame frame; /* for its numbers: it may have been released */
};

struct device {
  CUdevice device;
  CUcontext context;
  CUstream stream;
  struct copy copies[COPIES];
  int first;
  int count;
  struct buffer pictures[PICTURES];
  int next_picture;
};

static void require(CUresult result, const char *what) {
  if (result != CUDA_SUCCESS) {
    const char *name = "an unknown error";
    driver.cuGetErrorName(result, &name);
    die("%s: %s (%d)", what, name, (int)result);
  }
}

#define CALL(name, ...) require(driver.name(__VA_ARGS__), #name)

static void load_driver(void) {
  if (driver.cuInit != NULL) {
    return;
  }
  void *library = dlopen("libcuda.so.1", RTLD_NOW);
  if (library == NULL) {
    die("the CUDA driver: %s", dlerror());
  }
#define X(name)                                                                                                                                \
  *(void **)&driver.name = dlsym(library, #name);                                                                                              \
  if (driver.name == NULL) {                                                                                                                   \
    die("the CUDA driver has no %s", #name);                                                                                                   \
  }
  FUNCTIONS(X)
#undef X
  CALL(cuInit, 0);
}

static void enter(device *device) { CALL(cuCtxPushCurrent_v2, device->context); }

static void leave(void) {
  CUcontext context;
  CALL(cuCtxPopCurrent_v2, &context);
}

/* The context is current. What an earlier frame left in the buffer must not pass for a later one. */
static void reserve(struct buffer *buffer, size_t size) {
  if (buffer->size >= size) {
    return;
  }
  if (buffer->memory != NULL) {
    CALL(cuMemFreeHost, buffer->memory);
  }
  void *memory;
  CALL(cuMemHostAlloc, &memory, size, CU_MEMHOSTALLOC_PORTABLE);
  buffer->memory = memory;
  buffer->size = size;
}

device *device_open(int32_t ordinal, const void *context) {
  load_driver();
  device *made = calloc(1, sizeof *made);
  if (made == NULL) {
    die("no memory for a device");
  }
  CALL(cuDeviceGet, &made->device, ordinal);
  CALL(cuDevicePrimaryCtxRetain, &made->context, made->device);
  if (made->context != context) {
    die("the library uses another context than the primary one of device %d", ordinal);
  }
  enter(made);
  CALL(cuStreamCreate, &made->stream, CU_STREAM_NON_BLOCKING);
  for (int i = 0; i < COPIES; i++) {
    CALL(cuEventCreate, &made->copies[i].done, CU_EVENT_BLOCKING_SYNC | CU_EVENT_DISABLE_TIMING);
  }
  leave();
  return made;
}

void device_close(device *device) {
  if (device == NULL) {
    return;
  }
  enter(device);
  CALL(cuStreamSynchronize, device->stream);
  for (int i = 0; i < COPIES; i++) {
    CALL(cuEventDestroy_v2, device->copies[i].done);
    if (device->copies[i].buffer.memory != NULL) {
      CALL(cuMemFreeHost, device->copies[i].buffer.memory);
    }
  }
  for (int i = 0; i < PICTURES; i++) {
    if (device->pictures[i].memory != NULL) {
      CALL(cuMemFreeHost, device->pictures[i].memory);
    }
  }
  CALL(cuStreamDestroy_v2, device->stream);
  leave();
  CALL(cuDevicePrimaryCtxRelease_v2, device->device);
  free(device);
}

void *device_stream(device *device) { return device->stream; }

bool device_is_full(device *device) { return device->count == COPIES; }

void device_synchronize(device *device) {
  enter(device);
  CALL(cuStreamSynchronize, device->stream);
  leave();
}

/* Copies all planes between a picture in one piece and a frame. The context is current. */
static void copy_planes(device *device, unsigned char *picture, const cuframes_frame *frame, bool to_device) {
  for (uint32_t i = 0; i < frame->plane_count; i++) {
    const cuframes_plane *plane = &frame->planes[i];
    CUDA_MEMCPY2D copy = {
        .srcMemoryType = to_device ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE,
        .dstMemoryType = to_device ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST,
        .WidthInBytes = (size_t)plane->row_bytes,
        .Height = (size_t)plane->rows,
    };
    if (to_device) {
      copy.srcHost = picture;
      copy.srcPitch = (size_t)plane->row_bytes;
      copy.dstDevice = (CUdeviceptr)(uintptr_t)plane->data;
      copy.dstPitch = (size_t)plane->pitch;
    } else {
      copy.srcDevice = (CUdeviceptr)(uintptr_t)plane->data;
      copy.srcPitch = (size_t)plane->pitch;
      copy.dstHost = picture;
      copy.dstPitch = (size_t)plane->row_bytes;
    }
    CALL(cuMemcpy2DAsync_v2, &copy, device->stream);
    picture += plane->row_bytes * plane->rows;
  }
}

void device_enqueue_copy(device *device, const cuframes_frame *frame) {
  if (device_is_full(device)) {
    die("a copy more than there may be");
  }
  struct copy *copy = &device->copies[(device->first + device->count) % COPIES];
  size_t size = stamp_picture_bytes(frame);
  enter(device);
  reserve(&copy->buffer, size);
  memset(copy->buffer.memory, 0xEE, size);
  copy->frame = *frame;
  copy_planes(device, copy->buffer.memory, frame, false);
  CALL(cuEventRecord, copy->done, device->stream);
  leave();
  device->count++;
}

bool device_look_at_oldest(device *device, char *text, size_t size) {
  if (device->count == 0) {
    return false;
  }
  struct copy *copy = &device->copies[device->first];
  device->first = (device->first + 1) % COPIES;
  device->count--;
  enter(device);
  CALL(cuEventSynchronize, copy->done);
  leave();
  if (checker_look_at_copy(&copy->frame, copy->buffer.memory, text, size)) {
    text[0] = '\0';
  }
  return true;
}

bool device_look_at_complete(device *device, char *text, size_t size) {
  if (device->count == 0) {
    return false;
  }
  enter(device);
  CUresult result = driver.cuEventQuery(device->copies[device->first].done);
  leave();
  if (result == CUDA_ERROR_NOT_READY) {
    return false;
  }
  require(result, "cuEventQuery");
  return device_look_at_oldest(device, text, size);
}

void *device_picture(device *device, size_t size) {
  struct buffer *buffer = &device->pictures[device->next_picture];
  device->next_picture = (device->next_picture + 1) % PICTURES;
  enter(device);
  if (buffer->size < size) {
    /* A larger format than before: nothing may be under way from the buffer that goes. */
    CALL(cuStreamSynchronize, device->stream);
    reserve(buffer, size);
  }
  leave();
  return buffer->memory;
}

void device_upload(device *device, const void *picture, const cuframes_frame *frame) {
  enter(device);
  copy_planes(device, (unsigned char *)(uintptr_t)picture, frame, true);
  leave();
}
