/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory: a device pointer is an address of this process, at which a memfd is mapped with the access that was granted. */
#define _GNU_SOURCE
#include "internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whoever maps or unmaps comes before operations that arrive later. */
pthread_rwlock_t space = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

/* All under space. */
static struct area *areas;
static struct physical *physicals;
static struct reservation {
  uintptr_t start;
  size_t size;
  struct reservation *next;
} *reservations;
static uint64_t used[MAX_DEVICES];
static uint64_t next_serial = 1, next_handle = 1;

enum { PAGE = 4096 };

static size_t round_up(size_t size, size_t unit) {
  return (size + unit - 1) / unit * unit;
}

static void write_lock(void) {
  pthread_rwlock_wrlock(&space);
}

static void unlock(void) {
  pthread_rwlock_unlock(&space);
}

struct area *area_at(uintptr_t address) {
  for (struct area *each = areas; each != NULL; each = each->next) {
    if (address >= each->start && address - each->start < each->size)
      return each;
  }
  return NULL;
}

bool is_reserved(uintptr_t address) {
  for (struct reservation *each = reservations; each != NULL; each = each->next) {
    if (address >= each->start && address - each->start < each->size)
      return true;
  }
  return false;
}

struct area *area_add(uintptr_t start, size_t size, enum area_kind kind, int device, CUcontext context) {
  struct area *area = calloc(1, sizeof *area);
  area->start = start;
  area->size = area->asked = size;
  area->kind = kind;
  area->device = device;
  area->context = context;
  area->fd = -1;
  area->serial = next_serial++;
  area->next = areas;
  areas = area;
  return area;
}

void area_remove(struct area *area) {
  for (struct area **each = &areas; *each != NULL; each = &(*each)->next) {
    if (*each == area) {
      *each = area->next;
      break;
    }
  }
  free(area);
}

enum access check_access(uintptr_t address, uint64_t size, int device, bool write) {
  while (size > 0) {
    struct area *area = area_at(address);
    if (area == NULL)
      return ACCESS_UNMAPPED;
    if (area->kind == AREA_VMM) {
      int granted = area->access[device];
      if (granted == CU_MEM_ACCESS_FLAGS_PROT_NONE)
        return ACCESS_UNMAPPED;
      if (write && granted != CU_MEM_ACCESS_FLAGS_PROT_READWRITE)
        return ACCESS_DENIED;
    } else if (write && area->read_only) {
      return ACCESS_DENIED;
    }
    uint64_t rest = area->start + area->size - address;
    if (rest >= size)
      return ACCESS_OK;
    address += rest;
    size -= rest;
  }
  return ACCESS_OK;
}

enum access check_access_now(uintptr_t address, uint64_t size, int device, bool write) {
  pthread_rwlock_rdlock(&space);
  enum access access = check_access(address, size, device, write);
  unlock();
  return access;
}

static bool take(int device, uint64_t bytes) {
  if (bytes > config.memory || used[device] > config.memory - bytes)
    return false;
  used[device] += bytes;
  return true;
}

uint64_t memory_used(int device) {
  pthread_rwlock_rdlock(&space);
  uint64_t bytes = used[device];
  unlock();
  return bytes;
}

/* ---- cuMemAlloc ---- */

static CUresult allocate(CUdeviceptr *address, size_t size, bool managed) {
  CUcontext context = current_context();
  REQUIRE(size <= config.memory, CUDA_ERROR_OUT_OF_MEMORY);
  size_t whole = round_up(size, PAGE);
  CUresult result = CUDA_ERROR_OUT_OF_MEMORY;
  int fd = memfd_create("fakecuda-allocation", MFD_CLOEXEC);
  write_lock();
  if (fd >= 0 && ftruncate(fd, (off_t)whole) == 0 && take(context->device, whole)) {
    void *mapped = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped != MAP_FAILED) {
      struct area *area = area_add((uintptr_t)mapped, whole, AREA_ALLOCATION, context->device, context);
      area->asked = size;
      area->fd = fd;
      area->managed = managed;
      *address = (CUdeviceptr)mapped;
      live_add(LIVE_ALLOCATIONS, 1);
      result = CUDA_SUCCESS;
    } else {
      used[context->device] -= whole;
    }
  }
  unlock();
  if (result != CUDA_SUCCESS && fd >= 0)
    close(fd);
  return result;
}

