/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files by name in FAKECUDA_DIR, for legacy IPC. The folder is all that two processes need to have in common; no PID is
 * looked up anywhere. The maker of a file holds flock(2) on it: a file that nobody has locked is left over from a process
 * that was killed. */
#define _GNU_SOURCE
#include "internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static const char magic[8] = "fakecuda";

static void path_of(char path[400], enum share_kind kind, const uint64_t id[2]) {
  snprintf(path, 400, "%s/%s-%016lx%016lx", config.directory, kind == SHARE_MEMORY ? "memory" : "event", id[0], id[1]);
}

static void remove_leftovers(void) {
  DIR *directory = opendir(config.directory);
  if (directory == NULL)
    return;
  struct dirent *entry;
  while ((entry = readdir(directory)) != NULL) {
    if (strncmp(entry->d_name, "memory-", 7) != 0 && strncmp(entry->d_name, "event-", 6) != 0)
      continue;
    int fd = openat(dirfd(directory), entry->d_name, O_RDWR | O_CLOEXEC);
    if (fd < 0)
      continue;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
      unlinkat(dirfd(directory), entry->d_name, 0);
    close(fd);
  }
  closedir(directory);
}

/* The names that this process made, to take away at its end. */
static struct made {
  enum share_kind kind;
  uint64_t id[2];
  struct made *next;
} *made;
static pthread_mutex_t made_lock = PTHREAD_MUTEX_INITIALIZER;
static pid_t made_by;

__attribute__((destructor)) static void remove_all(void) {
  if (made_by != getpid())
    return;
  for (struct made *each = made; each != NULL; each = each->next) {
    char path[400];
    path_of(path, each->kind, each->id);
    unlink(path);
  }
}

int share_create(enum share_kind kind, uint64_t size, uint64_t id[2]) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  if (mkdir(config.directory, 0700) != 0 && errno != EEXIST)
    return -1;
  pthread_once(&once, remove_leftovers);
  if (getrandom(id, 16, 0) != 16)
    return -1;
  char path[400], beside[420];
  path_of(path, kind, id);
  snprintf(beside, sizeof beside, "%s/new-%016lx%016lx", config.directory, id[0], id[1]);
  int fd = open(beside, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0)
    return -1;
  /* It gets its name when it is locked. */
  if (ftruncate(fd, (off_t)size) != 0 || flock(fd, LOCK_EX) != 0 || rename(beside, path) != 0) {
    unlink(beside);
    close(fd);
    return -1;
  }
  struct made *entry = calloc(1, sizeof *entry);
  *entry = (struct made){kind, {id[0], id[1]}, NULL};
  pthread_mutex_lock(&made_lock);
  entry->next = made;
  made = entry;
  made_by = getpid();
  pthread_mutex_unlock(&made_lock);
  return fd;
}

void share_remove(enum share_kind kind, const uint64_t id[2]) {
  char path[400];
  path_of(path, kind, id);
  unlink(path);
  pthread_mutex_lock(&made_lock);
  for (struct made **each = &made; *each != NULL; each = &(*each)->next) {
    struct made *entry = *each;
    if (entry->kind == kind && entry->id[0] == id[0] && entry->id[1] == id[1]) {
      *each = entry->next;
      free(entry);
      break;
    }
  }
  pthread_mutex_unlock(&made_lock);
}

void share_fill(struct share_handle *handle, enum share_kind kind, const uint64_t id[2], uint64_t size, int device) {
  memset(handle, 0, sizeof *handle);
  memcpy(handle->magic, magic, sizeof magic);
  handle->pid = (uint32_t)getpid();
  handle->kind = kind;
  handle->id[0] = id[0];
  handle->id[1] = id[1];
  handle->size = size;
  CUuuid uuid = device_uuid(config.physical[device]);
  memcpy(handle->uuid, uuid.bytes, sizeof handle->uuid);
}

CUresult share_open(const struct share_handle *handle, enum share_kind kind, int *fd, int *device) {
  REQUIRE(memcmp(handle->magic, magic, sizeof magic) == 0 && handle->kind == (uint32_t)kind, CUDA_ERROR_INVALID_VALUE);
  /* The real driver takes a handle with the caller's own PID number for one of the caller's, whose memory it already has. */
  REQUIRE(handle->pid != (uint32_t)getpid(), CUDA_ERROR_INVALID_CONTEXT);
  *device = device_by_uuid(handle->uuid);
  REQUIRE(*device >= 0, CUDA_ERROR_INVALID_DEVICE);
  char path[400];
  path_of(path, kind, handle->id);
  *fd = open(path, O_RDWR | O_CLOEXEC);
  REQUIRE(*fd >= 0, CUDA_ERROR_INVALID_VALUE);
  struct stat status;
  bool good = fstat(*fd, &status) == 0 && S_ISREG(status.st_mode) && (uint64_t)status.st_size == handle->size;
  if (flock(*fd, LOCK_SH | LOCK_NB) == 0) {
    /* Its maker is dead, and so is the handle. */
    good = false;
    unlink(path);
  }
  if (!good) {
    close(*fd);
    return CUDA_ERROR_INVALID_VALUE;
  }
  return CUDA_SUCCESS;
}
