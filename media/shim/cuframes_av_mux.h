/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The muxer of libcuframes_av: packets of tracks become MP4, Matroska or MPEG-TS, byte for byte as they are, without
 * encoding. Conventions and results are those of cuframes_av.h.
 *
 * The library opens no file. What libav writes is kept until the caller takes it, with the place that it belongs to, and
 * the caller writes it where it likes: no foreign code runs inside of libav.
 */
#ifndef CUFRAMES_AV_MUX_H
#define CUFRAMES_AV_MUX_H

#include "cuframes_av.h"

#ifdef __cplusplus
extern "C" {
#endif

enum cuframes_av_container {
    CUFRAMES_AV_MP4 = 1,      /* fragmented: playable as far as it is written */
    CUFRAMES_AV_MATROSKA = 2,
    CUFRAMES_AV_MPEGTS = 3
};

enum cuframes_av_track_kind { CUFRAMES_AV_TRACK_VIDEO = 1, CUFRAMES_AV_TRACK_AUDIO = 2, CUFRAMES_AV_TRACK_DATA = 3 };

enum cuframes_av_mux_flags {
    CUFRAMES_AV_MUX_SEEKABLE = 1,      /* output may be written at places that were written before */
    CUFRAMES_AV_MUX_DISCONTINUITY = 2  /* MPEG-TS: what is written continues another stream, counters begin anew */
};

enum cuframes_av_mux_packet_flags {
    CUFRAMES_AV_MUX_KEY = 1,
    CUFRAMES_AV_MUX_CORRUPT = 2,
    CUFRAMES_AV_MUX_DISPOSABLE = 4
};

/* What a container needs to know of a track; zero and empty: not known. Colours are those of H.273, as in frame_info. */
typedef struct cuframes_av_track {
    uint32_t size;
    uint32_t kind;                 /* enum cuframes_av_track_kind */
    char codec[40];                /* libavcodec's name */
    char language[16];             /* ISO 639-2 */
    int32_t time_base_num;         /* unit of this track's times in seconds; both at least 1 */
    int32_t time_base_den;
    int32_t width;
    int32_t height;
    int32_t frame_rate_num;
    int32_t frame_rate_den;
    int32_t sample_aspect_num;
    int32_t sample_aspect_den;
    int32_t sample_rate;
    int32_t channels;
    uint64_t channel_layout;
    int32_t samples_per_packet;
    int32_t bits_per_sample;
    int32_t block_align;
    int32_t initial_padding;
    int32_t seek_preroll;
    int32_t reorder_delay;
    uint8_t matrix;
    uint8_t range;                 /* 0 unspecified, 1 limited, 2 full */
    uint8_t primaries;
    uint8_t transfer;
    uint8_t chroma_location;       /* type plus 1 */
    uint8_t field_order;           /* 0 unknown, 1 progressive, 2 top field first, 3 bottom field first */
    uint8_t rotation;              /* clockwise quarter turns */
    uint8_t reserved;              /* 0 */
    uint32_t extradata_size;       /* at most 1 MiB */
    const uint8_t *extradata;      /* copied */
} cuframes_av_track;

typedef struct cuframes_av_mux_options {
    uint32_t size;
    uint32_t container;      /* enum cuframes_av_container */
    uint32_t flags;          /* enum cuframes_av_mux_flags; unknown bits are refused */
    uint32_t reserved;       /* 0 */
    int64_t shift_us;        /* with CUFRAMES_AV_MUX_DISCONTINUITY: taken off all times, as the muxer before did; else 0 */
} cuframes_av_mux_options;

/* Times are in units of the track's time base, relative to the beginning of the output, and known. */
typedef struct cuframes_av_mux_packet {
    uint32_t size;
    uint32_t track;
    int64_t pts;             /* not below dts */
    int64_t dts;
    int64_t duration;        /* 0 = unknown */
    uint32_t flags;          /* enum cuframes_av_mux_packet_flags */
    uint32_t reserved;       /* 0 */
} cuframes_av_mux_packet;

typedef struct cuframes_av_mux_counts {
    uint32_t size;
    uint32_t is_started;     /* the container's header is written */
    uint64_t written;        /* packets that are in the output */
    uint64_t refused;        /* packets that were damaged, and are not in it */
    uint64_t held;           /* packets that wait for the header */
    int64_t shift_us;        /* what is taken off all times; known when started */
} cuframes_av_mux_counts;

typedef struct cuframes_av_muxer cuframes_av_muxer;

/*
 * 1 if the installed libavformat puts a codec (libavcodec's name) into a container so that readers know it again. 0 for
 * MPEG-TS also where it could be written as private data, which no reader understands.
 */
CUFRAMES_AV_API int cuframes_av_mux_can_carry(uint32_t container, const char *codec);

/* NULL only when memory is out. A muxer belongs to one thread at a time. */
CUFRAMES_AV_API cuframes_av_muxer *cuframes_av_mux_create(void);
CUFRAMES_AV_API void cuframes_av_mux_free(cuframes_av_muxer *muxer);

/*
 * Chooses container and tracks, 1 to 8; once. CUFRAMES_AV_UNSUPPORTED_CODEC: the container cannot carry a track,
 * `failed_track` says which.
 */
CUFRAMES_AV_API int cuframes_av_mux_open(cuframes_av_muxer *muxer, const cuframes_av_mux_options *options,
                                         const cuframes_av_track *tracks, uint32_t count, uint32_t *failed_track);

/* Room for the bytes of the next packet, until it is written. NULL: memory is out, or the size is not 1 to 2^30. */
CUFRAMES_AV_API uint8_t *cuframes_av_mux_packet_buffer(cuframes_av_muxer *muxer, size_t bytes);

/*
 * Muxes the packet whose bytes are in the buffer. The first packets are held back until each track has one, at most for
 * one second of their times: then the earliest of them is time zero, missing parameters have been found in the packets,
 * and the header is written. CUFRAMES_AV_INVALID_DATA: a packet is damaged and left out, the next may be fine. Any
 * other error is for good.
 */
CUFRAMES_AV_API int cuframes_av_mux_write(cuframes_av_muxer *muxer, const cuframes_av_mux_packet *packet);

/* Brings everything into the output that the container would collect for longer. Packets that are held back stay so. */
CUFRAMES_AV_API int cuframes_av_mux_flush(cuframes_av_muxer *muxer);

/* Writes what is held back and the trailer. Nothing can be written afterwards. */
CUFRAMES_AV_API int cuframes_av_mux_finish(cuframes_av_muxer *muxer);

/*
 * Takes a piece of the output: `data` is valid until the next call with this muxer and belongs at byte `position` of the
 * output. Returns 1, or 0 when there is none. Take all after each write, flush and finish, in this order.
 */
CUFRAMES_AV_API int cuframes_av_mux_take_output(cuframes_av_muxer *muxer, int64_t *position, const uint8_t **data,
                                                size_t *bytes);

CUFRAMES_AV_API int cuframes_av_mux_get_counts(cuframes_av_muxer *muxer, cuframes_av_mux_counts *counts);

/* As cuframes_av_error_text. */
CUFRAMES_AV_API size_t cuframes_av_mux_error_text(cuframes_av_muxer *muxer, char *text, size_t capacity);

#ifdef __cplusplus
}
#endif

#endif
