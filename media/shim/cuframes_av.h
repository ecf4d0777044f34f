/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libcuframes_av: the narrow door between CuFrames.Media (C#) and the installed libav libraries.
 *
 * Why C: the layouts of AVFrame, AVPacket, AVCodecContext and AVFormatContext differ between FFmpeg versions. They are
 * read here, by a C compiler that has the installed headers, and nowhere else. C# sees opaque handles and the
 * fixed-layout structs below. FFmpeg 5.1, 6 and 7 compile.
 *
 * Conventions
 * - Every struct begins with `size`. The caller sets it to sizeof before the call; a smaller struct than the library
 *   knows is refused with CUFRAMES_AV_INVALID_ARGUMENT. A new field is appended, never inserted.
 * - Functions return CUFRAMES_AV_OK, one of the positive states, or a negative error. After an error
 *   cuframes_av_error_text has a sentence in English without any secret of the URL.
 * - A handle belongs to one thread at a time. Only cuframes_av_abort may be called from another thread at any time.
 * - Times are nanoseconds. Stamps are CLOCK_MONOTONIC unless named otherwise.
 */
#ifndef CUFRAMES_AV_H
#define CUFRAMES_AV_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CUFRAMES_AV_API __attribute__((visibility("default")))

/* Version of this interface. C# refuses a library with another one. */
#define CUFRAMES_AV_ABI 5

/* A time stamp that the source did not give. */
#define CUFRAMES_AV_NO_TIME INT64_MIN

enum cuframes_av_result {
    CUFRAMES_AV_OK = 0,
    CUFRAMES_AV_END = 1,               /* no more packets, or no more frames after draining */
    CUFRAMES_AV_AGAIN = 2,             /* receive: send a packet first; send: receive frames first */

    CUFRAMES_AV_INTERNAL = -1,
    CUFRAMES_AV_NO_MEMORY = -2,
    CUFRAMES_AV_INVALID_ARGUMENT = -3,
    CUFRAMES_AV_FILE_NOT_FOUND = -4,
    CUFRAMES_AV_ACCESS_DENIED = -5,     /* the file may not be read by this user */
    CUFRAMES_AV_NAME_NOT_RESOLVED = -6,
    CUFRAMES_AV_CONNECTION_REFUSED = -7,
    CUFRAMES_AV_UNREACHABLE = -8,
    CUFRAMES_AV_CONNECT_TIMEOUT = -9,   /* no answer within the open time-out */
    CUFRAMES_AV_NO_DATA = -10,          /* connected, but no picture data within the open time-out */
    CUFRAMES_AV_STALLED = -11,          /* data came, then none within the stall time-out */
    CUFRAMES_AV_UNAUTHORIZED = -12,     /* 401 */
    CUFRAMES_AV_FORBIDDEN = -13,        /* 403 */
    CUFRAMES_AV_REMOTE_NOT_FOUND = -14, /* 404 */
    CUFRAMES_AV_REMOTE_REFUSED = -15,   /* another 4xx or 5xx */
    CUFRAMES_AV_NO_VIDEO = -16,
    CUFRAMES_AV_UNSUPPORTED_CODEC = -17,
    CUFRAMES_AV_UNSUPPORTED_PROTOCOL = -18,
    CUFRAMES_AV_INVALID_DATA = -19,     /* open: not a media file; decode: this packet is damaged, go on */
    CUFRAMES_AV_ABORTED = -20,
    CUFRAMES_AV_IO = -21,               /* any other failure of the file or the connection */
    CUFRAMES_AV_UNSUPPORTED_FORMAT = -22, /* no way from the picture's pixel format to one that CuFrames carries */
    /* -23 and -24 are errors that only CuFrames.Media has. */
    CUFRAMES_AV_NVDEC_UNSUPPORTED = -25, /* this libavcodec, driver or GPU cannot decode this video by NVDEC */
    CUFRAMES_AV_NVDEC_BUSY = -26         /* NVDEC could, but device memory or decoder sessions have run out */
};

/* Pixel formats that CuFrames carries. The numbers are this interface's own; C# maps them. */
enum cuframes_av_format {
    CUFRAMES_AV_FORMAT_NONE = 0,
    CUFRAMES_AV_FORMAT_NV12 = 1,  /* Y; UV interleaved at half width and height */
    CUFRAMES_AV_FORMAT_I420 = 2,  /* Y; U; V at half width and height */
    CUFRAMES_AV_FORMAT_P010 = 3,  /* as NV12, 16 bit little-endian words, the 10 bits in the upper end */
    CUFRAMES_AV_FORMAT_GRAY8 = 4,
    CUFRAMES_AV_FORMAT_RGB24 = 5,
    CUFRAMES_AV_FORMAT_BGR24 = 6,
    CUFRAMES_AV_FORMAT_RGBA = 7,
    CUFRAMES_AV_FORMAT_BGRA = 8
};

enum cuframes_av_transport { CUFRAMES_AV_TCP = 0, CUFRAMES_AV_UDP = 1 };

enum cuframes_av_open_flags {
    CUFRAMES_AV_LOW_DELAY = 1, /* no frame threads; no reordering delay where the stream has no B pictures */
    CUFRAMES_AV_ALL_TRACKS = 2 /* sound and data are read too, not only the video that is decoded */
};

/* Tracks of a source; what it has beyond that is left out. Track 0 is the video that is decoded. */
#define CUFRAMES_AV_MAX_TRACKS 8

enum cuframes_av_source_track_kind { CUFRAMES_AV_SOURCE_VIDEO = 1, CUFRAMES_AV_SOURCE_AUDIO = 2, CUFRAMES_AV_SOURCE_DATA = 3 };

enum cuframes_av_decode_mode { CUFRAMES_AV_SOFTWARE = 0, CUFRAMES_AV_NVDEC = 1 };

typedef struct cuframes_av_options {
    uint32_t size;
    uint32_t transport;      /* enum cuframes_av_transport; RTSP only */
    int64_t open_timeout_ns; /* whole of cuframes_av_open; 0 = none */
    int64_t stall_timeout_ns; /* one cuframes_av_read_packet; 0 = none */
    int32_t decode_threads;  /* 0 = as many as there are cores */
    uint32_t flags;          /* enum cuframes_av_open_flags; unknown bits are refused */
} cuframes_av_options;

/*
 * How to decode. A context and a stream belong to the caller and outlive the handle, or the next decoder of the handle.
 * NVDEC's post-processing and the copies of a frame are ordered by the stream; give each handle one of its own.
 */
typedef struct cuframes_av_decoder {
    uint32_t size;
    uint32_t mode;           /* enum cuframes_av_decode_mode */
    void *cuda_context;      /* CUcontext; NVDEC needs one */
    void *cuda_stream;       /* CUstream; NVDEC needs one, the null stream is refused */
    uint32_t extra_surfaces; /* decoded pictures kept beyond the one that receive gives; 0 to 32 */
    uint32_t reserved;       /* 0 */
} cuframes_av_decoder;

typedef struct cuframes_av_stream_info {
    uint32_t size;
    uint32_t width;          /* as probed, after crop; a frame may differ */
    uint32_t height;
    uint32_t is_live;        /* 1: the source sets the pace (RTSP, RTP, UDP) and cannot be read faster */
    int32_t frame_rate_num;  /* 0/1 = unknown */
    int32_t frame_rate_den;
    int64_t duration_ns;     /* CUFRAMES_AV_NO_TIME = unknown */
    int64_t start_ns;        /* pts of the first picture as the container says; CUFRAMES_AV_NO_TIME = unknown */
    char container[32];
    char codec[32];
    char profile[64];
    char pixel_format[32];   /* libav's name */
} cuframes_av_stream_info;

/* What a decoder and a container need to know of a track, as libav's codec parameters have it. Zero: not known. */
typedef struct cuframes_av_source_track {
    uint32_t size;
    uint32_t kind;           /* enum cuframes_av_source_track_kind */
    int32_t time_base_num;   /* unit of the times of the track's packets, in seconds */
    int32_t time_base_den;
    uint32_t width;
    uint32_t height;
    int32_t frame_rate_num;
    int32_t frame_rate_den;
    int32_t sample_aspect_num;
    int32_t sample_aspect_den;
    uint32_t sample_rate;
    uint32_t channels;
    uint64_t channel_layout; /* bit mask of speakers as in WAVEFORMATEXTENSIBLE */
    uint32_t samples_per_packet;
    uint32_t bits_per_sample;
    uint32_t block_align;
    uint32_t initial_padding;
    uint32_t seek_preroll;
    uint32_t reorder_delay;
    uint8_t matrix;          /* colours as in cuframes_av_frame_info */
    uint8_t primaries;
    uint8_t transfer;
    uint8_t range;
    uint8_t chroma_location;
    uint8_t field_order;     /* 1 progressive, 2 top field first, 3 bottom field first */
    uint8_t rotation;        /* clockwise quarter turns to show it upright */
    uint8_t reserved;
    uint32_t extradata_bytes;
    uint32_t reserved2;
    const uint8_t *extradata; /* valid until the next read of a packet */
    char codec[32];
    char language[8];        /* ISO 639-2; empty: not known */
} cuframes_av_source_track;

enum cuframes_av_packet_flags {
    CUFRAMES_AV_PACKET_KEY = 1,
    CUFRAMES_AV_PACKET_CORRUPT = 2,       /* the container says so */
    CUFRAMES_AV_PACKET_DISPOSABLE = 4,    /* no other packet needs it to be decoded */
    CUFRAMES_AV_PACKET_NEW_PARAMETERS = 8 /* cuframes_av_get_track tells something else from this packet on */
};

typedef struct cuframes_av_packet_info {
    uint32_t size;
    uint32_t bytes;
    uint32_t track;
    uint32_t flags;          /* enum cuframes_av_packet_flags */
    int64_t pts;             /* units of the track's time base; CUFRAMES_AV_NO_TIME = unknown; dts likewise */
    int64_t dts;
    int64_t duration;        /* 0 = unknown */
    int64_t arrival_ns;
    int64_t capture_wall_ns; /* as in cuframes_av_frame_info */
    const uint8_t *data;     /* valid until the next read */
} cuframes_av_packet_info;

/* A packet of the video that was read before, kept by the caller. */
typedef struct cuframes_av_coded {
    uint32_t size;
    uint32_t bytes;
    uint32_t flags;          /* enum cuframes_av_packet_flags; only KEY and CORRUPT say something to a decoder */
    uint32_t reserved;
    int64_t pts;
    int64_t dts;
    int64_t duration;
    int64_t arrival_ns;
    uint64_t number;         /* as in cuframes_av_send_packet */
    const uint8_t *data;     /* 64 zero bytes follow; is copied */
} cuframes_av_coded;

enum cuframes_av_frame_flags {
    CUFRAMES_AV_FRAME_KEY = 1,
    CUFRAMES_AV_FRAME_CORRUPT = 2,          /* the decoder reported damage in or just before this picture */
    CUFRAMES_AV_FRAME_INTERLACED = 4,
    CUFRAMES_AV_FRAME_TOP_FIELD_FIRST = 8,
    CUFRAMES_AV_FRAME_CONVERTED = 16,       /* swscale changed the samples: source_format is not carried as it is */
    CUFRAMES_AV_FRAME_CUDA = 32             /* planes[] are device addresses in the decoder's context */
};

typedef struct cuframes_av_frame_info {
    uint32_t size;
    uint32_t format;         /* enum cuframes_av_format: what cuframes_av_frame_copy writes */
    uint32_t width;          /* after crop */
    uint32_t height;
    int64_t pts_ns;          /* CUFRAMES_AV_NO_TIME = unknown */
    int64_t duration_ns;     /* 0 = unknown */
    int64_t arrival_ns;      /* when the packet with this picture was read; 0 = unknown */
    int64_t capture_wall_ns; /* CLOCK_REALTIME by the camera's own clock (RTCP sender reports); 0 = unknown */
    uint64_t packet_number;  /* what the packet was sent with; 0 = unknown */
    uint32_t flags;          /* enum cuframes_av_frame_flags */
    uint32_t rotation;       /* degrees clockwise to show it upright: 0, 90, 180, 270 */
    uint8_t picture_type;    /* 'I', 'P', 'B', or 0 */
    uint8_t matrix;          /* H.273 MatrixCoefficients; 2 = unspecified */
    uint8_t primaries;       /* H.273 ColourPrimaries */
    uint8_t transfer;        /* H.273 TransferCharacteristics */
    uint8_t range;           /* 0 unspecified, 1 limited, 2 full */
    uint8_t chroma_location; /* H.273 chroma sample location type plus 1; 0 = unknown */
    uint8_t crop_shift_x;    /* log2 of the columns that a part of the picture, cut out in place, begins at a multiple of */
    uint8_t crop_shift_y;    /* the same for rows */
    /*
     * The decoded picture with crop applied, in source_format; valid until the next receive. With CUFRAMES_AV_FRAME_CUDA
     * these are device addresses, written by work on the decoder's stream: copy on that stream, and let the copy finish
     * before the next receive, open_decoder or free, any of which gives the surface back to NVDEC.
     */
    const uint8_t *planes[4];
    int32_t strides[4];      /* bytes */
    char source_format[32];  /* libav's name */
} cuframes_av_frame_info;

typedef struct cuframes_av_plane {
    uint8_t *data;
    size_t pitch;            /* bytes from row to row */
} cuframes_av_plane;

/* A picture in host memory. 64 bytes past the last row of each plane must be readable: swscale looks ahead. */
typedef struct cuframes_av_picture {
    uint32_t size;
    uint32_t format;         /* enum cuframes_av_format */
    uint32_t width;
    uint32_t height;
    uint32_t matrix;         /* H.273; 2 = unspecified */
    uint32_t range;          /* 0 unspecified, 1 limited, 2 full */
    cuframes_av_plane planes[3];
} cuframes_av_picture;

/* How samples are weighed. */
enum cuframes_av_filter {
    CUFRAMES_AV_FILTER_BICUBIC = 0,
    CUFRAMES_AV_FILTER_AREA = 1 /* the mean of what a sample of the result covers; bilinear where the result is larger */
};

/* What of a picture is shown where in the result. */
typedef struct cuframes_av_scaling {
    uint32_t size;
    uint32_t format;         /* of the result, enum cuframes_av_format */
    uint32_t width;          /* of the result, borders included; 1 to 16384 */
    uint32_t height;
    /* The part of the picture that is shown. x and y are multiples of what the crop shifts say. */
    uint32_t source_x, source_y, source_width, source_height;
    /* Where it is shown; everything else becomes black. Edges inside of the result are even where chroma is halved. */
    uint32_t target_x, target_y, target_width, target_height;
    uint32_t filter;         /* enum cuframes_av_filter */
} cuframes_av_scaling;

/* What one GPU's NVDEC does of one codec, depth and chroma format. Sizes are those of the coded picture. */
typedef struct cuframes_av_nvdec_caps {
    uint32_t size;
    uint32_t is_supported;
    uint32_t engines;        /* NVDEC units that decode it */
    uint32_t min_width;
    uint32_t min_height;
    uint32_t max_width;
    uint32_t max_height;
    uint32_t max_macroblocks; /* width x height / 256 */
} cuframes_av_nvdec_caps;

typedef struct cuframes_av_versions {
    uint32_t size;
    uint32_t abi;            /* CUFRAMES_AV_ABI the library was built with */
    uint32_t avformat_built, avformat_loaded; /* libav's version words: major<<16 | minor<<8 | micro */
    uint32_t avcodec_built, avcodec_loaded;
    uint32_t avutil_built, avutil_loaded;
    uint32_t swscale_built, swscale_loaded;
    char release[64];        /* FFmpeg's release as the loaded libavutil names it */
    char hwaccels[256];      /* device types built into libavutil, comma separated; not whether one is present */
} cuframes_av_versions;

typedef struct cuframes_av_source cuframes_av_source;

/* One swscale context and its result, kept from picture to picture and remade when sizes, formats or colours change. */
typedef struct cuframes_av_scaler cuframes_av_scaler;

CUFRAMES_AV_API int cuframes_av_get_versions(cuframes_av_versions *versions);

/* 1 if a software decoder with this libav name (h264, hevc, ...) is in the loaded libavcodec. */
CUFRAMES_AV_API int cuframes_av_has_decoder(const char *name);

/*
 * Codecs that the loaded libavcodec can decode by NVDEC, libav's names, comma separated. Says nothing of the GPU. Returns
 * the length without the terminator; 0: libavcodec was built without NVDEC.
 */
CUFRAMES_AV_API size_t cuframes_av_nvdec_codecs(char *text, size_t capacity);

/*
 * Asks the driver what the GPU of a context (CUcontext) decodes. `codec` is libav's name; `chroma` 0 to 3 stands for
 * 4:0:0, 4:2:0, 4:2:2, 4:4:4. CUFRAMES_AV_NVDEC_UNSUPPORTED: there is no answer, `error` says why (no libnvcuvid.so.1,
 * a codec that NVDEC does not know). An answer of "no" is CUFRAMES_AV_OK with is_supported 0.
 */
CUFRAMES_AV_API int cuframes_av_get_nvdec_caps(void *cuda_context, const char *codec, uint32_t bit_depth,
                                               uint32_t chroma, cuframes_av_nvdec_caps *caps, char *error,
                                               size_t error_capacity);

/* NULL only when memory is out. */
CUFRAMES_AV_API cuframes_av_source *cuframes_av_create(void);
CUFRAMES_AV_API void cuframes_av_free(cuframes_av_source *source);

/*
 * Connects and probes. One open per handle. `secrets`: texts that must never appear in any text
 * of this handle, one per line, may be NULL. Texts shorter than three bytes are not searched for; userinfo and query
 * of every URL in a text are always blanked.
 */
CUFRAMES_AV_API int cuframes_av_open(cuframes_av_source *source, const char *url, const char *secrets,
                                     const cuframes_av_options *options);

/*
 * Prepares the decoder; after open, and again to go on with another one: frames that the old one still held are lost, and
 * the packet that was read last may be sent to the new one. CUFRAMES_AV_NVDEC_UNSUPPORTED and CUFRAMES_AV_NVDEC_BUSY come
 * from here or, because much of a stream's properties stands in its packets, from send or receive: nothing is ever decoded
 * in software by a handle that was told to use NVDEC.
 */
CUFRAMES_AV_API int cuframes_av_open_decoder(cuframes_av_source *source, const cuframes_av_decoder *decoder);

/*
 * Gives back the decoder, its current frame, and with NVDEC all use of the context and the stream. Reading packets and
 * decoding go on after the next open_decoder. Done by free too; but free may be late where another thread holds the handle.
 */
CUFRAMES_AV_API void cuframes_av_close_decoder(cuframes_av_source *source);

/* Makes every present and later open or read of this handle return CUFRAMES_AV_ABORTED soon. Any thread. */
CUFRAMES_AV_API void cuframes_av_abort(cuframes_av_source *source);

CUFRAMES_AV_API int cuframes_av_get_stream_info(cuframes_av_source *source, cuframes_av_stream_info *info);

/* Parameters of a track, as they are since the packet that was read last. CUFRAMES_AV_END: there is no such track. */
CUFRAMES_AV_API int cuframes_av_get_track(cuframes_av_source *source, uint32_t track, cuframes_av_source_track *info);

/*
 * Reads the next packet, of whatever track, into the handle; needs no decoder. CUFRAMES_AV_END at the end of the source. The
 * stall time-out is that of the video: packets of other tracks do not make it begin anew.
 */
CUFRAMES_AV_API int cuframes_av_read_packet(cuframes_av_source *source, cuframes_av_packet_info *info);

/*
 * Gives the packet that was read, which must be of track 0, to the decoder. Frames that are decoded from it have `number`.
 * CUFRAMES_AV_AGAIN: receive frames, then send again.
 * CUFRAMES_AV_INVALID_DATA: the packet is damaged and dropped; the next one may be fine.
 */
CUFRAMES_AV_API int cuframes_av_send_packet(cuframes_av_source *source, uint64_t number);

/* The same for a packet that was read earlier. */
CUFRAMES_AV_API int cuframes_av_send_coded(cuframes_av_source *source, const cuframes_av_coded *coded);

/* Makes the decoder forget all packets: the next one is as the first, and may follow an end. */
CUFRAMES_AV_API int cuframes_av_flush(cuframes_av_source *source);

/* Tells the decoder that no packet follows; receive until CUFRAMES_AV_END. */
CUFRAMES_AV_API int cuframes_av_send_end(cuframes_av_source *source);

/* Next decoded frame, kept by the handle until the next receive. A frame of NVDEC is in device memory. */
CUFRAMES_AV_API int cuframes_av_receive_frame(cuframes_av_source *source, cuframes_av_frame_info *info);

/* Error messages of the decoder since open. Any damage that libav only tells by its log is in here. */
CUFRAMES_AV_API uint64_t cuframes_av_decoder_messages(cuframes_av_source *source);

/*
 * Writes the received frame, cropped, in the format that its info names. `planes` has as many entries as the format has
 * planes. Exactly width x height samples are written; bytes between the row's end and the pitch are left alone. A frame in
 * device memory is refused: the caller copies it by CUDA from the addresses in its info.
 */
CUFRAMES_AV_API int cuframes_av_frame_copy(cuframes_av_source *source, const cuframes_av_plane *planes,
                                           uint32_t plane_count);

/* NULL only when memory is out. A scaler belongs to one thread at a time. */
CUFRAMES_AV_API cuframes_av_scaler *cuframes_av_scaler_create(void);
CUFRAMES_AV_API void cuframes_av_scaler_free(cuframes_av_scaler *scaler);

/*
 * Scales and converts the received frame from the decoder's own samples: bicubic, rounded accurately, chroma interpolated
 * over its whole width and height, the same bits on every machine. Matrix and range of the frame hold between YUV and RGB;
 * an unspecified matrix is BT.709 from 720 rows up and BT.601 below. Between YUV formats both stay. RGB becomes limited
 * range YUV with the matrix that its result's rows stand for, or full range grey. `planes` as in frame_copy. A frame in
 * device memory is refused.
 */
CUFRAMES_AV_API int cuframes_av_frame_scale(cuframes_av_source *source, cuframes_av_scaler *scaler,
                                            const cuframes_av_scaling *scaling, const cuframes_av_plane *planes,
                                            uint32_t plane_count);

/* The same for any picture. */
CUFRAMES_AV_API int cuframes_av_picture_scale(cuframes_av_scaler *scaler, const cuframes_av_picture *picture,
                                              const cuframes_av_scaling *scaling, const cuframes_av_plane *planes,
                                              uint32_t plane_count, char *error, size_t error_capacity);

/* Sentence about the last error of this handle; empty if none. Returns the length without the terminator. */
CUFRAMES_AV_API size_t cuframes_av_error_text(cuframes_av_source *source, char *text, size_t capacity);

/* Takes what libav logged for this handle (warnings and errors, one per line). Returns its length. */
CUFRAMES_AV_API size_t cuframes_av_take_log(cuframes_av_source *source, char *text, size_t capacity);

/*
 * Converts a host picture to RGB24. `matrix` (H.273) and `range` (0 = limited, as video has it) matter for YUV. A matrix
 * that swscale does not know, or 2, is taken as BT.709 from 720 rows up and as BT.601 below.
 */
CUFRAMES_AV_API int cuframes_av_to_rgb24(uint32_t format, uint32_t width, uint32_t height,
                                         const cuframes_av_plane *planes, uint32_t plane_count, uint32_t matrix,
                                         uint32_t range, uint8_t *rgb, size_t rgb_pitch, char *error,
                                         size_t error_capacity);

/* Encodes an RGB24 picture as PNG. The result is freed with cuframes_av_buffer_free. */
CUFRAMES_AV_API int cuframes_av_encode_png(const uint8_t *rgb, size_t pitch, uint32_t width, uint32_t height,
                                           uint8_t **png, size_t *png_size, char *error, size_t error_capacity);
CUFRAMES_AV_API void cuframes_av_buffer_free(uint8_t *buffer);

/* NULL only when memory is out. An encoder belongs to one thread at a time. */
typedef struct cuframes_av_jpeg_encoder cuframes_av_jpeg_encoder;
CUFRAMES_AV_API cuframes_av_jpeg_encoder *cuframes_av_jpeg_encoder_create(void);
CUFRAMES_AV_API void cuframes_av_jpeg_encoder_free(cuframes_av_jpeg_encoder *encoder);

/*
 * Encodes a picture as JFIF file: BT.601, full range, 4:2:0, whatever matrix and range the picture has. The result belongs to
 * the encoder and is good until the next call.
 */
CUFRAMES_AV_API int cuframes_av_encode_jpeg(cuframes_av_jpeg_encoder *encoder, const cuframes_av_picture *picture,
                                            const uint8_t **jpeg, size_t *jpeg_size, char *error,
                                            size_t error_capacity);

/* Blanks userinfo and query of every URL in `text`, and every secret (see cuframes_av_open). For tests and callers. */
CUFRAMES_AV_API size_t cuframes_av_redact(const char *text, const char *secrets, char *result, size_t capacity);

#ifdef __cplusplus
}
#endif

#endif
