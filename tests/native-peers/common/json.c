/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

static void append_bytes(json *json, const char *bytes, size_t length) {
  if (json->length + length + 1 > json->capacity) {
    json->capacity = 2 * (json->length + length + 1);
    json->text = realloc(json->text, json->capacity);
    if (json->text == NULL) {
      die("no memory for a line of %zu bytes", json->capacity);
    }
  }
  memcpy(json->text + json->length, bytes, length);
  json->length += length;
  json->text[json->length] = '\0';
}

static void __attribute__((format(printf, 2, 3))) append(json *json, const char *format, ...) {
  char text[128];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  append_bytes(json, text, (size_t)length);
}

static void append_string(json *json, const char *text) {
  append_bytes(json, "\"", 1);
  for (; *text != '\0'; text++) {
    if (*text == '"' || *text == '\\') {
      append_bytes(json, "\\", 1);
      append_bytes(json, text, 1);
    } else if ((unsigned char)*text < 0x20) {
      append(json, "\\u%04x", (unsigned)*text);
    } else {
      append_bytes(json, text, 1);
    }
  }
  append_bytes(json, "\"", 1);
}

/* The comma and the name that come before a value. */
static void begin_value(json *json, const char *name) {
  char before = json->text[json->length - 1];
  if (before != '{' && before != '[') {
    append_bytes(json, ",", 1);
  }
  if (name != NULL) {
    append_string(json, name);
    append_bytes(json, ":", 1);
  }
}

json json_begin(const char *kind) {
  json line = {0};
  append_bytes(&line, "{", 1);
  json_text(&line, "kind", kind);
  return line;
}

void json_text(json *json, const char *name, const char *value) {
  begin_value(json, name);
  if (value == NULL) {
    append_bytes(json, "null", 4);
  } else {
    append_string(json, value);
  }
}

void json_number(json *json, const char *name, int64_t value) {
  begin_value(json, name);
  append(json, "%" PRId64, value);
}

void json_unsigned(json *json, const char *name, uint64_t value) {
  begin_value(json, name);
  append(json, "%" PRIu64, value);
}

void json_real(json *json, const char *name, double value) {
  begin_value(json, name);
  append(json, "%.6f", value);
}

void json_bool(json *json, const char *name, bool value) {
  begin_value(json, name);
  append(json, "%s", value ? "true" : "false");
}

void json_epoch(json *json, const char *name, uint64_t value) {
  begin_value(json, name);
  append(json, "\"%" PRIu64 "\"", value);
}

void json_open_object(json *json, const char *name) {
  begin_value(json, name);
  append_bytes(json, "{", 1);
}

void json_close_object(json *json) { append_bytes(json, "}", 1); }

void json_open_list(json *json, const char *name) {
  begin_value(json, name);
  append_bytes(json, "[", 1);
}

void json_close_list(json *json) { append_bytes(json, "]", 1); }

void json_say(json *json) {
  static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
  append_bytes(json, "}\n", 2);
  pthread_mutex_lock(&gate);
  fwrite(json->text, 1, json->length, stdout);
  fflush(stdout);
  pthread_mutex_unlock(&gate);
  free(json->text);
  *json = (struct json){0};
}
