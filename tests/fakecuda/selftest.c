/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of the double. Every test runs in a process of its own, with its own environment:
 *   selftest --run PROGRAM...     runs all tests with each program (the same tests, compiled in several ways)
 *   selftest --test NAME          runs one test here
 *   selftest --child NAME FD      the other process of a test; FD is its end of a socket pair */
#define _GNU_SOURCE
#include "cuda_driver.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__SANITIZE_THREAD__)
enum { RACES_ON_PURPOSE = 0 };
#else
enum { RACES_ON_PURPOSE = 1 };
#endif

#define CHECK(condition)                                                       \
  do {                                                                         \
    if (!(condition)) {                                                        \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);          \
      exit(1);                                                                 \
    }                                                                          \
  } while (0)
#define IS(call, wanted)                                                                              \
  do {                                                                                                \
    int answer = (call);                                                                                 \
    if (answer != (wanted)) {                                                                            \
      fprintf(stderr, "%s:%d: %s answered %d, not %d\n", __FILE__, __LINE__, #call, answer, (int)(wanted)); \
      exit(1);                                                                                        \
    }                                                                                                 \
  } while (0)
#define OK(call) IS(call, CUDA_SUCCESS)

#define MIB ((size_t)1 << 20)
#define SEGMENT (4 * MIB)

static const char *program; /* this one's path */

/* ---- help ---- */

static void nap_ms(long milliseconds) {
  struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
  nanosleep(&time, NULL);
}

static CUcontext open_device(void) {
  CUcontext context;
  OK(cuInit(0));
  OK(cuDevicePrimaryCtxRetain(&context, 0));
  OK(cuCtxPushCurrent_v2(context));
  return context;
}

static void close_device(void) {
  OK(cuCtxPopCurrent_v2(NULL));
  OK(cuDevicePrimaryCtxRelease_v2(0));
  IS((int)fakecuda_live_objects(), 0);
}

static CUstream make_stream(void) {
  CUstream stream;
  OK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
  return stream;
}

static CUmemGenericAllocationHandle create_memory(size_t size) {
  CUmemAllocationProp properties = {.type = CU_MEM_ALLOCATION_TYPE_PINNED,
                                    .requestedHandleTypes = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR,
                                    .location = {CU_MEM_LOCATION_TYPE_DEVICE, 0}};
  CUmemGenericAllocationHandle handle;
  OK(cuMemCreate(&handle, size, &properties, 0));
  return handle;
}

static CUdeviceptr map_memory(CUmemGenericAllocationHandle handle, size_t size, int flags) {
  CUdeviceptr address;
  CUmemAccessDesc access = {{CU_MEM_LOCATION_TYPE_DEVICE, 0}, flags};
  OK(cuMemAddressReserve(&address, size, 0, 0, 0));
  OK(cuMemMap(address, size, 0, handle, 0));
  if (flags != 0)
    OK(cuMemSetAccess(address, size, &access, 1));
  return address;
}

static void unmap_memory(CUdeviceptr address, size_t size) {
  OK(cuMemUnmap(address, size));
  OK(cuMemAddressFree(address, size));
}

static int export_memory(CUmemGenericAllocationHandle handle) {
  int fd = -1;
  OK(cuMemExportToShareableHandle(&fd, handle, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, 0));
  return fd;
}

static CUdeviceptr import_memory(int fd, size_t size, int flags) {
  CUmemGenericAllocationHandle handle;
  OK(cuMemImportFromShareableHandle(&handle, (void *)(intptr_t)fd, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR));
  CUdeviceptr address = map_memory(handle, size, flags);
  OK(cuMemRelease(handle));
  return address;
}

static void expect_content(CUdeviceptr address, size_t size, unsigned char value) {
  unsigned char *bytes = malloc(size);
  OK(cuMemcpyDtoH_v2(bytes, address, size));
  for (size_t i = 0; i < size; i++) {
    if (bytes[i] != value) {
      fprintf(stderr, "byte %zu is %d, not %d\n", i, bytes[i], value);
      exit(1);
    }
  }
  free(bytes);
}

static char *read_text(const char *path) {
  FILE *file = fopen(path, "r");
  if (file == NULL)
    return NULL;
  char *text = calloc(1, 65536);
  size_t length = fread(text, 1, 65535, file);
  fclose(file);
  text[length] = 0;
  return text;
}

static CUmodule load_kernels(void) {
  char *text = read_text(KERNELS "/test_kernels.ptx");
  CHECK(text != NULL);
  CUmodule module;
  OK(cuModuleLoadData(&module, text));
  free(text);
  return module;
}

static CUresult launch(CUmodule module, const char *name, CUstream stream, void **arguments) {
  CUfunction function;
  OK(cuModuleGetFunction(&function, module, name));
  return cuLaunchKernel(function, 1, 1, 1, 32, 1, 1, 0, stream, arguments, NULL);
}

/* What is handed to a stream after a closed gate waits until the gate is opened. One gate at a time. */
static _Atomic uint64_t *gate;

static void close_gate(CUstream stream) {
  OK(cuMemHostAlloc((void **)&gate, 4096, CU_MEMHOSTALLOC_DEVICEMAP));
  OK(cuStreamWaitValue64_v2(stream, (CUdeviceptr)gate, 1, CU_STREAM_WAIT_VALUE_EQ));
}

static void open_gate(void) {
  atomic_store(gate, 1);
  OK(cuMemFreeHost(gate)); /* waits for the streams */
}

/* Starts the other process of a test; its end of the socket pair is open there. */
static pid_t start_child(const char *name, int *fd) {
  int ends[2];
  CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    char number[16];
    snprintf(number, sizeof number, "%d", fcntl(ends[1], F_DUPFD, 3));
    execl(program, program, "--child", name, number, (char *)NULL);
    _exit(127);
  }
  close(ends[1]);
  *fd = ends[0];
  return pid;
}

static void send_bytes(int fd, const void *bytes, size_t size) {
  CHECK(send(fd, bytes, size, MSG_NOSIGNAL) == (ssize_t)size);
}

static void receive_bytes(int fd, void *bytes, size_t size) {
  CHECK(recv(fd, bytes, size, 0) == (ssize_t)size);
}

static void send_mark(int fd) {
  send_bytes(fd, "!", 1);
}

static void receive_mark(int fd) {
  char mark;
  receive_bytes(fd, &mark, 1);
}

static void send_descriptor(int fd, int descriptor) {
  char byte = 'd', control[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec data = {&byte, 1};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  CHECK(sendmsg(fd, &message, 0) == 1);
}

static int receive_descriptor(int fd) {
  char byte, control[CMSG_SPACE(sizeof(int))];
  struct iovec data = {&byte, 1};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  CHECK(recvmsg(fd, &message, MSG_CMSG_CLOEXEC) == 1);
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  CHECK(header != NULL && header->cmsg_type == SCM_RIGHTS);
  int descriptor;
  memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
  return descriptor;
}

static void expect_exit(pid_t pid, int status) {
  int got;
  CHECK(waitpid(pid, &got, 0) == pid);
  CHECK(WIFEXITED(got));
  IS(WEXITSTATUS(got), status);
}

static void kill_child(pid_t pid) {
  kill(pid, SIGKILL);
  CHECK(waitpid(pid, NULL, 0) == pid);
}

/* ---- devices and contexts ---- */

static void devices(void) {
  int value;
  size_t bytes;
  char text[64];
  CUuuid uuid;
  CUdevice device;
  const char *name;
  IS(cuDeviceGetCount(&value), CUDA_ERROR_NOT_INITIALIZED);
  IS(cuInit(1), CUDA_ERROR_INVALID_VALUE);
  OK(cuInit(0));
  OK(cuDriverGetVersion(&value));
  IS(value, 13000);
  IS(cuDriverGetVersion(NULL), CUDA_ERROR_INVALID_VALUE);
  OK(cuDeviceGetCount(&value));
  IS(value, 2);
  IS(cuDeviceGetCount(NULL), CUDA_ERROR_INVALID_VALUE);
  OK(cuDeviceGet(&device, 1));
  IS(cuDeviceGet(&device, 2), CUDA_ERROR_INVALID_DEVICE);
  IS(cuDeviceGet(&device, -1), CUDA_ERROR_INVALID_DEVICE);
  IS(cuDeviceGet(NULL, 0), CUDA_ERROR_INVALID_VALUE);
  OK(cuDeviceGetName(text, sizeof text, 1));
  CHECK(strcmp(text, "Fakecuda device 1") == 0);
  OK(cuDeviceGetUuid_v2(&uuid, 1));
  static const unsigned char expected[16] = {0xfa, 0x4e, 0xca, 0xda, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, 0, 1};
  CHECK(memcmp(uuid.bytes, expected, 16) == 0);
  OK(cuDeviceGetUuid(&uuid, 0));
  IS(uuid.bytes[15], 0);
  IS(cuDeviceGetUuid_v2(NULL, 0), CUDA_ERROR_INVALID_VALUE);
  OK(cuDeviceGetPCIBusId(text, sizeof text, 1));
  CHECK(strcmp(text, "0000:02:00.0") == 0);
  OK(cuDeviceTotalMem_v2(&bytes, 0));
  CHECK(bytes == 16384 * MIB);
  OK(cuDeviceGetAttribute(&value, CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED, 0));
  IS(value, 1);
  IS(cuDeviceGetAttribute(&value, 0, 0), CUDA_ERROR_INVALID_VALUE);
  IS(cuDeviceGetAttribute(NULL, 75, 0), CUDA_ERROR_INVALID_VALUE);
  IS(cuDeviceGetAttribute(&value, 75, 7), CUDA_ERROR_INVALID_DEVICE);
  OK(cuGetErrorName(CUDA_ERROR_ILLEGAL_ADDRESS, &name));
  CHECK(strcmp(name, "CUDA_ERROR_ILLEGAL_ADDRESS") == 0);
  OK(cuGetErrorString(CUDA_ERROR_OUT_OF_MEMORY, &name));
  CHECK(strcmp(name, "out of memory") == 0);
  IS(cuGetErrorName((CUresult)12345, &name), CUDA_ERROR_INVALID_VALUE);
  CHECK(name == NULL);
  void *function;
  OK(cuGetProcAddress_v2("cuMemAlloc", &function, 12000, 0, &value));
  CHECK(function == (void *)cuMemAlloc_v2);
  IS(value, 0);
  IS(cuGetProcAddress_v2("cuNothing", &function, 12000, 0, &value), CUDA_ERROR_NOT_FOUND);
  CHECK(function == NULL && value == 1);
}

/* CUDA_VISIBLE_DEVICES=GPU-…1,0,9,2: in that order, and nothing after the one that is not there. */
static void visible_devices(void) {
  int count;
  CUuuid uuid;
  OK(cuInit(0));
  OK(cuDeviceGetCount(&count));
  IS(count, 2);
  OK(cuDeviceGetUuid_v2(&uuid, 0));
  IS(uuid.bytes[15], 1);
  OK(cuDeviceGetUuid_v2(&uuid, 1));
  IS(uuid.bytes[15], 0);
}

static void no_visible_device(void) {
  IS(cuInit(0), CUDA_ERROR_NO_DEVICE);
}

static void *other_thread(void *expected) {
  CUcontext context;
  OK(cuCtxGetCurrent(&context));
  CHECK(context == expected);
  return NULL;
}

static void contexts(void) {
  CUcontext first, second, found, made;
  CUdeviceptr address;
  CUdevice device;
  unsigned flags;
  int active;
  OK(cuInit(0));
  IS(cuMemAlloc_v2(&address, 16), CUDA_ERROR_INVALID_CONTEXT);
  IS(cuCtxPopCurrent_v2(&found), CUDA_ERROR_INVALID_CONTEXT);
  IS(cuCtxPushCurrent_v2(NULL), CUDA_ERROR_INVALID_VALUE);
  IS(cuCtxPushCurrent_v2((CUcontext)&found), CUDA_ERROR_INVALID_CONTEXT);
  IS(cuDevicePrimaryCtxRelease_v2(0), CUDA_ERROR_INVALID_CONTEXT);
  OK(cuDevicePrimaryCtxSetFlags_v2(0, CU_CTX_SCHED_BLOCKING_SYNC));
  OK(cuDevicePrimaryCtxGetState(0, &flags, &active));
  CHECK(flags == CU_CTX_SCHED_BLOCKING_SYNC && active == 0);
  OK(cuDevicePrimaryCtxRetain(&first, 0));
  OK(cuDevicePrimaryCtxRetain(&second, 0));
  CHECK(first == second);
  OK(cuDevicePrimaryCtxRetain(&second, 1));
  CHECK(first != second);
  OK(cuDevicePrimaryCtxGetState(0, &flags, &active));
  IS(active, 1);
  OK(cuCtxPushCurrent_v2(first));
  OK(cuCtxPushCurrent_v2(second));
  OK(cuCtxGetDevice(&device));
  IS(device, 1);
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, other_thread, NULL) == 0);
  pthread_join(thread, NULL);
  OK(cuCtxCreate_v2(&made, 0, 0));
  OK(cuCtxGetCurrent(&found));
  CHECK(found == made);
  OK(cuCtxDestroy_v2(made));
  IS(cuCtxPushCurrent_v2(made), CUDA_ERROR_INVALID_CONTEXT);
  OK(cuCtxPopCurrent_v2(&found));
  CHECK(found == second);
  OK(cuCtxGetCurrent(&found));
  CHECK(found == first);
  OK(cuCtxSetCurrent(second));
  OK(cuCtxGetCurrent(&found));
  CHECK(found == second);
  OK(cuCtxSetCurrent(first));
  OK(cuDevicePrimaryCtxRelease_v2(1));
  OK(cuDevicePrimaryCtxRelease_v2(0));
  OK(cuMemAlloc_v2(&address, 16));
  OK(cuDevicePrimaryCtxRelease_v2(0));
  IS(cuMemAlloc_v2(&address, 16), CUDA_ERROR_CONTEXT_IS_DESTROYED);
  OK(cuCtxSetCurrent(NULL));
  OK(cuCtxGetCurrent(&found));
  CHECK(found == NULL);
  /* The allocation went with its context. */
  IS((int)fakecuda_live_objects(), 0);
}

