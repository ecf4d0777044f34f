/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies and fills. */
#define _GNU_SOURCE
#include "internal.h"

#include <stdlib.h>
#include <string.h>

struct side {
  uintptr_t address; /* of the first byte */
  size_t pitch;
  bool pageable;     /* host memory that CUDA does not know */
  bool host;
};

struct copy_operation {
  struct operation operation;
  struct side source, destination;
  size_t width, height;
  void *staged;
};

static uint64_t extent(const struct side *side, size_t width, size_t height) {
  return (uint64_t)(height - 1) * side->pitch + width;
}

static bool may(const struct side *side, size_t width, size_t height, int device, bool write) {
  return side->pageable || check_access(side->address, extent(side, width, height), device, write) == ACCESS_OK;
}

static void move_rows(const struct copy_operation *copy, size_t from, size_t to) {
  for (size_t row = from; row < to; row++)
    memmove((char *)copy->destination.address + row * copy->destination.pitch,
            (const char *)copy->source.address + row * copy->source.pitch, copy->width);
}

static void run_copy(struct operation *operation, CUstream stream) {
  struct copy_operation *copy = (struct copy_operation *)operation;
  int device = stream->context->device;
  pause_third(stream);
  for (int half = 0; half < 2; half++) {
    pthread_rwlock_rdlock(&space);
    bool allowed = may(&copy->source, copy->width, copy->height, device, false) &&
                   may(&copy->destination, copy->width, copy->height, device, true);
    if (allowed && copy->height > 1) {
      size_t middle = copy->height / 2;
      move_rows(copy, half == 0 ? 0 : middle, half == 0 ? middle : copy->height);
    } else if (allowed) {
      size_t middle = copy->width / 2;
      memmove((char *)copy->destination.address + (half == 0 ? 0 : middle),
              (const char *)copy->source.address + (half == 0 ? 0 : middle), half == 0 ? middle : copy->width - middle);
    }
    pthread_rwlock_unlock(&space);
    if (!allowed) {
      break_process(CUDA_ERROR_ILLEGAL_ADDRESS);
      return;
    }
    pause_third(stream);
  }
}

static void drop_copy(struct operation *operation) {
  free(((struct copy_operation *)operation)->staged);
}

/* What the address is, whatever the caller says: a device pointer of pinned memory is host memory. */
static CUresult resolve(struct side *side, int type, const void *host, CUdeviceptr device) {
  side->address = type == CU_MEMORYTYPE_HOST ? (uintptr_t)host : device;
  REQUIRE(side->address != 0, CUDA_ERROR_INVALID_VALUE);
  pthread_rwlock_rdlock(&space);
  struct area *area = area_at(side->address);
  side->host = area == NULL ? !is_reserved(side->address) : is_host(area);
  side->pageable = area == NULL && side->host;
  bool managed = area != NULL && area->managed;
  pthread_rwlock_unlock(&space);
  switch (type) {
    case CU_MEMORYTYPE_HOST: return side->host || managed ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
    case CU_MEMORYTYPE_DEVICE: return area == NULL ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
    case CU_MEMORYTYPE_UNIFIED: return side->host || area != NULL ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
    default: return CUDA_ERROR_NOT_SUPPORTED;
  }
}

enum waiting { ASYNCHRONOUS, WAITS_IF_HOST };

