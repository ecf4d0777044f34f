/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opens the driver as CuFrames does and makes one copy of each kind that CuFrames makes. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static void *library;

static void *need(const char *name) {
  void *function = dlsym(library, name);
  if (function == NULL) {
    fprintf(stderr, "no %s\n", name);
    exit(1);
  }
  return function;
}

static void require(int result, const char *what) {
  if (result != 0) {
    fprintf(stderr, "%s: %d\n", what, result);
    exit(1);
  }
}

int main(void) {
  static char text[4096] = "counted";
  static char back[4096];
  library = dlopen("libcuda.so.1", RTLD_NOW);
  if (library == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  void *context;
  uint64_t first, second;
  require(((int (*)(unsigned))need("cuInit"))(0), "cuInit");
  require(((int (*)(void **, int))need("cuDevicePrimaryCtxRetain"))(&context, 0), "cuDevicePrimaryCtxRetain");
  require(((int (*)(void *))need("cuCtxPushCurrent_v2"))(context), "cuCtxPushCurrent");
  int (*allocate)(uint64_t *, size_t) = (int (*)(uint64_t *, size_t))need("cuMemAlloc_v2");
  require(allocate(&first, sizeof text), "cuMemAlloc");
  require(allocate(&second, sizeof text), "cuMemAlloc");
  require(((int (*)(uint64_t, const void *, size_t))need("cuMemcpyHtoD_v2"))(first, text, sizeof text), "cuMemcpyHtoD");
  require(((int (*)(uint64_t, uint64_t, size_t))need("cuMemcpyDtoD_v2"))(second, first, sizeof text), "cuMemcpyDtoD");
  require(((int (*)(void *, uint64_t, size_t))need("cuMemcpyDtoH_v2"))(back, second, sizeof back), "cuMemcpyDtoH");
  return back[0] == 'c' && back[6] == 'd' ? 0 : 2;
}
