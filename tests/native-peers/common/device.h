/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What peers do on a GPU, through libcuda.so.1, which is opened at run time. A failed call ends the process. */
#ifndef DEVICE_H
#define DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "cuframes.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One stream of a device's primary context, which it holds, and copies that are under way on it. One thread at a time. */
typedef struct device device;

/* Opens the driver, the context and a stream. context: the CUcontext that the library says it uses, which must be the device's primary one. */
device *device_open(int32_t ordinal, const void *context);

/* Waits for the stream and gives all of it back. Null is allowed. */
void device_close(device *device);

/* The CUstream. */
void *device_stream(device *device);

/* Enqueues a copy of a frame that is held. Not when the device is full. */
void device_enqueue_copy(device *device, const cuframes_frame *frame);

/* Looks at the oldest copy, waiting until it has been made. True: there was one; it found a fault if text is not empty. */
bool device_look_at_oldest(device *device, char *text, size_t size);

/* As device_look_at_oldest, for a copy that has been made already; false when there is none. */
bool device_look_at_complete(device *device, char *text, size_t size);

/* Whether as many copies are under way as there may be: one must be looked at before the next. */
bool device_is_full(device *device);

/* Waits for all that is in the stream. */
void device_synchronize(device *device);

/* A buffer for a publisher's picture, in turn one of four that stay as they are until four frames later. */
void *device_picture(device *device, size_t size);

/* Enqueues the copy of a picture, planes in order and rows without padding, to an open frame. */
void device_upload(device *device, const void *picture, const cuframes_frame *frame);

#ifdef __cplusplus
}
#endif

#endif