CUresult cuMemAlloc_v2(CUdeviceptr *address, size_t size) {
  ENTER(cuMemAlloc_v2, NEEDS_CONTEXT);
  REQUIRE(address != NULL && size > 0, CUDA_ERROR_INVALID_VALUE);
  return allocate(address, size, false);
}

enum { PITCH = 512 }; /* the texture alignment, as on the devices of today */

CUresult cuMemAllocPitch_v2(CUdeviceptr *address, size_t *pitch, size_t width, size_t height, unsigned element) {
  ENTER(cuMemAllocPitch_v2, NEEDS_CONTEXT);
  REQUIRE(address != NULL && pitch != NULL && width > 0 && height > 0, CUDA_ERROR_INVALID_VALUE);
  REQUIRE(element == 4 || element == 8 || element == 16, CUDA_ERROR_INVALID_VALUE);
  REQUIRE(width <= config.memory && height <= config.memory / round_up(width, PITCH), CUDA_ERROR_OUT_OF_MEMORY);
  CUresult result = allocate(address, round_up(width, PITCH) * height, false);
  if (result == CUDA_SUCCESS)
    *pitch = round_up(width, PITCH);
  return result;
}

/* Memory never moves here: both sides see the same pages. */
CUresult cuMemAllocManaged(CUdeviceptr *address, size_t size, unsigned flags) {
  ENTER(cuMemAllocManaged, NEEDS_CONTEXT);
  REQUIRE(address != NULL && size > 0 && (flags == CU_MEM_ATTACH_GLOBAL || flags == CU_MEM_ATTACH_HOST), CUDA_ERROR_INVALID_VALUE);
  return allocate(address, size, true);
}

/* With space held for writing. */
static void free_allocation(struct area *area) {
  if (area->share[0] != 0 || area->share[1] != 0)
    share_remove(SHARE_MEMORY, area->share);
  munmap((void *)area->start, area->size);
  close(area->fd);
  used[area->device] -= area->size;
  area_remove(area);
}

