/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel of renditions, from its own source: media/kernels/rendition.cu, compiled for the processor. The threads of a
 * block take turns, from one barrier to the next. Every access is checked against what the device has mapped. */
#define _GNU_SOURCE
#include "internal.h"
#include "kernel.h"

#include <math.h>
#include <string.h>

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

#define DEVICE static inline __attribute__((always_inline))
#define THREAD_NUMBER thread_number
#define THREAD_STATE(name) struct sums name[THREADS]
#define OF_THREAD(name) name[thread_number]
#define EACH_THREAD for (u32 thread_number = 0; thread_number < (u32)THREADS; thread_number++)
#define BARRIER() (void)0
#define UNROLL_ALL
#define UNROLL_4
#define NO_UNROLL

/* What was found to be mapped during this launch. */
enum { MOST_RANGES = 16 };
static _Thread_local struct {
  uintptr_t start, end;
  bool write;
} ranges[MOST_RANGES];
static _Thread_local int range_count, device;
static _Thread_local bool is_denied;

static __attribute__((noinline)) bool find_range(uintptr_t address, size_t size, bool write) {
  if (check_access(address, size, device, write) != ACCESS_OK) {
    is_denied = true;
    return false;
  }
  /* A driver gives whole pages, too; but nobody may count on that. */
  const struct area *area = area_at(address);
  if (address + size > area->start + area->asked) {
    is_denied = true;
    return false;
  }
  if (range_count < MOST_RANGES) {
    ranges[range_count].start = area->start;
    ranges[range_count].end = area->start + area->asked;
    ranges[range_count++].write = write;
  }
  return true;
}

static inline bool is_allowed(u64 address, size_t size, bool write) {
  if (address % size != 0) {
    is_denied = true;
    return false;
  }
  for (int i = 0; i < range_count; i++) {
    if (address >= ranges[i].start && address + size <= ranges[i].end && ranges[i].write == write)
      return true;
  }
  return find_range(address, size, write);
}

#define LOAD(type, address) (is_allowed(address, sizeof(type), false) ? *(const type *)(uintptr_t)(address) : 0)
#define STORE(type, address, value)                   \
  do {                                                \
    if (is_allowed(address, sizeof(type), true))      \
      *(type *)(uintptr_t)(address) = (type)(value);  \
  } while (0)

DEVICE u32 load_8(u64 address) { return LOAD(u8, address); }
DEVICE u32 load_16(u64 address) { return LOAD(u16, address); }
DEVICE u32 load_32(u64 address) { return LOAD(u32, address); }
DEVICE u64 load_64(u64 address) { return LOAD(u64, address); }
DEVICE int load_int(u64 address, int index) { return LOAD(int, address + (u64)(i64)index * 4); }
DEVICE float load_float(u64 address, int index) { return LOAD(float, address + (u64)(i64)index * 4); }
DEVICE void store_8(u64 address, u32 value) { STORE(u8, address, value); }
DEVICE void store_16(u64 address, u32 value) { STORE(u16, address, value); }
DEVICE void store_float(u64 address, float value) { STORE(float, address, value); }
DEVICE u32 round_to_int(float value) { return (u32)lrintf(value); }
DEVICE float smaller(float a, float b) { return a < b ? a : b; }
DEVICE float larger(float a, float b) { return a > b ? a : b; }

/* As cvt.rn.f16.f32: to the nearest, of two to the even one; no number stays none, what is too large becomes infinite. */
DEVICE u32 to_half(float value) {
  u32 bits;
  memcpy(&bits, &value, sizeof bits);
  u32 sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000)
    return 0x7fff;
  if (magnitude >= 0x477ff000)
    return sign | 0x7c00;
  if (magnitude < 0x38800000) /* below 2^-14 the step is 2^-24 */
    return sign | (u32)lrintf(ldexpf(fabsf(value), 24));
  magnitude += 0xfff + (magnitude >> 13 & 1);
  return sign | (magnitude - 0x38000000) >> 13;
}

#include "../../media/kernels/rendition.cu"

_Static_assert(sizeof(struct rendition) == RENDITION_ARGUMENT_SIZE, "kernel.h has another size");

static bool run_blocks(const struct rendition *rendition, unsigned from, unsigned to, CUstream stream) {
  /* Shared memory begins with any content: here with what makes every sum wrong. */
  _Alignas(16) float tile[TILE_ROWS * PIECE];
  range_count = 0;
  device = stream->context->device;
  is_denied = false;
  pthread_rwlock_rdlock(&space);
  for (unsigned block = from; block < to && !is_denied; block++) {
    memset(tile, 0xff, sizeof tile);
    make_tile(rendition, (int)block, tile);
  }
  pthread_rwlock_unlock(&space);
  return !is_denied;
}

/* In two halves, as copies are: whoever looks at the result too early, or changes the picture, sees that. */
bool run_rendition(const struct launch *launch, CUstream stream) {
  const struct rendition *rendition = (const void *)launch->arguments;
  if (launch->threads != THREADS)
    return false;
  unsigned middle = launch->blocks / 2;
  bool is_good = run_blocks(rendition, 0, middle, stream);
  pause_third(stream);
  return is_good && run_blocks(rendition, middle, launch->blocks, stream);
}
