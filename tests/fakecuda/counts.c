/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls, copies and live objects, and the JSON file with them. */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Atomic uint64_t calls[CALL_COUNT];
static _Atomic uint64_t copies[DIRECTION_COUNT], copied[DIRECTION_COUNT], memsets, memset_bytes;
static _Atomic int64_t live[LIVE_COUNT], lost[LIVE_COUNT];

static const char *const live_names[LIVE_COUNT] = {
  "allocations", "physical", "vmm_imports", "reservations", "mappings", "ipc_imports",
  "host_allocations", "registrations", "streams", "events", "modules", "contexts"};
static const char *const direction_names[DIRECTION_COUNT] = {"HtoD", "DtoH", "DtoD", "HtoH"};

void live_add(enum live kind, int64_t change) {
  atomic_fetch_add(&live[kind], change);
}

void live_lost(enum live kind) {
  atomic_fetch_sub(&live[kind], 1);
  atomic_fetch_add(&lost[kind], 1);
}

uint64_t count_call(enum call call) {
  return atomic_fetch_add(&calls[call], 1) + 1;
}

void count_copy(enum direction direction, uint64_t bytes) {
  atomic_fetch_add(&copies[direction], 1);
  atomic_fetch_add(&copied[direction], bytes);
}

void count_memset(uint64_t bytes) {
  atomic_fetch_add(&memsets, 1);
  atomic_fetch_add(&memset_bytes, bytes);
}

uint64_t fakecuda_live_objects(void) {
  int64_t sum = 0;
  for (int i = 0; i < LIVE_COUNT; i++)
    sum += atomic_load(&live[i]);
  return (uint64_t)sum;
}

static void write_objects(FILE *file, const char *name, _Atomic int64_t *values) {
  fprintf(file, "  \"%s\": {", name);
  for (int i = 0; i < LIVE_COUNT; i++)
    fprintf(file, "%s\"%s\": %" PRId64, i == 0 ? "" : ", ", live_names[i], atomic_load(&values[i]));
  fprintf(file, "},\n");
}

int fakecuda_write_counts(const char *path) {
  char beside[4200];
  if (snprintf(beside, sizeof beside, "%s.%d.new", path, (int)getpid()) >= (int)sizeof beside)
    return ENAMETOOLONG;
  FILE *file = fopen(beside, "we");
  if (file == NULL)
    return errno;
  fprintf(file, "{\n  \"pid\": %d,\n  \"calls\": {", (int)getpid());
  const char *separator = "";
  for (enum call call = 0; call < CALL_COUNT; call++) {
    uint64_t count = atomic_load(&calls[call]);
    if (count != 0) {
      fprintf(file, "%s\"%s\": %" PRIu64, separator, call_name(call), count);
      separator = ", ";
    }
  }
  fprintf(file, "},\n  \"copies\": {");
  for (int i = 0; i < DIRECTION_COUNT; i++)
    fprintf(file, "%s\"%s\": {\"count\": %" PRIu64 ", \"bytes\": %" PRIu64 "}", i == 0 ? "" : ", ", direction_names[i],
            atomic_load(&copies[i]), atomic_load(&copied[i]));
  fprintf(file, "},\n  \"memsets\": {\"count\": %" PRIu64 ", \"bytes\": %" PRIu64 "},\n", atomic_load(&memsets),
          atomic_load(&memset_bytes));
  write_objects(file, "live", live);
  write_objects(file, "lost_with_context", lost);
  fprintf(file, "  \"error\": %d\n}\n", (int)broken());
  int problem = ferror(file) ? EIO : 0;
  if (fclose(file) != 0 && problem == 0)
    problem = errno;
  if (problem == 0 && rename(beside, path) != 0)
    problem = errno;
  if (problem != 0)
    unlink(beside);
  return problem;
}

__attribute__((destructor)) static void write_counts_at_exit(void) {
  const char *path = getenv("FAKECUDA_COUNTS");
  if (path == NULL || *path == 0 || is_forked())
    return;
  /* A program that never called anything leaves no file: it did not use CUDA. */
  uint64_t sum = 0;
  for (enum call call = 0; call < CALL_COUNT; call++)
    sum += atomic_load(&calls[call]);
  if (sum == 0)
    return;
  char expanded[4096];
  const char *mark = strstr(path, "%p");
  if (mark != NULL)
    snprintf(expanded, sizeof expanded, "%.*s%d%s", (int)(mark - path), path, (int)getpid(), mark + 2);
  else
    snprintf(expanded, sizeof expanded, "%s", path);
  int problem = fakecuda_write_counts(expanded);
  if (problem != 0)
    fprintf(stderr, "fakecuda: FAKECUDA_COUNTS='%s' was not written: %s\n", expanded, strerror(problem));
}