/* ---- virtual memory management ---- */

static void vmm(void) {
  open_device();
  CUmemAllocationProp properties = {.type = 1, .requestedHandleTypes = 1, .location = {1, 0}}, wrong = properties;
  CUmemGenericAllocationHandle handle, other;
  CUdeviceptr address, second;
  CUmemAccessDesc access = {{1, 0}, CU_MEM_ACCESS_FLAGS_PROT_READWRITE};
  uint64_t flags;
  size_t granularity;
  OK(cuMemGetAllocationGranularity(&granularity, &properties, CU_MEM_ALLOC_GRANULARITY_MINIMUM));
  CHECK(granularity == 2 * MIB);
  IS(cuMemCreate(&handle, MIB, &properties, 0), CUDA_ERROR_INVALID_VALUE);
  IS(cuMemCreate(&handle, 0, &properties, 0), CUDA_ERROR_INVALID_VALUE);
  wrong.location.id = 3;
  IS(cuMemCreate(&handle, SEGMENT, &wrong, 0), CUDA_ERROR_INVALID_DEVICE);
  wrong = properties;
  wrong.type = 0;
  IS(cuMemCreate(&handle, SEGMENT, &wrong, 0), CUDA_ERROR_INVALID_VALUE);
  wrong = properties;
  wrong.requestedHandleTypes = 0;
  OK(cuMemCreate(&other, SEGMENT, &wrong, 0));
  int fd;
  IS(cuMemExportToShareableHandle(&fd, other, 1, 0), CUDA_ERROR_INVALID_VALUE);
  OK(cuMemRelease(other));
  IS(cuMemRelease(other), CUDA_ERROR_INVALID_VALUE);

  handle = create_memory(SEGMENT);
  IS(cuMemAddressReserve(&address, MIB, 0, 0, 0), CUDA_ERROR_INVALID_VALUE);
  OK(cuMemAddressReserve(&address, 2 * SEGMENT, 8 * MIB, 0, 0));
  CHECK(address % (8 * MIB) == 0);
  IS(cuMemMap(address, 2 * SEGMENT, 0, handle, 0), CUDA_ERROR_INVALID_VALUE);
  IS(cuMemMap(address + 2 * SEGMENT - 2 * MIB, SEGMENT, 0, handle, 0), CUDA_ERROR_INVALID_VALUE);
  IS(cuMemMap(address, SEGMENT, 2 * MIB, handle, 0), CUDA_ERROR_INVALID_VALUE);
  OK(cuMemMap(address, SEGMENT, 0, handle, 0));
  IS(cuMemMap(address, SEGMENT, 0, handle, 0), CUDA_ERROR_INVALID_VALUE);
  /* Mapped, and yet nobody's until the access is set. */
  IS(cuMemsetD8_v2(address, 1, 16), CUDA_ERROR_INVALID_VALUE);
  char bytes[16];
  IS(cuMemcpyDtoH_v2(bytes, address, 16), CUDA_ERROR_INVALID_VALUE);
  IS(cuMemSetAccess(address, 2 * SEGMENT, &access, 1), CUDA_ERROR_INVALID_VALUE);
  OK(cuMemSetAccess(address, SEGMENT, &access, 1));
  CUmemLocation location = {1, 0};
  OK(cuMemGetAccess(&flags, &location, address + 100));
  IS((int)flags, CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
  OK(cuMemsetD8_v2(address, 5, SEGMENT));
  expect_content(address, SEGMENT, 5);
  IS(cuMemsetD8_v2(address + SEGMENT - 8, 1, 16), CUDA_ERROR_INVALID_VALUE);
  second = map_memory(handle, SEGMENT, CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
  expect_content(second, SEGMENT, 5);
  size_t size;
  OK(cuPointerGetAttribute(&size, CU_POINTER_ATTRIBUTE_RANGE_SIZE, second + 77));
  CHECK(size == SEGMENT);
  IS(cuPointerGetAttribute(&size, CU_POINTER_ATTRIBUTE_RANGE_SIZE, address + SEGMENT), CUDA_ERROR_INVALID_VALUE);

  fd = export_memory(handle);
  IS(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
  CUdeviceptr imported = import_memory(fd, SEGMENT, CU_MEM_ACCESS_FLAGS_PROT_READ);
  close(fd);
  expect_content(imported, SEGMENT, 5);

  /* Descriptors that are nobody's memory. */
  int plain = memfd_create("plain", MFD_CLOEXEC), sealed = memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING), ends[2];
  CHECK(ftruncate(plain, SEGMENT + 4096) == 0 && ftruncate(sealed, SEGMENT + 4096) == 0 && pipe(ends) == 0);
  uint64_t claimed = SEGMENT;
  CHECK(pwrite(sealed, &claimed, sizeof claimed, SEGMENT + 16) == sizeof claimed);
  CHECK(fcntl(sealed, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0);
  int foreign[] = {plain, sealed, ends[0], open("/dev/null", O_RDONLY), open("/proc/self/exe", O_RDONLY), -1, 9999};
  for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
    IS(cuMemImportFromShareableHandle(&other, (void *)(intptr_t)foreign[i], 1), CUDA_ERROR_INVALID_VALUE);
  IS(cuMemImportFromShareableHandle(&other, (void *)(intptr_t)plain, 2), CUDA_ERROR_INVALID_VALUE);

  IS(cuMemAddressFree(address, 2 * SEGMENT), CUDA_ERROR_INVALID_VALUE);
  IS(cuMemUnmap(address, 2 * MIB), CUDA_ERROR_INVALID_VALUE);
  OK(cuMemUnmap(address, SEGMENT));
  IS(cuMemUnmap(address, SEGMENT), CUDA_ERROR_INVALID_VALUE);
  IS(cuMemAddressFree(address, SEGMENT), CUDA_ERROR_INVALID_VALUE);
  OK(cuMemAddressFree(address, 2 * SEGMENT));
  OK(cuMemRelease(handle));
  /* The other mappings hold the memory. */
  expect_content(second, SEGMENT, 5);
  unmap_memory(second, SEGMENT);
  expect_content(imported, SEGMENT, 5);
  unmap_memory(imported, SEGMENT);
  IS(cuMemsetD8_v2(imported, 1, 1), CUDA_ERROR_INVALID_VALUE);
  close_device();
}

/* A refused write leaves memory and context as they were; the processor cannot write either. */
static void read_only(void) {
  open_device();
  CUstream stream = make_stream();
  CUmemGenericAllocationHandle handle = create_memory(SEGMENT);
  CUdeviceptr own = map_memory(handle, SEGMENT, CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
  CUdeviceptr read = map_memory(handle, SEGMENT, CU_MEM_ACCESS_FLAGS_PROT_READ);
  char bytes[64] = {0};
  OK(cuMemsetD8_v2(own, 9, SEGMENT));
  OK(cuCtxSynchronize());
  IS(cuMemsetD8_v2(read, 1, 16), CUDA_ERROR_INVALID_VALUE);
  IS(cuMemsetD8Async(read, 1, 16, stream), CUDA_ERROR_INVALID_VALUE);
  IS(cuMemcpyHtoD_v2(read, bytes, 16), CUDA_ERROR_INVALID_VALUE);
  IS(cuMemcpyHtoDAsync_v2(read, bytes, 16, stream), CUDA_ERROR_INVALID_VALUE);
  IS(cuMemcpyDtoD_v2(read, own, 16), CUDA_ERROR_INVALID_VALUE);
  IS(cuMemcpyDtoDAsync_v2(read, own, 16, stream), CUDA_ERROR_INVALID_VALUE);
  IS(cuStreamWriteValue64_v2(stream, read, 1, 0), CUDA_ERROR_INVALID_VALUE);
  expect_content(read, SEGMENT, 9);
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    struct sigaction plain = {.sa_handler = SIG_DFL};
    sigaction(SIGSEGV, &plain, NULL);
    *(volatile char *)read = 1;
    _exit(0);
  }
  int status;
  CHECK(waitpid(pid, &status, 0) == pid);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
  OK(cuStreamDestroy_v2(stream));
  unmap_memory(read, SEGMENT);
  unmap_memory(own, SEGMENT);
  OK(cuMemRelease(handle));
  close_device();
}

/* The child's kernel writes through its read-only mapping. */
static void child_kernel_write(int fd) {
  CUcontext context = open_device();
  CUdeviceptr read = import_memory(receive_descriptor(fd), SEGMENT, CU_MEM_ACCESS_FLAGS_PROT_READ), address;
  CUstream stream = make_stream();
  CUmodule module = load_kernels();
  uint32_t value = 77;
  expect_content(read, SEGMENT, 9);
  OK(launch(module, "write_one", stream, (void *[]){&read, &value}));
  IS(cuStreamSynchronize(stream), CUDA_ERROR_ILLEGAL_ADDRESS);
  IS(cuStreamQuery(stream), CUDA_ERROR_ILLEGAL_ADDRESS);
  IS(cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
  IS(cuMemAlloc_v2(&address, 16), CUDA_ERROR_ILLEGAL_ADDRESS);
  IS(cuMemcpyDtoH_v2(&value, read, 4), CUDA_ERROR_ILLEGAL_ADDRESS);
  IS(cuDevicePrimaryCtxRetain(&context, 0), CUDA_ERROR_ILLEGAL_ADDRESS);
  OK(cuCtxPopCurrent_v2(NULL));
  send_mark(fd);
}

static void kernel_write_breaks_only_its_process(void) {
  open_device();
  CUmemGenericAllocationHandle handle = create_memory(SEGMENT);
  CUdeviceptr own = map_memory(handle, SEGMENT, CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
  OK(cuMemsetD8_v2(own, 9, SEGMENT));
  OK(cuCtxSynchronize());
  int fd, memory = export_memory(handle);
  pid_t pid = start_child("kernel_write", &fd);
  send_descriptor(fd, memory);
  close(memory);
  receive_mark(fd);
  expect_exit(pid, 0);
  expect_content(own, SEGMENT, 9);
  unmap_memory(own, SEGMENT);
  OK(cuMemRelease(handle));
  close_device();
}

/* The range goes while the operation is on its way. */
static void unmapped_under_an_operation(void) {
  open_device();
  CUstream stream = make_stream();
  CUmemGenericAllocationHandle handle = create_memory(SEGMENT);
  CUdeviceptr own = map_memory(handle, SEGMENT, CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
  close_gate(stream);
  OK(cuMemsetD8Async(own, 1, SEGMENT, stream));
  unmap_memory(own, SEGMENT);
  atomic_store(gate, 1);
  IS(cuStreamSynchronize(stream), CUDA_ERROR_ILLEGAL_ADDRESS);
  IS(cuStreamQuery(stream), CUDA_ERROR_ILLEGAL_ADDRESS);
}

static void child_exporter(int fd) {
  open_device();
  CUmemGenericAllocationHandle handle = create_memory(SEGMENT);
  CUdeviceptr own = map_memory(handle, SEGMENT, CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
  OK(cuMemsetD8_v2(own, 3, SEGMENT));
  OK(cuCtxSynchronize());
  send_descriptor(fd, export_memory(handle));
  receive_mark(fd);
  OK(cuMemsetD8_v2(own, 4, SEGMENT));
  OK(cuCtxSynchronize());
  send_mark(fd);
  receive_mark(fd);
}

static void vmm_across_processes(void) {
  open_device();
  int fd;
  pid_t pid = start_child("exporter", &fd);
  int memory = receive_descriptor(fd);
  CUdeviceptr read = import_memory(memory, SEGMENT, CU_MEM_ACCESS_FLAGS_PROT_READ);
  close(memory);
  expect_content(read, SEGMENT, 3);
  send_mark(fd);
  receive_mark(fd);
  expect_content(read, SEGMENT, 4);
  kill_child(pid);
  expect_content(read, SEGMENT, 4);
  unmap_memory(read, SEGMENT);
  close_device();
}

/* ---- legacy IPC ---- */

static void child_legacy_exporter(int fd) {
  open_device();
  CUdeviceptr own;
  CUipcMemHandle handle;
  OK(cuMemAlloc_v2(&own, 3 * MIB));
  OK(cuMemsetD8_v2(own, 3, 3 * MIB));
  OK(cuCtxSynchronize());
  OK(cuIpcGetMemHandle(&handle, own + 100));
  expect_content(own, 3 * MIB, 3);
  send_bytes(fd, &handle, sizeof handle);
  receive_mark(fd);
  expect_content(own, 3 * MIB, 6);
  OK(cuMemsetD8_v2(own, 7, 3 * MIB));
  OK(cuCtxSynchronize());
  send_mark(fd);
  receive_mark(fd);
}

static void legacy_ipc(void) {
  open_device();
  int fd;
  pid_t pid = start_child("legacy_exporter", &fd);
  CUipcMemHandle handle, wrong;
  CUdeviceptr address, again;
  receive_bytes(fd, &handle, sizeof handle);
  IS(cuIpcOpenMemHandle_v2(&address, handle, 0), CUDA_ERROR_INVALID_VALUE);
  OK(cuIpcOpenMemHandle_v2(&address, handle, 1));
  OK(cuIpcOpenMemHandle_v2(&again, handle, 1));
  CHECK(address == again);
  expect_content(address, 3 * MIB, 3);
  /* A legacy mapping is writable, whoever opens it. */
  OK(cuMemsetD8_v2(address, 6, 3 * MIB));
  OK(cuCtxSynchronize());
  send_mark(fd);
  receive_mark(fd);
  expect_content(address, 3 * MIB, 7);
  kill_child(pid);
  expect_content(address, 3 * MIB, 7);
  OK(cuIpcCloseMemHandle(address));
  expect_content(address, 3 * MIB, 7);
  OK(cuIpcCloseMemHandle(address));
  IS(cuIpcCloseMemHandle(address), CUDA_ERROR_INVALID_VALUE);
  IS(cuIpcOpenMemHandle_v2(&address, handle, 1), CUDA_ERROR_INVALID_VALUE);
  memset(&wrong, 0xaa, sizeof wrong);
  IS(cuIpcOpenMemHandle_v2(&address, wrong, 1), CUDA_ERROR_INVALID_VALUE);

  CUdeviceptr own;
  OK(cuMemAlloc_v2(&own, 100));
  OK(cuIpcGetMemHandle(&handle, own));
  IS(cuIpcOpenMemHandle_v2(&address, handle, 1), CUDA_ERROR_INVALID_CONTEXT);
  CUmemGenericAllocationHandle memory = create_memory(SEGMENT);
  CUdeviceptr mapped = map_memory(memory, SEGMENT, CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
  IS(cuIpcGetMemHandle(&handle, mapped), CUDA_ERROR_INVALID_VALUE);
  unmap_memory(mapped, SEGMENT);
  OK(cuMemRelease(memory));
  OK(cuMemFree_v2(own));
  IS(cuMemFree_v2(own), CUDA_ERROR_INVALID_VALUE);
  close_device();
}

/* Both ends are PID 1 in namespaces of their own. */
static pid_t start_in_namespace(const char *name, int *fd) {
  int ends[2];
  CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    if (unshare(CLONE_NEWPID) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0) {
      perror("unshare");
      _exit(1);
    }
    pid_t inner = fork();
    if (inner == 0) {
      char number[16];
      snprintf(number, sizeof number, "%d", fcntl(ends[1], F_DUPFD, 3));
      execl(program, program, "--child", name, number, (char *)NULL);
      _exit(127);
    }
    int status;
    waitpid(inner, &status, 0);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
  }
  close(ends[1]);
  *fd = ends[0];
  return pid;
}

static void child_first_of_two(int fd) {
  IS((int)getpid(), 1);
  open_device();
  CUipcMemHandle memory;
  CUipcEventHandle event_handle;
  CUdeviceptr address;
  CUevent event;
  OK(cuMemAlloc_v2(&address, MIB));
  OK(cuIpcGetMemHandle(&memory, address));
  OK(cuEventCreate(&event, CU_EVENT_INTERPROCESS | CU_EVENT_DISABLE_TIMING));
  OK(cuIpcGetEventHandle(&event_handle, event));
  send_bytes(fd, &memory, sizeof memory);
  send_bytes(fd, &event_handle, sizeof event_handle);
  CUmemGenericAllocationHandle handle = create_memory(SEGMENT);
  CUdeviceptr own = map_memory(handle, SEGMENT, CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
  OK(cuMemsetD8_v2(own, 8, SEGMENT));
  OK(cuCtxSynchronize());
  send_descriptor(fd, export_memory(handle));
  receive_mark(fd);
}

static void child_second_of_two(int fd) {
  IS((int)getpid(), 1);
  open_device();
  CUipcMemHandle memory;
  CUipcEventHandle event_handle;
  CUdeviceptr address;
  CUevent event;
  receive_bytes(fd, &memory, sizeof memory);
  receive_bytes(fd, &event_handle, sizeof event_handle);
  IS(cuIpcOpenMemHandle_v2(&address, memory, 1), CUDA_ERROR_INVALID_CONTEXT);
  IS(cuIpcOpenEventHandle(&event, event_handle), CUDA_ERROR_INVALID_CONTEXT);
  CUdeviceptr read = import_memory(receive_descriptor(fd), SEGMENT, CU_MEM_ACCESS_FLAGS_PROT_READ);
  expect_content(read, SEGMENT, 8);
  send_mark(fd);
}

static void two_first_processes(void) {
  int first, second;
  pid_t first_pid = start_in_namespace("first_of_two", &first), second_pid = start_in_namespace("second_of_two", &second);
  CUipcMemHandle handle;
  receive_bytes(first, &handle, sizeof handle);
  send_bytes(second, &handle, sizeof handle);
  receive_bytes(first, &handle, sizeof handle);
  send_bytes(second, &handle, sizeof handle);
  send_descriptor(second, receive_descriptor(first));
  receive_mark(second);
  send_mark(first);
  expect_exit(first_pid, 0);
  expect_exit(second_pid, 0);
}

/* A process in a PID namespace of its own, whose number differs, opens the memory. */
static void child_namespace_reader(int fd) {
  open_device();
  CUipcMemHandle handle;
  CUdeviceptr address;
  receive_bytes(fd, &handle, sizeof handle);
  OK(cuIpcOpenMemHandle_v2(&address, handle, 1));
  expect_content(address, MIB, 2);
  send_mark(fd);
}

static void legacy_ipc_across_namespaces(void) {
  open_device();
  CHECK(getpid() != 1);
  int fd;
  pid_t pid = start_in_namespace("namespace_reader", &fd);
  CUipcMemHandle handle;
  CUdeviceptr own;
  OK(cuMemAlloc_v2(&own, MIB));
  OK(cuMemsetD8_v2(own, 2, MIB));
  OK(cuCtxSynchronize());
  OK(cuIpcGetMemHandle(&handle, own));
  send_bytes(fd, &handle, sizeof handle);
  receive_mark(fd);
  expect_exit(pid, 0);
  OK(cuMemFree_v2(own));
  close_device();
}

static void leftovers_of_killed_processes_go(void) {
  open_device();
  int fd;
  pid_t pid = start_child("legacy_exporter", &fd);
  CUipcMemHandle handle;
  receive_bytes(fd, &handle, sizeof handle);
  kill_child(pid);
  char command[300], *files;
  const char *folder = getenv("FAKECUDA_DIR");
  snprintf(command, sizeof command, "ls %s | grep -c ^memory- >%s/count; true", folder, folder);
  char count[300];
  snprintf(count, sizeof count, "%s/count", folder);
  CHECK(system(command) == 0);
  files = read_text(count);
  CHECK(atoi(files) == 1);
  free(files);
  CUdeviceptr own;
  OK(cuMemAlloc_v2(&own, 16));
  OK(cuIpcGetMemHandle(&handle, own));
  OK(cuMemFree_v2(own));
  CHECK(system(command) == 0);
  files = read_text(count);
  CHECK(atoi(files) == 0);
  free(files);
  close_device();
}

/* ---- streams, events, copies ---- */

static double seconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* With a delay of 50 ms at least. */
static void operations_take_time(void) {
  open_device();
  CUstream stream = make_stream(), other = make_stream();
  CUdeviceptr memory;
  unsigned char *pinned;
  OK(cuMemAlloc_v2(&memory, MIB));
  OK(cuMemHostAlloc((void **)&pinned, MIB, CU_MEMHOSTALLOC_PORTABLE));
  double start = seconds();
  OK(cuMemsetD8Async(memory, 1, MIB, stream));
  OK(cuMemsetD8Async(memory, 2, MIB, stream));
  OK(cuStreamSynchronize(stream));
  CHECK(seconds() - start >= 0.099);
  close_gate(stream);
  OK(cuMemcpyDtoHAsync_v2(pinned, memory, MIB, stream));
  IS(cuStreamQuery(stream), CUDA_ERROR_NOT_READY);
  OK(cuStreamQuery(other));
  if (RACES_ON_PURPOSE)
    IS(pinned[0], 0);
  open_gate();
  OK(cuStreamSynchronize(stream));
  OK(cuStreamQuery(stream));
  IS(pinned[0], 2);
  IS(pinned[MIB - 1], 2);
  CUcontext context, current;
  OK(cuStreamGetCtx(stream, &context));
  OK(cuCtxGetCurrent(&current));
  CHECK(context == current);
  IS(cuStreamCreate(NULL, 0), CUDA_ERROR_INVALID_VALUE);
  IS(cuStreamCreate(&other, 8), CUDA_ERROR_INVALID_VALUE);
  OK(cuStreamDestroy_v2(stream));
  IS(cuStreamQuery(stream), CUDA_ERROR_INVALID_HANDLE);
  OK(cuStreamDestroy_v2(other));
  OK(cuMemFreeHost(pinned));
  IS(cuMemFreeHost(pinned), CUDA_ERROR_INVALID_VALUE);
  OK(cuMemFree_v2(memory));
  close_device();
}

static void copies_in_two_dimensions(void) {
  open_device();
  CUstream stream = make_stream();
  CUdeviceptr memory, other;
  OK(cuMemAlloc_v2(&memory, MIB));
  OK(cuMemAlloc_v2(&other, MIB));
  unsigned char *source = malloc(MIB), *result = calloc(1, MIB);
  for (size_t i = 0; i < MIB; i++)
    source[i] = (unsigned char)(i * 31 + i / 257);
  CUDA_MEMCPY2D up = {.srcMemoryType = CU_MEMORYTYPE_HOST, .srcHost = source, .srcPitch = 1000, .srcXInBytes = 10, .srcY = 2,
                      .dstMemoryType = CU_MEMORYTYPE_DEVICE, .dstDevice = memory, .dstPitch = 1024, .WidthInBytes = 500,
                      .Height = 300};
  CUDA_MEMCPY2D across = {.srcMemoryType = CU_MEMORYTYPE_DEVICE, .srcDevice = memory, .srcPitch = 1024,
                          .dstMemoryType = CU_MEMORYTYPE_DEVICE, .dstDevice = other, .dstPitch = 512, .dstXInBytes = 4,
                          .WidthInBytes = 500, .Height = 300};
  CUDA_MEMCPY2D down = {.srcMemoryType = CU_MEMORYTYPE_UNIFIED, .srcDevice = other, .srcPitch = 512, .srcXInBytes = 4,
                        .dstMemoryType = CU_MEMORYTYPE_HOST, .dstHost = result, .dstPitch = 500, .WidthInBytes = 500,
                        .Height = 300};
  OK(cuMemcpy2DAsync_v2(&up, stream));
  OK(cuMemcpy2DAsync_v2(&across, stream));
  OK(cuMemcpy2DAsync_v2(&down, stream));
  OK(cuStreamSynchronize(stream));
  for (size_t row = 0; row < 300; row++)
    CHECK(memcmp(result + row * 500, source + (row + 2) * 1000 + 10, 500) == 0);
  CUDA_MEMCPY2D wrong = up;
  wrong.dstPitch = 499;
  IS(cuMemcpy2DAsync_v2(&wrong, stream), CUDA_ERROR_INVALID_VALUE);
  wrong = up;
  wrong.dstY = 1024 - 299;
  IS(cuMemcpy2DAsync_v2(&wrong, stream), CUDA_ERROR_INVALID_VALUE);
  wrong = up;
  wrong.dstMemoryType = CU_MEMORYTYPE_HOST;
  wrong.dstHost = (void *)memory;
  IS(cuMemcpy2D_v2(&wrong), CUDA_ERROR_INVALID_VALUE);
  wrong = up;
  wrong.srcMemoryType = CU_MEMORYTYPE_DEVICE;
  wrong.srcDevice = (CUdeviceptr)source;
  IS(cuMemcpy2D_v2(&wrong), CUDA_ERROR_INVALID_VALUE);
  IS(cuMemcpy2D_v2(NULL), CUDA_ERROR_INVALID_VALUE);
  wrong = up;
  wrong.Height = 0;
  OK(cuMemcpy2D_v2(&wrong));
  OK(cuMemFree_v2(memory));
  OK(cuMemFree_v2(other));
  OK(cuStreamDestroy_v2(stream));
  free(source);
  free(result);
  close_device();
}

/* What a reader sees that does not wait: half a frame. With the wait it never does. */
static void missing_wait_shows_a_torn_frame(void) {
  if (!RACES_ON_PURPOSE)
    return;
  open_device();
  CUstream stream = make_stream();
  CUmemGenericAllocationHandle handle = create_memory(SEGMENT);
  CUdeviceptr own = map_memory(handle, SEGMENT, CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
  CUdeviceptr read = map_memory(handle, SEGMENT, CU_MEM_ACCESS_FLAGS_PROT_READ), frame;
  OK(cuMemAlloc_v2(&frame, 64 * 1024));
  int torn = 0;
  for (unsigned char round = 1; round <= 50 && (torn == 0 || round <= 5); round++) {
    OK(cuMemsetD8Async(frame, round, 64 * 1024, stream));
    CUDA_MEMCPY2D copy = {.srcMemoryType = CU_MEMORYTYPE_DEVICE, .srcDevice = frame, .srcPitch = 256,
                          .dstMemoryType = CU_MEMORYTYPE_DEVICE, .dstDevice = own, .dstPitch = 512, .WidthInBytes = 256,
                          .Height = 256};
    OK(cuMemcpy2DAsync_v2(&copy, stream));
    const volatile unsigned char *seen = (const volatile unsigned char *)read;
    double before = seconds();
    for (;;) {
      double look = seconds();
      if (seen[0] == round)
        break;
      before = look;
    }
    torn += seen[255 * 512] != round;
    while (seen[255 * 512] != round) {
    }
    /* From before the first row to after the last: a third of the delay, however late this process gets to look. */
    CHECK(seconds() - before >= 0.016);
    OK(cuStreamSynchronize(stream));
    IS(seen[0], round);
    IS(seen[255 * 512 + 255], round);
  }
  CHECK(torn > 0);
  OK(cuMemFree_v2(frame));
  unmap_memory(own, SEGMENT);
  unmap_memory(read, SEGMENT);
  OK(cuMemRelease(handle));
  OK(cuStreamDestroy_v2(stream));
  close_device();
}

/* Pinned memory is read when the copy runs, pageable memory before the call returns. */
static void when_host_memory_is_read(void) {
  open_device();
  CUstream stream = make_stream();
  CUdeviceptr memory;
  unsigned char *pinned, *pageable = malloc(MIB);
  OK(cuMemAlloc_v2(&memory, MIB));
  OK(cuMemHostAlloc((void **)&pinned, MIB, 0));
  memset(pageable, 1, MIB);
  close_gate(stream);
  OK(cuMemcpyHtoDAsync_v2(memory, pageable, MIB, stream));
  memset(pageable, 2, MIB);
  open_gate();
  OK(cuStreamSynchronize(stream));
  expect_content(memory, MIB, 1);
  if (RACES_ON_PURPOSE) {
    memset(pinned, 3, MIB);
    close_gate(stream);
    OK(cuMemcpyHtoDAsync_v2(memory, pinned, MIB, stream));
    memset(pinned, 4, MIB);
    open_gate();
    OK(cuStreamSynchronize(stream));
    expect_content(memory, MIB, 4);
  }
  OK(cuMemFreeHost(pinned));
  OK(cuMemFree_v2(memory));
  OK(cuStreamDestroy_v2(stream));
  free(pageable);
  close_device();
}

/* The null stream waits for blocking streams and they for it; a non-blocking stream waits for nobody. */
static void null_stream(void) {
  open_device();
  CUstream blocking, free_running = make_stream();
  OK(cuStreamCreate(&blocking, CU_STREAM_DEFAULT));
  CUdeviceptr memory;
  OK(cuMemAlloc_v2(&memory, MIB));
  close_gate(blocking);
  OK(cuMemsetD8Async(memory, 1, MIB, blocking));
  OK(cuMemsetD8Async(memory, 2, MIB, NULL));
  IS(cuStreamQuery(NULL), CUDA_ERROR_NOT_READY);
  OK(cuMemsetD8Async(memory, 3, MIB, free_running));
  OK(cuStreamSynchronize(free_running));
  IS(cuStreamQuery(blocking), CUDA_ERROR_NOT_READY);
  open_gate();
  OK(cuStreamSynchronize(NULL));
  OK(cuStreamQuery(blocking));
  expect_content(memory, MIB, 2);
  close_gate(NULL);
  OK(cuMemsetD8Async(memory, 4, MIB, NULL));
  OK(cuMemsetD8Async(memory, 5, MIB, blocking));
  IS(cuStreamQuery(blocking), CUDA_ERROR_NOT_READY);
  open_gate();
  OK(cuStreamSynchronize(blocking));
  expect_content(memory, MIB, 5);
  close_gate(free_running);
  OK(cuStreamQuery(NULL));
  OK(cuStreamSynchronize(NULL));
  OK(cuMemsetD8Async(memory, 6, MIB, free_running));
  atomic_store(gate, 1);
  OK(cuCtxSynchronize());
  OK(cuStreamQuery(free_running));
  open_gate();
  expect_content(memory, MIB, 6);
  OK(cuStreamDestroy_v2(blocking));
  OK(cuStreamDestroy_v2(free_running));
  OK(cuMemFree_v2(memory));
  close_device();
}

/* With a delay of 30 ms at least. */
static void events(void) {
  open_device();
  CUstream first = make_stream(), second = make_stream();
  CUevent start, end, untimed;
  CUdeviceptr memory, other;
  float milliseconds;
  OK(cuMemAlloc_v2(&memory, MIB));
  OK(cuMemAlloc_v2(&other, MIB));
  OK(cuEventCreate(&start, CU_EVENT_DEFAULT));
  OK(cuEventCreate(&end, CU_EVENT_BLOCKING_SYNC));
  OK(cuEventCreate(&untimed, CU_EVENT_DISABLE_TIMING));
  IS(cuEventCreate(&untimed, CU_EVENT_INTERPROCESS), CUDA_ERROR_INVALID_VALUE);
  IS(cuEventCreate(NULL, 0), CUDA_ERROR_INVALID_VALUE);
  OK(cuEventQuery(start));
  OK(cuEventSynchronize(start));
  IS(cuEventElapsedTime(&milliseconds, start, end), CUDA_ERROR_INVALID_HANDLE);
  OK(cuEventRecord(start, first));
  close_gate(first);
  OK(cuMemsetD8Async(memory, 1, MIB, first));
  OK(cuEventRecord(end, first));
  IS(cuEventQuery(end), CUDA_ERROR_NOT_READY);
  IS(cuEventElapsedTime(&milliseconds, start, end), CUDA_ERROR_NOT_READY);
  OK(cuStreamWaitEvent(second, end, 0));
  OK(cuMemcpyDtoDAsync_v2(other, memory, MIB, second));
  nap_ms(20);
  IS(cuStreamQuery(second), CUDA_ERROR_NOT_READY);
  open_gate();
  expect_content(other, MIB, 1);
  /* A wait is for the record at its call, not for a later one. */
  OK(cuEventRecord(end, first));
  OK(cuEventSynchronize(end));
  OK(cuStreamWaitEvent(second, end, 0));
  close_gate(first);
  OK(cuEventRecord(end, first));
  OK(cuStreamSynchronize(second));
  IS(cuEventQuery(end), CUDA_ERROR_NOT_READY);
  open_gate();
  OK(cuEventSynchronize(end));
  OK(cuEventQuery(end));
  OK(cuEventElapsedTime(&milliseconds, start, end));
  CHECK(milliseconds >= 29);
  OK(cuEventRecord(untimed, NULL));
  OK(cuEventSynchronize(untimed));
  IS(cuEventElapsedTime(&milliseconds, start, untimed), CUDA_ERROR_INVALID_HANDLE);
  CUipcEventHandle handle;
  IS(cuIpcGetEventHandle(&handle, untimed), CUDA_ERROR_INVALID_HANDLE);
  /* An event may go while its record is on the way. */
  OK(cuEventRecord(end, first));
  OK(cuEventDestroy_v2(end));
  IS(cuEventQuery(end), CUDA_ERROR_INVALID_HANDLE);
  OK(cuEventDestroy_v2(start));
  OK(cuEventDestroy_v2(untimed));
  OK(cuStreamDestroy_v2(first));
  OK(cuStreamDestroy_v2(second));
  OK(cuMemFree_v2(memory));
  OK(cuMemFree_v2(other));
  close_device();
}

static void child_event_recorder(int fd) {
  open_device();
  CUipcEventHandle handle;
  CUevent event;
  CUstream stream = make_stream();
  CUmodule module = load_kernels();
  uint32_t *flag;
  OK(cuMemHostAlloc((void **)&flag, 4096, CU_MEMHOSTALLOC_DEVICEMAP));
  CUdeviceptr address;
  OK(cuMemHostGetDevicePointer_v2(&address, flag, 0));
  receive_bytes(fd, &handle, sizeof handle);
  OK(cuIpcOpenEventHandle(&event, handle));
  OK(launch(module, "hang", stream, (void *[]){&address}));
  OK(cuEventRecord(event, stream));
  send_mark(fd);
  receive_mark(fd);
  __atomic_store_n(flag, 1, __ATOMIC_SEQ_CST);
  OK(cuStreamSynchronize(stream));
  send_mark(fd);
  OK(cuEventDestroy_v2(event));
  OK(cuStreamDestroy_v2(stream));
  OK(cuModuleUnload(module));
  OK(cuMemFreeHost(flag));
  close_device();
}

static void interprocess_events(void) {
  open_device();
  CUevent event;
  CUipcEventHandle handle;
  CUstream stream = make_stream();
  OK(cuEventCreate(&event, CU_EVENT_INTERPROCESS | CU_EVENT_DISABLE_TIMING));
  OK(cuIpcGetEventHandle(&handle, event));
  CUevent same;
  IS(cuIpcOpenEventHandle(&same, handle), CUDA_ERROR_INVALID_CONTEXT);
  int fd;
  pid_t pid = start_child("event_recorder", &fd);
  OK(cuEventQuery(event));
  send_bytes(fd, &handle, sizeof handle);
  receive_mark(fd);
  IS(cuEventQuery(event), CUDA_ERROR_NOT_READY);
  OK(cuStreamWaitEvent(stream, event, 0));
  nap_ms(20);
  IS(cuStreamQuery(stream), CUDA_ERROR_NOT_READY);
  IS(cuEventQuery(event), CUDA_ERROR_NOT_READY);
  send_mark(fd);
  OK(cuEventSynchronize(event));
  OK(cuStreamSynchronize(stream));
  receive_mark(fd);
  OK(cuEventQuery(event));
  expect_exit(pid, 0);
  OK(cuEventDestroy_v2(event));
  OK(cuStreamDestroy_v2(stream));
  close_device();
}

static void values(void) {
  open_device();
  CUstream writer = make_stream(), waiter = make_stream();
  void *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CUdeviceptr memory, address;
  _Atomic uint64_t *value = page;
  OK(cuMemAlloc_v2(&memory, MIB));
  IS(cuStreamWriteValue64_v2(writer, (CUdeviceptr)page, 1, 0), CUDA_ERROR_INVALID_VALUE);
  IS(cuMemHostGetDevicePointer_v2(&address, page, 0), CUDA_ERROR_INVALID_VALUE);
  OK(cuMemHostRegister_v2(page, 8192, CU_MEMHOSTREGISTER_PORTABLE | CU_MEMHOSTREGISTER_DEVICEMAP));
  OK(cuMemHostGetDevicePointer_v2(&address, page, 0));
  IS(cuStreamWriteValue64_v2(writer, address + 4, 1, 0), CUDA_ERROR_INVALID_VALUE);
  IS(cuStreamWriteValue64_v2(writer, address + 8192, 1, 0), CUDA_ERROR_INVALID_VALUE);
  close_gate(writer);
  OK(cuMemsetD8Async(memory, 1, MIB, writer));
  OK(cuStreamWriteValue64_v2(writer, address, 5, 0));
  nap_ms(20);
  IS((int)atomic_load(value), 0);
  OK(cuStreamWaitValue64_v2(waiter, address, 5, CU_STREAM_WAIT_VALUE_EQ));
  OK(cuMemsetD8Async(memory, 2, MIB, waiter));
  IS(cuStreamQuery(waiter), CUDA_ERROR_NOT_READY);
  open_gate();
  IS((int)atomic_load(value), 5);
  expect_content(memory, MIB, 2);
  OK(cuStreamWaitValue64_v2(waiter, address, 6, CU_STREAM_WAIT_VALUE_GEQ));
  nap_ms(20);
  IS(cuStreamQuery(waiter), CUDA_ERROR_NOT_READY);
  atomic_store(value, 7);
  OK(cuStreamSynchronize(waiter));
  OK(cuMemHostUnregister(page));
  OK(cuMemFree_v2(memory));
  OK(cuStreamDestroy_v2(writer));
  OK(cuStreamDestroy_v2(waiter));
  close_device();
}

static atomic_int host_calls;

static void host_function(void *argument) {
  CHECK(atomic_fetch_add(&host_calls, 1) == (int)(intptr_t)argument);
  IS(cuCtxSynchronize(), CUDA_ERROR_NOT_PERMITTED);
}

static void host_functions(void) {
  open_device();
  CUstream stream = make_stream();
  for (intptr_t i = 0; i < 20; i++)
    OK(cuLaunchHostFunc(stream, host_function, (void *)i));
  IS(cuLaunchHostFunc(stream, NULL, NULL), CUDA_ERROR_INVALID_VALUE);
  OK(cuStreamSynchronize(stream));
  IS(atomic_load(&host_calls), 20);
  OK(cuStreamDestroy_v2(stream));
  close_device();
}

static void host_registration(void) {
  open_device();
  char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  OK(cuMemHostRegister_v2(pages, 4096, 0));
  IS(cuMemHostRegister_v2(pages, 8192, 0), CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED);
  IS(cuMemHostUnregister(pages + 4096), CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED);
  OK(cuMemHostUnregister(pages));
  IS(cuMemHostUnregister(pages), CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED);
  CHECK(mprotect(pages, 4096, PROT_READ) == 0);
  IS(cuMemHostRegister_v2(pages, 8192, 0), CUDA_ERROR_INVALID_VALUE);
  OK(cuMemHostRegister_v2(pages, 8192, CU_MEMHOSTREGISTER_READ_ONLY));
  IS(cuMemsetD8_v2((CUdeviceptr)pages, 1, 16), CUDA_ERROR_INVALID_VALUE);
  OK(cuMemHostUnregister(pages));
  munmap(pages, 8192);
  IS(cuMemHostRegister_v2(pages, 8192, 0), CUDA_ERROR_INVALID_VALUE);
  close_device();
}

/* ---- kernels ---- */

static void kernels(void) {
  open_device();
  CUmodule module = load_kernels(), none;
  CUfunction function;
  CUstream stream = make_stream();
  CUdeviceptr memory, other, result;
  IS(cuModuleLoadData(&none, "not PTX"), CUDA_ERROR_INVALID_IMAGE);
  IS(cuModuleLoadData(&none, NULL), CUDA_ERROR_INVALID_VALUE);
  IS(cuModuleGetFunction(&function, module, "nothing"), CUDA_ERROR_NOT_FOUND);
  IS(cuModuleGetFunction(&function, module, "fil"), CUDA_ERROR_NOT_FOUND);
  OK(cuModuleLoadData(&none, ".version 6.0\n.target sm_52\n.visible .entry unheard_of()\n{ ret; }\n"));
  IS(cuModuleGetFunction(&function, none, "unheard_of"), CUDA_ERROR_NOT_FOUND);
  IS(cuModuleGetFunction(&function, none, "fill"), CUDA_ERROR_NOT_FOUND);
  OK(cuModuleUnload(none));
  IS(cuModuleUnload(none), CUDA_ERROR_INVALID_HANDLE);

  OK(cuMemAlloc_v2(&memory, MIB));
  OK(cuMemAlloc_v2(&other, MIB));
  OK(cuMemAlloc_v2(&result, 16));
  uint64_t count = MIB, sum = 0, expected = 0, nanoseconds = 30 * 1000 * 1000;
  unsigned char value = 200;
  double start = seconds();
  OK(launch(module, "spin", stream, (void *[]){&nanoseconds}));
  OK(cuStreamSynchronize(stream));
  CHECK(seconds() - start >= 0.03);
  OK(launch(module, "fill", stream, (void *[]){&memory, &count, &value}));
  OK(launch(module, "copy", stream, (void *[]){&memory, &other, &count}));
  OK(cuMemsetD8Async(result, 0, 16, stream));
  OK(launch(module, "checksum", stream, (void *[]){&other, &count, &result}));
  OK(cuStreamSynchronize(stream));
  expect_content(other, MIB, 200);
  for (uint64_t i = 0; i < count; i++) {
    uint64_t x = (i * 0x9e3779b97f4a7c15u ^ 200) * 0x100000001b3u;
    expected += x ^ x >> 32;
  }
  OK(cuMemcpyDtoH_v2(&sum, result, 8));
  CHECK(sum == expected);
  OK(cuModuleGetFunction(&function, module, "spin"));
  IS(cuLaunchKernel(function, 0, 1, 1, 1, 1, 1, 0, stream, (void *[]){&nanoseconds}, NULL), CUDA_ERROR_INVALID_VALUE);
  IS(cuLaunchKernel(function, 1, 1, 1, 2048, 1, 1, 0, stream, (void *[]){&nanoseconds}, NULL), CUDA_ERROR_INVALID_VALUE);
  IS(cuLaunchKernel(NULL, 1, 1, 1, 1, 1, 1, 0, stream, NULL, NULL), CUDA_ERROR_INVALID_HANDLE);
  OK(cuMemFree_v2(memory));
  OK(cuMemFree_v2(other));
  OK(cuMemFree_v2(result));
  OK(cuModuleUnload(module));
  OK(cuStreamDestroy_v2(stream));
  close_device();
}

/* A hanging kernel keeps its own stream only, ends by its flag, and does not keep the process from ending. */
static void hanging_kernel(void) {
  open_device();
  CUmodule module = load_kernels();
  CUstream hanging = make_stream(), other = make_stream();
  CUdeviceptr flag, memory;
  OK(cuMemAlloc_v2(&flag, 16));
  OK(cuMemAlloc_v2(&memory, MIB));
  OK(cuMemsetD8_v2(flag, 0, 16));
  OK(cuCtxSynchronize());
  OK(launch(module, "hang", hanging, (void *[]){&flag}));
  OK(cuMemsetD8Async(memory, 1, MIB, other));
  OK(cuStreamSynchronize(other));
  IS(cuStreamQuery(hanging), CUDA_ERROR_NOT_READY);
  uint32_t one = 1;
  OK(launch(module, "write_one", other, (void *[]){&flag, &one}));
  OK(cuStreamSynchronize(hanging));
  OK(cuMemsetD8Async(flag, 0, 16, other));
  OK(cuStreamSynchronize(other));
  OK(launch(module, "hang", hanging, (void *[]){&flag}));
}

static void kernel_on_unknown_memory(void) {
  open_device();
  CUmodule module = load_kernels();
  CUstream stream = make_stream();
  CUdeviceptr host = (CUdeviceptr)malloc(64);
  uint32_t value = 1;
  OK(launch(module, "write_one", stream, (void *[]){&host, &value}));
  IS(cuStreamSynchronize(stream), CUDA_ERROR_ILLEGAL_ADDRESS);
  free((void *)host);
}

static void kernel_sources(void) {
  CHECK(system(KERNELS "/check.sh") == 0);
}

/* ---- limits, faults, counts ---- */

/* FAKECUDA_MEMORY_MIB=10 */
static void memory_limit(void) {
  open_device();
  size_t available, total;
  CUdeviceptr memory, more;
  OK(cuMemGetInfo_v2(&available, &total));
  CHECK(total == 10 * MIB && available == total);
  OK(cuMemAlloc_v2(&memory, 6 * MIB));
  IS(cuMemAlloc_v2(&more, 5 * MIB), CUDA_ERROR_OUT_OF_MEMORY);
  CUmemGenericAllocationHandle handle = create_memory(4 * MIB), other;
  OK(cuMemGetInfo_v2(&available, &total));
  CHECK(available == 0);
  CUmemAllocationProp properties = {.type = 1, .requestedHandleTypes = 1, .location = {1, 0}};
  IS(cuMemCreate(&other, 2 * MIB, &properties, 0), CUDA_ERROR_OUT_OF_MEMORY);
  CUdeviceptr mapped = map_memory(handle, 4 * MIB, CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
  OK(cuMemRelease(handle));
  OK(cuMemGetInfo_v2(&available, &total));
  CHECK(available == 0);
  unmap_memory(mapped, 4 * MIB);
  OK(cuMemGetInfo_v2(&available, &total));
  CHECK(available == 4 * MIB);
  OK(cuMemFree_v2(memory));
  OK(cuMemGetInfo_v2(&available, &total));
  CHECK(available == 10 * MIB);
  IS(cuMemAlloc_v2(&memory, 0), CUDA_ERROR_INVALID_VALUE);
  IS(cuMemAlloc_v2(&memory, SIZE_MAX), CUDA_ERROR_OUT_OF_MEMORY);
  close_device();
}

/* FAKECUDA_FAIL=cuMemAlloc:2:2,cuStreamCreate:*:CUDA_ERROR_OUT_OF_MEMORY,cuEventQuery:2:700 */
static void faults(void) {
  open_device();
  CUdeviceptr first, second;
  CUstream stream;
  CUevent event;
  OK(cuMemAlloc_v2(&first, 16));
  IS(cuMemAlloc_v2(&second, 16), CUDA_ERROR_OUT_OF_MEMORY);
  OK(cuMemAlloc_v2(&second, 16));
  IS(cuStreamCreate(&stream, 1), CUDA_ERROR_OUT_OF_MEMORY);
  IS(cuStreamCreate(&stream, 1), CUDA_ERROR_OUT_OF_MEMORY);
  OK(cuEventCreate(&event, 0));
  OK(cuEventQuery(event));
  IS(cuEventQuery(event), CUDA_ERROR_ILLEGAL_ADDRESS);
  IS(cuMemFree_v2(first), CUDA_ERROR_ILLEGAL_ADDRESS);
}

/* FAKECUDA_ATTRIBUTES=vmm=0,stream_mem_ops=0,host_register=0,ipc_events=0 */
static void missing_features(void) {
  open_device();
  int value;
  CUmemAllocationProp properties = {.type = 1, .location = {1, 0}};
  CUmemGenericAllocationHandle handle;
  CUdeviceptr memory;
  CUevent event;
  static const int attributes[] = {CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED,
                                   CU_DEVICE_ATTRIBUTE_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR_SUPPORTED,
                                   CU_DEVICE_ATTRIBUTE_CAN_USE_64_BIT_STREAM_MEM_OPS, CU_DEVICE_ATTRIBUTE_HOST_REGISTER_SUPPORTED,
                                   CU_DEVICE_ATTRIBUTE_IPC_EVENT_SUPPORTED};
  for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) {
    OK(cuDeviceGetAttribute(&value, attributes[i], 0));
    IS(value, 0);
  }
  IS(cuMemCreate(&handle, SEGMENT, &properties, 0), CUDA_ERROR_NOT_SUPPORTED);
  OK(cuMemAlloc_v2(&memory, 16));
  IS(cuStreamWriteValue64_v2(NULL, memory, 1, 0), CUDA_ERROR_NOT_SUPPORTED);
  void *page = aligned_alloc(4096, 4096);
  IS(cuMemHostRegister_v2(page, 4096, 0), CUDA_ERROR_NOT_SUPPORTED);
  free(page);
  IS(cuEventCreate(&event, CU_EVENT_INTERPROCESS | CU_EVENT_DISABLE_TIMING), CUDA_ERROR_NOT_SUPPORTED);
  OK(cuMemFree_v2(memory));
  close_device();
}

/* FAKECUDA_ATTRIBUTES=posix_fd=0 */
static void no_descriptors(void) {
  open_device();
  CUmemAllocationProp properties = {.type = 1, .requestedHandleTypes = 1, .location = {1, 0}};
  CUmemGenericAllocationHandle handle;
  IS(cuMemCreate(&handle, SEGMENT, &properties, 0), CUDA_ERROR_NOT_SUPPORTED);
  properties.requestedHandleTypes = 0;
  OK(cuMemCreate(&handle, SEGMENT, &properties, 0));
  OK(cuMemRelease(handle));
  close_device();
}

static void child_counted(int fd) {
  open_device();
  CUdeviceptr memory, other;
  char bytes[4096] = {0};
  OK(cuMemAlloc_v2(&memory, 4096));
  OK(cuMemAlloc_v2(&other, 4096));
  OK(cuMemcpyHtoD_v2(memory, bytes, 4096));
  OK(cuMemcpyDtoD_v2(other, memory, 1000));
  OK(cuMemcpyDtoD_v2(other, memory, 24));
  OK(cuMemcpyDtoH_v2(bytes, other, 10));
  IS(cuMemcpyDtoH_v2(bytes, 12345, 10), CUDA_ERROR_INVALID_VALUE);
  OK(cuMemsetD8_v2(memory, 0, 77));
  OK(cuMemFree_v2(other));
  int pid = getpid();
  send_bytes(fd, &pid, sizeof pid);
}

/* FAKECUDA_COUNTS=…/counts-%p.json */
static void counts(void) {
  int fd, pid;
  pid_t child = start_child("counted", &fd);
  receive_bytes(fd, &pid, sizeof pid);
  expect_exit(child, 0);
  char path[300];
  snprintf(path, sizeof path, "%s/counts-%d.json", getenv("FAKECUDA_DIR"), pid);
  char *text = read_text(path);
  CHECK(text != NULL);
  static const char *const wanted[] = {"\"cuMemAlloc_v2\": 2", "\"cuMemcpyDtoH_v2\": 2", "\"HtoD\": {\"count\": 1, \"bytes\": 4096}",
                                       "\"DtoD\": {\"count\": 2, \"bytes\": 1024}", "\"DtoH\": {\"count\": 1, \"bytes\": 10}",
                                       "\"HtoH\": {\"count\": 0, \"bytes\": 0}", "\"memsets\": {\"count\": 1, \"bytes\": 77}",
                                       "\"live\": {\"allocations\": 1,", "\"contexts\": 1}", "\"error\": 0"};
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
    if (strstr(text, wanted[i]) == NULL) {
      fprintf(stderr, "%s is not in %s", wanted[i], text);
      exit(1);
    }
  }
  free(text);
}

static void what_goes_with_a_context_is_told(void) {
  open_device();
  CUdeviceptr memory;
  CUevent event;
  void *pinned;
  OK(cuMemAlloc_v2(&memory, 16));
  OK(cuMemHostAlloc(&pinned, 16, 0));
  OK(cuEventCreate(&event, 0));
  make_stream();
  load_kernels();
  IS((int)fakecuda_live_objects(), 6);
  close_device();
  char path[300];
  snprintf(path, sizeof path, "%s/counts.json", getenv("FAKECUDA_DIR"));
  IS(fakecuda_write_counts(path), 0);
  char *text = read_text(path);
  CHECK(strstr(text, "\"lost_with_context\": {\"allocations\": 1, \"physical\": 0, \"vmm_imports\": 0, \"reservations\": 0, "
                     "\"mappings\": 0, \"ipc_imports\": 0, \"host_allocations\": 1, \"registrations\": 0, \"streams\": 1, "
                     "\"events\": 1, \"modules\": 1, \"contexts\": 0}") != NULL);
  free(text);
  IS(fakecuda_write_counts("/nowhere/counts.json"), ENOENT);
}

static void forked_child_has_no_cuda(void) {
  open_device();
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    int count;
    _exit(cuDeviceGetCount(&count) == CUDA_ERROR_NOT_INITIALIZED && cuInit(0) == CUDA_ERROR_NOT_INITIALIZED ? 0 : 1);
  }
  expect_exit(pid, 0);
  close_device();
}

/* ---- many threads ---- */

static CUcontext shared_context;

static void *busy(void *argument) {
  unsigned char value = (unsigned char)(intptr_t)argument;
  OK(cuCtxPushCurrent_v2(shared_context));
  for (int round = 0; round < 20; round++) {
    CUstream stream = make_stream(), blocking;
    CUevent event;
    CUdeviceptr memory;
    unsigned char *pinned;
    OK(cuStreamCreate(&blocking, CU_STREAM_DEFAULT));
    OK(cuMemAlloc_v2(&memory, 8192));
    OK(cuMemHostAlloc((void **)&pinned, 8192, 0));
    OK(cuEventCreate(&event, CU_EVENT_DISABLE_TIMING));
    OK(cuMemsetD8Async(memory, value, 8192, stream));
    OK(cuEventRecord(event, stream));
    OK(cuStreamWaitEvent(blocking, event, 0));
    OK(cuMemcpyDtoHAsync_v2(pinned, memory, 8192, blocking));
    OK(cuEventRecord(event, blocking));
    if (round % 2 == 0)
      OK(cuEventSynchronize(event));
    else
      OK(cuStreamSynchronize(NULL));
    IS(pinned[0], value);
    IS(pinned[8191], value);
    OK(cuEventDestroy_v2(event));
    OK(cuStreamDestroy_v2(stream));
    OK(cuMemFree_v2(memory));
    OK(cuMemFreeHost(pinned));
    OK(cuStreamDestroy_v2(blocking));
  }
  OK(cuCtxPopCurrent_v2(NULL));
  return NULL;
}

static void many_threads(void) {
  shared_context = open_device();
  pthread_t threads[4];
  for (intptr_t i = 0; i < 4; i++)
    CHECK(pthread_create(&threads[i], NULL, busy, (void *)(i + 1)) == 0);
  for (int i = 0; i < 4; i++)
    pthread_join(threads[i], NULL);
  close_device();
}

/* ---- what FFmpeg's loader asks for ---- */

/* All that dynlink_loader.h of nv-codec-headers 11.1 to 12.1 cannot do without: a name that is missing here ends FFmpeg. */
static void names_that_ffmpeg_looks_up(void) {
  static const char *const done[] = {
    "cuInit", "cuDriverGetVersion", "cuDeviceGetCount", "cuDeviceGet", "cuDeviceGetAttribute", "cuDeviceGetName",
    "cuDeviceComputeCapability", "cuCtxCreate_v2", "cuCtxGetCurrent", "cuCtxSetLimit", "cuCtxPushCurrent_v2",
    "cuCtxPopCurrent_v2", "cuCtxDestroy_v2", "cuMemAlloc_v2", "cuMemAllocPitch_v2", "cuMemAllocManaged", "cuMemsetD8Async",
    "cuMemFree_v2", "cuMemcpy", "cuMemcpyAsync", "cuMemcpy2D_v2", "cuMemcpy2DAsync_v2", "cuMemcpyHtoD_v2",
    "cuMemcpyHtoDAsync_v2", "cuMemcpyDtoH_v2", "cuMemcpyDtoHAsync_v2", "cuMemcpyDtoD_v2", "cuMemcpyDtoDAsync_v2",
    "cuGetErrorName", "cuGetErrorString", "cuCtxGetDevice", "cuDevicePrimaryCtxRetain", "cuDevicePrimaryCtxRelease",
    "cuDevicePrimaryCtxSetFlags", "cuDevicePrimaryCtxGetState", "cuDevicePrimaryCtxReset", "cuStreamCreate", "cuStreamQuery",
    "cuStreamSynchronize", "cuStreamDestroy_v2", "cuStreamAddCallback", "cuStreamWaitEvent", "cuEventCreate",
    "cuEventDestroy_v2", "cuEventSynchronize", "cuEventQuery", "cuEventRecord", "cuLaunchKernel", "cuModuleLoadData",
    "cuModuleUnload", "cuModuleGetFunction", "cuDeviceGetUuid", "cuDeviceGetUuid_v2", "cuDeviceGetByPCIBusId",
    "cuDeviceGetPCIBusId"};
  static const char *const refused[] = {
    "cuLinkCreate", "cuLinkAddData", "cuLinkComplete", "cuLinkDestroy", "cuModuleGetGlobal", "cuTexObjectCreate",
    "cuTexObjectDestroy", "cuGLGetDevices_v2", "cuGraphicsGLRegisterImage", "cuGraphicsUnregisterResource",
    "cuGraphicsMapResources", "cuGraphicsUnmapResources", "cuGraphicsSubResourceGetMappedArray",
    "cuGraphicsResourceGetMappedPointer_v2", "cuArrayCreate_v2", "cuArray3DCreate_v2", "cuArrayDestroy", "cuDeviceGetLuid"};
  void *function;
  for (size_t i = 0; i < sizeof done / sizeof *done; i++) {
    OK(cuGetProcAddress(done[i], &function, 13000, 0));
    CHECK(function != NULL);
  }
  open_device();
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    OK(cuGetProcAddress(refused[i], &function, 13000, 0));
    IS(((CUresult (*)(void))function)(), CUDA_ERROR_NOT_SUPPORTED);
  }
  /* Without a version a name means the newest function of that name. */
  void *newest;
  OK(cuGetProcAddress("cuDevicePrimaryCtxRelease", &function, 13000, 0));
  OK(cuGetProcAddress("cuDevicePrimaryCtxRelease_v2", &newest, 13000, 0));
  CHECK(function == newest);
  close_device();
}

static void devices_by_bus_and_capability(void) {
  CUdevice device;
  int major, minor, value;
  char text[32];
  IS(cuDeviceGetByPCIBusId(&device, "0000:02:00.0"), CUDA_ERROR_NOT_INITIALIZED);
  IS(cuDeviceComputeCapability(&major, &minor, 0), CUDA_ERROR_NOT_INITIALIZED);
  OK(cuInit(0));
  OK(cuDeviceGetPCIBusId(text, sizeof text, 1));
  OK(cuDeviceGetByPCIBusId(&device, text));
  IS(device, 1);
  OK(cuDeviceGetByPCIBusId(&device, "01:00"));
  IS(device, 0);
  OK(cuDeviceGetByPCIBusId(&device, "0:2:0"));
  IS(device, 1);
  IS(cuDeviceGetByPCIBusId(&device, "0000:03:00.0"), CUDA_ERROR_INVALID_DEVICE);
  IS(cuDeviceGetByPCIBusId(&device, "0001:02:00.0"), CUDA_ERROR_INVALID_DEVICE);
  IS(cuDeviceGetByPCIBusId(&device, "0000:02:00.1"), CUDA_ERROR_INVALID_DEVICE);
  IS(cuDeviceGetByPCIBusId(&device, "0000:02:00.0z"), CUDA_ERROR_INVALID_VALUE);
  IS(cuDeviceGetByPCIBusId(&device, "second"), CUDA_ERROR_INVALID_VALUE);
  OK(cuDeviceComputeCapability(&major, &minor, 1));
  OK(cuDeviceGetAttribute(&value, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, 1));
  IS(major, value);
  OK(cuDeviceGetAttribute(&value, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, 1));
  IS(minor, value);
  IS(cuDeviceComputeCapability(&major, &minor, 2), CUDA_ERROR_INVALID_DEVICE);
  IS(cuDeviceComputeCapability(NULL, &minor, 0), CUDA_ERROR_INVALID_VALUE);
}

static void limits_of_a_context(void) {
  CUcontext other;
  size_t value;
  IS(cuCtxSetLimit(CU_LIMIT_STACK_SIZE, 4096), CUDA_ERROR_NOT_INITIALIZED);
  OK(cuInit(0));
  IS(cuCtxSetLimit(CU_LIMIT_STACK_SIZE, 4096), CUDA_ERROR_INVALID_CONTEXT);
  open_device();
  OK(cuCtxGetLimit(&value, CU_LIMIT_STACK_SIZE));
  CHECK(value == 1024);
  OK(cuCtxSetLimit(CU_LIMIT_STACK_SIZE, 4096));
  OK(cuCtxGetLimit(&value, CU_LIMIT_STACK_SIZE));
  CHECK(value == 4096);
  IS(cuCtxSetLimit(7, 1), CUDA_ERROR_UNSUPPORTED_LIMIT);
  IS(cuCtxGetLimit(&value, -1), CUDA_ERROR_UNSUPPORTED_LIMIT);
  OK(cuCtxCreate_v2(&other, 0, 0));
  OK(cuCtxGetLimit(&value, CU_LIMIT_STACK_SIZE));
  CHECK(value == 1024);
  OK(cuCtxDestroy_v2(other));
  close_device();
}

static void primary_context_by_names_without_version(void) {
  CUcontext first, second;
  CUdeviceptr memory;
  unsigned flags;
  int active;
  OK(cuInit(0));
  OK(cuDevicePrimaryCtxSetFlags(0, CU_CTX_SCHED_BLOCKING_SYNC));
  OK(cuDevicePrimaryCtxGetState(0, &flags, &active));
  IS((int)flags, CU_CTX_SCHED_BLOCKING_SYNC);
  IS(active, 0);
  OK(cuDevicePrimaryCtxRetain(&first, 0));
  OK(cuDevicePrimaryCtxRetain(&second, 0));
  CHECK(first == second);
  OK(cuDevicePrimaryCtxRelease(0));
  OK(cuDevicePrimaryCtxGetState(0, &flags, &active));
  IS(active, 1);
  OK(cuDevicePrimaryCtxRelease(0));
  OK(cuDevicePrimaryCtxGetState(0, &flags, &active));
  IS(active, 0);
  IS(cuDevicePrimaryCtxRelease(0), CUDA_ERROR_INVALID_CONTEXT);

  /* A reset takes everything, and who held the context has none. */
  OK(cuDevicePrimaryCtxReset(0));
  OK(cuDevicePrimaryCtxRetain(&first, 0));
  OK(cuDevicePrimaryCtxRetain(&second, 0));
  OK(cuCtxPushCurrent_v2(first));
  OK(cuMemAlloc_v2(&memory, 4096));
  OK(cuDevicePrimaryCtxReset(0));
  IS(cuMemAlloc_v2(&memory, 4096), CUDA_ERROR_CONTEXT_IS_DESTROYED);
  IS((int)fakecuda_live_objects(), 0);
  OK(cuDevicePrimaryCtxGetState(0, &flags, &active));
  IS(active, 0);
  IS(cuDevicePrimaryCtxReset(1), CUDA_ERROR_INVALID_DEVICE);
  OK(cuCtxPopCurrent_v2(NULL));
}

static void pitched_memory(void) {
  CUdeviceptr memory;
  size_t pitch;
  open_device();
  OK(cuMemAllocPitch_v2(&memory, &pitch, 642, 11, 16));
  CHECK(pitch == 1024);
  OK(cuMemsetD8_v2(memory, 7, pitch * 11));
  expect_content(memory, pitch * 11, 7);
  OK(cuMemFree_v2(memory));
  OK(cuMemAllocPitch_v2(&memory, &pitch, 512, 1, 4));
  CHECK(pitch == 512);
  OK(cuMemFree_v2(memory));
  IS(cuMemAllocPitch_v2(&memory, &pitch, 640, 11, 5), CUDA_ERROR_INVALID_VALUE);
  IS(cuMemAllocPitch_v2(&memory, &pitch, 0, 11, 4), CUDA_ERROR_INVALID_VALUE);
  IS(cuMemAllocPitch_v2(&memory, &pitch, MIB, 11, 4), CUDA_ERROR_OUT_OF_MEMORY);
  IS(cuMemAllocPitch_v2(&memory, &pitch, 640, SIZE_MAX / 2, 4), CUDA_ERROR_OUT_OF_MEMORY);
  close_device();
}

static void managed_memory(void) {
  CUdeviceptr memory;
  CUipcMemHandle handle;
  unsigned flag;
  open_device();
  CUstream stream = make_stream();
  OK(cuMemAllocManaged(&memory, 4096, CU_MEM_ATTACH_GLOBAL));
  OK(cuPointerGetAttribute(&flag, CU_POINTER_ATTRIBUTE_IS_MANAGED, memory));
  IS((int)flag, 1);
  IS(cuIpcGetMemHandle(&handle, memory), CUDA_ERROR_INVALID_VALUE);
  OK(cuMemsetD8Async(memory, 9, 4096, stream));
  OK(cuStreamSynchronize(stream));
  for (int i = 0; i < 4096; i++)
    IS(((unsigned char *)memory)[i], 9);
  /* It is host memory to who asks for that, too. */
  memset((void *)memory, 8, 4096);
  CUdeviceptr device;
  OK(cuMemAlloc_v2(&device, 4096));
  OK(cuMemcpyHtoD_v2(device, (void *)memory, 4096));
  expect_content(device, 4096, 8);
  OK(cuPointerGetAttribute(&flag, CU_POINTER_ATTRIBUTE_IS_MANAGED, device));
  IS((int)flag, 0);
  IS(cuMemcpyHtoD_v2(memory, (void *)device, 4096), CUDA_ERROR_INVALID_VALUE);
  OK(cuMemFree_v2(device));
  OK(cuMemFree_v2(memory));
  IS(cuMemAllocManaged(&memory, 4096, 0), CUDA_ERROR_INVALID_VALUE);
  IS(cuMemAllocManaged(&memory, 0, CU_MEM_ATTACH_GLOBAL), CUDA_ERROR_INVALID_VALUE);
  OK(cuStreamDestroy_v2(stream));
  close_device();
}

static void copies_by_address(void) {
  CUdeviceptr first, second;
  unsigned char *pinned, pageable[8192];
  open_device();
  CUstream stream = make_stream();
  OK(cuMemAlloc_v2(&first, 8192));
  OK(cuMemAlloc_v2(&second, 8192));
  OK(cuMemHostAlloc((void **)&pinned, 8192, 0));
  memset(pageable, 3, sizeof pageable);
  OK(cuMemcpy(first, (CUdeviceptr)pageable, 8192));
  OK(cuMemcpyAsync(second, first, 8192, stream));
  OK(cuMemcpyAsync((CUdeviceptr)pinned, second, 8192, stream));
  OK(cuStreamSynchronize(stream));
  IS(pinned[0], 3);
  IS(pinned[8191], 3);
  OK(cuMemsetD8_v2(first, 4, 8192));
  OK(cuMemcpy((CUdeviceptr)pageable, first, 8192));
  IS(pageable[0], 4);
  IS(pageable[8191], 4);
  IS(cuMemcpy(first, second, 8193 + 4096), CUDA_ERROR_INVALID_VALUE);
  IS(cuMemcpyAsync(0, first, 1, stream), CUDA_ERROR_INVALID_VALUE);
  OK(cuMemFreeHost(pinned));
  OK(cuMemFree_v2(first));
  OK(cuMemFree_v2(second));
  OK(cuStreamDestroy_v2(stream));
  close_device();
}

struct called {
  atomic_int times;
  CUstream stream;
  CUresult status, inside;
  unsigned char *watched, seen;
};

static void note_call(CUstream stream, CUresult status, void *argument) {
  struct called *called = argument;
  called->stream = stream;
  called->status = status;
  called->seen = called->watched == NULL ? 0 : called->watched[8191];
  called->inside = cuStreamSynchronize(stream);
  atomic_fetch_add(&called->times, 1);
}

static void wait_for_call(struct called *called) {
  while (atomic_load(&called->times) == 0)
    nap_ms(1);
}

static void callbacks(void) {
  CUdeviceptr memory;
  unsigned char *pinned;
  struct called first = {0}, second = {0};
  open_device();
  CUstream stream = make_stream();
  OK(cuMemAlloc_v2(&memory, 8192));
  OK(cuMemHostAlloc((void **)&pinned, 8192, 0));
  memset(pinned, 0, 8192);
  first.watched = pinned;
  OK(cuMemsetD8Async(memory, 5, 8192, stream));
  OK(cuMemcpyDtoHAsync_v2(pinned, memory, 8192, stream));
  OK(cuStreamAddCallback(stream, note_call, &first, 0));
  OK(cuStreamSynchronize(stream));
  IS(atomic_load(&first.times), 1);
  CHECK(first.stream == stream);
  IS(first.status, CUDA_SUCCESS);
  IS(first.seen, 5);
  IS(first.inside, CUDA_ERROR_NOT_PERMITTED);
  IS(cuStreamAddCallback(stream, NULL, NULL, 0), CUDA_ERROR_INVALID_VALUE);
  IS(cuStreamAddCallback(stream, note_call, &first, 1), CUDA_ERROR_INVALID_VALUE);

  /* An error before it is told to it. */
  CUmodule module = load_kernels();
  CUdeviceptr nowhere = 4096;
  uint32_t value = 1;
  close_gate(stream);
  OK(launch(module, "write_one", stream, (void *[]){&nowhere, &value}));
  OK(cuStreamAddCallback(stream, note_call, &second, 0));
  atomic_store(gate, 1); /* nothing can be freed any more when the kernel has run */
  wait_for_call(&second);
  IS(second.status, CUDA_ERROR_ILLEGAL_ADDRESS);
  IS(cuStreamSynchronize(stream), CUDA_ERROR_ILLEGAL_ADDRESS);
  IS(atomic_load(&second.times), 1);
}

/* ---- the list ---- */

static const struct test {
  const char *name;
  void (*run)(void);
  const char *environment[4]; /* %s: the test's folder */
} tests[] = {
  {"devices", devices, {"FAKECUDA_DEVICES=2"}},
  {"visible_devices", visible_devices,
   {"FAKECUDA_DEVICES=4", "CUDA_VISIBLE_DEVICES=GPU-fa4ecada-0000-4000-8000-000000000001,0,9,2"}},
  {"no_visible_device", no_visible_device, {"CUDA_VISIBLE_DEVICES="}},
  {"contexts", contexts, {"FAKECUDA_DEVICES=2"}},
  {"vmm", vmm, {0}},
  {"read_only", read_only, {0}},
  {"kernel_write_breaks_only_its_process", kernel_write_breaks_only_its_process, {0}},
  {"unmapped_under_an_operation", unmapped_under_an_operation, {0}},
  {"vmm_across_processes", vmm_across_processes, {0}},
  {"legacy_ipc", legacy_ipc, {0}},
  {"two_first_processes", two_first_processes, {0}},
  {"legacy_ipc_across_namespaces", legacy_ipc_across_namespaces, {0}},
  {"leftovers_of_killed_processes_go", leftovers_of_killed_processes_go, {0}},
  {"operations_take_time", operations_take_time, {"FAKECUDA_DELAY_US=50000-60000"}},
  {"copies_in_two_dimensions", copies_in_two_dimensions, {0}},
  {"missing_wait_shows_a_torn_frame", missing_wait_shows_a_torn_frame, {"FAKECUDA_DELAY_US=50000-70000"}},
  {"when_host_memory_is_read", when_host_memory_is_read, {0}},
  {"null_stream", null_stream, {"FAKECUDA_DELAY_US=0-5000"}},
  {"events", events, {"FAKECUDA_DELAY_US=30000-60000"}},
  {"interprocess_events", interprocess_events, {0}},
  {"values", values, {"FAKECUDA_DELAY_US=0-5000"}},
  {"host_functions", host_functions, {"FAKECUDA_DELAY_US=0-1000"}},
  {"host_registration", host_registration, {0}},
  {"kernels", kernels, {0}},
  {"hanging_kernel", hanging_kernel, {0}},
  {"kernel_on_unknown_memory", kernel_on_unknown_memory, {0}},
  {"kernel_sources", kernel_sources, {0}},
  {"memory_limit", memory_limit, {"FAKECUDA_MEMORY_MIB=10"}},
  {"faults", faults, {"FAKECUDA_FAIL=cuMemAlloc:2:2,cuStreamCreate:*:CUDA_ERROR_OUT_OF_MEMORY,cuEventQuery:2:700"}},
  {"missing_features", missing_features, {"FAKECUDA_ATTRIBUTES=vmm=0,stream_mem_ops=0,host_register=0,ipc_events=0"}},
  {"no_descriptors", no_descriptors, {"FAKECUDA_ATTRIBUTES=posix_fd=0"}},
  {"counts", counts, {"FAKECUDA_COUNTS=%s/counts-%%p.json"}},
  {"what_goes_with_a_context_is_told", what_goes_with_a_context_is_told, {0}},
  {"forked_child_has_no_cuda", forked_child_has_no_cuda, {0}},
  {"many_threads", many_threads, {"FAKECUDA_DELAY_US=0-300"}},
  {"names_that_ffmpeg_looks_up", names_that_ffmpeg_looks_up, {0}},
  {"devices_by_bus_and_capability", devices_by_bus_and_capability, {"FAKECUDA_DEVICES=2"}},
  {"limits_of_a_context", limits_of_a_context, {0}},
  {"primary_context_by_names_without_version", primary_context_by_names_without_version, {0}},
  {"pitched_memory", pitched_memory, {"FAKECUDA_MEMORY_MIB=4"}},
  {"managed_memory", managed_memory, {0}},
  {"copies_by_address", copies_by_address, {"FAKECUDA_DELAY_US=0-2000"}},
  {"callbacks", callbacks, {"FAKECUDA_DELAY_US=0-20000"}},
};

static const struct {
  const char *name;
  void (*run)(int fd);
} children[] = {
  {"kernel_write", child_kernel_write},
  {"exporter", child_exporter},
  {"legacy_exporter", child_legacy_exporter},
  {"first_of_two", child_first_of_two},
  {"second_of_two", child_second_of_two},
  {"namespace_reader", child_namespace_reader},
  {"event_recorder", child_event_recorder},
  {"counted", child_counted},
};

enum { LIMIT = 60 }; /* s that a test may take */

static bool run_test(const char *executable, const struct test *test) {
  char folder[] = "/tmp/fakecuda-selftest-XXXXXX";
  CHECK(mkdtemp(folder) != NULL);
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    static const char *const names[] = {"FAKECUDA_DEVICES", "FAKECUDA_DELAY_US", "FAKECUDA_SEED", "FAKECUDA_MEMORY_MIB",
                                        "FAKECUDA_FAIL", "FAKECUDA_ATTRIBUTES", "FAKECUDA_COUNTS", "CUDA_VISIBLE_DEVICES"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
      unsetenv(names[i]);
    setenv("FAKECUDA_DIR", folder, 1);
    setenv("ASAN_OPTIONS", "detect_leaks=0:handle_segv=0", 1);
    setenv("TSAN_OPTIONS", "handle_segv=0:atexit_sleep_ms=0", 1);
    /* The sanitizers' shadow memory does not get on with every randomised layout. Where this is not allowed, so be it. */
    personality(ADDR_NO_RANDOMIZE);
    for (size_t i = 0; i < 4 && test->environment[i] != NULL; i++) {
      char *value = strdup(test->environment[i]);
      if (strstr(value, "%s") != NULL)
        CHECK(asprintf(&value, test->environment[i], folder) > 0);
      putenv(value);
    }
    setpgid(0, 0);
    alarm(LIMIT);
    execl(executable, executable, "--test", test->name, (char *)NULL);
    _exit(127);
  }
  int status;
  CHECK(waitpid(pid, &status, 0) == pid);
  /* The children that a failed test left behind. */
  kill(-pid, SIGKILL);
  char command[80];
  snprintf(command, sizeof command, "rm -rf %s", folder);
  CHECK(system(command) == 0);
  bool passed = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  if (!passed)
    printf("FAIL %s %s (%s %d)\n", executable, test->name, WIFSIGNALED(status) ? "signal" : "status",
           WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
  return passed;
}

int main(int count, char **arguments) {
  static char path[4096];
  CHECK(readlink("/proc/self/exe", path, sizeof path - 1) > 0);
  program = path;
  size_t test_count = sizeof tests / sizeof *tests;
  if (count > 2 && strcmp(arguments[1], "--run") == 0) {
    int passed = 0, failed = 0;
    for (int i = 2; i < count; i++) {
      for (size_t each = 0; each < test_count; each++) {
        if (run_test(arguments[i], &tests[each]))
          passed++;
        else
          failed++;
        fflush(stdout);
      }
    }
    printf("%d passed, %d failed, 0 skipped\n", passed, failed);
    return failed != 0;
  }
  if (count == 3 && strcmp(arguments[1], "--test") == 0) {
    for (size_t each = 0; each < test_count; each++) {
      if (strcmp(tests[each].name, arguments[2]) == 0) {
        tests[each].run();
        return 0;
      }
    }
  }
  if (count == 4 && strcmp(arguments[1], "--child") == 0) {
    for (size_t each = 0; each < sizeof children / sizeof *children; each++) {
      if (strcmp(children[each].name, arguments[2]) == 0) {
        children[each].run(atoi(arguments[3]));
        return 0;
      }
    }
  }
  fprintf(stderr, "usage: selftest --run PROGRAM... | --test NAME\n");
  return 2;
}
