/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Counts the copies that a process asks the real CUDA driver for, by direction.
 *
 * This library is named libcuda.so.1 and found first (LD_LIBRARY_PATH). It depends on libcuda_real.so, which whoever starts the process
 * makes a link to the driver's own library beside this one. A program that opens libcuda.so.1 and asks for a function gets
 * the counting one if it is here and else, through the dependency, the driver's. What a program gets from cuGetProcAddress is
 * not counted; FFmpeg's loader and CuFrames use dlsym. At exit the counts are written to CUDACOUNT_FILE.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

enum direction { HTOD, DTOH, DTOD, HTOH, UNKNOWN, DIRECTIONS };

static const char *const names[DIRECTIONS] = {"HtoD", "DtoH", "DtoD", "HtoH", "unknown"};
static _Atomic uint64_t counts[DIRECTIONS], bytes[DIRECTIONS];

typedef int result;
typedef uint64_t device_pointer;

/* CUDA_MEMCPY2D of the driver API. Memory types: 1 host, 2 device, 3 array, 4 unified. */
struct copy_2d {
  size_t source_x, source_y;
  unsigned source_type;
  const void *source_host;
  device_pointer source_device;
  void *source_array;
  size_t source_pitch;
  size_t destination_x, destination_y;
  unsigned destination_type;
  void *destination_host;
  device_pointer destination_device;
  void *destination_array;
  size_t destination_pitch;
  size_t width, height;
};

static void *real(const char *name) {
  static void *library;
  if (library == NULL)
    library = dlopen("libcuda_real.so", RTLD_NOW | RTLD_NOLOAD);
  void *function = library == NULL ? NULL : dlsym(library, name);
  if (function == NULL) {
    fprintf(stderr, "cudacount: the driver has no %s\n", name);
    abort();
  }
  return function;
}

static void count(enum direction direction, uint64_t size) {
  atomic_fetch_add(&counts[direction], 1);
  atomic_fetch_add(&bytes[direction], size);
}

static void count_2d(const struct copy_2d *copy) {
  unsigned from = copy->source_type, to = copy->destination_type;
  enum direction direction = UNKNOWN;
  if (from == 1)
    direction = to == 1 ? HTOH : to == 4 ? UNKNOWN : HTOD;
  else if (from != 4)
    direction = to == 1 ? DTOH : to == 4 ? UNKNOWN : DTOD;
  count(direction, copy->width * copy->height);
}

#define LINEAR(name, direction, to_type, from_type)                                        \
  EXPORT result name(to_type to, from_type from, size_t size) {                            \
    count(direction, size);                                                                \
    return ((result (*)(to_type, from_type, size_t))real(#name))(to, from, size);          \
  }
#define LINEAR_ASYNC(name, direction, to_type, from_type)                                          \
  EXPORT result name(to_type to, from_type from, size_t size, void *stream) {                      \
    count(direction, size);                                                                        \
    return ((result (*)(to_type, from_type, size_t, void *))real(#name))(to, from, size, stream);  \
  }
#define BOX(name)                                                              \
  EXPORT result name(const struct copy_2d *copy) {                             \
    count_2d(copy);                                                            \
    return ((result (*)(const struct copy_2d *))real(#name))(copy);            \
  }
#define BOX_ASYNC(name)                                                                  \
  EXPORT result name(const struct copy_2d *copy, void *stream) {                         \
    count_2d(copy);                                                                      \
    return ((result (*)(const struct copy_2d *, void *))real(#name))(copy, stream);      \
  }

LINEAR(cuMemcpyHtoD_v2, HTOD, device_pointer, const void *)
LINEAR(cuMemcpyDtoH_v2, DTOH, void *, device_pointer)
LINEAR(cuMemcpyDtoD_v2, DTOD, device_pointer, device_pointer)
LINEAR(cuMemcpy, UNKNOWN, device_pointer, device_pointer)
LINEAR_ASYNC(cuMemcpyHtoDAsync_v2, HTOD, device_pointer, const void *)
LINEAR_ASYNC(cuMemcpyDtoHAsync_v2, DTOH, void *, device_pointer)
LINEAR_ASYNC(cuMemcpyDtoDAsync_v2, DTOD, device_pointer, device_pointer)
LINEAR_ASYNC(cuMemcpyAsync, UNKNOWN, device_pointer, device_pointer)
BOX(cuMemcpy2D_v2)
BOX(cuMemcpy2DUnaligned_v2)
BOX_ASYNC(cuMemcpy2DAsync_v2)

EXPORT result cuMemcpy3DAsync_v2(const void *copy, void *stream) {
  count(UNKNOWN, 0);
  return ((result (*)(const void *, void *))real("cuMemcpy3DAsync_v2"))(copy, stream);
}

__attribute__((destructor)) static void write_counts(void) {
  const char *path = getenv("CUDACOUNT_FILE");
  if (path == NULL || *path == 0)
    return;
  FILE *file = fopen(path, "we");
  if (file == NULL) {
    perror("cudacount: CUDACOUNT_FILE");
    return;
  }
  fprintf(file, "{\n  \"pid\": %d,\n  \"copies\": {", (int)getpid());
  for (int i = 0; i < DIRECTIONS; i++)
    fprintf(file, "%s\"%s\": {\"count\": %" PRIu64 ", \"bytes\": %" PRIu64 "}", i == 0 ? "" : ", ", names[i],
            atomic_load(&counts[i]), atomic_load(&bytes[i]));
  fprintf(file, "}\n}\n");
  fclose(file);
}