static CUresult copy_2d(const CUDA_MEMCPY2D *given, CUstream handle, enum waiting waiting) {
  REQUIRE(given != NULL, CUDA_ERROR_INVALID_VALUE);
  if (given->WidthInBytes == 0 || given->Height == 0)
    return CUDA_SUCCESS;
  struct side source = {.pitch = given->srcPitch}, destination = {.pitch = given->dstPitch};
  CUresult result = resolve(&source, given->srcMemoryType, given->srcHost, given->srcDevice);
  if (result == CUDA_SUCCESS)
    result = resolve(&destination, given->dstMemoryType, given->dstHost, given->dstDevice);
  if (result != CUDA_SUCCESS)
    return result;
  size_t width = given->WidthInBytes, height = given->Height;
  bool one_row = height == 1 && given->srcY == 0 && given->dstY == 0;
  const size_t most = 2147483647;
  REQUIRE(width <= most || one_row, CUDA_ERROR_INVALID_VALUE);
  REQUIRE(one_row || (given->srcPitch >= given->srcXInBytes + width && given->srcPitch <= most), CUDA_ERROR_INVALID_VALUE);
  REQUIRE(one_row || (given->dstPitch >= given->dstXInBytes + width && given->dstPitch <= most), CUDA_ERROR_INVALID_VALUE);
  source.address += given->srcY * given->srcPitch + given->srcXInBytes;
  destination.address += given->dstY * given->dstPitch + given->dstXInBytes;

  CUstream stream;
  result = stream_take(handle, &stream);
  if (result != CUDA_SUCCESS)
    return result;
  int device = stream->context->device;
  pthread_rwlock_rdlock(&space);
  bool allowed = may(&source, width, height, device, false) && may(&destination, width, height, device, true);
  pthread_rwlock_unlock(&space);
  if (!allowed) {
    stream_drop(stream);
    return CUDA_ERROR_INVALID_VALUE;
  }
  struct copy_operation *copy = calloc(1, sizeof *copy);
  copy->operation.run = run_copy;
  copy->operation.drop = drop_copy;
  copy->source = source;
  copy->destination = destination;
  copy->width = width;
  copy->height = height;
  if (source.pageable) {
    /* As the real driver does: pageable memory is read before the call returns. */
    copy->staged = malloc(width * height);
    if (copy->staged == NULL) {
      free(copy);
      stream_drop(stream);
      return CUDA_ERROR_OUT_OF_MEMORY;
    }
    for (size_t row = 0; row < height; row++)
      memcpy((char *)copy->staged + row * width, (const char *)source.address + row * source.pitch, width);
    copy->source.address = (uintptr_t)copy->staged;
    copy->source.pitch = width;
  }
  count_copy(source.host ? destination.host ? HTOH : HTOD : destination.host ? DTOH : DTOD, (uint64_t)width * height);
  uint64_t ticket = stream_enqueue(stream, &copy->operation);
  if (waiting == WAITS_IF_HOST && (source.host || destination.host))
    result = stream_wait(stream, ticket);
  stream_drop(stream);
  return result;
}

static CUresult copy_1d(int source_type, const void *source_host, CUdeviceptr source, int destination_type,
                        void *destination_host, CUdeviceptr destination, size_t size, CUstream stream, enum waiting waiting) {
  CUDA_MEMCPY2D copy = {.srcMemoryType = source_type, .srcHost = source_host, .srcDevice = source, .srcPitch = size,
                        .dstMemoryType = destination_type, .dstHost = destination_host, .dstDevice = destination,
                        .dstPitch = size, .WidthInBytes = size, .Height = 1};
  return copy_2d(&copy, stream, waiting);
}

CUresult cuMemcpy2D_v2(const CUDA_MEMCPY2D *copy) {
  ENTER(cuMemcpy2D_v2, NEEDS_CONTEXT);
  return copy_2d(copy, NULL, WAITS_IF_HOST);
}

CUresult cuMemcpy2DAsync_v2(const CUDA_MEMCPY2D *copy, CUstream stream) {
  ENTER(cuMemcpy2DAsync_v2, NEEDS_CONTEXT);
  return copy_2d(copy, stream, ASYNCHRONOUS);
}

/* The addresses say what lies where. */
static CUresult copy_unified(CUdeviceptr destination, CUdeviceptr source, size_t size, CUstream stream, enum waiting waiting) {
  return copy_1d(CU_MEMORYTYPE_UNIFIED, NULL, source, CU_MEMORYTYPE_UNIFIED, NULL, destination, size, stream, waiting);
}

CUresult cuMemcpy(CUdeviceptr destination, CUdeviceptr source, size_t size) {
  ENTER(cuMemcpy, NEEDS_CONTEXT);
  return copy_unified(destination, source, size, NULL, WAITS_IF_HOST);
}

CUresult cuMemcpyAsync(CUdeviceptr destination, CUdeviceptr source, size_t size, CUstream stream) {
  ENTER(cuMemcpyAsync, NEEDS_CONTEXT);
  return copy_unified(destination, source, size, stream, ASYNCHRONOUS);
}

CUresult cuMemcpyDtoH_v2(void *destination, CUdeviceptr source, size_t size) {
  ENTER(cuMemcpyDtoH_v2, NEEDS_CONTEXT);
  return copy_1d(CU_MEMORYTYPE_DEVICE, NULL, source, CU_MEMORYTYPE_HOST, destination, 0, size, NULL, WAITS_IF_HOST);
}

