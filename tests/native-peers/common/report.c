/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "report.h"

#include <inttypes.h>
#include <stdio.h>

void event_list_note(void *user, const cuframes_event *event) {
  event_list *events = user;
  pthread_mutex_lock(&events->gate);
  if (events->count < EVENTS) {
    events->events[events->count].kind = event->kind;
    events->events[events->count].code = event->code;
    snprintf(events->events[events->count].text, sizeof events->events[0].text, "%s", event->text);
  }
  events->count++;
  pthread_mutex_unlock(&events->gate);
}

static const char *event_name(uint32_t kind) {
  switch (kind) {
    case CUFRAMES_EVENT_CONNECTED: return "connected";
    case CUFRAMES_EVENT_SOURCE_LOST: return "source-lost";
    case CUFRAMES_EVENT_SOURCE_BACK: return "source-back";
    case CUFRAMES_EVENT_EVICTED: return "evicted";
    case CUFRAMES_EVENT_DISCONNECTED: return "disconnected";
    case CUFRAMES_EVENT_SUBSCRIBER_JOINED: return "subscriber-joined";
    case CUFRAMES_EVENT_SUBSCRIBER_LEFT: return "subscriber-left";
    case CUFRAMES_EVENT_SUBSCRIBER_EVICTED: return "subscriber-evicted";
    case CUFRAMES_EVENT_SUBSCRIBER_REFUSED: return "subscriber-refused";
    case CUFRAMES_EVENT_RING_GROWN: return "ring-grown";
    case CUFRAMES_EVENT_RING_SHRUNK: return "ring-shrunk";
    case CUFRAMES_EVENT_GROWTH_FAILED: return "growth-failed";
    case CUFRAMES_EVENT_INTERNAL_ERROR: return "internal-error";
    default: return "unknown";
  }
}

void report_events(json *line, event_list *events) {
  json_open_list(line, "events");
  pthread_mutex_lock(&events->gate);
  for (int i = 0; i < events->count && i < EVENTS; i++) {
    json_open_object(line, NULL);
    json_text(line, "name", event_name(events->events[i].kind));
    json_number(line, "code", events->events[i].code);
    json_close_object(line);
  }
  pthread_mutex_unlock(&events->gate);
  json_close_list(line);
}

void report_evictions(json *line, event_list *events) {
  json_open_list(line, "evictions");
  pthread_mutex_lock(&events->gate);
  for (int i = 0; i < events->count && i < EVENTS; i++) {
    if (events->events[i].kind == CUFRAMES_EVENT_SUBSCRIBER_EVICTED || events->events[i].kind == CUFRAMES_EVENT_INTERNAL_ERROR) {
      char text[320];
      snprintf(text, sizeof text, "%" PRIu32 " %s", events->events[i].code, events->events[i].text);
      json_text(line, NULL, text);
    }
  }
  pthread_mutex_unlock(&events->gate);
  json_close_list(line);
}

void report_statistics(json *line, const cuframes_publisher_info *info, const cuframes_subscriber_statistics *subscribers, size_t count) {
  json_open_object(line, "statistics");
  json_unsigned(line, "Published", info->published);
  json_unsigned(line, "Dropped", info->dropped);
  json_unsigned(line, "Evicted", info->evicted);
  json_unsigned(line, "HungUp", info->hung_up);
  json_unsigned(line, "Refused", info->refused);
  json_unsigned(line, "Slots", info->slots);
  json_unsigned(line, "HeldSlots", info->held_slots);
  json_number(line, "SegmentBytes", info->segment_bytes);
  json_number(line, "UnansweredBytes", info->unanswered_bytes);
  json_open_list(line, "Subscribers");
  for (size_t i = 0; i < count; i++) {
    json_open_object(line, NULL);
    json_unsigned(line, "SubscriberId", subscribers[i].subscriber_id);
    json_text(line, "Program", subscribers[i].program);
    json_number(line, "ProcessId", subscribers[i].process_id);
    json_unsigned(line, "UserId", subscribers[i].user_id);
    json_unsigned(line, "Delivery", subscribers[i].delivery);
    json_unsigned(line, "GrantedLeases", subscribers[i].granted_leases);
    json_unsigned(line, "HeldLeases", subscribers[i].held_leases);
    json_unsigned(line, "Lag", subscribers[i].lag);
    json_unsigned(line, "Taken", subscribers[i].taken);
    json_unsigned(line, "Missed", subscribers[i].missed);
    json_close_object(line);
  }
  json_close_list(line);
  json_close_object(line);
}

