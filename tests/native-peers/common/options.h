/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Options of a peer, as --name value. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdint.h>

#include "cuframes.h"

#ifdef __cplusplus
extern "C" {
#endif

#define OPTIONS_FORMATS 16

typedef struct options {
  char **words; /* pairs */
  int count;
} options;

/* What a peer ends with after wrong usage. */
#define USAGE_ERROR 64

/* Ends the process with a sentence on standard error. */
void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* As die, with wrong usage's exit code. */
void die_of_usage(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* The text of an option, without the dashes in its name; null when it was not given. */
const char *option_text(const options *options, const char *name);

/* As option_text, ending the process when it was not given. */
const char *option_required(const options *options, const char *name);

int64_t option_number(const options *options, const char *name, int64_t otherwise);

/* Milliseconds, as nanoseconds. */
int64_t option_milliseconds(const options *options, const char *name, int64_t otherwise);

/* --memory, as cuframes_memory. */
uint32_t option_memory(const options *options);

/* --delivery, as cuframes_delivery. */
uint32_t option_delivery(const options *options);

/* --fence, as cuframes_fence bits: the one that was named and CPU, or all. */
uint32_t option_fences(const options *options);

/* A format as nv12:640x360. */
cuframes_format parse_format(const char *text);

/* --format, a list of formats separated by commas. Returns how many there are. */
int option_formats(const options *options, cuframes_format formats[OPTIONS_FORMATS]);

/* CLOCK_MONOTONIC in nanoseconds. */
int64_t now_nanoseconds(void);

void sleep_nanoseconds(int64_t time);

#ifdef __cplusplus
}
#endif

#endif