/* As with the real driver, the memory goes when the work of its context that was handed over before is done. */
CUresult cuMemFree_v2(CUdeviceptr address) {
  ENTER(cuMemFree_v2, NEEDS_CONTEXT);
  REQUIRE(address != 0, CUDA_ERROR_INVALID_VALUE);
  pthread_rwlock_rdlock(&space);
  struct area *area = area_at(address);
  CUcontext context = area != NULL && area->kind == AREA_ALLOCATION && area->start == address ? area->context : NULL;
  unlock();
  REQUIRE(context != NULL, CUDA_ERROR_INVALID_VALUE);
  CUresult result = context_wait(context);
  if (result != CUDA_SUCCESS)
    return result;
  write_lock();
  area = area_at(address);
  bool found = area != NULL && area->kind == AREA_ALLOCATION && area->start == address;
  if (found) {
    free_allocation(area);
    live_add(LIVE_ALLOCATIONS, -1);
  }
  unlock();
  return found ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

/* ---- legacy IPC ---- */

/* Moves the memory into a file that has a name; its address and content stay. With space held for writing, so that no
 * operation runs meanwhile. */
static bool give_name(struct area *area) {
  int fd = share_create(SHARE_MEMORY, area->size, area->share);
  if (fd < 0)
    return false;
  for (size_t done = 0; done < area->size;) {
    ssize_t written = pwrite(fd, (char *)area->start + done, area->size - done, (off_t)done);
    if (written <= 0)
      goto failed;
    done += (size_t)written;
  }
  if (mmap((void *)area->start, area->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
    goto failed;
  close(area->fd);
  area->fd = fd;
  return true;
failed:
  share_remove(SHARE_MEMORY, area->share);
  area->share[0] = area->share[1] = 0;
  close(fd);
  return false;
}

CUresult cuIpcGetMemHandle(CUipcMemHandle *handle, CUdeviceptr address) {
  ENTER(cuIpcGetMemHandle, NEEDS_CONTEXT);
  REQUIRE(handle != NULL, CUDA_ERROR_INVALID_VALUE);
  CUresult result = CUDA_ERROR_INVALID_VALUE;
  write_lock();
  struct area *area = area_at(address);
  if (area != NULL && area->kind == AREA_ALLOCATION && !area->managed) {
    if (area->share[0] != 0 || area->share[1] != 0 || give_name(area)) {
      struct share_handle content;
      share_fill(&content, SHARE_MEMORY, area->share, area->size, area->device);
      memcpy(handle, &content, sizeof content);
      result = CUDA_SUCCESS;
    } else {
      result = CUDA_ERROR_OUT_OF_MEMORY;
    }
  }
  unlock();
  return result;
}

CUresult cuIpcOpenMemHandle_v2(CUdeviceptr *address, CUipcMemHandle handle, unsigned flags) {
  ENTER(cuIpcOpenMemHandle_v2, NEEDS_CONTEXT);
  REQUIRE(address != NULL && flags == CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS, CUDA_ERROR_INVALID_VALUE);
  CUcontext context = current_context();
  struct share_handle content;
  memcpy(&content, &handle, sizeof content);
  int fd, device;
  CUresult result = share_open(&content, SHARE_MEMORY, &fd, &device);
  if (result != CUDA_SUCCESS)
    return result;
  result = CUDA_ERROR_MAP_FAILED;
  write_lock();
  for (struct area *each = areas; each != NULL; each = each->next) {
    if (each->kind == AREA_IPC && each->context == context && each->share[0] == content.id[0] &&
        each->share[1] == content.id[1]) {
      each->references++;
      *address = each->start;
      result = CUDA_SUCCESS;
    }
  }
  if (result != CUDA_SUCCESS) {
    void *mapped = mmap(NULL, content.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped != MAP_FAILED) {
      struct area *area = area_add((uintptr_t)mapped, content.size, AREA_IPC, device, context);
      area->share[0] = content.id[0];
      area->share[1] = content.id[1];
      area->references = 1;
      *address = (CUdeviceptr)mapped;
      result = CUDA_SUCCESS;
    }
  }
  unlock();
  close(fd);
  if (result == CUDA_SUCCESS)
    live_add(LIVE_IPC_IMPORTS, 1);
  return result;
}

/* Waits for nothing: an operation that still uses the memory breaks the context, as it may with the real driver. */
CUresult cuIpcCloseMemHandle(CUdeviceptr address) {
  ENTER(cuIpcCloseMemHandle, NEEDS_CONTEXT);
  write_lock();
  struct area *area = area_at(address);
  bool found = area != NULL && area->kind == AREA_IPC && area->start == address;
  if (found && --area->references == 0) {
    munmap((void *)area->start, area->size);
    area_remove(area);
  }
  unlock();
  if (found)
    live_add(LIVE_IPC_IMPORTS, -1);
  return found ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

/* ---- host memory ---- */

CUresult cuMemHostAlloc(void **pointer, size_t size, unsigned flags) {
  ENTER(cuMemHostAlloc, NEEDS_CONTEXT);
  REQUIRE(pointer != NULL && size > 0 && flags <= 7, CUDA_ERROR_INVALID_VALUE);
  size_t whole = round_up(size, PAGE);
  void *mapped = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(mapped != MAP_FAILED, CUDA_ERROR_OUT_OF_MEMORY);
  write_lock();
  area_add((uintptr_t)mapped, whole, AREA_PINNED, current_context()->device, current_context());
  unlock();
  live_add(LIVE_HOST_ALLOCATIONS, 1);
  *pointer = mapped;
  return CUDA_SUCCESS;
}

/* Waits for the context's work and takes the area off the list; NULL if there is none of this kind at the pointer. */
static CUresult end_host_area(void *pointer, enum area_kind kind, CUresult missing, struct area *removed) {
  pthread_rwlock_rdlock(&space);
  struct area *area = area_at((uintptr_t)pointer);
  CUcontext context = area != NULL && area->kind == kind && area->start == (uintptr_t)pointer ? area->context : NULL;
  unlock();
  REQUIRE(context != NULL, missing);
  CUresult result = context_wait(context);
  if (result != CUDA_SUCCESS)
    return result;
  write_lock();
  area = area_at((uintptr_t)pointer);
  bool found = area != NULL && area->kind == kind && area->start == (uintptr_t)pointer;
  if (found) {
    *removed = *area;
    area_remove(area);
  }
  unlock();
  return found ? CUDA_SUCCESS : missing;
}

CUresult cuMemFreeHost(void *pointer) {
  ENTER(cuMemFreeHost, NEEDS_CONTEXT);
  struct area removed;
  CUresult result = end_host_area(pointer, AREA_PINNED, CUDA_ERROR_INVALID_VALUE, &removed);
  if (result != CUDA_SUCCESS)
    return result;
  munmap(pointer, removed.size);
  live_add(LIVE_HOST_ALLOCATIONS, -1);
  return CUDA_SUCCESS;
}

/* Whether all of the range is mapped here, readable and, if asked, writable. */
static bool is_mapped(uintptr_t start, uintptr_t end, bool writable) {
  FILE *maps = fopen("/proc/self/maps", "re");
  if (maps == NULL)
    return false;
  char line[512];
  while (start < end && fgets(line, sizeof line, maps) != NULL) {
    unsigned long from, to;
    char rights[5];
    if (sscanf(line, "%lx-%lx %4s", &from, &to, rights) == 3 && from <= start && start < to && rights[0] == 'r' &&
        (!writable || rights[1] == 'w'))
      start = to;
  }
  fclose(maps);
  return start >= end;
}

CUresult cuMemHostRegister_v2(void *pointer, size_t size, unsigned flags) {
  ENTER(cuMemHostRegister_v2, NEEDS_CONTEXT);
  REQUIRE(config.features[FEATURE_HOST_REGISTER], CUDA_ERROR_NOT_SUPPORTED);
  REQUIRE(pointer != NULL && size > 0 && flags <= 15, CUDA_ERROR_INVALID_VALUE);
  uintptr_t start = (uintptr_t)pointer;
  bool read_only = (flags & CU_MEMHOSTREGISTER_READ_ONLY) != 0;
  REQUIRE(start + size > start && is_mapped(start, start + size, !read_only), CUDA_ERROR_INVALID_VALUE);
  bool taken = false;
  write_lock();
  for (struct area *each = areas; each != NULL; each = each->next)
    taken |= each->start < start + size && start < each->start + each->size;
  if (!taken)
    area_add(start, size, AREA_REGISTERED, current_context()->device, current_context())->read_only = read_only;
  unlock();
  REQUIRE(!taken, CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED);
  live_add(LIVE_REGISTRATIONS, 1);
  return CUDA_SUCCESS;
}

CUresult cuMemHostUnregister(void *pointer) {
  ENTER(cuMemHostUnregister, NEEDS_CONTEXT);
  REQUIRE(pointer != NULL, CUDA_ERROR_INVALID_VALUE);
  struct area removed;
  CUresult result = end_host_area(pointer, AREA_REGISTERED, CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED, &removed);
  if (result == CUDA_SUCCESS)
    live_add(LIVE_REGISTRATIONS, -1);
  return result;
}

CUresult cuMemHostGetDevicePointer_v2(CUdeviceptr *address, void *pointer, unsigned flags) {
  ENTER(cuMemHostGetDevicePointer_v2, NEEDS_CONTEXT);
  REQUIRE(address != NULL && flags == 0, CUDA_ERROR_INVALID_VALUE);
  pthread_rwlock_rdlock(&space);
  struct area *area = area_at((uintptr_t)pointer);
  bool found = area != NULL && is_host(area);
  unlock();
  REQUIRE(found, CUDA_ERROR_INVALID_VALUE);
  *address = (CUdeviceptr)pointer;
  return CUDA_SUCCESS;
}

/* ---- virtual memory management ---- */

/* One page behind the memory says whose it is: that is how an import tells a descriptor of ours from any other. */
struct trailer {
  char magic[16];
  uint64_t size;
  unsigned char uuid[16];
};
static const char trailer_magic[16] = "fakecuda-vmm-1";

static CUresult check_properties(const CUmemAllocationProp *properties) {
  REQUIRE(config.features[FEATURE_VMM], CUDA_ERROR_NOT_SUPPORTED);
  REQUIRE(properties != NULL && properties->type == CU_MEM_ALLOCATION_TYPE_PINNED &&
              properties->location.type == CU_MEM_LOCATION_TYPE_DEVICE && properties->win32HandleMetaData == NULL,
          CUDA_ERROR_INVALID_VALUE);
  REQUIRE(properties->location.id >= 0 && properties->location.id < config.devices, CUDA_ERROR_INVALID_DEVICE);
  REQUIRE(properties->requestedHandleTypes == CU_MEM_HANDLE_TYPE_NONE ||
              properties->requestedHandleTypes == CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR,
          CUDA_ERROR_INVALID_VALUE);
  REQUIRE(properties->requestedHandleTypes == CU_MEM_HANDLE_TYPE_NONE || config.features[FEATURE_POSIX_FD],
          CUDA_ERROR_NOT_SUPPORTED);
  return CUDA_SUCCESS;
}

CUresult cuMemGetAllocationGranularity(size_t *granularity, const CUmemAllocationProp *properties, int option) {
  ENTER(cuMemGetAllocationGranularity, NEEDS_INIT);
  REQUIRE(granularity != NULL && (option == CU_MEM_ALLOC_GRANULARITY_MINIMUM || option == CU_MEM_ALLOC_GRANULARITY_RECOMMENDED),
          CUDA_ERROR_INVALID_VALUE);
  CUresult result = check_properties(properties);
  if (result != CUDA_SUCCESS)
    return result;
  *granularity = GRANULARITY;
  return CUDA_SUCCESS;
}

/* With space held for writing. */
static struct physical *physical_add(int fd, size_t size, int device, bool imported, int handle_types) {
  struct physical *physical = calloc(1, sizeof *physical);
  *physical = (struct physical){.fd = fd, .size = size, .device = device, .references = 1, .imported = imported,
                                .handle_types = handle_types, .handle = next_handle++ << 8 | 0xfa, .next = physicals};
  physicals = physical;
  live_add(imported ? LIVE_VMM_IMPORTS : LIVE_PHYSICAL, 1);
  return physical;
}

static struct physical *physical_of(CUmemGenericAllocationHandle handle) {
  for (struct physical *each = physicals; each != NULL; each = each->next) {
    if (each->handle == handle && !each->released)
      return each;
  }
  return NULL;
}

/* With space held for writing. */
static void physical_drop(struct physical *physical) {
  if (--physical->references > 0)
    return;
  for (struct physical **each = &physicals; *each != NULL; each = &(*each)->next) {
    if (*each == physical) {
      *each = physical->next;
      break;
    }
  }
  if (!physical->imported)
    used[physical->device] -= physical->size;
  live_add(physical->imported ? LIVE_VMM_IMPORTS : LIVE_PHYSICAL, -1);
  close(physical->fd);
  free(physical);
}

CUresult cuMemCreate(CUmemGenericAllocationHandle *handle, size_t size, const CUmemAllocationProp *properties, uint64_t flags) {
  ENTER(cuMemCreate, NEEDS_INIT);
  REQUIRE(handle != NULL && flags == 0 && size > 0 && size % GRANULARITY == 0, CUDA_ERROR_INVALID_VALUE);
  CUresult result = check_properties(properties);
  if (result != CUDA_SUCCESS)
    return result;
  int device = properties->location.id;
  REQUIRE(size <= config.memory, CUDA_ERROR_OUT_OF_MEMORY);
  struct trailer trailer = {.size = size};
  memcpy(trailer.magic, trailer_magic, sizeof trailer_magic);
  CUuuid uuid = device_uuid(config.physical[device]);
  memcpy(trailer.uuid, uuid.bytes, sizeof trailer.uuid);
  int fd = memfd_create("fakecuda-vmm", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  REQUIRE(fd >= 0, CUDA_ERROR_OUT_OF_MEMORY);
  if (ftruncate(fd, (off_t)(size + PAGE)) != 0 || pwrite(fd, &trailer, sizeof trailer, (off_t)size) != sizeof trailer ||
      fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    close(fd);
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  write_lock();
  bool room = take(device, size);
  if (room)
    *handle = physical_add(fd, size, device, false, properties->requestedHandleTypes)->handle;
  unlock();
  if (!room)
    close(fd);
  return room ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

CUresult cuMemRelease(CUmemGenericAllocationHandle handle) {
  ENTER(cuMemRelease, NEEDS_INIT);
  write_lock();
  struct physical *physical = physical_of(handle);
  if (physical != NULL) {
    physical->released = true;
    physical_drop(physical);
  }
  unlock();
  return physical != NULL ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

/* A new descriptor each time, without close-on-exec: a program that starts others has to see to that itself. */
CUresult cuMemExportToShareableHandle(void *out, CUmemGenericAllocationHandle handle, int type, uint64_t flags) {
  ENTER(cuMemExportToShareableHandle, NEEDS_INIT);
  REQUIRE(out != NULL && flags == 0 && type == CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, CUDA_ERROR_INVALID_VALUE);
  CUresult result = CUDA_ERROR_INVALID_VALUE;
  pthread_rwlock_rdlock(&space);
  struct physical *physical = physical_of(handle);
  if (physical != NULL && (physical->handle_types & type) != 0) {
    int fd = dup(physical->fd);
    result = fd >= 0 ? CUDA_SUCCESS : CUDA_ERROR_OPERATING_SYSTEM;
    if (fd >= 0)
      *(int *)out = fd;
  }
  unlock();
  return result;
}

CUresult cuMemImportFromShareableHandle(CUmemGenericAllocationHandle *handle, void *shareable, int type) {
  ENTER(cuMemImportFromShareableHandle, NEEDS_INIT);
  REQUIRE(handle != NULL && type == CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, CUDA_ERROR_INVALID_VALUE);
  REQUIRE(config.features[FEATURE_VMM] && config.features[FEATURE_POSIX_FD], CUDA_ERROR_NOT_SUPPORTED);
  int given = (int)(intptr_t)shareable;
  struct stat status;
  struct trailer trailer;
  REQUIRE(fstat(given, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > PAGE, CUDA_ERROR_INVALID_VALUE);
  int seals = fcntl(given, F_GET_SEALS);
  REQUIRE(seals >= 0 && (seals & (F_SEAL_SHRINK | F_SEAL_GROW)) == (F_SEAL_SHRINK | F_SEAL_GROW), CUDA_ERROR_INVALID_VALUE);
  REQUIRE(pread(given, &trailer, sizeof trailer, status.st_size - PAGE) == sizeof trailer &&
              memcmp(trailer.magic, trailer_magic, sizeof trailer_magic) == 0 &&
              trailer.size == (uint64_t)status.st_size - PAGE,
          CUDA_ERROR_INVALID_VALUE);
  int device = device_by_uuid(trailer.uuid);
  REQUIRE(device >= 0, CUDA_ERROR_INVALID_DEVICE);
  int fd = fcntl(given, F_DUPFD_CLOEXEC, 0);
  REQUIRE(fd >= 0, CUDA_ERROR_OPERATING_SYSTEM);
  write_lock();
  *handle = physical_add(fd, trailer.size, device, true, type)->handle;
  unlock();
  return CUDA_SUCCESS;
}

CUresult cuMemAddressReserve(CUdeviceptr *address, size_t size, size_t alignment, CUdeviceptr wanted, uint64_t flags) {
  ENTER(cuMemAddressReserve, NEEDS_INIT);
  (void)wanted; /* a hint */
  REQUIRE(address != NULL && flags == 0 && size > 0 && size % GRANULARITY == 0 && (alignment & (alignment - 1)) == 0,
          CUDA_ERROR_INVALID_VALUE);
  REQUIRE(config.features[FEATURE_VMM], CUDA_ERROR_NOT_SUPPORTED);
  size_t unit = alignment > GRANULARITY ? alignment : GRANULARITY;
  REQUIRE(size + unit > size, CUDA_ERROR_OUT_OF_MEMORY);
  char *mapped = mmap(NULL, size + unit, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  REQUIRE(mapped != MAP_FAILED, CUDA_ERROR_OUT_OF_MEMORY);
  uintptr_t start = round_up((uintptr_t)mapped, unit);
  if (start > (uintptr_t)mapped)
    munmap(mapped, start - (uintptr_t)mapped);
  munmap((void *)(start + size), (uintptr_t)mapped + unit - start);
  struct reservation *reservation = calloc(1, sizeof *reservation);
  reservation->start = start;
  reservation->size = size;
  write_lock();
  reservation->next = reservations;
  reservations = reservation;
  unlock();
  live_add(LIVE_RESERVATIONS, 1);
  *address = start;
  return CUDA_SUCCESS;
}

/* With space held. */
static bool is_free_of_mappings(uintptr_t start, size_t size) {
  for (struct area *each = areas; each != NULL; each = each->next) {
    if (each->start < start + size && start < each->start + each->size)
      return false;
  }
  return true;
}

CUresult cuMemAddressFree(CUdeviceptr address, size_t size) {
  ENTER(cuMemAddressFree, NEEDS_INIT);
  CUresult result = CUDA_ERROR_INVALID_VALUE;
  write_lock();
  for (struct reservation **each = &reservations; *each != NULL; each = &(*each)->next) {
    struct reservation *found = *each;
    if (found->start == address && found->size == size && is_free_of_mappings(address, size)) {
      munmap((void *)address, size);
      *each = found->next;
      free(found);
      live_add(LIVE_RESERVATIONS, -1);
      result = CUDA_SUCCESS;
      break;
    }
  }
  unlock();
  return result;
}

CUresult cuMemMap(CUdeviceptr address, size_t size, size_t offset, CUmemGenericAllocationHandle handle, uint64_t flags) {
  ENTER(cuMemMap, NEEDS_INIT);
  REQUIRE(flags == 0 && offset == 0 && size > 0 && size % GRANULARITY == 0 && address % GRANULARITY == 0, CUDA_ERROR_INVALID_VALUE);
  CUresult result = CUDA_ERROR_INVALID_VALUE;
  write_lock();
  struct physical *physical = physical_of(handle);
  bool reserved = false;
  for (struct reservation *each = reservations; each != NULL; each = each->next)
    reserved |= address >= each->start && address - each->start < each->size && size <= each->start + each->size - address;
  if (physical != NULL && size <= physical->size && reserved && is_free_of_mappings(address, size)) {
    if (mmap((void *)address, size, PROT_NONE, MAP_SHARED | MAP_FIXED, physical->fd, 0) != MAP_FAILED) {
      struct area *area = area_add(address, size, AREA_VMM, physical->device, NULL);
      area->physical = physical;
      physical->references++;
      live_add(LIVE_MAPPINGS, 1);
      result = CUDA_SUCCESS;
    } else {
      result = CUDA_ERROR_MAP_FAILED;
    }
  }
  unlock();
  return result;
}

/* Whether whole mappings fill the range. With space held. */
static bool is_whole(uintptr_t start, size_t size) {
  uintptr_t end = start + size;
  if (size == 0)
    return false;
  while (start < end) {
    struct area *area = area_at(start);
    if (area == NULL || area->kind != AREA_VMM || area->start != start || area->size > end - start)
      return false;
    start += area->size;
  }
  return true;
}

/* Waits for nothing: an operation that still uses the range breaks the context. */
CUresult cuMemUnmap(CUdeviceptr address, size_t size) {
  ENTER(cuMemUnmap, NEEDS_INIT);
  CUresult result = CUDA_ERROR_INVALID_VALUE;
  write_lock();
  if (is_whole(address, size)) {
    for (uintptr_t start = address; start < address + size;) {
      struct area *area = area_at(start);
      start += area->size;
      physical_drop(area->physical);
      area_remove(area);
      live_add(LIVE_MAPPINGS, -1);
    }
    mmap((void *)address, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    result = CUDA_SUCCESS;
  }
  unlock();
  return result;
}

CUresult cuMemSetAccess(CUdeviceptr address, size_t size, const CUmemAccessDesc *access, size_t count) {
  ENTER(cuMemSetAccess, NEEDS_INIT);
  REQUIRE(access != NULL && count > 0, CUDA_ERROR_INVALID_VALUE);
  for (size_t i = 0; i < count; i++) {
    REQUIRE(access[i].location.type == CU_MEM_LOCATION_TYPE_DEVICE &&
                (access[i].flags == CU_MEM_ACCESS_FLAGS_PROT_NONE || access[i].flags == CU_MEM_ACCESS_FLAGS_PROT_READ ||
                 access[i].flags == CU_MEM_ACCESS_FLAGS_PROT_READWRITE),
            CUDA_ERROR_INVALID_VALUE);
    REQUIRE(access[i].location.id >= 0 && access[i].location.id < config.devices, CUDA_ERROR_INVALID_DEVICE);
  }
  CUresult result = CUDA_ERROR_INVALID_VALUE;
  write_lock();
  if (is_whole(address, size)) {
    result = CUDA_SUCCESS;
    for (uintptr_t start = address; start < address + size;) {
      struct area *area = area_at(start);
      for (size_t i = 0; i < count; i++)
        area->access[access[i].location.id] = (unsigned char)access[i].flags;
      int all = 0;
      for (int i = 0; i < MAX_DEVICES; i++)
        all |= area->access[i];
      int protection = all == 0 ? PROT_NONE : all == CU_MEM_ACCESS_FLAGS_PROT_READ ? PROT_READ : PROT_READ | PROT_WRITE;
      if (mprotect((void *)start, area->size, protection) != 0)
        result = CUDA_ERROR_OPERATING_SYSTEM;
      start += area->size;
    }
  }
  unlock();
  return result;
}

CUresult cuMemGetAccess(uint64_t *flags, const CUmemLocation *location, CUdeviceptr address) {
  ENTER(cuMemGetAccess, NEEDS_INIT);
  REQUIRE(flags != NULL && location != NULL && location->type == CU_MEM_LOCATION_TYPE_DEVICE, CUDA_ERROR_INVALID_VALUE);
  REQUIRE(location->id >= 0 && location->id < config.devices, CUDA_ERROR_INVALID_DEVICE);
  CUresult result = CUDA_ERROR_INVALID_VALUE;
  pthread_rwlock_rdlock(&space);
  struct area *area = area_at(address);
  if (area != NULL && area->kind == AREA_VMM) {
    *flags = area->access[location->id];
    result = CUDA_SUCCESS;
  }
  unlock();
  return result;
}

/* ---- what a pointer is ---- */

CUresult cuPointerGetAttribute(void *value, int attribute, CUdeviceptr address) {
  ENTER(cuPointerGetAttribute, NEEDS_INIT);
  REQUIRE(value != NULL, CUDA_ERROR_INVALID_VALUE);
  CUresult result = CUDA_SUCCESS;
  pthread_rwlock_rdlock(&space);
  struct area *area = area_at(address);
  if (area == NULL) {
    result = CUDA_ERROR_INVALID_VALUE;
  } else {
    switch (attribute) {
      case CU_POINTER_ATTRIBUTE_CONTEXT: *(CUcontext *)value = area->context; break;
      case CU_POINTER_ATTRIBUTE_MEMORY_TYPE:
        *(unsigned *)value = is_host(area) ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
        break;
      case CU_POINTER_ATTRIBUTE_DEVICE_POINTER: *(CUdeviceptr *)value = address; break;
      case CU_POINTER_ATTRIBUTE_HOST_POINTER:
        if (is_host(area) || area->managed)
          *(void **)value = (void *)address;
        else
          result = CUDA_ERROR_INVALID_VALUE;
        break;
      case CU_POINTER_ATTRIBUTE_BUFFER_ID: *(uint64_t *)value = area->serial; break;
      case CU_POINTER_ATTRIBUTE_IS_MANAGED: *(unsigned *)value = area->managed; break;
      case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL: *(int *)value = area->device; break;
      case CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE:
        *(unsigned *)value = area->kind == AREA_ALLOCATION && !area->managed;
        break;
      case CU_POINTER_ATTRIBUTE_RANGE_START_ADDR: *(CUdeviceptr *)value = area->start; break;
      case CU_POINTER_ATTRIBUTE_RANGE_SIZE: *(size_t *)value = area->size; break;
      case CU_POINTER_ATTRIBUTE_MAPPED: *(unsigned *)value = 1; break;
      case CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES:
        *(uint64_t *)value = area->kind == AREA_VMM ? (uint64_t)area->physical->handle_types : 0;
        break;
      case CU_POINTER_ATTRIBUTE_ACCESS_FLAGS:
        *(unsigned *)value = area->kind == AREA_VMM ? area->access[area->device]
                             : area->read_only      ? CU_MEM_ACCESS_FLAGS_PROT_READ
                                                    : CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
        break;
      default: result = CUDA_ERROR_INVALID_VALUE; break;
    }
  }
  unlock();
  return result;
}

void memory_leave(CUcontext context) {
  write_lock();
  for (struct area *each = areas, *next; each != NULL; each = next) {
    next = each->next;
    if (each->context != context)
      continue;
    switch (each->kind) {
      case AREA_ALLOCATION:
        live_lost(LIVE_ALLOCATIONS);
        free_allocation(each);
        break;
      case AREA_IPC:
        for (int i = 0; i < each->references; i++)
          live_lost(LIVE_IPC_IMPORTS);
        munmap((void *)each->start, each->size);
        area_remove(each);
        break;
      case AREA_PINNED:
        live_lost(LIVE_HOST_ALLOCATIONS);
        munmap((void *)each->start, each->size);
        area_remove(each);
        break;
      case AREA_REGISTERED:
        live_lost(LIVE_REGISTRATIONS);
        area_remove(each);
        break;
      case AREA_VMM: break;
    }
  }
  unlock();
}