void report_checker(json *line, const checker *checker) {
  json_number(line, "frames", checker->frames);
  json_number(line, "missed", checker->missed);
  json_number(line, "torn", checker->torn);
  json_number(line, "lost", checker->lost);
  json_number(line, "repeated", checker->repeated);
  json_number(line, "outOfOrder", checker->out_of_order);
  json_number(line, "missedWrong", checker->missed_wrong);
  json_number(line, "epochs", checker->epochs);
  json_unsigned(line, "last", checker->last);
  json_open_list(line, "faults");
  for (int i = 0; i < checker->fault_count; i++) {
    json_text(line, NULL, checker->faults[i]);
  }
  json_close_list(line);
}

void report_metadata(json *line, const cuframes_metadata *metadata) {
  json_number(line, "pts", metadata->pts);
  json_number(line, "captureTime", metadata->capture_time);
  json_number(line, "arrivalTime", metadata->arrival_time);
  json_number(line, "publishTime", metadata->publish_time);
  json_unsigned(line, "sourcePacket", metadata->source_packet);
  json_number(line, "duration", metadata->duration);
  json_unsigned(line, "flags", metadata->flags);
  json_unsigned(line, "pictureType", metadata->picture_type);
  json_unsigned(line, "colourMatrix", metadata->colour_matrix);
  json_unsigned(line, "colourRange", metadata->colour_range);
  json_unsigned(line, "colourPrimaries", metadata->colour_primaries);
  json_unsigned(line, "colourTransfer", metadata->colour_transfer);
  json_unsigned(line, "rotation", metadata->rotation);
  json_unsigned(line, "chromaLocation", metadata->chroma_location);
}

void describe(cuframes_metadata *metadata) {
  metadata->pts = -1234567890123;
  metadata->capture_time = 1700000000000000001;
  metadata->arrival_time = 42;
  metadata->source_packet = 7;
  metadata->duration = 40000001;
  metadata->flags = CUFRAMES_FLAG_KEY | CUFRAMES_FLAG_DISCONTINUITY | CUFRAMES_FLAG_CORRUPT | CUFRAMES_FLAG_INTERLACED | CUFRAMES_FLAG_TOP_FIELD_FIRST;
  metadata->picture_type = CUFRAMES_PICTURE_BIDIRECTIONAL;
  metadata->colour_matrix = 9;
  metadata->colour_range = CUFRAMES_RANGE_FULL;
  metadata->colour_primaries = 9;
  metadata->colour_transfer = 16;
  metadata->rotation = 3;
  metadata->chroma_location = 2;
}

int is_violation(int32_t code) {
  switch (code) {
    case CUFRAMES_PROTOCOL_ERROR:
    case CUFRAMES_UNSUPPORTED_TLV:
    case CUFRAMES_DESCRIPTOR_COUNT:
    case CUFRAMES_PAGE_INVALID:
    case CUFRAMES_SEGMENT_INVALID:
    case CUFRAMES_CONTROL_BLOCK_INVALID:
    case CUFRAMES_FRAME_INVALID:
    case CUFRAMES_PACKET_INVALID:
      return 1;
    default:
      return 0;
  }
}

const char *memory_name(uint32_t memory) {
  return memory == CUFRAMES_MEMORY_HOST ? "host" : memory == CUFRAMES_MEMORY_CUDA ? "cuda" : "none";
}

const char *fence_name(uint32_t fence) {
  return fence == CUFRAMES_FENCE_STREAM ? "stream" : fence == CUFRAMES_FENCE_EVENT ? "event" : "cpu";
}
