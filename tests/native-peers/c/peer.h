/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The commands of the peer in C, and what they share. README.md in the folder above says what they do. */
#ifndef PEER_H
#define PEER_H

#include "../common/checker.h"
#include "../common/device.h"
#include "../common/options.h"
#include "../common/report.h"

int run_publish(const options *options);
int run_read(const options *options);
int run_publisher_steps(const options *options);
int run_subscriber_steps(const options *options);
int run_conform_publisher(const char *key, int64_t format_change);
int run_conform_subscriber(const char *key);
int run_conform_packet_subscriber(const char *key);

/* Ends the process with the library's sentence if a call failed. */
void require(int32_t code, const char *what);

/* {"kind":"error",…} of the call that failed. */
void say_error(int32_t code);

/* Opens as the options say. The events are told to the list. */
int32_t open_publisher(const options *options, const cuframes_format *format, event_list *events, cuframes_publisher **publisher);
int32_t open_subscriber(const options *options, event_list *events, cuframes_subscriber **subscriber);

/* "statistics":{…} of a publisher. */
void report_publisher(json *line, cuframes_publisher *publisher);

/* Publishes one stamped frame: CUFRAMES_OK, DROPPED, or another code. device is made when it is needed. is_described: with all metadata set. */
int32_t publish_stamped(cuframes_publisher *publisher, device **device, bool is_described);

/* Looks at a held frame: copies it first if it lies in device memory. CUFRAMES_OK with a text: a fault; FRAME_LOST: its content means nothing. */
int32_t look(const cuframes_frame *frame, char *text, size_t size);

#endif
