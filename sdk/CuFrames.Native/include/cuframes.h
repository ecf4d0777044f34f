/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * CuFrames in C: read decoded video frames of other processes where they lie, in main memory or on a GPU, without a copy, and publish
 * frames that others read; the same for packets, the coded pictures and sounds as a camera sends them. docs/c-api.md is the manual;
 * docs/protocol.md says what happens between the processes.
 *
 * Rules that hold for every function:
 *
 * - Functions that can fail return 0 (CUFRAMES_OK) or an error code. The code is one of the wire's (1 to 999, docs/protocol.md 12) or of
 *   this library's own (from 1000 on). cuframes_last_error() gives the sentence that belongs to it.
 * - A structure that crosses the boundary begins with its size in bytes, which the caller sets: the INIT macros do. The library neither reads
 *   nor writes beyond it, so a program that was compiled with an older header goes on working. Zero in any option means: the default.
 * - Times are int64_t nanoseconds. A time-out of CUFRAMES_FOREVER has no limit; 0 does not wait.
 * - Strings are UTF-8 and end with a zero byte. Those that come in are copied; those that go out belong to whom the text says.
 * - Handles are not addresses: a handle that was closed is refused with CUFRAMES_INVALID_HANDLE, it does not crash.
 * - The library starts its runtime at the first call that needs it, and never before. After fork() the child can use it only if the parent
 *   had not used it yet: else every call in the child returns CUFRAMES_FORKED. exec() is always fine.
 * - The library leaves the signal handlers, the signal mask and the current CUDA context of its caller as they are, and ends no process.
 *   Its own threads block all signals but SIGRTMIN, which they and threads inside a call use among themselves, and those that the kernel sends to the
 *   thread that made a fault (SIGSEGV, SIGBUS, SIGFPE, SIGILL).
 */
#ifndef CUFRAMES_H
#define CUFRAMES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
/* What CUFRAMES_INIT makes in C++: a list of one value would warn of all the others with -Wextra. */
template <class T>
inline T cuframes_initialised() {
  T made = T();
  made.size = sizeof(T);
  return made;
}

