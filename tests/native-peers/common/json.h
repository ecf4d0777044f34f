/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes one line of JSON to standard output. Commas are put in where they belong. */
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct json {
  char *text;
  size_t length;
  size_t capacity;
} json;

/* Begins a line: {"kind":"…". */
json json_begin(const char *kind);

/* Names are null inside a list. */
void json_text(json *json, const char *name, const char *value); /* a null value is null */
void json_number(json *json, const char *name, int64_t value);
void json_unsigned(json *json, const char *name, uint64_t value);
void json_real(json *json, const char *name, double value);
void json_bool(json *json, const char *name, bool value);
void json_epoch(json *json, const char *name, uint64_t value); /* a string of digits */

void json_open_object(json *json, const char *name);
void json_close_object(json *json);
void json_open_list(json *json, const char *name);
void json_close_list(json *json);

/* Ends the line, writes it whole and frees it. Any thread. */
void json_say(json *json);

#ifdef __cplusplus
}
#endif

#endif
