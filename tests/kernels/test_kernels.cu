/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Kernels for tests. test_kernels.ptx is compiled from this file (check.sh says how) and is what programs load; the double
 * in tests/fakecuda does the same by an entry's name. Any grid and block will do: work is spread over all threads. */

#define KERNEL extern "C" __attribute__((global)) void
#define DEVICE static __attribute__((device))

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

DEVICE u64 first() {
  return (u64)__nvvm_read_ptx_sreg_ctaid_x() * __nvvm_read_ptx_sreg_ntid_x() + __nvvm_read_ptx_sreg_tid_x();
}

DEVICE u64 stride() {
  return (u64)__nvvm_read_ptx_sreg_nctaid_x() * __nvvm_read_ptx_sreg_ntid_x();
}

DEVICE u64 time() {
  u64 nanoseconds;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(nanoseconds));
  return nanoseconds;
}

/* Runs for this long. */
KERNEL spin(u64 nanoseconds) {
  u64 start = time();
  while (time() - start < nanoseconds) {
  }
}

/* Runs until the flag is not 0, or for ever. The flag lies in device memory or in registered host memory. */
KERNEL hang(const volatile u32 *flag) {
  while (*flag == 0) {
  }
}

KERNEL fill(u8 *address, u64 count, u8 value) {
  for (u64 i = first(); i < count; i += stride())
    address[i] = value;
}

KERNEL write_one(volatile u32 *address, u32 value) {
  if (first() == 0)
    *address = value;
}

KERNEL copy(const u8 *source, u8 *destination, u64 count) {
  for (u64 i = first(); i < count; i += stride())
    destination[i] = source[i];
}

/* Adds the sum over all bytes of x ^ x >> 32, x = (i * 0x9e3779b97f4a7c15 ^ byte i) * 0x100000001b3, to *result, all modulo
 * 2^64: it depends on every byte and its place, and not on the order in which threads come by. */
KERNEL checksum(const volatile u8 *address, u64 count, u64 *result) {
  u64 sum = 0;
  for (u64 i = first(); i < count; i += stride()) {
    u64 x = (i * 0x9e3779b97f4a7c15u ^ address[i]) * 0x100000001b3u;
    sum += x ^ x >> 32;
  }
  asm volatile("red.global.add.u64 [%0], %1;" : : "l"(result), "l"(sum) : "memory");
}