extern "C" {
#endif

/* Version of this header. The library's SONAME carries the ABI's major. */
#define CUFRAMES_VERSION_MAJOR 0
#define CUFRAMES_VERSION_MINOR 1
#define CUFRAMES_VERSION_PATCH 0

#define CUFRAMES_API __attribute__((visibility("default")))

/* A structure with its size, everything else zero: cuframes_frame frame = CUFRAMES_FRAME_INIT; */
#ifdef __cplusplus
#define CUFRAMES_INIT(type) cuframes_initialised<type>()
#else
#define CUFRAMES_INIT(type) { .size = sizeof(type) }
#endif

#define CUFRAMES_FOREVER ((int64_t)-1)
#define CUFRAMES_MILLISECONDS(n) ((int64_t)(n) * 1000000)

/* Value of a pts that is not known. */
#define CUFRAMES_PTS_UNKNOWN INT64_MIN

/* Most planes of a picture, bytes of a device's UUID, bytes of a string inside a structure (its zero byte included). */
#define CUFRAMES_MAX_PLANES 4
#define CUFRAMES_UUID_BYTES 16
#define CUFRAMES_TEXT_BYTES 256

/* Most tracks of a stream of packets, bytes of extradata, zero bytes behind each packet. */
#define CUFRAMES_MAX_TRACKS 8
#define CUFRAMES_EXTRADATA_BYTES 16128
#define CUFRAMES_PACKET_PADDING 64

/* ------------------------------------------------------------------------------------------------------------ constants */

enum cuframes_error {
  CUFRAMES_OK = 0,
  CUFRAMES_PROTOCOL_ERROR = 1,
  CUFRAMES_VERSION_MISMATCH = 2,
  CUFRAMES_UNSUPPORTED_TLV = 3,
  CUFRAMES_DESCRIPTOR_COUNT = 4,
  CUFRAMES_INVALID_KEY = 5,
  CUFRAMES_STREAM_NOT_FOUND = 6,
  CUFRAMES_ALREADY_PUBLISHED = 7,
  CUFRAMES_ACCESS_DENIED = 8,
  CUFRAMES_TOO_MANY_SUBSCRIBERS = 9,
  CUFRAMES_DELIVERY_NOT_GRANTED = 10,
  CUFRAMES_DOMAIN_NOT_MAPPABLE = 11,
  CUFRAMES_HANDSHAKE_TIMEOUT = 12,
  CUFRAMES_LEASE_TIMEOUT = 13,
  CUFRAMES_LEASE_QUOTA_EXCEEDED = 14,
  CUFRAMES_PAGE_INVALID = 15,
  CUFRAMES_LOSSLESS_TIMEOUT = 16,
  CUFRAMES_SOCKET_NOT_READ = 17,
  CUFRAMES_EVICTED_BY_OPERATOR = 18,
  CUFRAMES_SHUTTING_DOWN = 19,
  CUFRAMES_OUT_OF_RESOURCES = 20,
  CUFRAMES_SEGMENT_INVALID = 21,
  CUFRAMES_CONTROL_BLOCK_INVALID = 22,
  CUFRAMES_FRAME_INVALID = 23,
  CUFRAMES_FRAME_LOST = 24,
  CUFRAMES_FORMAT_UNSUPPORTED = 25,
  CUFRAMES_TIMED_OUT = 26,
  CUFRAMES_DISCONNECTED = 27,
  CUFRAMES_CONFIGURATION_INVALID = 28,
  CUFRAMES_SOURCE_FAILED = 29,
  CUFRAMES_SYSTEM_CALL_FAILED = 30,
  CUFRAMES_LEASES_EXHAUSTED = 31,
  CUFRAMES_CUDA_IPC_NAMESPACE = 32,
  CUFRAMES_CUDA_CALL_FAILED = 33,
  CUFRAMES_CUDA_UNAVAILABLE = 34,
  CUFRAMES_PACKET_INVALID = 35,
  CUFRAMES_PACKET_LOST = 36,
  CUFRAMES_PACKET_TOO_LARGE = 37,

  /* The library's own: these are never sent to another process. */
  CUFRAMES_INVALID_ARGUMENT = 1000, /* a null pointer, a size that is too small, a value out of range */
  CUFRAMES_INVALID_HANDLE = 1001,   /* closed, released, or never a handle */
  CUFRAMES_BUSY = 1002,             /* another thread is in a call that one thread at a time may make */
  CUFRAMES_FORKED = 1003,           /* the process was forked after the library had been used */
  CUFRAMES_INTERRUPTED = 1004,      /* cuframes_subscriber_interrupt or a close in another thread ended the wait */
  CUFRAMES_DROPPED = 1005,          /* readers hold every slot: the publisher drops this frame, as it never waits for them */
  CUFRAMES_WRONG_STATE = 1006,      /* the call does not fit what was called before; the text says what does */
  CUFRAMES_INTERNAL = 1007          /* a fault of the library; the text has what a report needs */
};

/* DRM FourCCs, and our own for tensors: one plane without padding, an array (3, height, width) whose first index is the channel (docs/protocol.md 10.2). */
enum cuframes_pixel_format {
  CUFRAMES_FORMAT_UNKNOWN = 0,
  CUFRAMES_NV12 = 0x3231564E,  /* 8 bit 4:2:0: Y plane, interleaved UV plane */
  CUFRAMES_I420 = 0x32315559,  /* 8 bit 4:2:0: Y, U and V planes */
  CUFRAMES_P010 = 0x30313050,  /* 10 bit 4:2:0 in the upper bits of 16-bit words: Y plane, interleaved UV plane */
  CUFRAMES_GRAY8 = 0x20203852, /* 8 bit luma */
  CUFRAMES_RGB24 = 0x34324742, /* bytes R, G, B */
  CUFRAMES_BGR24 = 0x34324752, /* bytes B, G, R */
  CUFRAMES_RGBA = 0x34324241,  /* bytes R, G, B, A */
  CUFRAMES_BGRA = 0x34325241,  /* bytes B, G, R, A */
  CUFRAMES_RGBP = 0x50424752,     /* tensor of bytes: R, G, B */
  CUFRAMES_BGRP = 0x50524742,     /* tensor of bytes: B, G, R */
  CUFRAMES_RGBP_F16 = 0x48504752, /* tensor of IEEE 754 half precision numbers: R, G, B */
  CUFRAMES_BGRP_F16 = 0x48504742, /* tensor of IEEE 754 half precision numbers: B, G, R */
  CUFRAMES_RGBP_F32 = 0x46504752, /* tensor of IEEE 754 single precision numbers: R, G, B */
  CUFRAMES_BGRP_F32 = 0x46504742  /* tensor of IEEE 754 single precision numbers: B, G, R */
};

/* What a sample is. */
enum cuframes_sample_type {
  CUFRAMES_SAMPLE_NONE = 0,
  CUFRAMES_SAMPLE_UINT8 = 1,
  CUFRAMES_SAMPLE_UINT16 = 2,
  CUFRAMES_SAMPLE_FLOAT16 = 3,
  CUFRAMES_SAMPLE_FLOAT32 = 4
};

enum cuframes_memory {
  CUFRAMES_MEMORY_HOST = 1,    /* main memory */
  CUFRAMES_MEMORY_CUDA = 2,    /* memory of a CUDA device */
  CUFRAMES_MEMORY_CUDA_IPC = 3 /* publisher's option only: as CUDA, shared through legacy handles. Readers see CUFRAMES_MEMORY_CUDA */
};

enum cuframes_delivery {
  CUFRAMES_NEWEST = 1,   /* the newest frame; older ones are skipped and counted */
  CUFRAMES_IN_ORDER = 2, /* the oldest frame that is still there */
  CUFRAMES_LOSSLESS = 3  /* as IN_ORDER, and the publisher waits for the reader, up to a bound that it sets */
};

/* How a release with a stream ends a lease. Bits. */
enum cuframes_fence {
  CUFRAMES_FENCE_CPU = 1,    /* waits for the stream, then releases */
  CUFRAMES_FENCE_STREAM = 2, /* the stream itself writes the release behind its work */
  CUFRAMES_FENCE_EVENT = 4   /* an event behind the stream's work, which the publisher looks at */
};

enum cuframes_stream_state {
  CUFRAMES_STATE_STARTING = 0,    /* no frame yet */
  CUFRAMES_STATE_LIVE = 1,        /* frames come */
  CUFRAMES_STATE_SOURCE_LOST = 2, /* the source is gone for now */
  CUFRAMES_STATE_ENDED = 3        /* no frame will come from this run of the publisher */
};

/* Bits of cuframes_frame.flags. */
enum cuframes_frame_flags {
  CUFRAMES_FLAG_KEY = 1,             /* decoded from a key frame */
  CUFRAMES_FLAG_DISCONTINUITY = 2,   /* the source was interrupted before this frame */
  CUFRAMES_FLAG_CORRUPT = 4,         /* the decoder reported errors in this picture */
  CUFRAMES_FLAG_INTERLACED = 8,      /* two fields */
  CUFRAMES_FLAG_TOP_FIELD_FIRST = 16,/* with INTERLACED: the top field comes first */
  CUFRAMES_FLAG_END_OF_STREAM = 32   /* the last frame of a file */
};

enum cuframes_picture_type {
  CUFRAMES_PICTURE_UNKNOWN = 0,
  CUFRAMES_PICTURE_INTRA = 1,
  CUFRAMES_PICTURE_PREDICTED = 2,
  CUFRAMES_PICTURE_BIDIRECTIONAL = 3
};

enum cuframes_colour_range {
  CUFRAMES_RANGE_UNKNOWN = 0,
  CUFRAMES_RANGE_LIMITED = 1, /* 16 to 235 in 8 bits */
  CUFRAMES_RANGE_FULL = 2     /* 0 to 255 in 8 bits */
};

enum cuframes_readers {
  CUFRAMES_READERS_OWN_USER_AND_GROUP = 0, /* the publisher's user and the members of its primary group */
  CUFRAMES_READERS_EVERYONE = 1            /* every user who can reach the socket */
};

enum cuframes_event_kind {
  /* of a subscriber */
  CUFRAMES_EVENT_CONNECTED = 1,
  CUFRAMES_EVENT_SOURCE_LOST = 2,
  CUFRAMES_EVENT_SOURCE_BACK = 3,
  CUFRAMES_EVENT_EVICTED = 4,
  CUFRAMES_EVENT_DISCONNECTED = 5,
  /* of a publisher */
  CUFRAMES_EVENT_SUBSCRIBER_JOINED = 16,
  CUFRAMES_EVENT_SUBSCRIBER_LEFT = 17,
  CUFRAMES_EVENT_SUBSCRIBER_EVICTED = 18,
  CUFRAMES_EVENT_SUBSCRIBER_REFUSED = 19,
  CUFRAMES_EVENT_RING_GROWN = 20,
  CUFRAMES_EVENT_RING_SHRUNK = 21,
  CUFRAMES_EVENT_GROWTH_FAILED = 22,
  CUFRAMES_EVENT_INTERNAL_ERROR = 23
};

/* What a track of packets carries. */
enum cuframes_track_kind {
  CUFRAMES_TRACK_VIDEO = 1,
  CUFRAMES_TRACK_AUDIO = 2,
  CUFRAMES_TRACK_DATA = 3 /* anything else that the source sends with times, such as ONVIF metadata */
};

/* How packets are coded. codec_name of cuframes_packet_track has libavcodec's name, also of a codec that is not listed here. */
enum cuframes_codec {
  CUFRAMES_CODEC_OTHER = 0, /* codec_name says which */
  CUFRAMES_CODEC_H264 = 1,
  CUFRAMES_CODEC_HEVC = 2,
  CUFRAMES_CODEC_AV1 = 3,
  CUFRAMES_CODEC_VP8 = 4,
  CUFRAMES_CODEC_VP9 = 5,
  CUFRAMES_CODEC_MJPEG = 6,
  CUFRAMES_CODEC_MPEG4 = 7,
  CUFRAMES_CODEC_MPEG2 = 8,
  CUFRAMES_CODEC_AAC = 256,
  CUFRAMES_CODEC_OPUS = 257,
  CUFRAMES_CODEC_PCM_ALAW = 258,
  CUFRAMES_CODEC_PCM_MULAW = 259,
  CUFRAMES_CODEC_PCM_S16BE = 260,
  CUFRAMES_CODEC_PCM_S16LE = 261,
  CUFRAMES_CODEC_G722 = 262,
  CUFRAMES_CODEC_G726 = 263,
  CUFRAMES_CODEC_MP3 = 264,
  CUFRAMES_CODEC_MP2 = 265,
  CUFRAMES_CODEC_AC3 = 266,
  CUFRAMES_CODEC_FLAC = 267,
  CUFRAMES_CODEC_VORBIS = 268
};

/* Bits of cuframes_packet.flags. */
enum cuframes_packet_flags {
  CUFRAMES_PACKET_FLAG_KEY = 1,                /* decoding may begin here */
  CUFRAMES_PACKET_FLAG_DISCONTINUITY = 2,      /* the source was interrupted before this packet; times may jump */
  CUFRAMES_PACKET_FLAG_CORRUPT = 4,            /* the source or the demuxer reported an error in it */
  CUFRAMES_PACKET_FLAG_PARAMETERS_CHANGED = 8, /* its parameter set is another one than that of the track's packet before; the publisher sets it itself */
  CUFRAMES_PACKET_FLAG_DISPOSABLE = 16         /* no other packet needs it to be decoded */
};

/* Where a subscriber of packets starts. Without a video track every packet counts as a key frame. */
enum cuframes_packet_start {
  CUFRAMES_START_NEWEST_KEY = 0, /* at the newest key frame of the first video track; at the next one when none is there */
  CUFRAMES_START_OLDEST_KEY = 1, /* at the oldest key frame that is there; at the next one when none is */
  CUFRAMES_START_NEXT = 2        /* at the next packet that comes, of whatever kind */
};

enum cuframes_log_level {
  CUFRAMES_LOG_ERROR = 1,
  CUFRAMES_LOG_WARNING = 2,
  CUFRAMES_LOG_INFORMATION = 3
};

/* ------------------------------------------------------------------------------------------------------------ structures */

typedef struct cuframes_subscriber cuframes_subscriber;
typedef struct cuframes_publisher cuframes_publisher;
typedef struct cuframes_stream_list cuframes_stream_list;
typedef struct cuframes_packet_subscriber cuframes_packet_subscriber;
typedef struct cuframes_packet_publisher cuframes_packet_publisher;

/* One plane of a picture. */
typedef struct cuframes_plane {
  void *data;         /* first visible byte: an address in main memory, or a CUDA device pointer if the frame's memory is CUDA. A reader
                         must not write there: main memory is mapped read-only, and so is device memory where the device can do it */
  int64_t pitch;      /* bytes from one row to the next: a multiple of 64, but of a tensor the bytes of a row */
  int64_t row_bytes;  /* bytes that a row holds, without padding */
  int64_t rows;       /* of a tensor those of all three channels, one after the other */
} cuframes_plane;

/* What is known of a frame besides its pixels (docs/protocol.md 4.5). */
typedef struct cuframes_metadata {
  int64_t pts;             /* presentation time in the source's time line, or CUFRAMES_PTS_UNKNOWN */
  int64_t capture_time;    /* wall clock at the camera, nanoseconds since 1970-01-01 UTC; 0: not known */
  int64_t arrival_time;    /* CLOCK_MONOTONIC when the frame's data had arrived; 0: not known */
  int64_t publish_time;    /* CLOCK_MONOTONIC at publish; the publisher fills it in */
  uint64_t source_packet;  /* number of the packet it was decoded from, from 1; 0: none */
  int64_t duration;        /* 0: not known */
  uint32_t flags;          /* cuframes_frame_flags */
  uint8_t picture_type;    /* cuframes_picture_type */
  uint8_t colour_matrix;   /* ITU-T H.273: 1 BT.709, 2 unspecified, 5 and 6 BT.601, 9 BT.2020 */
  uint8_t colour_range;    /* cuframes_colour_range */
  uint8_t colour_primaries;/* ITU-T H.273 */
  uint8_t colour_transfer; /* ITU-T H.273 */
  uint8_t rotation;        /* clockwise quarter turns for display, 0 to 3 */
  uint8_t chroma_location; /* ITU-T H.273's type plus 1; 0: not known */
  uint8_t reserved;
} cuframes_metadata;

/* A frame: of a subscriber, held until it is released; of a publisher, open until it is published or abandoned. The structure is the
 * caller's; the library fills it in. Copies of it stand for the same frame. The crop is applied: planes begin at the first visible byte. */
typedef struct cuframes_frame {
  uint32_t size;            /* CUFRAMES_FRAME_INIT */
  uint32_t memory;          /* CUFRAMES_MEMORY_HOST or CUFRAMES_MEMORY_CUDA */
  uint64_t owner;           /* for the library */
  uint64_t lease;           /* for the library; 0: not held */
  uint64_t sequence;        /* number in its epoch, from 1; of an open frame 0 */
  uint64_t epoch;           /* the publisher's run */
  uint64_t missed;          /* frames skipped between the one taken before and this one */
  uint32_t pixel_format;    /* cuframes_pixel_format */
  uint32_t width;           /* visible columns */
  uint32_t height;          /* visible rows */
  uint32_t plane_count;
  int32_t cuda_device;      /* ordinal of the CUDA device in this process; -1: main memory */
  uint32_t reserved;
  cuframes_plane planes[CUFRAMES_MAX_PLANES];
  cuframes_metadata metadata;
} cuframes_frame;
#define CUFRAMES_FRAME_INIT CUFRAMES_INIT(cuframes_frame)

/* Something that happened to a subscriber or at a publisher. Valid during the callback only. */
typedef struct cuframes_event {
  uint32_t size;
  uint32_t kind;           /* cuframes_event_kind */
  uint32_t code;           /* why; CUFRAMES_OK when nothing went wrong */
  uint32_t reserved;
  uint64_t epoch;          /* the publisher's run that it is about; 0: none */
  uint64_t subscriber_id;  /* at a publisher: which subscriber; 0: none */
  const char *text;        /* a sentence for people */
} cuframes_event;

/* A subscriber's is called by the thread that waits for frames or packets, inside that call. A publisher's is called by any thread, its control thread
 * above all. It must return soon and must not call the library. */
typedef void (*cuframes_event_callback)(void *user, const cuframes_event *event);

/* One line for a log, without a line feed. Called by any thread; it must return soon and must not call the library. */
typedef void (*cuframes_log_callback)(void *user, uint32_t level, const char *text);

typedef struct cuframes_subscriber_options {
  uint32_t size;            /* CUFRAMES_SUBSCRIBER_OPTIONS_INIT */
  uint32_t delivery;        /* cuframes_delivery; default NEWEST */
  uint32_t leases;          /* frames that are to be held at once, 1 to 64; default 2. The publisher may grant fewer */
  uint32_t fences;          /* cuframes_fence bits that may be used for frames in device memory; default all. CPU always may */
  uint32_t no_reconnect;    /* 1: when the publisher is gone or has evicted this subscriber, waiting calls return the reason */
  uint32_t wait_for_stream; /* 1: a stream that nobody publishes yet is waited for by the calls that wait, instead of being an error */
  const char *directory;    /* directory of the sockets; default cuframes_runtime_directory */
  const char *program;      /* name that the publisher is told; default: the name of this process */
  void *cuda_context;       /* CUcontext in which frames in device memory are mapped; it stays the caller's and must outlive the subscriber.
                               Default: the primary context of the stream's device, which CUDA's runtime and the frameworks use */
  cuframes_event_callback on_event;
  void *event_user;
} cuframes_subscriber_options;
#define CUFRAMES_SUBSCRIBER_OPTIONS_INIT CUFRAMES_INIT(cuframes_subscriber_options)

/* A stream's format. */
typedef struct cuframes_format {
  uint32_t size;             /* CUFRAMES_FORMAT_INIT */
  uint32_t pixel_format;     /* cuframes_pixel_format */
  uint32_t width;            /* visible columns, 1 to 16384 */
  uint32_t height;           /* visible rows, 1 to 16384 */
  uint32_t rate_numerator;   /* frames per second as the source announces them; 0: not known */
  uint32_t rate_denominator;
  uint8_t colour_matrix;     /* ITU-T H.273; 0 is taken for 2, unspecified */
  uint8_t colour_range;      /* cuframes_colour_range */
  uint8_t colour_primaries;  /* ITU-T H.273; 0 is taken for 2 */
  uint8_t colour_transfer;   /* ITU-T H.273; 0 is taken for 2 */
} cuframes_format;
#define CUFRAMES_FORMAT_INIT CUFRAMES_INIT(cuframes_format)

typedef struct cuframes_subscriber_info {
  uint32_t size;              /* CUFRAMES_SUBSCRIBER_INFO_INIT */
  uint32_t is_connected;
  uint32_t state;             /* cuframes_stream_state; ENDED when there is no connection */
  uint32_t memory;            /* CUFRAMES_MEMORY_HOST or CUFRAMES_MEMORY_CUDA; 0 before the first connection */
  uint64_t epoch;             /* 0 before the first connection */
  uint32_t granted_leases;    /* 0 when there is no connection */
  uint32_t held_frames;       /* those included whose release is on its way through the GPU */
  uint64_t taken;             /* frames taken since the subscriber was opened */
  uint64_t missed;            /* frames skipped, within epochs */
  uint32_t reconnects;
  uint32_t evictions;
  uint32_t release_fence;     /* one of cuframes_fence: how cuframes_frame_release_stream ends a lease */
  int32_t cuda_device;        /* ordinal in this process; -1: main memory, or no connection */
  uint8_t cuda_device_uuid[CUFRAMES_UUID_BYTES]; /* zeros: main memory */
  void *cuda_context;         /* CUcontext in which frames are mapped; null: main memory, or no connection */
  cuframes_format format;     /* as the publisher told when the connection was made; frames say their own */
  char release_fence_reason[CUFRAMES_TEXT_BYTES]; /* why the fence is not STREAM although both sides can do it; else empty */
  char publisher[CUFRAMES_TEXT_BYTES];            /* the publisher's program */
  char source[CUFRAMES_TEXT_BYTES];               /* where frames come from, as the publisher tells */
} cuframes_subscriber_info;
#define CUFRAMES_SUBSCRIBER_INFO_INIT CUFRAMES_INIT(cuframes_subscriber_info)

typedef struct cuframes_publisher_options {
  uint32_t size;              /* CUFRAMES_PUBLISHER_OPTIONS_INIT */
  uint32_t memory;            /* cuframes_memory; default HOST */
  uint32_t slots;             /* slots that the ring begins with, 2 to max_slots; default 6 */
  uint32_t max_slots;         /* limit to which it grows when slots are held, up to 48; default 24 */
  uint32_t max_subscribers;   /* default 64 */
  uint32_t max_leases;        /* most frames that one subscriber may hold, 1 to 64; default 8 */
  int64_t memory_limit;       /* bytes of all segments; default twice what max_slots frames need */
  int64_t shrink_after;       /* time for which the ring must have been larger than needed before it shrinks; default 10 s */
  int64_t lease_timeout;      /* time for which a lease is safe while frames are dropped for want of slots; default 5 s */
  int64_t lossless_timeout;   /* longest wait for a lossless subscriber, which is evicted then; 0: lossless delivery is not offered */
  const char *directory;      /* directory for socket and lock; default cuframes_runtime_directory */
  const char *program;        /* name that readers are told; default: the name of this process */
  const char *source;         /* where frames come from, told to readers: must not hold secrets */
  void *cuda_context;         /* CUcontext of the device that frames lie on; it stays the caller's and must outlive the publisher.
                                 Default: the primary context of cuda_device */
  int32_t cuda_device;        /* ordinal; used when memory is CUDA and cuda_context is null */
  uint32_t readers;           /* cuframes_readers */
  const uint32_t *users;      /* ids of users who may read too */
  const uint32_t *groups;     /* ids of groups whose members may read too */
  uint32_t user_count;
  uint32_t group_count;
  cuframes_event_callback on_event;
  void *event_user;
} cuframes_publisher_options;
#define CUFRAMES_PUBLISHER_OPTIONS_INIT CUFRAMES_INIT(cuframes_publisher_options)

typedef struct cuframes_publisher_info {
  uint32_t size;              /* CUFRAMES_PUBLISHER_INFO_INIT */
  uint32_t state;             /* cuframes_stream_state */
  uint64_t epoch;             /* this run */
  uint64_t head;              /* sequence of the newest frame; 0: none yet */
  uint64_t published;
  uint64_t dropped;           /* frames dropped because every slot was held */
  uint64_t evicted;           /* subscribers evicted */
  uint64_t hung_up;           /* subscribers that left or died without saying goodbye */
  uint64_t refused;           /* connections refused */
  uint32_t slots;             /* in use now */
  uint32_t held_slots;        /* held by at least one subscriber */
  int64_t segment_bytes;      /* of all live segments */
  int64_t unanswered_bytes;   /* of retired segments that some subscriber has not given back */
  uint32_t subscribers;       /* how many there are */
  int32_t cuda_device;        /* ordinal in this process; -1: main memory */
  void *cuda_context;         /* CUcontext in which frames are written; null: main memory */
  cuframes_format format;     /* pixel_format 0 before cuframes_publisher_configure */
  char socket_path[CUFRAMES_TEXT_BYTES];
} cuframes_publisher_info;
#define CUFRAMES_PUBLISHER_INFO_INIT CUFRAMES_INIT(cuframes_publisher_info)

/* One subscriber as its publisher sees it. Counters come from the subscriber's own page: it may lie. */
typedef struct cuframes_subscriber_statistics {
  uint64_t subscriber_id;
  uint64_t lag;               /* frames between the newest and the last one it took */
  uint64_t taken;
  uint64_t missed;
  int32_t process_id;         /* in the publisher's PID namespace; 0: not visible */
  uint32_t user_id;
  uint32_t delivery;          /* cuframes_delivery */
  uint32_t granted_leases;
  uint32_t held_leases;
  uint32_t reserved;
  char program[CUFRAMES_TEXT_BYTES];
} cuframes_subscriber_statistics;

/* A stream of this machine, as it was when it was asked. Belongs to its list. */
typedef struct cuframes_stream_info {
  const char *key;
  const char *program;        /* the publisher's program */
  const char *source;         /* where frames come from, without secrets */
  const char *state_text;     /* why the stream is in its state */
  const char *error;          /* why the publisher gave no description; empty when it did */
  uint32_t error_code;        /* CUFRAMES_OK when there is a description */
  uint32_t state;             /* cuframes_stream_state */
  uint32_t memory;            /* CUFRAMES_MEMORY_HOST or CUFRAMES_MEMORY_CUDA */
  uint32_t slots;
  uint32_t max_slots;
  uint32_t subscribers;
  uint64_t epoch;
  uint64_t head;              /* newest sequence */
  uint64_t dropped;
  uint64_t evicted;
  uint64_t memory_bytes;      /* of all segments */
  uint8_t cuda_device_uuid[CUFRAMES_UUID_BYTES];
  cuframes_format format;     /* pixel_format 0: no frame yet */
} cuframes_stream_info;

/* A track of packets and a set of its parameters (docs/protocol.md 14.6, 14.7): what a decoder and a container need besides the packets. The
 * structure is the caller's and holds all of it, nothing points elsewhere. It takes 16.5 KiB. */
typedef struct cuframes_packet_track {
  uint32_t size;                    /* CUFRAMES_PACKET_TRACK_INIT */
  uint32_t track;                   /* number of the track in its stream, from 0; a publisher gives it */
  uint32_t kind;                    /* cuframes_track_kind */
  uint32_t parameters;              /* number of the parameter set on its track, from 1; a publisher gives it */
  uint32_t codec;                   /* cuframes_codec */
  int32_t time_base_numerator;      /* pts, dts and duration are in units of numerator / denominator seconds */
  int32_t time_base_denominator;
  int32_t width;                    /* visible columns; 0: not video, or not known */
  int32_t height;                   /* visible rows; likewise */
  int32_t frame_rate_numerator;     /* pictures per second as the source announces them; 0: not known */
  int32_t frame_rate_denominator;
  int32_t sample_aspect_numerator;  /* width of a sample by its height; 0: not known */
  int32_t sample_aspect_denominator;
  int32_t sample_rate;              /* samples per second and channel; 0: not audio */
  int32_t channels;                 /* at most 255 */
  int32_t samples_per_packet;       /* per channel; 0: it changes, or is not known */
  uint64_t channel_layout;          /* speakers as in WAVEFORMATEXTENSIBLE, one bit each; 0: not known */
  int32_t bits_per_sample;          /* per coded sample; 0 where that says nothing */
  int32_t block_align;              /* bytes of a block of coded samples; 0 where that says nothing */
  int32_t initial_padding;          /* samples to drop at the beginning of the sound */
  int32_t seek_preroll;             /* samples to decode and drop after a jump */
  int32_t reorder_delay;            /* pictures by which output may lag behind input */
  uint32_t extradata_size;          /* bytes of extradata, at most CUFRAMES_EXTRADATA_BYTES */
  uint8_t colour_matrix;            /* as in cuframes_metadata, these seven */
  uint8_t colour_range;
  uint8_t colour_primaries;
  uint8_t colour_transfer;
  uint8_t chroma_location;
  uint8_t rotation;
  uint8_t field_order;              /* 0 not known, 1 progressive, 2 top field first, 3 bottom field first */
  uint8_t reserved;
  char language[16];                /* ISO 639-2 code of up to 8 letters; empty: not known */
  char codec_name[40];              /* libavcodec's name of the codec, up to 32 characters; a publisher may leave it empty for a codec of the table */
  uint8_t extradata[CUFRAMES_EXTRADATA_BYTES]; /* what libavcodec calls so, such as SPS and PPS, byte for byte as the source gave it */
} cuframes_packet_track;
#define CUFRAMES_PACKET_TRACK_INIT CUFRAMES_INIT(cuframes_packet_track)

/* A packet. Of a subscriber: read in place, where the publisher put it. Nothing holds the publisher up, it overwrites the packet when its ring comes
 * round: what was read of data is whole if cuframes_packet_check returns CUFRAMES_OK afterwards. Everything but the bytes is a copy and stays as it is.
 * Of a publisher: what is to be published; the fields marked (s) are not looked at. */
typedef struct cuframes_packet {
  uint32_t size;            /* CUFRAMES_PACKET_INIT */
  uint32_t track;           /* number of its track, from 0 */
  uint64_t owner;           /* (s) for the library; 0: no packet */
  uint64_t position;        /* (s) bytes of the publisher's ring from the beginning of its epoch to data; data lies at position mod byte_capacity in the ring */
  const void *data;         /* its bytes. Of a subscriber: mapped read-only, CUFRAMES_PACKET_PADDING zero bytes behind them; mapped until the next call
                               that takes a packet, or the close, and longer if the packet is retained */
  uint64_t data_size;       /* bytes */
  uint64_t sequence;        /* (s) number of the packet in its epoch, from 1, over all tracks: what source_packet of a frame names */
  uint64_t epoch;           /* (s) the publisher's run */
  uint64_t missed;          /* (s) packets lost, of all tracks, between the one taken before and this one */
  uint64_t track_sequence;  /* (s) number of the packet on its track, from 1 */
  uint32_t kind;            /* (s) cuframes_track_kind of its track */
  uint32_t parameters;      /* (s) number of its parameter set on its track, from 1: cuframes_packet_get_track */
  uint32_t flags;           /* cuframes_packet_flags */
  int32_t time_base_numerator;   /* (s) pts, dts and duration are in units of numerator / denominator seconds */
  int32_t time_base_denominator; /* (s) */
  uint32_t reserved;
  int64_t pts;              /* presentation time in units of the time base, or CUFRAMES_PTS_UNKNOWN */
  int64_t dts;              /* decoding time, likewise */
  int64_t duration;         /* in units of the time base; 0: not known */
  int64_t arrival_time;     /* CLOCK_MONOTONIC when the packet had arrived; a publisher's 0: the time of the call */
  int64_t capture_time;     /* wall clock at the camera, nanoseconds since 1970-01-01 UTC; 0: not known */
  int64_t publish_time;     /* (s) CLOCK_MONOTONIC at publish */
} cuframes_packet;
#define CUFRAMES_PACKET_INIT CUFRAMES_INIT(cuframes_packet)

typedef struct cuframes_packet_subscriber_options {
  uint32_t size;            /* CUFRAMES_PACKET_SUBSCRIBER_OPTIONS_INIT */
  uint32_t start;           /* cuframes_packet_start; default NEWEST_KEY. Also when the publisher was started anew */
  uint64_t after_epoch;     /* epoch and sequence of the last packet that was taken in an earlier connection: if the publisher's run is still the */
  uint64_t after_sequence;  /* same, reading goes on behind it. 0: start says where. A reconnection of the same subscriber goes on by itself */
  uint32_t no_reconnect;    /* 1: when the publisher is gone or has evicted this subscriber, waiting calls return the reason */
  uint32_t wait_for_stream; /* 1: a stream that nobody publishes yet is waited for by the calls that wait, instead of being an error */
  const char *directory;    /* directory of the sockets; default cuframes_runtime_directory */
  const char *program;      /* name that the publisher is told; default: the name of this process */
  cuframes_event_callback on_event;
  void *event_user;
} cuframes_packet_subscriber_options;
#define CUFRAMES_PACKET_SUBSCRIBER_OPTIONS_INIT CUFRAMES_INIT(cuframes_packet_subscriber_options)

typedef struct cuframes_packet_subscriber_info {
  uint32_t size;              /* CUFRAMES_PACKET_SUBSCRIBER_INFO_INIT */
  uint32_t is_connected;
  uint32_t state;             /* cuframes_stream_state; ENDED when there is no connection */
  uint32_t tracks;            /* tracks that there are now; between two connections those of the last */
  uint64_t epoch;             /* 0 before the first connection */
  uint64_t taken;             /* packets taken since the subscriber was opened */
  uint64_t missed;            /* packets lost, of all tracks, within epochs */
  uint64_t missed_on_track[CUFRAMES_MAX_TRACKS]; /* likewise for each track. Of packets that came before the first one taken in a connection only those
                                                    count that were asked for by their number */
  uint64_t byte_capacity;     /* bytes of the publisher's ring; 0 before the first connection */
  uint32_t reconnects;
  uint32_t evictions;
  char publisher[CUFRAMES_TEXT_BYTES]; /* the publisher's program */
  char source[CUFRAMES_TEXT_BYTES];    /* where packets come from, as the publisher tells */
} cuframes_packet_subscriber_info;
#define CUFRAMES_PACKET_SUBSCRIBER_INFO_INIT CUFRAMES_INIT(cuframes_packet_subscriber_info)

typedef struct cuframes_packet_publisher_options {
  uint32_t size;              /* CUFRAMES_PACKET_PUBLISHER_OPTIONS_INIT */
  uint32_t max_packets;       /* most packets in the ring, of all tracks: a power of two from 16 to 65536; default 8192 */
  int64_t byte_capacity;      /* bytes of the ring, a multiple of 4096 from 65536 to 2^32; default 32 MiB. Memory is used as packets are written; a packet
                                 of more than half of it is refused */
  int64_t max_age;            /* packets that arrived longer ago are let go when a new one comes; 0: no bound but the others */
  uint32_t max_subscribers;   /* default 64 */
  uint32_t readers;           /* cuframes_readers */
  const char *directory;      /* directory for socket and lock; default cuframes_runtime_directory */
  const char *program;        /* name that readers are told; default: the name of this process */
  const char *source;         /* where packets come from, told to readers: must not hold secrets */
  const uint32_t *users;      /* ids of users who may read too */
  const uint32_t *groups;     /* ids of groups whose members may read too */
  uint32_t user_count;
  uint32_t group_count;
  cuframes_event_callback on_event;
  void *event_user;
} cuframes_packet_publisher_options;
#define CUFRAMES_PACKET_PUBLISHER_OPTIONS_INIT CUFRAMES_INIT(cuframes_packet_publisher_options)

typedef struct cuframes_packet_publisher_info {
  uint32_t size;              /* CUFRAMES_PACKET_PUBLISHER_INFO_INIT */
  uint32_t state;             /* cuframes_stream_state */
  uint64_t epoch;             /* this run */
  uint64_t head;              /* sequence of the newest packet; 0: none yet */
  uint64_t oldest;            /* sequence of the oldest packet that is still there; head plus 1: none */
  int64_t buffered_time;      /* between the arrivals of the oldest and the newest packet */
  int64_t byte_capacity;      /* bytes of the ring */
  uint64_t too_large;         /* packets refused because they are larger than half of the ring */
  uint64_t evicted;           /* subscribers evicted */
  uint64_t hung_up;           /* subscribers that left or died without saying goodbye */
  uint64_t refused;           /* connections refused */
  uint32_t tracks;
  uint32_t subscribers;       /* how many there are */
  char socket_path[CUFRAMES_TEXT_BYTES];
} cuframes_packet_publisher_info;
#define CUFRAMES_PACKET_PUBLISHER_INFO_INIT CUFRAMES_INIT(cuframes_packet_publisher_info)

/* ------------------------------------------------------------------------------------------------------------ general */

/* The library's version: major << 16 | minor << 8 | patch. Any thread; cannot fail; does not start the runtime. */
CUFRAMES_API uint32_t cuframes_version(void);

/* The sentence that belongs to the last call of this thread that returned an error: what was tried, what was found, what to do. Never null.
 * Valid until this thread's next call. Any thread; does not start the runtime. */
CUFRAMES_API const char *cuframes_last_error(void);

/* The name of an error code as in docs/protocol.md 12, such as "STREAM_NOT_FOUND"; "UNKNOWN" for any other. Static. Any thread. */
CUFRAMES_API const char *cuframes_error_name(int32_t code);

/* Gives the library somewhere to log to; null: nowhere, which is how it begins. Lines above the level are left out. Any thread; when it
 * returns, the callback before is not called any more. */
CUFRAMES_API int32_t cuframes_set_log(cuframes_log_callback callback, void *user, uint32_t level);

/* Short name of a pixel format, such as "nv12"; null: not one of cuframes_pixel_format. Static. Any thread. */
CUFRAMES_API const char *cuframes_pixel_format_name(uint32_t pixel_format);

/* The pixel format of a name; CUFRAMES_FORMAT_UNKNOWN when there is none. Any thread. */
CUFRAMES_API uint32_t cuframes_pixel_format_parse(const char *name);

/* Bytes of a picture without padding, planes in order: what cuframes_frame_copy needs. 0: no such format or size. Any thread. */
CUFRAMES_API int64_t cuframes_picture_bytes(uint32_t pixel_format, uint32_t width, uint32_t height);

/* What a sample of a pixel format is: one of cuframes_sample_type; CUFRAMES_SAMPLE_NONE for no format. Any thread. */
CUFRAMES_API uint32_t cuframes_sample_type(uint32_t pixel_format);

/* Shape of a plane as an array of samples: (rows, columns), (rows, columns, samples) where samples are interleaved, (3, rows, columns) of a tensor.
 * Returns the number of dimensions and sets as many extents; 0: no such format, plane or size. Any thread. */
CUFRAMES_API uint32_t cuframes_plane_shape(uint32_t pixel_format, uint32_t plane, uint32_t width, uint32_t height, int64_t shape[3]);

/* ------------------------------------------------------------------------------------------------------------ directory */

/* Copies the path of the runtime directory ($CUFRAMES_DIR, /run/cuframes, $XDG_RUNTIME_DIR/cuframes: docs/protocol.md 1.2). INVALID_ARGUMENT
 * when the buffer is too small. Any thread. */
CUFRAMES_API int32_t cuframes_runtime_directory(char *buffer, size_t size);

/* The streams that are published now; sockets of dead publishers are left out. Free the list with cuframes_stream_list_free. Asks every
 * publisher, which takes up to 5 s for each that does not answer. Errors: STREAM_NOT_FOUND when the directory (null: the runtime directory)
 * does not exist, ACCESS_DENIED. Any thread. */
CUFRAMES_API int32_t cuframes_list(const char *directory, cuframes_stream_list **list);

/* A list of one: what a publisher says of its stream. A publisher's fault is not an error: error_code tells it. Errors: INVALID_KEY. Any thread. */
CUFRAMES_API int32_t cuframes_probe(const char *directory, const char *key, cuframes_stream_list **list);

/* Streams in a list; 0 for null or a list that was freed. Any thread. */
CUFRAMES_API size_t cuframes_stream_list_count(const cuframes_stream_list *list);

/* A stream of a list, from 0, sorted by key; null beyond the end. Valid until the list is freed. Any thread. */
CUFRAMES_API const cuframes_stream_info *cuframes_stream_list_at(const cuframes_stream_list *list, size_t index);

/* Frees a list; null is allowed. */
CUFRAMES_API void cuframes_stream_list_free(cuframes_stream_list *list);

/* ------------------------------------------------------------------------------------------------------------ reading */

/* Connects to a stream. options may be null. Close the handle with cuframes_subscriber_close.
 * Errors: STREAM_NOT_FOUND (unless wait_for_stream), INVALID_KEY, CONFIGURATION_INVALID, the publisher's refusal (ACCESS_DENIED,
 * TOO_MANY_SUBSCRIBERS, DELIVERY_NOT_GRANTED, DOMAIN_NOT_MAPPABLE, ...), CUDA_CALL_FAILED. Any thread. */
CUFRAMES_API int32_t cuframes_subscriber_open(const char *key, const cuframes_subscriber_options *options, cuframes_subscriber **subscriber);

/* Leaves the stream. A call that waits in another thread returns INTERRUPTED first. Frames that are held keep their memory mapped until they
 * are released, but may be overwritten from now on: cuframes_frame_check tells. Null is allowed. Any thread. */
CUFRAMES_API void cuframes_subscriber_close(cuframes_subscriber *subscriber);

/* Takes a frame, waiting for it up to timeout, connecting again if need be. Release the frame with cuframes_frame_release or
 * cuframes_frame_release_stream, from any thread; several may be held, as many as leases were granted. It is complete: the CPU, or work on any
 * CUDA stream, may read it at once.
 * Errors: TIMED_OUT (also with timeout 0 when there is none), LEASES_EXHAUSTED, INTERRUPTED, BUSY, with no_reconnect the reason of the end
 * (DISCONNECTED, SHUTTING_DOWN, an eviction's code), the refusal to have us back, and PROTOCOL_ERROR and its kin for a publisher that breaks
 * the protocol; the next call connects again then. One thread at a time. No allocation; no system call unless it waits. */
CUFRAMES_API int32_t cuframes_subscriber_next(cuframes_subscriber *subscriber, int64_t timeout, cuframes_frame *frame);

/* Ends a wait of cuframes_subscriber_next, now or the next one, with INTERRUPTED, within 50 ms. Any thread. Not for signal handlers. */
CUFRAMES_API int32_t cuframes_subscriber_interrupt(cuframes_subscriber *subscriber);

/* A descriptor for poll, select, epoll and event loops. It stays the same over reconnections and belongs to the subscriber: do not read, write or
 * close it. From this call on: when cuframes_subscriber_next with timeout 0 has returned TIMED_OUT, the descriptor becomes readable as soon as
 * calling it again makes sense: a frame, an attempt to reconnect that is due. Always take until TIMED_OUT. Same thread as next. */
CUFRAMES_API int32_t cuframes_subscriber_descriptor(cuframes_subscriber *subscriber, int *descriptor);

/* Figures of a subscriber. Same thread as next. */
CUFRAMES_API int32_t cuframes_subscriber_get_info(cuframes_subscriber *subscriber, cuframes_subscriber_info *info);

/* Lets go of a frame and sets lease to 0. Of a frame with several owners (cuframes_frame_retain), the last one ends the lease, behind all streams
 * that the others named. Work on a GPU that still reads the frame needs cuframes_frame_release_stream instead. A frame that is not held is
 * INVALID_HANDLE and nothing happens. Any thread. No allocation, no system call. */
CUFRAMES_API int32_t cuframes_frame_release(cuframes_frame *frame);

/* Lets go of a frame behind the work that is in a CUDA stream now (CUstream or cudaStream_t, of the subscriber's context; null is the legacy default
 * stream), without waiting for it unless the release fence is CPU. Work that is enqueued later may not read the frame. A frame in main memory is
 * released at once. Errors: INVALID_HANDLE; CUDA_CALL_FAILED: the frame is still held. Any thread. */
CUFRAMES_API int32_t cuframes_frame_release_stream(cuframes_frame *frame, void *stream);

/* One more owner of a held frame: each owner releases once, with a copy of the structure of its own. Any thread. */
CUFRAMES_API int32_t cuframes_frame_retain(const cuframes_frame *frame);

/* Whether the frame's content can be trusted: CUFRAMES_OK, or FRAME_LOST after an eviction, or INVALID_HANDLE. Check after the last read where that
 * matters. Any thread. */
CUFRAMES_API int32_t cuframes_frame_check(const cuframes_frame *frame);

/* Copies the visible picture to main memory: planes in order, rows without padding, cuframes_picture_bytes bytes; waits for this copy and for no work but
 * copies from device memory that other threads make of the same subscriber. Errors: INVALID_HANDLE, INVALID_ARGUMENT when size is too small, FRAME_LOST,
 * CUDA_CALL_FAILED. Any thread. */
CUFRAMES_API int32_t cuframes_frame_copy(const cuframes_frame *frame, void *destination, size_t size);

/* Makes a DLPack tensor of a plane, which is one more owner of the frame: a DLManagedTensor, or with versioned = 1 a DLManagedTensorVersioned (1.0)
 * that is marked read-only. Its deleter releases the frame, behind the CUDA stream if has_stream is 1 (the consumer's: its work must be in it before it
 * deletes the tensor), and may be called by any thread. Shape: (rows, columns) for a plane of one sample, (rows, columns, samples) for interleaved
 * ones (UV: 2, RGB24 and BGR24: 3, RGBA and BGRA: 4), (3, rows, columns) for tensors; type as cuframes_sample_type says; strides as the pitch says. Errors:
 * INVALID_HANDLE, INVALID_ARGUMENT, FRAME_LOST. Any thread. */
CUFRAMES_API int32_t cuframes_frame_to_dlpack(const cuframes_frame *frame, uint32_t plane, uint32_t versioned, void *stream, uint32_t has_stream, void **tensor);

/* ------------------------------------------------------------------------------------------------------------ publishing */

/* Takes a key and waits for readers. options and format may be null; without a format cuframes_publisher_configure must come before the first frame.
 * Errors: ALREADY_PUBLISHED, INVALID_KEY, ACCESS_DENIED, CONFIGURATION_INVALID, OUT_OF_RESOURCES, FORMAT_UNSUPPORTED, CUDA_UNAVAILABLE,
 * CUDA_CALL_FAILED, SYSTEM_CALL_FAILED. Any thread. */
CUFRAMES_API int32_t cuframes_publisher_open(
    const char *key, const cuframes_publisher_options *options, const cuframes_format *format, cuframes_publisher **publisher);

/* Says goodbye to the readers and gives the key back. A frame that is open is abandoned. Null is allowed. The publishing thread. */
CUFRAMES_API void cuframes_publisher_close(cuframes_publisher *publisher);

/* Sets or changes the format; readers get frames of the old one until the first of the new one is published. Errors: FORMAT_UNSUPPORTED,
 * OUT_OF_RESOURCES (the old format goes on), WRONG_STATE while a frame is open. One thread at a time publishes. */
CUFRAMES_API int32_t cuframes_publisher_configure(cuframes_publisher *publisher, const cuframes_format *format);

/* Begins a frame: fills in planes to write to, whose old content is anything, and metadata with the format's colours. Write all of it, then publish or
 * abandon; one frame at a time is open. DROPPED: readers hold every slot. Publishing thread. No allocation. */
CUFRAMES_API int32_t cuframes_publisher_begin(cuframes_publisher *publisher, cuframes_frame *frame);

/* Announces the open frame, with the metadata as the caller left them in the structure, and wakes readers that wait. All bytes must be written, by a
 * GPU too. sequence may be null. Publishing thread. No allocation; no system call when no reader waits. */
CUFRAMES_API int32_t cuframes_publisher_publish(cuframes_publisher *publisher, cuframes_frame *frame, uint64_t *sequence);

/* Waits for the work that is in a CUDA stream now, and for nothing else, then publishes: for frames that the stream's work writes. Errors:
 * CUDA_CALL_FAILED: the work failed; the frame is not announced and still open, to be tried again or abandoned. */
CUFRAMES_API int32_t cuframes_publisher_publish_stream(cuframes_publisher *publisher, cuframes_frame *frame, void *stream, uint64_t *sequence);

/* Gives the open frame's slot back unpublished. Where a device writes the ring, it waits first for all work in the publisher's context, so that none
 * still writes to a slot that others get: such work must not wait for this thread. Publishing thread. */
CUFRAMES_API int32_t cuframes_publisher_abandon(cuframes_publisher *publisher, cuframes_frame *frame);

/* Tells readers of the source: STARTING, LIVE or SOURCE_LOST, with a reason for people (may be null). Any thread. */
CUFRAMES_API int32_t cuframes_publisher_set_state(cuframes_publisher *publisher, uint32_t state, const char *reason);

/* Evicts a subscriber; it is told the reason (may be null). INVALID_ARGUMENT when there is none with this id. Any thread. */
CUFRAMES_API int32_t cuframes_publisher_evict(cuframes_publisher *publisher, uint64_t subscriber_id, const char *reason);

/* Figures of a publisher. Any thread. */
CUFRAMES_API int32_t cuframes_publisher_get_info(cuframes_publisher *publisher, cuframes_publisher_info *info);

/* Copies figures of up to capacity subscribers, each item_size = sizeof(cuframes_subscriber_statistics) bytes; count gets how many there are. Any thread. */
CUFRAMES_API int32_t cuframes_publisher_get_subscribers(
    cuframes_publisher *publisher, cuframes_subscriber_statistics *subscribers, size_t item_size, size_t capacity, size_t *count);

/* ------------------------------------------------------------------------------------------------------------ reading packets */

/* Connects to a stream's packets. options may be null. Close the handle with cuframes_packet_subscriber_close.
 * Errors: STREAM_NOT_FOUND (unless wait_for_stream), INVALID_KEY, INVALID_ARGUMENT, the publisher's refusal (ACCESS_DENIED, TOO_MANY_SUBSCRIBERS,
 * ...). Any thread. */
CUFRAMES_API int32_t cuframes_packet_subscriber_open(
    const char *key, const cuframes_packet_subscriber_options *options, cuframes_packet_subscriber **subscriber);

/* Leaves the stream. A call that waits in another thread returns INTERRUPTED first. Packets are PACKET_LOST from now on; the memory of those that are
 * retained stays mapped. Null is allowed. Any thread. */
CUFRAMES_API void cuframes_packet_subscriber_close(cuframes_packet_subscriber *subscriber);

/* Takes the next packet, waiting for it up to timeout, connecting again if need be. There is nothing to release: read data, then
 * cuframes_packet_check; or cuframes_packet_copy. A subscriber that was too slow for the ring learns its losses (missed, missed_on_track) and goes on at
 * the next key frame of the first video track.
 * Errors: TIMED_OUT (also with timeout 0 when there is none), INTERRUPTED, BUSY, with no_reconnect the reason of the end (DISCONNECTED, SHUTTING_DOWN, an
 * eviction's code), the refusal to have us back, and PROTOCOL_ERROR, PACKET_INVALID and their kin for a publisher that breaks the protocol; the next
 * call connects again then. One thread at a time. No allocation but for a new parameter set; no system call unless it waits. */
CUFRAMES_API int32_t cuframes_packet_subscriber_next(cuframes_packet_subscriber *subscriber, int64_t timeout, cuframes_packet *packet);

/* Finds a packet by its number in the publisher's present run, wherever reading is: source_packet of a frame is such a number. missed is 0. Errors:
 * PACKET_LOST when it is not there, not yet or not any more, or there is no connection; BUSY; PROTOCOL_ERROR and its kin. Same thread as next. */
CUFRAMES_API int32_t cuframes_packet_subscriber_find(cuframes_packet_subscriber *subscriber, uint64_t sequence, cuframes_packet *packet);

/* Ends a wait of cuframes_packet_subscriber_next, now or the next one, with INTERRUPTED, within 50 ms. Any thread. Not for signal handlers. */
CUFRAMES_API int32_t cuframes_packet_subscriber_interrupt(cuframes_packet_subscriber *subscriber);

/* A descriptor for poll, select, epoll and event loops, as cuframes_subscriber_descriptor: always take with timeout 0 until TIMED_OUT. Same thread as
 * next. */
CUFRAMES_API int32_t cuframes_packet_subscriber_descriptor(cuframes_packet_subscriber *subscriber, int *descriptor);

/* Figures of a subscriber. Same thread as next. */
CUFRAMES_API int32_t cuframes_packet_subscriber_get_info(cuframes_packet_subscriber *subscriber, cuframes_packet_subscriber_info *info);

/* A track that is there now, from 0, with the parameters of its newest packet that was taken, and before that those that it had when the connection was
 * made. info.tracks says how many there are. Errors: INVALID_ARGUMENT when there is none with this number; BUSY. Same thread as next. */
CUFRAMES_API int32_t cuframes_packet_subscriber_get_track(cuframes_packet_subscriber *subscriber, uint32_t number, cuframes_packet_track *track);

/* The track of a packet with the parameters that this packet is coded with. They change where packet.parameters does. Errors: INVALID_HANDLE;
 * PACKET_LOST when the packet's connection has ended, or eight newer sets have come to the track. Any thread. */
CUFRAMES_API int32_t cuframes_packet_get_track(const cuframes_packet *packet, cuframes_packet_track *track);

/* Whether all that was read of a packet's data before this call was whole: CUFRAMES_OK, or PACKET_LOST when the publisher has begun to overwrite it or
 * the connection that it came through was closed (by a reconnection, too), or INVALID_HANDLE for what never was a packet of a subscriber. When the packet
 * that was taken last was overwritten, the next one that is taken is a key frame of the first video track: what lies between needs what was lost. Any
 * thread. No allocation, no system call. */
CUFRAMES_API int32_t cuframes_packet_check(const cuframes_packet *packet);

/* Copies a packet's bytes and makes sure that the copy is whole. size: room at the destination, data_size at least. Errors: PACKET_LOST, then what was
 * copied is worth nothing; INVALID_HANDLE; INVALID_ARGUMENT. Any thread. */
CUFRAMES_API int32_t cuframes_packet_copy(const cuframes_packet *packet, void *destination, size_t size);

/* Keeps the memory that a packet lies in mapped until cuframes_packet_release, also when the connection ends or the subscriber is closed: reading data
 * cannot fault then. It holds nobody up and does not keep the packet from being overwritten. One retained packet does this for all of its connection.
 * Errors: PACKET_LOST when its connection was closed already; INVALID_HANDLE. Any thread. */
CUFRAMES_API int32_t cuframes_packet_retain(const cuframes_packet *packet);

/* Ends one cuframes_packet_retain of this packet or another one of its connection. Errors: INVALID_HANDLE. Any thread. */
CUFRAMES_API int32_t cuframes_packet_release(const cuframes_packet *packet);

/* ------------------------------------------------------------------------------------------------------------ publishing packets */

/* Takes the packets of a key and waits for readers; the frames of the same key are a cuframes_publisher's, or nobody's. options may be null. Errors:
 * ALREADY_PUBLISHED, INVALID_KEY, ACCESS_DENIED, CONFIGURATION_INVALID, OUT_OF_RESOURCES, SYSTEM_CALL_FAILED. Any thread. */
CUFRAMES_API int32_t cuframes_packet_publisher_open(
    const char *key, const cuframes_packet_publisher_options *options, cuframes_packet_publisher **publisher);

/* Says goodbye to the readers and gives the key back. Null is allowed. The publishing thread. */
CUFRAMES_API void cuframes_packet_publisher_close(cuframes_packet_publisher *publisher);

/* Adds a track with its first parameters; up to CUFRAMES_MAX_TRACKS, which stay until the close. number gets the track's number and may be null.
 * Subscribers start at key frames of the first video track. Errors: CONFIGURATION_INVALID: there are 8 tracks, or a value is out of range. One thread at
 * a time publishes: publishing thread. */
CUFRAMES_API int32_t cuframes_packet_publisher_add_track(
    cuframes_packet_publisher *publisher, const cuframes_packet_track *track, uint32_t *number);

/* Changes the parameters of a track: the packets to come are coded with them. Kind and language stay. Parameters that are the current ones change
 * nothing. Errors: CONFIGURATION_INVALID, and the old parameters stay; INVALID_ARGUMENT: no such track. Publishing thread. */
CUFRAMES_API int32_t cuframes_packet_publisher_set_parameters(
    cuframes_packet_publisher *publisher, uint32_t number, const cuframes_packet_track *track);

/* Publishes a packet: copies its bytes into the ring and wakes readers that wait. Set track, data, data_size, flags and times; a pts of 0 is a time, one
 * that is not known is CUFRAMES_PTS_UNKNOWN. sequence may be null. Errors: PACKET_TOO_LARGE: more than half of the ring, it is counted and the stream goes
 * on without it; INVALID_ARGUMENT: no such track, or no data. Publishing thread. No allocation; no system call when no reader waits. */
CUFRAMES_API int32_t cuframes_packet_publisher_publish(cuframes_packet_publisher *publisher, const cuframes_packet *packet, uint64_t *sequence);

/* Tells readers of the source: STARTING, LIVE or SOURCE_LOST, with a reason for people (may be null). A packet makes it LIVE by itself. Any thread. */
CUFRAMES_API int32_t cuframes_packet_publisher_set_state(cuframes_packet_publisher *publisher, uint32_t state, const char *reason);

/* Evicts a subscriber; it is told the reason (may be null). INVALID_ARGUMENT when there is none with this id. Any thread. */
CUFRAMES_API int32_t cuframes_packet_publisher_evict(cuframes_packet_publisher *publisher, uint64_t subscriber_id, const char *reason);

/* Figures of a publisher. Any thread. */
CUFRAMES_API int32_t cuframes_packet_publisher_get_info(cuframes_packet_publisher *publisher, cuframes_packet_publisher_info *info);

/* As cuframes_publisher_get_subscribers; lag, taken and missed count packets. Any thread. */
CUFRAMES_API int32_t cuframes_packet_publisher_get_subscribers(
    cuframes_packet_publisher *publisher, cuframes_subscriber_statistics *subscribers, size_t item_size, size_t capacity, size_t *count);

#ifdef __cplusplus
}
#endif

#endif
