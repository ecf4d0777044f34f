/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * For the small programs of the tests: a condition that must hold, else the program says which and ends with status 1. */
#ifndef CHECK_H
#define CHECK_H

#include "cuframes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                                                     \
    do {                                                                                                                     \
        if (!(condition)) {                                                                                                  \
            fprintf(stderr, "%s:%d: %s does not hold; the last error is '%s'\n", __FILE__, __LINE__, #condition, cuframes_last_error()); \
            exit(1);                                                                                                         \
        }                                                                                                                    \
    } while (0)

/* A call that must return this code. */
#define CHECK_CODE(code, call)                                                                                               \
    do {                                                                                                                     \
        int32_t check_found = (call);                                                                                        \
        if (check_found != (int32_t)(code)) {                                                                                \
            fprintf(stderr, "%s:%d: %s returned %d (%s) instead of %s: %s\n", __FILE__, __LINE__, #call, (int)check_found,   \
                cuframes_error_name(check_found), #code, cuframes_last_error());                                             \
            exit(1);                                                                                                         \
        }                                                                                                                    \
    } while (0)

#endif
