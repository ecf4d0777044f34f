/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Modules and kernels. No PTX is run: an entry's name says what to do. tests/kernels has the sources of the kernels for tests;
 * that of renditions is compiled in rendition.c. */
#define _GNU_SOURCE
#include "internal.h"
#include "kernel.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ARGUMENTS = 3 };

struct kernel_operation {
  struct operation operation;
  const struct kernel *kernel;
  struct launch launch;
  uint64_t arguments[];
};

/* Runs with the device's access checked as a kernel's is: a wrong one breaks the context. */
static bool granted(uintptr_t address, uint64_t size, CUstream stream, bool write) {
  return check_access(address, size, stream->context->device, write) == ACCESS_OK;
}

static bool run_spin(const struct launch *launch, CUstream stream) {
  const uint64_t *arguments = launch->arguments;
  for (uint64_t end = now() + arguments[0]; now() < end && !stopped(stream->context);) {
    uint64_t left = end - now();
    if (left > 100000)
      nap(left > 10000000 ? 10000000 : left - 50000);
  }
  return true;
}

static bool run_hang(const struct launch *launch, CUstream stream) {
  const uint64_t *arguments = launch->arguments;
  while (!stopped(stream->context)) {
    uint32_t flag = 0;
    pthread_rwlock_rdlock(&space);
    bool allowed = granted(arguments[0], 4, stream, false);
    if (allowed)
      flag = atomic_load_explicit((_Atomic uint32_t *)arguments[0], memory_order_acquire);
    pthread_rwlock_unlock(&space);
    if (!allowed)
      return false;
    if (flag != 0)
      break;
    nap(50000);
  }
  return true;
}

/* In two halves, as copies are: whoever looks at it too early sees that. */
static bool run_fill(const struct launch *launch, CUstream stream) {
  const uint64_t *arguments = launch->arguments;
  uintptr_t address = arguments[0];
  uint64_t count = arguments[1], middle = count / 2;
  bool allowed = true;
  for (int half = 0; half < 2 && allowed; half++) {
    pthread_rwlock_rdlock(&space);
    allowed = granted(address, count, stream, true);
    if (allowed)
      memset((char *)address + (half == 0 ? 0 : middle), (unsigned char)arguments[2], half == 0 ? middle : count - middle);
    pthread_rwlock_unlock(&space);
    if (half == 0)
      pause_third(stream);
  }
  return allowed;
}

static bool run_write_one(const struct launch *launch, CUstream stream) {
  const uint64_t *arguments = launch->arguments;
  pthread_rwlock_rdlock(&space);
  bool allowed = granted(arguments[0], 4, stream, true);
  if (allowed)
    atomic_store_explicit((_Atomic uint32_t *)arguments[0], (uint32_t)arguments[1], memory_order_release);
  pthread_rwlock_unlock(&space);
  return allowed;
}

static bool run_copy(const struct launch *launch, CUstream stream) {
  const uint64_t *arguments = launch->arguments;
  uint64_t count = arguments[2], middle = count / 2;
  bool allowed = true;
  for (int half = 0; half < 2 && allowed; half++) {
    uint64_t from = half == 0 ? 0 : middle;
    pthread_rwlock_rdlock(&space);
    allowed = granted(arguments[0], count, stream, false) && granted(arguments[1], count, stream, true);
    if (allowed)
      memmove((char *)arguments[1] + from, (const char *)arguments[0] + from, half == 0 ? middle : count - middle);
    pthread_rwlock_unlock(&space);
    if (half == 0)
      pause_third(stream);
  }
  return allowed;
}

/* The sum that test_kernels.cu describes. */
static bool run_checksum(const struct launch *launch, CUstream stream) {
  const uint64_t *arguments = launch->arguments;
  uint64_t count = arguments[1], middle = count / 2;
  bool allowed = true;
  for (int half = 0; half < 2 && allowed; half++) {
    uint64_t sum = 0;
    pthread_rwlock_rdlock(&space);
    allowed = granted(arguments[0], count, stream, false) && granted(arguments[2], 8, stream, true);
    if (allowed) {
      for (uint64_t i = half == 0 ? 0 : middle; i < (half == 0 ? middle : count); i++) {
        uint64_t x = (i * 0x9e3779b97f4a7c15u ^ ((const unsigned char *)arguments[0])[i]) * 0x100000001b3u;
        sum += x ^ x >> 32;
      }
      atomic_fetch_add((_Atomic uint64_t *)arguments[2], sum);
    }
    pthread_rwlock_unlock(&space);
    if (half == 0)
      pause_third(stream);
  }
  return allowed;
}