CUresult cuMemcpyHtoD_v2(CUdeviceptr destination, const void *source, size_t size) {
  ENTER(cuMemcpyHtoD_v2, NEEDS_CONTEXT);
  return copy_1d(CU_MEMORYTYPE_HOST, source, 0, CU_MEMORYTYPE_DEVICE, NULL, destination, size, NULL, WAITS_IF_HOST);
}

/* Between two places on the device the real driver does not make the caller wait, even here. */
CUresult cuMemcpyDtoD_v2(CUdeviceptr destination, CUdeviceptr source, size_t size) {
  ENTER(cuMemcpyDtoD_v2, NEEDS_CONTEXT);
  return copy_1d(CU_MEMORYTYPE_DEVICE, NULL, source, CU_MEMORYTYPE_DEVICE, NULL, destination, size, NULL, WAITS_IF_HOST);
}

CUresult cuMemcpyDtoHAsync_v2(void *destination, CUdeviceptr source, size_t size, CUstream stream) {
  ENTER(cuMemcpyDtoHAsync_v2, NEEDS_CONTEXT);
  return copy_1d(CU_MEMORYTYPE_DEVICE, NULL, source, CU_MEMORYTYPE_HOST, destination, 0, size, stream, ASYNCHRONOUS);
}

CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr destination, const void *source, size_t size, CUstream stream) {
  ENTER(cuMemcpyHtoDAsync_v2, NEEDS_CONTEXT);
  return copy_1d(CU_MEMORYTYPE_HOST, source, 0, CU_MEMORYTYPE_DEVICE, NULL, destination, size, stream, ASYNCHRONOUS);
}

CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr destination, CUdeviceptr source, size_t size, CUstream stream) {
  ENTER(cuMemcpyDtoDAsync_v2, NEEDS_CONTEXT);
  return copy_1d(CU_MEMORYTYPE_DEVICE, NULL, source, CU_MEMORYTYPE_DEVICE, NULL, destination, size, stream, ASYNCHRONOUS);
}

/* ---- fills ---- */

struct fill_operation {
  struct operation operation;
  CUdeviceptr address;
  unsigned char value;
  size_t count;
};

static void run_fill(struct operation *operation, CUstream stream) {
  struct fill_operation *fill = (struct fill_operation *)operation;
  pause_third(stream);
  for (int half = 0; half < 2; half++) {
    size_t middle = fill->count / 2;
    pthread_rwlock_rdlock(&space);
    bool allowed = check_access(fill->address, fill->count, stream->context->device, true) == ACCESS_OK;
    if (allowed)
      memset((char *)fill->address + (half == 0 ? 0 : middle), fill->value, half == 0 ? middle : fill->count - middle);
    pthread_rwlock_unlock(&space);
    if (!allowed) {
      break_process(CUDA_ERROR_ILLEGAL_ADDRESS);
      return;
    }
    pause_third(stream);
  }
}

/* Neither call makes the caller wait, unless the memory is the host's. */
static CUresult fill_bytes(CUdeviceptr address, unsigned char value, size_t count, CUstream handle, enum waiting waiting) {
  REQUIRE(address != 0, CUDA_ERROR_INVALID_VALUE);
  if (count == 0)
    return CUDA_SUCCESS;
  CUstream stream;
  CUresult result = stream_take(handle, &stream);
  if (result != CUDA_SUCCESS)
    return result;
  pthread_rwlock_rdlock(&space);
  bool allowed = check_access(address, count, stream->context->device, true) == ACCESS_OK;
  bool host = allowed && is_host(area_at(address));
  pthread_rwlock_unlock(&space);
  if (!allowed) {
    stream_drop(stream);
    return CUDA_ERROR_INVALID_VALUE;
  }
  struct fill_operation *fill = calloc(1, sizeof *fill);
  fill->operation.run = run_fill;
  fill->address = address;
  fill->value = value;
  fill->count = count;
  count_memset(count);
  uint64_t ticket = stream_enqueue(stream, &fill->operation);
  if (waiting == WAITS_IF_HOST && host)
    result = stream_wait(stream, ticket);
  stream_drop(stream);
  return result;
}

CUresult cuMemsetD8_v2(CUdeviceptr address, unsigned char value, size_t count) {
  ENTER(cuMemsetD8_v2, NEEDS_CONTEXT);
  return fill_bytes(address, value, count, NULL, WAITS_IF_HOST);
}

CUresult cuMemsetD8Async(CUdeviceptr address, unsigned char value, size_t count, CUstream stream) {
  ENTER(cuMemsetD8Async, NEEDS_CONTEXT);
  return fill_bytes(address, value, count, stream, ASYNCHRONOUS);
}
