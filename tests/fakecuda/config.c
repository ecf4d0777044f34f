/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The environment variables. A wrong one ends the process: a test must not run with a fault that it did not ask for. */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

struct config config;

static const char *const feature_names[FEATURE_COUNT] = {"vmm", "posix_fd", "stream_mem_ops", "host_register", "ipc_events"};

enum { MAX_FAULTS = 64 };
static struct {
  enum call call;
  uint64_t use; /* 0: every one */
  CUresult result;
} faults[MAX_FAULTS];
static int fault_count;

static _Noreturn void refuse(const char *name, const char *value, const char *wanted) {
  fprintf(stderr, "fakecuda: %s='%s' is wrong: %s\n", name, value, wanted);
  exit(70);
}

static uint64_t number(const char *name, const char *value, const char **end, const char *wanted) {
  char *stop;
  errno = 0;
  uint64_t result = strtoull(value, &stop, 10);
  if (stop == value || errno != 0 || *value == '-')
    refuse(name, value, wanted);
  *end = stop;
  return result;
}

static uint64_t whole_number(const char *name, uint64_t without, const char *wanted) {
  const char *value = getenv(name), *end;
  if (value == NULL || *value == 0)
    return without;
  uint64_t result = number(name, value, &end, wanted);
  if (*end != 0)
    refuse(name, value, wanted);
  return result;
}

CUuuid device_uuid(int physical) {
  CUuuid uuid = {{0xfa, 0x4e, 0xca, 0xda, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, 0, (unsigned char)physical}};
  return uuid;
}

int device_by_uuid(const unsigned char uuid[16]) {
  for (int i = 0; i < config.devices; i++) {
    CUuuid own = device_uuid(config.physical[i]);
    if (memcmp(own.bytes, uuid, 16) == 0)
      return i;
  }
  return -1;
}

const char *call_name(enum call call) {
  static const char *const names[] = {
#define X(name) #name,
    FAKECUDA_CALLS(X)
#undef X
  };
  return names[call];
}