static const struct kernel {
  const char *name;
  bool (*run)(const struct launch *launch, CUstream stream); /* false: it touched what it may not */
  unsigned short sizes[MAX_ARGUMENTS];                       /* of the arguments, in bytes */
} kernels[] = {
  {"spin", run_spin, {8}},
  {"hang", run_hang, {8}},
  {"fill", run_fill, {8, 8, 1}},
  {"write_one", run_write_one, {8, 4}},
  {"copy", run_copy, {8, 8, 8}},
  {"checksum", run_checksum, {8, 8, 8}},
  {"rendition", run_rendition, {RENDITION_ARGUMENT_SIZE}},
};

struct CUfunc_st {
  CUmodule module;
  const struct kernel *kernel;
  struct CUfunc_st *next;
};

struct CUmod_st {
  CUcontext context;
  char *text;
  CUfunction functions;
  CUmodule next;
};

static CUmodule modules; /* lock */

static void free_module(CUmodule module) {
  while (module->functions != NULL) {
    CUfunction next = module->functions->next;
    free(module->functions);
    module->functions = next;
  }
  free(module->text);
  free(module);
}

void modules_leave(CUcontext context) {
  pthread_mutex_lock(&lock);
  for (CUmodule *each = &modules; *each != NULL;) {
    CUmodule module = *each;
    if (module->context == context) {
      *each = module->next;
      live_lost(LIVE_MODULES);
      free_module(module);
    } else {
      each = &module->next;
    }
  }
  pthread_mutex_unlock(&lock);
}

CUresult cuModuleLoadData(CUmodule *module, const void *image) {
  ENTER(cuModuleLoadData, NEEDS_CONTEXT);
  REQUIRE(module != NULL && image != NULL, CUDA_ERROR_INVALID_VALUE);
  /* PTX is text that ends with a zero; its first directive is .version, after comments at most. */
  const char *text = image;
  while (isspace((unsigned char)*text) || strncmp(text, "//", 2) == 0) {
    if (*text == '/')
      text += strcspn(text, "\n");
    else
      text++;
  }
  REQUIRE(strncmp(text, ".version", 8) == 0, CUDA_ERROR_INVALID_IMAGE);
  REQUIRE(strstr(text, ".target") != NULL, CUDA_ERROR_INVALID_PTX);
  CUmodule made = calloc(1, sizeof *made);
  made->context = current_context();
  made->text = strdup(text);
  pthread_mutex_lock(&lock);
  made->next = modules;
  modules = made;
  pthread_mutex_unlock(&lock);
  live_add(LIVE_MODULES, 1);
  *module = made;
  return CUDA_SUCCESS;
}

/* With lock held. */
static CUmodule *find_module(CUmodule module) {
  CUmodule *each = &modules;
  while (*each != NULL && *each != module)
    each = &(*each)->next;
  return each;
}

CUresult cuModuleUnload(CUmodule module) {
  ENTER(cuModuleUnload, NEEDS_CONTEXT);
  pthread_mutex_lock(&lock);
  CUmodule *found = find_module(module);
  bool there = *found != NULL;
  if (there)
    *found = module->next;
  pthread_mutex_unlock(&lock);
  REQUIRE(there, CUDA_ERROR_INVALID_HANDLE);
  free_module(module);
  live_add(LIVE_MODULES, -1);
  return CUDA_SUCCESS;
}

/* What follows the entry's name, or NULL. */
static const char *find_entry(const char *text, const char *name) {
  size_t length = strlen(name);
  for (const char *at = strstr(text, ".entry"); at != NULL; at = strstr(at, ".entry")) {
    at += strlen(".entry");
    while (isspace((unsigned char)*at))
      at++;
    if (strncmp(at, name, length) == 0 && (at[length] == '(' || isspace((unsigned char)at[length])))
      return at + length;
  }
  return NULL;
}

