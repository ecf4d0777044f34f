/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void __attribute__((noreturn)) end(int code, const char *format, va_list arguments) {
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  _Exit(code);
}

void die(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  end(1, format, arguments);
}

void die_of_usage(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  end(USAGE_ERROR, format, arguments);
}

const char *option_text(const options *options, const char *name) {
  for (int i = 0; i + 1 < options->count; i += 2) {
    if (strncmp(options->words[i], "--", 2) == 0 && strcmp(options->words[i] + 2, name) == 0) {
      return options->words[i + 1];
    }
  }
  return NULL;
}

const char *option_required(const options *options, const char *name) {
  const char *text = option_text(options, name);
  if (text == NULL) {
    die_of_usage("--%s is missing", name);
  }
  return text;
}

int64_t option_number(const options *options, const char *name, int64_t otherwise) {
  const char *text = option_text(options, name);
  if (text == NULL) {
    return otherwise;
  }
  char *end;
  errno = 0;
  int64_t value = strtoll(text, &end, 10);
  if (errno != 0 || end == text || *end != '\0') {
    die_of_usage("--%s takes a number and not '%s'", name, text);
  }
  return value;
}

int64_t option_milliseconds(const options *options, const char *name, int64_t otherwise) {
  return CUFRAMES_MILLISECONDS(option_number(options, name, otherwise));
}

/* The value that goes with an option's word. */
static uint32_t choose(const options *options, const char *name, const char *const words[3], const uint32_t values[3], uint32_t otherwise) {
  const char *text = option_text(options, name);
  if (text == NULL) {
    return otherwise;
  }
  for (int i = 0; i < 3; i++) {
    if (strcasecmp(words[i], text) == 0) {
      return values[i];
    }
  }
  die_of_usage("--%s does not know '%s'", name, text);
}

uint32_t option_memory(const options *options) {
  return choose(options, "memory", (const char *const[]){"host", "cuda", "cuda-ipc"},
                (const uint32_t[]){CUFRAMES_MEMORY_HOST, CUFRAMES_MEMORY_CUDA, CUFRAMES_MEMORY_CUDA_IPC}, CUFRAMES_MEMORY_HOST);
}

uint32_t option_delivery(const options *options) {
  return choose(options, "delivery", (const char *const[]){"newest", "inorder", "lossless"},
                (const uint32_t[]){CUFRAMES_NEWEST, CUFRAMES_IN_ORDER, CUFRAMES_LOSSLESS}, CUFRAMES_NEWEST);
}

uint32_t option_fences(const options *options) {
  return CUFRAMES_FENCE_CPU | choose(options, "fence", (const char *const[]){"cpu", "stream", "event"},
                                     (const uint32_t[]){CUFRAMES_FENCE_CPU, CUFRAMES_FENCE_STREAM, CUFRAMES_FENCE_EVENT},
                                     CUFRAMES_FENCE_STREAM | CUFRAMES_FENCE_EVENT);
}

cuframes_format parse_format(const char *text) {
  cuframes_format format = CUFRAMES_FORMAT_INIT;
  char name[16];
  char rest;
  if (sscanf(text, "%15[^:]:%ux%u%c", name, &format.width, &format.height, &rest) != 3) {
    die_of_usage("'%s' is no format", text);
  }
  format.pixel_format = cuframes_pixel_format_parse(name);
  if (format.pixel_format == CUFRAMES_FORMAT_UNKNOWN) {
    die_of_usage("'%s' is no pixel format", name);
  }
  return format;
}

int option_formats(const options *options, cuframes_format formats[OPTIONS_FORMATS]) {
  int count = 0;
  char text[1024];
  snprintf(text, sizeof text, "%s", option_required(options, "format"));
  char *rest = NULL;
  for (char *one = strtok_r(text, ",", &rest); one != NULL; one = strtok_r(NULL, ",", &rest)) {
    if (count == OPTIONS_FORMATS) {
      die_of_usage("--format has more than %d formats", OPTIONS_FORMATS);
    }
    formats[count++] = parse_format(one);
  }
  return count;
}

int64_t now_nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void sleep_nanoseconds(int64_t time) {
  struct timespec left = {.tv_sec = time / 1000000000, .tv_nsec = time % 1000000000};
  while (time > 0 && nanosleep(&left, &left) < 0 && errno == EINTR) {
  }
}