CUresult result_by_name(const char *name) {
#define X(constant, value, text)     \
  if (strcmp(name, #constant) == 0) \
    return constant;
  CUDA_RESULTS(X)
#undef X
  return (CUresult)-1;
}

bool result_is_sticky(CUresult result) {
  return result == CUDA_ERROR_ECC_UNCORRECTABLE || result == CUDA_ERROR_ILLEGAL_ADDRESS ||
         result == CUDA_ERROR_LAUNCH_TIMEOUT || result == CUDA_ERROR_ASSERT ||
         (result >= CUDA_ERROR_HARDWARE_STACK_ERROR && result <= CUDA_ERROR_LAUNCH_FAILED);
}

/* Names count with and without the version at their end. */
static bool same_call(const char *exported, const char *asked) {
  size_t length = strlen(exported);
  if (strcmp(exported, asked) == 0)
    return true;
  return length > 3 && strcmp(exported + length - 3, "_v2") == 0 && strlen(asked) == length - 3 &&
         strncmp(exported, asked, length - 3) == 0;
}

static void read_faults(void) {
  const char *wanted = "call:n:code[,call:n:code…], n a number from 1 or *, code a number or a CUDA_ERROR_ name";
  const char *value = getenv("FAKECUDA_FAIL");
  if (value == NULL || *value == 0)
    return;
  char *copy = strdup(value), *rest = copy, *entry;
  while ((entry = strsep(&rest, ",")) != NULL) {
    const char *name = strsep(&entry, ":"), *use = strsep(&entry, ":"), *code = entry, *end;
    if (use == NULL || code == NULL || fault_count == MAX_FAULTS)
      refuse("FAKECUDA_FAIL", value, wanted);
    bool found = false;
    for (enum call call = 0; call < CALL_COUNT && !found; call++) {
      if (same_call(call_name(call), name)) {
        faults[fault_count].call = call;
        found = true;
      }
    }
    if (!found)
      refuse("FAKECUDA_FAIL", value, "no such call");
    faults[fault_count].use = 0;
    if (strcmp(use, "*") != 0) {
      faults[fault_count].use = number("FAKECUDA_FAIL", use, &end, wanted);
      if (*end != 0 || faults[fault_count].use == 0)
        refuse("FAKECUDA_FAIL", value, wanted);
    }
    faults[fault_count].result = result_by_name(code);
    if ((int)faults[fault_count].result == -1) {
      faults[fault_count].result = (CUresult)number("FAKECUDA_FAIL", code, &end, wanted);
      if (*end != 0)
        refuse("FAKECUDA_FAIL", value, wanted);
    }
    fault_count++;
  }
  free(copy);
}

CUresult config_fault(enum call call, uint64_t use) {
  for (int i = 0; i < fault_count; i++) {
    if (faults[i].call == call && (faults[i].use == 0 || faults[i].use == use))
      return faults[i].result;
  }
  return CUDA_SUCCESS;
}

static void read_features(void) {
  const char *wanted = "name=0[,name=0…] of vmm, posix_fd, stream_mem_ops, host_register, ipc_events";
  for (int i = 0; i < FEATURE_COUNT; i++)
    config.features[i] = 1;
  const char *value = getenv("FAKECUDA_ATTRIBUTES");
  if (value == NULL || *value == 0)
    return;
  char *copy = strdup(value), *rest = copy, *entry;
  while ((entry = strsep(&rest, ",")) != NULL) {
    const char *name = strsep(&entry, "=");
    int feature = 0;
    while (feature < FEATURE_COUNT && strcmp(name, feature_names[feature]) != 0)
      feature++;
    if (feature == FEATURE_COUNT || entry == NULL || (strcmp(entry, "0") != 0 && strcmp(entry, "1") != 0))
      refuse("FAKECUDA_ATTRIBUTES", value, wanted);
    config.features[feature] = entry[0] == '1';
  }
  free(copy);
}

/* As the real driver reads CUDA_VISIBLE_DEVICES: indices or the start of a uuid; the list ends at the first that is none. */
static void read_visible(int count) {
  const char *value = getenv("CUDA_VISIBLE_DEVICES");
  config.devices = 0;
  if (value == NULL) {
    for (int i = 0; i < count; i++)
      config.physical[config.devices++] = i;
    return;
  }
  char *copy = strdup(value), *rest = copy, *entry;
  while ((entry = strsep(&rest, ",")) != NULL) {
    while (*entry == ' ')
      entry++;
    int found = -1;
    if (strncasecmp(entry, "GPU-", 4) == 0) {
      for (int i = 0; i < count && found < 0; i++) {
        char text[48];
        snprintf(text, sizeof text, "GPU-fa4ecada-0000-4000-8000-%012x", i);
        if (strncasecmp(entry, text, strlen(entry)) == 0)
          found = i;
      }
    } else {
      char *end;
      long index = strtol(entry, &end, 10);
      if (end != entry && index >= 0 && index < count)
        found = (int)index;
    }
    for (int i = 0; i < config.devices; i++) {
      if (config.physical[i] == found)
        found = -1;
    }
    if (found < 0)
      break;
    config.physical[config.devices++] = found;
  }
  free(copy);
}

void config_read(void) {
  const char *wanted = "a number of devices from 0 to 8";
  uint64_t count = whole_number("FAKECUDA_DEVICES", 1, wanted);
  if (count > MAX_DEVICES)
    refuse("FAKECUDA_DEVICES", getenv("FAKECUDA_DEVICES"), wanted);
  read_visible((int)count);
  config.memory = whole_number("FAKECUDA_MEMORY_MIB", 16384, "a number of MiB") << 20;
  config.seed = whole_number("FAKECUDA_SEED", now() ^ (uint64_t)getpid() << 40, "a number");
  const char *delay = getenv("FAKECUDA_DELAY_US");
  if (delay != NULL && *delay != 0) {
    const char *range = "min-max in microseconds, or one number", *end;
    config.delay_min = config.delay_max = number("FAKECUDA_DELAY_US", delay, &end, range) * 1000;
    if (*end == '-')
      config.delay_max = number("FAKECUDA_DELAY_US", end + 1, &end, range) * 1000;
    if (*end != 0 || config.delay_max < config.delay_min)
      refuse("FAKECUDA_DELAY_US", delay, range);
  }
  const char *directory = getenv("FAKECUDA_DIR");
  int length = directory != NULL && *directory != 0
                   ? snprintf(config.directory, sizeof config.directory, "%s", directory)
                   : snprintf(config.directory, sizeof config.directory, "/tmp/fakecuda-%u", (unsigned)geteuid());
  if (length >= (int)sizeof config.directory)
    refuse("FAKECUDA_DIR", directory, "the path is too long");
  read_features();
  read_faults();
}