/* Whether an entry takes arguments of the sizes that are known: cuLaunchKernel copies as much as the text declares. */
static bool has_arguments(const char *entry, const struct kernel *kernel) {
  const char *end = strchr(entry, ')');
  int count = 0;
  for (const char *at = strstr(entry, ".param"); at != NULL && at < end; at = strstr(at + 1, ".param")) {
    unsigned align, bits, size;
    if (sscanf(at, ".param .align %u .b8 %*[^[ ][%u]", &align, &size) != 2) {
      if (sscanf(at, ".param .%*[bfsu]%u", &bits) != 1)
        return false;
      size = bits / 8;
    }
    if (count == MAX_ARGUMENTS || kernel->sizes[count] != size)
      return false;
    count++;
  }
  return count == MAX_ARGUMENTS || kernel->sizes[count] == 0;
}

CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name) {
  ENTER(cuModuleGetFunction, NEEDS_CONTEXT);
  REQUIRE(function != NULL && name != NULL, CUDA_ERROR_INVALID_VALUE);
  CUresult result = CUDA_ERROR_NOT_FOUND;
  const char *entry;
  pthread_mutex_lock(&lock);
  if (*find_module(module) == NULL) {
    result = CUDA_ERROR_INVALID_HANDLE;
  } else if ((entry = find_entry(module->text, name)) != NULL) {
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++) {
      if (strcmp(kernels[i].name, name) == 0 && !has_arguments(entry, &kernels[i])) {
        fprintf(stderr, "fakecuda: the arguments of %s in the text are not those of the source that this double was built from\n", name);
        result = CUDA_ERROR_INVALID_PTX;
      } else if (strcmp(kernels[i].name, name) == 0) {
        CUfunction made = calloc(1, sizeof *made);
        *made = (struct CUfunc_st){module, &kernels[i], module->functions};
        module->functions = made;
        *function = made;
        result = CUDA_SUCCESS;
      }
    }
  }
  pthread_mutex_unlock(&lock);
  return result;
}

static void run_kernel(struct operation *operation, CUstream stream) {
  struct kernel_operation *launch = (struct kernel_operation *)operation;
  pause_third(stream);
  if (!launch->kernel->run(&launch->launch, stream)) {
    break_process(CUDA_ERROR_ILLEGAL_ADDRESS);
    return;
  }
  pause_third(stream);
}

CUresult cuLaunchKernel(CUfunction function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY,
                        unsigned blockZ, unsigned sharedBytes, CUstream handle, void **arguments, void **extra) {
  ENTER(cuLaunchKernel, NEEDS_CONTEXT);
  (void)sharedBytes;
  REQUIRE(function != NULL, CUDA_ERROR_INVALID_HANDLE);
  REQUIRE(gridX > 0 && gridY > 0 && gridZ > 0 && blockX > 0 && blockY > 0 && blockZ > 0, CUDA_ERROR_INVALID_VALUE);
  REQUIRE((uint64_t)blockX * blockY * blockZ <= 1024, CUDA_ERROR_INVALID_VALUE);
  REQUIRE(extra == NULL, CUDA_ERROR_NOT_SUPPORTED);
  REQUIRE(arguments != NULL, CUDA_ERROR_INVALID_VALUE);
  const struct kernel *kernel = NULL;
  pthread_mutex_lock(&lock);
  for (CUmodule module = modules; module != NULL; module = module->next) {
    for (CUfunction each = module->functions; each != NULL; each = each->next) {
      if (each == function && module->context == current_context())
        kernel = each->kernel;
    }
  }
  pthread_mutex_unlock(&lock);
  REQUIRE(kernel != NULL, CUDA_ERROR_INVALID_HANDLE);
  CUstream stream;
  CUresult result = stream_take(handle, &stream);
  if (result != CUDA_SUCCESS)
    return result;
  size_t words = 0;
  for (int i = 0; i < MAX_ARGUMENTS; i++)
    words += (kernel->sizes[i] + 7u) / 8;
  struct kernel_operation *launch = calloc(1, sizeof *launch + words * 8);
  launch->operation.run = run_kernel;
  launch->kernel = kernel;
  launch->launch = (struct launch){gridX * gridY * gridZ, blockX * blockY * blockZ, launch->arguments};
  /* Arguments are read before the call returns; numbers are little-endian. */
  for (int i = 0, word = 0; i < MAX_ARGUMENTS && kernel->sizes[i] != 0; word += (kernel->sizes[i] + 7) / 8, i++)
    memcpy(&launch->arguments[word], arguments[i], kernel->sizes[i]);
  stream_enqueue(stream, &launch->operation);
  stream_drop(stream);
  return CUDA_SUCCESS;
}
