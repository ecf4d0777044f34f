/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See cuframes_av.h for the contract. */
#define _GNU_SOURCE
#include "cuframes_av.h"
#include "cuframes_av_internal.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <libavcodec/avcodec.h>
#include <libavcodec/bsf.h>
#include <libavformat/avformat.h>
#include <libavutil/avutil.h>
#include <libavutil/display.h>
#include <libavutil/hwcontext.h>
/*
 * libavutil's header includes NVIDIA's cuda.h unless that was included before, and needs two names of it. They are pointers
 * to structs that only the driver knows, so no CUDA toolkit is needed to build.
 */
#define CUDA_VERSION 0
typedef struct CUctx_st *CUcontext;
typedef struct CUstream_st *CUstream;
#include <libavutil/hwcontext_cuda.h>
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libavutil/time.h>
#include <libswscale/swscale.h>

#if LIBAVCODEC_VERSION_INT < AV_VERSION_INT(59, 37, 100)
#error "CuFrames needs FFmpeg 5.1 or newer"
#endif
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "P010 and the RGB orders are written for little-endian hosts");

/* FFmpeg 6.1 moved key, interlaced and field order into AVFrame.flags. */
#define HAVE_FRAME_FLAGS (LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(58, 7, 100))
/* FFmpeg 6.0 replaced AVFrame.pkt_duration by AVFrame.duration. */
#define HAVE_FRAME_DURATION (LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(57, 30, 100))
/* FFmpeg 6.1 moved a stream's side data into its codec parameters. */
#define HAVE_CODED_SIDE_DATA                                                                                           \
    (LIBAVFORMAT_VERSION_INT >= AV_VERSION_INT(60, 15, 100) && LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(60, 30, 101))
/* FFmpeg 7.0 replaced FF_PROFILE_UNKNOWN by AV_PROFILE_UNKNOWN (both are -99). */
#define PROFILE_UNKNOWN (-99)

#define NVDEC_MAX_EXTRA_SURFACES 32

/* cuvidCreateDecoder refuses more (CUDA_ERROR_INVALID_VALUE on driver 580). */
#define NVDEC_MAX_SURFACES 32

#define MAX_SECRETS 32
#define ERROR_CAPACITY 1024
#define LOG_CAPACITY 8192
#define LINE_CAPACITY 1024
/* Packets in flight between demuxer and decoder output: reorder depth (16) plus frame threads (64 at most), rounded up. */
#define ARRIVALS 128

enum stage { STAGE_CONNECT, STAGE_PROBE, STAGE_READ };

struct arrival {
    int64_t pts, dts;
    int64_t stamp_ns;
    uint64_t number;
};

/* A stream whose packets are given to the caller. */
struct track {
    AVStream *stream;
    AVBSFContext *extractor; /* finds parameter sets in key pictures; NULL: not needed, or not yet */
    uint8_t *extradata;      /* replaces that of the stream since it changed; padded; NULL: it has not */
    size_t extradata_size;
    int width, height;       /* of the changed parameters */
    bool has_wall_offset;
    int64_t wall_offset_ns;  /* CLOCK_REALTIME of the camera minus pts */
};

struct secrets {
    char *storage;
    const char *items[MAX_SECRETS];
    size_t count;
};

struct cuframes_av_source {
    AVFormatContext *format;
    AVCodecContext *decoder;
    AVStream *stream;
    AVPacket *packet;
    AVPacket *coded;         /* names a caller's bytes while they are sent */
    AVPacket *extract;       /* what goes through an extractor */
    AVFrame *frame;
    AVFrame *converted;
    struct track tracks[CUFRAMES_AV_MAX_TRACKS];
    unsigned track_count;
    struct track *packet_track; /* of `packet`; NULL: none was read */
    int64_t packet_arrival_ns;
    bool keeps_deadline; /* the last packet was none of the video, and the caller came back at once */
    struct SwsContext *sws;

    cuframes_av_options options;
    cuframes_av_decoder mode;
    AVBufferRef *device; /* NVDEC only */
    struct secrets secrets;
    enum stage stage;
    bool is_live;
    bool end_sent;
    uint64_t packets;    /* sent to a decoder */
    uint64_t messages_at_last_frame;
    uint64_t messages_at_call;
    enum cuframes_av_format frame_format;
    int nvdec_result;    /* why select_format chose nothing: the result of the call that it happened in */
    struct arrival arrivals[ARRIVALS];

    /* Written by the owner before a blocking call, read by libav's interrupt callback on the same thread. */
    int64_t deadline_ns;
    bool timed_out;

    /* Written by any thread, read by the interrupt callback. Relaxed: it guards no other data. */
    atomic_bool abort;
    /* Written by libav's decoder threads (log callback), read by the owner. Relaxed: counters. */
    _Atomic uint64_t decoder_messages;
    atomic_bool resolve_failed;

    char error[ERROR_CAPACITY];

    /* Guards the log fields: frame threads of the decoder log too. */
    pthread_mutex_t log_lock;
    char log[LOG_CAPACITY];
    size_t log_length;
    char line[LINE_CAPACITY];
    size_t line_length;
    char last_line[LINE_CAPACITY];
    bool is_setting_up;             /* libavcodec makes an NVDEC decoder */
    bool is_out_of_device_memory;   /* a line of this call says so */
    char setup_line[LINE_CAPACITY]; /* the first line of that: the cause, the rest are its echo */
};

/* The handle whose function runs on this thread: messages of libav objects that carry no handle belong to it. */
static _Thread_local cuframes_av_source *current_source;

/* ---- small helpers ------------------------------------------------------------------------------------------- */

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t to_ns(int64_t value, AVRational base)
{
    if (value == AV_NOPTS_VALUE)
        return CUFRAMES_AV_NO_TIME;
    return av_rescale_q(value, base, (AVRational){ 1, 1000000000 });
}

static void copy_text(char *target, size_t capacity, const char *text)
{
    if (capacity == 0)
        return;
    size_t length = text ? strlen(text) : 0;
    if (length >= capacity)
        length = capacity - 1;
    if (length)
        memcpy(target, text, length);
    target[length] = 0;
}

/* ---- redaction ------------------------------------------------------------------------------------------------ */

static void secrets_free(struct secrets *secrets)
{
    if (secrets->storage) {
        explicit_bzero(secrets->storage, strlen(secrets->storage));
        free(secrets->storage);
    }
    memset(secrets, 0, sizeof *secrets);
}

static bool secrets_parse(struct secrets *secrets, const char *text)
{
    memset(secrets, 0, sizeof *secrets);
    if (!text || !*text)
        return true;
    secrets->storage = strdup(text);
    if (!secrets->storage)
        return false;
    char *rest = secrets->storage, *item;
    while ((item = strsep(&rest, "\n")) != NULL) {
        if (strlen(item) < 3)
            continue;
        if (secrets->count == MAX_SECRETS)
            break;
        secrets->items[secrets->count++] = item;
    }
    return true;
}

static bool ends_url(char c)
{
    return c == 0 || c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\'' || c == '"' || c == '<' || c == '>';
}

static void put(char *result, size_t capacity, size_t *length, const char *text, size_t count)
{
    if (*length + 1 >= capacity)
        return;
    size_t room = capacity - 1 - *length;
    if (count > room)
        count = room;
    memcpy(result + *length, text, count);
    *length += count;
}

static size_t secret_at(const struct secrets *secrets, const char *text)
{
    size_t longest = 0;
    for (size_t i = 0; i < secrets->count; i++) {
        size_t length = strlen(secrets->items[i]);
        if (length > longest && strncmp(text, secrets->items[i], length) == 0)
            longest = length;
    }
    return longest;
}

/*
 * Two nets, because each has holes of its own: literal secrets also catch a password that libav prints outside of a URL;
 * the shape of a URL also catches secrets nobody told us of (a signed segment URL in a playlist, a redirect).
 */
static size_t redact(const struct secrets *secrets, const char *text, char *result, size_t capacity)
{
    size_t length = 0;
    if (capacity == 0)
        return 0;
    while (*text) {
        size_t secret = secret_at(secrets, text);
        if (secret) {
            put(result, capacity, &length, "***", 3);
            text += secret;
            continue;
        }
        if (strncmp(text, "://", 3) != 0) {
            put(result, capacity, &length, text++, 1);
            continue;
        }
        put(result, capacity, &length, text, 3);
        text += 3;
        /* The authority ends at the first of / ? #, and its last @ ends the userinfo: as av_url_split has it. */
        const char *end = text, *at = NULL;
        while (!ends_url(*end) && *end != '/' && *end != '?' && *end != '#') {
            if (*end == '@')
                at = end;
            end++;
        }
        if (at) {
            put(result, capacity, &length, "***@", 4);
            text = at + 1;
        }
        while (!ends_url(*text) && *text != '?') {
            secret = secret_at(secrets, text);
            if (secret) {
                put(result, capacity, &length, "***", 3);
                text += secret;
            } else {
                put(result, capacity, &length, text++, 1);
            }
        }
        if (*text == '?') {
            put(result, capacity, &length, "?***", 4);
            while (!ends_url(*text))
                text++;
        }
    }
    result[length] = 0;
    return length;
}

size_t cuframes_av_redact(const char *text, const char *secrets, char *result, size_t capacity)
{
    struct secrets parsed;
    if (!text || !result || !secrets_parse(&parsed, secrets))
        return 0;
    size_t length = redact(&parsed, text, result, capacity);
    secrets_free(&parsed);
    return length;
}

/* ---- log ------------------------------------------------------------------------------------------------------ */

static enum AVPixelFormat select_format(AVCodecContext *context, const enum AVPixelFormat *formats);

static cuframes_av_source *owner_of(void *object, bool *from_decoder)
{
    *from_decoder = false;
    if (object) {
        const AVClass *class = *(AVClass **)object;
        if (class && class->class_name && strcmp(class->class_name, "AVCodecContext") == 0) {
            AVCodecContext *context = object;
            /* Frame threads work on copies of our context; select_format marks them as ours, opaque names the handle. */
            if (context->get_format == select_format && context->opaque) {
                *from_decoder = true;
                return context->opaque;
            }
        }
    }
    return current_source;
}

static void append_line(cuframes_av_source *source)
{
    char clean[LINE_CAPACITY];
    size_t length;

    source->line[source->line_length] = 0;
    length = redact(&source->secrets, source->line, clean, sizeof clean - 1);
    source->line_length = 0;
    if (length == 0)
        return;
    memcpy(source->last_line, clean, length + 1);
    if (source->is_setting_up && !source->setup_line[0])
        memcpy(source->setup_line, clean, length + 1);
    /* libav turns every code of the driver into AVERROR_EXTERNAL; the driver's name of it is in the log alone. */
    if (strstr(clean, "CUDA_ERROR_OUT_OF_MEMORY"))
        source->is_out_of_device_memory = true;
    clean[length++] = '\n';
    /* A full buffer keeps its beginning: the first message tells the cause, the rest are its echo. */
    if (source->log_length + length < sizeof source->log) {
        memcpy(source->log + source->log_length, clean, length);
        source->log_length += length;
        source->log[source->log_length] = 0;
    }
}

_Thread_local struct cuframes_av_lines *cuframes_av_thread_lines;

/* Messages of a muxer: no URL is in them, and no other thread writes them. */
static void append_to_thread(const char *format, va_list arguments)
{
    struct cuframes_av_lines *lines = cuframes_av_thread_lines;
    char text[CUFRAMES_AV_LINE_CAPACITY];
    if (vsnprintf(text, sizeof text, format, arguments) < 0)
        return;
    for (const char *c = text; *c; c++) {
        if (*c != '\n') {
            if (lines->length + 1 < sizeof lines->line)
                lines->line[lines->length++] = *c >= 0 && *c < ' ' ? ' ' : *c;
        } else if (lines->length) {
            memcpy(lines->last, lines->line, lines->length);
            lines->last[lines->length] = 0;
            lines->length = 0;
        }
    }
}

static void on_log(void *object, int level, const char *format, va_list arguments)
{
    bool from_decoder;
    cuframes_av_source *source;
    char text[LINE_CAPACITY];

    if (level >= 0)
        level &= 0xff;
    if (level > AV_LOG_WARNING)
        return;
    source = owner_of(object, &from_decoder);
    /* Threads inside libavformat have no handle. Their messages are dropped: printed, they could tell a secret. */
    if (!source) {
        if (cuframes_av_thread_lines)
            append_to_thread(format, arguments);
        return;
    }
    if (from_decoder && level <= AV_LOG_ERROR)
        atomic_fetch_add_explicit(&source->decoder_messages, 1, memory_order_relaxed);
    if (strstr(format, "resolve hostname"))
        atomic_store_explicit(&source->resolve_failed, true, memory_order_relaxed);

    int written = vsnprintf(text, sizeof text, format, arguments);
    if (written < 0)
        return;
    if ((size_t)written >= sizeof text) {
        /* A cut could leave half a secret that no search would find. Fall back to the last whole word. */
        char *blank = strrchr(text, ' ');
        if (blank) {
            blank[0] = '\n';
            blank[1] = 0;
        } else {
            text[0] = 0;
        }
    }
    pthread_mutex_lock(&source->log_lock);
    for (const char *c = text; *c; c++) {
        if (*c == '\n') {
            append_line(source);
        } else if (source->line_length + 1 < sizeof source->line) {
            source->line[source->line_length++] = *c >= 0 && *c < ' ' ? ' ' : *c;
        } else {
            /* As above: an overlong line loses its end up to the last blank. */
            while (source->line_length && source->line[source->line_length - 1] != ' ')
                source->line_length--;
            append_line(source);
        }
    }
    pthread_mutex_unlock(&source->log_lock);
}

static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static void library_start(void)
{
    av_log_set_level(AV_LOG_WARNING);
    av_log_set_callback(on_log);
    avformat_network_init();
}

void cuframes_av_start(void)
{
    pthread_once(&library_once, library_start);
}

__attribute__((format(printf, 3, 4))) static int fail(cuframes_av_source *source, int result, const char *format, ...)
{
    char text[ERROR_CAPACITY];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    redact(&source->secrets, text, source->error, sizeof source->error);
    return result;
}

/* av_err2str is a compound literal in a macro; this one also works where a name is wanted. */
static const char *error_name(int error, char *buffer)
{
    return av_make_error_string(buffer, AV_ERROR_MAX_STRING_SIZE, error);
}

static int classify(cuframes_av_source *source, int error)
{
    if (atomic_load_explicit(&source->abort, memory_order_relaxed))
        return CUFRAMES_AV_ABORTED;
    if (source->timed_out || error == AVERROR(ETIMEDOUT)) {
        return source->stage == STAGE_CONNECT ? CUFRAMES_AV_CONNECT_TIMEOUT
            : source->stage == STAGE_PROBE ? CUFRAMES_AV_NO_DATA : CUFRAMES_AV_STALLED;
    }
    if (atomic_load_explicit(&source->resolve_failed, memory_order_relaxed))
        return CUFRAMES_AV_NAME_NOT_RESOLVED;
    switch (error) {
    case AVERROR(ENOMEM): return CUFRAMES_AV_NO_MEMORY;
    case AVERROR(ENOENT): return CUFRAMES_AV_FILE_NOT_FOUND;
    case AVERROR(EACCES):
    case AVERROR(EPERM): return CUFRAMES_AV_ACCESS_DENIED;
    case AVERROR(ECONNREFUSED): return CUFRAMES_AV_CONNECTION_REFUSED;
    case AVERROR(EHOSTUNREACH):
    case AVERROR(ENETUNREACH): return CUFRAMES_AV_UNREACHABLE;
    case AVERROR_HTTP_UNAUTHORIZED: return CUFRAMES_AV_UNAUTHORIZED;
    case AVERROR_HTTP_FORBIDDEN: return CUFRAMES_AV_FORBIDDEN;
    case AVERROR_HTTP_NOT_FOUND: return CUFRAMES_AV_REMOTE_NOT_FOUND;
    case AVERROR_HTTP_BAD_REQUEST:
    case AVERROR_HTTP_OTHER_4XX:
    case AVERROR_HTTP_SERVER_ERROR: return CUFRAMES_AV_REMOTE_REFUSED;
    case AVERROR_PROTOCOL_NOT_FOUND: return CUFRAMES_AV_UNSUPPORTED_PROTOCOL;
    case AVERROR_INVALIDDATA: return CUFRAMES_AV_INVALID_DATA;
    case AVERROR_DECODER_NOT_FOUND: return CUFRAMES_AV_UNSUPPORTED_CODEC;
    case AVERROR_STREAM_NOT_FOUND: return CUFRAMES_AV_NO_VIDEO;
    default: return CUFRAMES_AV_IO;
    }
}

static int fail_av(cuframes_av_source *source, int error)
{
    char name[AV_ERROR_MAX_STRING_SIZE], last[LINE_CAPACITY];
    int result = classify(source, error);

    pthread_mutex_lock(&source->log_lock);
    if (source->line_length)
        append_line(source);
    copy_text(last, sizeof last, source->last_line);
    pthread_mutex_unlock(&source->log_lock);
    size_t length = strlen(last);
    while (length && (last[length - 1] == ' ' || last[length - 1] == '.'))
        last[--length] = 0;
    const char *cause = error_name(error, name);
    if (length == 0 || strcmp(last, cause) == 0)
        return fail(source, result, "%s", cause);
    return fail(source, result, "%s; %s", cause, last);
}

static int on_interrupt(void *opaque)
{
    cuframes_av_source *source = opaque;
    if (atomic_load_explicit(&source->abort, memory_order_relaxed))
        return 1;
    if (source->deadline_ns && now_ns() > source->deadline_ns) {
        source->timed_out = true;
        return 1;
    }
    return 0;
}

static void set_deadline(cuframes_av_source *source, int64_t span_ns)
{
    source->timed_out = false;
    source->deadline_ns = span_ns > 0 ? now_ns() + span_ns : 0;
}

/* ---- formats -------------------------------------------------------------------------------------------------- */

static enum AVPixelFormat carrier_of(enum cuframes_av_format format)
{
    switch (format) {
    case CUFRAMES_AV_FORMAT_NV12: return AV_PIX_FMT_NV12;
    case CUFRAMES_AV_FORMAT_I420: return AV_PIX_FMT_YUV420P;
    case CUFRAMES_AV_FORMAT_P010: return AV_PIX_FMT_P010LE;
    case CUFRAMES_AV_FORMAT_GRAY8: return AV_PIX_FMT_GRAY8;
    case CUFRAMES_AV_FORMAT_RGB24: return AV_PIX_FMT_RGB24;
    case CUFRAMES_AV_FORMAT_BGR24: return AV_PIX_FMT_BGR24;
    case CUFRAMES_AV_FORMAT_RGBA: return AV_PIX_FMT_RGBA;
    case CUFRAMES_AV_FORMAT_BGRA: return AV_PIX_FMT_BGRA;
    default: return AV_PIX_FMT_NONE;
    }
}

static unsigned planes_of(enum cuframes_av_format format)
{
    switch (format) {
    case CUFRAMES_AV_FORMAT_NV12:
    case CUFRAMES_AV_FORMAT_P010: return 2;
    case CUFRAMES_AV_FORMAT_I420: return 3;
    case CUFRAMES_AV_FORMAT_NONE: return 0;
    default: return 1;
    }
}

/* Bytes of one row and number of rows of a plane. Chroma of odd sizes is rounded up, as libav has it. */
static void plane_shape(enum cuframes_av_format format, unsigned plane, size_t width, size_t height, size_t *row_bytes,
                        size_t *rows)
{
    size_t half_width = (width + 1) / 2;
    *rows = plane == 0 ? height : (height + 1) / 2;
    switch (format) {
    case CUFRAMES_AV_FORMAT_NV12: *row_bytes = plane == 0 ? width : 2 * half_width; break;
    case CUFRAMES_AV_FORMAT_P010: *row_bytes = plane == 0 ? 2 * width : 4 * half_width; break;
    case CUFRAMES_AV_FORMAT_I420: *row_bytes = plane == 0 ? width : half_width; break;
    case CUFRAMES_AV_FORMAT_GRAY8: *row_bytes = width; break;
    case CUFRAMES_AV_FORMAT_RGB24:
    case CUFRAMES_AV_FORMAT_BGR24: *row_bytes = 3 * width; break;
    default: *row_bytes = 4 * width; break;
    }
}

/* What a decoded picture becomes. `converted` is set when swscale has to change its samples. */
static enum cuframes_av_format target_of(enum AVPixelFormat format, bool *converted)
{
    const AVPixFmtDescriptor *descriptor;
    *converted = false;
    switch (format) {
    case AV_PIX_FMT_YUV420P:
    case AV_PIX_FMT_YUVJ420P: return CUFRAMES_AV_FORMAT_I420;
    case AV_PIX_FMT_NV12: return CUFRAMES_AV_FORMAT_NV12;
    case AV_PIX_FMT_YUV420P10LE:
    case AV_PIX_FMT_P010LE: return CUFRAMES_AV_FORMAT_P010;
    case AV_PIX_FMT_GRAY8: return CUFRAMES_AV_FORMAT_GRAY8;
    case AV_PIX_FMT_RGB24: return CUFRAMES_AV_FORMAT_RGB24;
    case AV_PIX_FMT_BGR24: return CUFRAMES_AV_FORMAT_BGR24;
    case AV_PIX_FMT_RGBA: return CUFRAMES_AV_FORMAT_RGBA;
    case AV_PIX_FMT_BGRA: return CUFRAMES_AV_FORMAT_BGRA;
    default: break;
    }
    descriptor = av_pix_fmt_desc_get(format);
    if (!descriptor || (descriptor->flags & AV_PIX_FMT_FLAG_HWACCEL) || !sws_isSupportedInput(format))
        return CUFRAMES_AV_FORMAT_NONE;
    *converted = true;
    if (descriptor->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL))
        return descriptor->flags & AV_PIX_FMT_FLAG_ALPHA ? CUFRAMES_AV_FORMAT_RGBA : CUFRAMES_AV_FORMAT_RGB24;
    if (descriptor->nb_components <= 2)
        return CUFRAMES_AV_FORMAT_GRAY8;
    if (descriptor->comp[0].depth > 8)
        return CUFRAMES_AV_FORMAT_P010;
    return format == AV_PIX_FMT_NV21 ? CUFRAMES_AV_FORMAT_NV12 : CUFRAMES_AV_FORMAT_I420;
}

static bool is_full_range_format(enum AVPixelFormat format)
{
    return format == AV_PIX_FMT_YUVJ420P || format == AV_PIX_FMT_YUVJ422P || format == AV_PIX_FMT_YUVJ444P ||
        format == AV_PIX_FMT_YUVJ440P || format == AV_PIX_FMT_YUVJ411P;
}

/* Where a part of a picture may begin so that it needs no copy: at whole chroma samples and whole bytes. */
static void crop_shifts(enum AVPixelFormat format, unsigned *shift_x, unsigned *shift_y)
{
    const AVPixFmtDescriptor *descriptor = av_pix_fmt_desc_get(format);
    *shift_x = descriptor->log2_chroma_w;
    *shift_y = descriptor->log2_chroma_h;
    if (descriptor->flags & AV_PIX_FMT_FLAG_BITSTREAM)
        *shift_x = 3;
}

static void copy_plane(uint8_t *target, size_t target_pitch, const uint8_t *source, ptrdiff_t source_pitch,
                       size_t row_bytes, size_t rows)
{
    for (size_t row = 0; row < rows; row++)
        memcpy(target + row * target_pitch, source + (ptrdiff_t)row * source_pitch, row_bytes);
}

/* 10 bits in the low end of a word to 10 bits in its upper end. Kept apart and free of aliasing so that it vectorises. */
static void shift_row(uint16_t *restrict target, const uint16_t *restrict source, size_t count)
{
    for (size_t i = 0; i < count; i++)
        target[i] = (uint16_t)(source[i] << 6);
}

static void shift_interleave_row(uint16_t *restrict target, const uint16_t *restrict u, const uint16_t *restrict v,
                                 size_t count)
{
    for (size_t i = 0; i < count; i++) {
        target[2 * i] = (uint16_t)(u[i] << 6);
        target[2 * i + 1] = (uint16_t)(v[i] << 6);
    }
}

static void copy_10_to_p010(const cuframes_av_plane *planes, const AVFrame *frame)
{
    size_t width = (size_t)frame->width, height = (size_t)frame->height;
    for (size_t row = 0; row < height; row++) {
        shift_row((uint16_t *)(void *)(planes[0].data + row * planes[0].pitch),
                  (const uint16_t *)(const void *)(frame->data[0] + (ptrdiff_t)row * frame->linesize[0]), width);
    }
    for (size_t row = 0; row < (height + 1) / 2; row++) {
        shift_interleave_row((uint16_t *)(void *)(planes[1].data + row * planes[1].pitch),
                             (const uint16_t *)(const void *)(frame->data[1] + (ptrdiff_t)row * frame->linesize[1]),
                             (const uint16_t *)(const void *)(frame->data[2] + (ptrdiff_t)row * frame->linesize[2]),
                             (width + 1) / 2);
    }
}

/* swscale's coefficient table for an H.273 MatrixCoefficients value; -1 when it has none. */
static int sws_matrix(unsigned matrix)
{
    switch (matrix) {
    case AVCOL_SPC_BT709: return SWS_CS_ITU709;
    case AVCOL_SPC_FCC: return SWS_CS_FCC;
    case AVCOL_SPC_BT470BG:
    case AVCOL_SPC_SMPTE170M: return SWS_CS_ITU601;
    case AVCOL_SPC_SMPTE240M: return SWS_CS_SMPTE240M;
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL: return SWS_CS_BT2020;
    default: return -1;
    }
}

/* ---- handle --------------------------------------------------------------------------------------------------- */

int cuframes_av_get_versions(cuframes_av_versions *versions)
{
    enum AVHWDeviceType type = AV_HWDEVICE_TYPE_NONE;
    size_t length = 0;

    if (!versions || versions->size < sizeof *versions)
        return CUFRAMES_AV_INVALID_ARGUMENT;
    memset(versions, 0, sizeof *versions);
    versions->size = sizeof *versions;
    versions->abi = CUFRAMES_AV_ABI;
    versions->avformat_built = LIBAVFORMAT_VERSION_INT;
    versions->avformat_loaded = avformat_version();
    versions->avcodec_built = LIBAVCODEC_VERSION_INT;
    versions->avcodec_loaded = avcodec_version();
    versions->avutil_built = LIBAVUTIL_VERSION_INT;
    versions->avutil_loaded = avutil_version();
    versions->swscale_built = LIBSWSCALE_VERSION_INT;
    versions->swscale_loaded = swscale_version();
    copy_text(versions->release, sizeof versions->release, av_version_info());
    while ((type = av_hwdevice_iterate_types(type)) != AV_HWDEVICE_TYPE_NONE) {
        const char *name = av_hwdevice_get_type_name(type);
        if (length)
            put(versions->hwaccels, sizeof versions->hwaccels, &length, ",", 1);
        put(versions->hwaccels, sizeof versions->hwaccels, &length, name, strlen(name));
    }
    return CUFRAMES_AV_OK;
}

int cuframes_av_has_decoder(const char *name)
{
    return name && avcodec_find_decoder_by_name(name) != NULL;
}

cuframes_av_source *cuframes_av_create(void)
{
    cuframes_av_start();
    cuframes_av_source *source = calloc(1, sizeof *source);
    if (!source)
        return NULL;
    pthread_mutex_init(&source->log_lock, NULL);
    source->packet = av_packet_alloc();
    source->coded = av_packet_alloc();
    source->extract = av_packet_alloc();
    source->frame = av_frame_alloc();
    source->converted = av_frame_alloc();
    if (!source->packet || !source->coded || !source->extract || !source->frame || !source->converted) {
        cuframes_av_free(source);
        return NULL;
    }
    return source;
}

/* Frames first: those of NVDEC give their surface back to the decoder. */
static void close_decoder(cuframes_av_source *source)
{
    av_frame_unref(source->frame);
    source->frame_format = CUFRAMES_AV_FORMAT_NONE;
    avcodec_free_context(&source->decoder);
    av_buffer_unref(&source->device);
    source->nvdec_result = 0;
    pthread_mutex_lock(&source->log_lock);
    source->is_setting_up = false;
    pthread_mutex_unlock(&source->log_lock);
}

void cuframes_av_free(cuframes_av_source *source)
{
    if (!source)
        return;
    cuframes_av_source *outer = current_source;
    current_source = source;
    close_decoder(source);
    /* Closing an RTSP session writes TEARDOWN; a peer that no longer reads must not hold us. */
    set_deadline(source, 500000000);
    if (source->format)
        avformat_close_input(&source->format);
    av_packet_free(&source->packet);
    av_packet_free(&source->coded);
    av_packet_free(&source->extract);
    for (unsigned i = 0; i < source->track_count; i++) {
        av_bsf_free(&source->tracks[i].extractor);
        av_freep(&source->tracks[i].extradata);
    }
    av_frame_free(&source->frame);
    av_frame_free(&source->converted);
    sws_freeContext(source->sws);
    current_source = outer;
    secrets_free(&source->secrets);
    pthread_mutex_destroy(&source->log_lock);
    free(source);
}

void cuframes_av_abort(cuframes_av_source *source)
{
    if (source)
        atomic_store_explicit(&source->abort, true, memory_order_relaxed);
}

static bool starts_with(const char *text, const char *prefix)
{
    return strncasecmp(text, prefix, strlen(prefix)) == 0;
}

/* ---- NVDEC ---------------------------------------------------------------------------------------------------- */

/*
 * NVIDIA's video decoding interface as far as it is asked here what the GPU can do; libavcodec does the decoding. The
 * driver brings the library, so its names are declared here and it is opened when it is needed.
 */
enum cuvid_codec {
    CUVID_MPEG1 = 0, CUVID_MPEG2 = 1, CUVID_MPEG4 = 2, CUVID_VC1 = 3, CUVID_H264 = 4, CUVID_JPEG = 5, CUVID_HEVC = 8,
    CUVID_VP8 = 9, CUVID_VP9 = 10, CUVID_AV1 = 11
};

struct cuvid_caps { /* CUVIDDECODECAPS */
    int codec;
    int chroma;
    unsigned depth_minus_8;
    unsigned reserved1[3];
    unsigned char is_supported;
    unsigned char engines;
    unsigned short output_formats;
    unsigned max_width;
    unsigned max_height;
    unsigned max_macroblocks;
    unsigned short min_width;
    unsigned short min_height;
    unsigned char has_histogram;
    unsigned char counter_bits;
    unsigned short max_histogram_bins;
    unsigned reserved3[10];
};
_Static_assert(sizeof(struct cuvid_caps) == 88, "the driver writes this struct");

struct cuvid {
    int (*get_caps)(struct cuvid_caps *caps);
    int (*push)(CUcontext context);
    int (*pop)(CUcontext *context);
    char obstacle[512]; /* why the above are not there; empty if they are */
};

static struct cuvid cuvid;
static pthread_once_t cuvid_once = PTHREAD_ONCE_INIT;

/* The libraries stay open: a process that asked once asks again, and libav opens them too. */
static void cuvid_load(void)
{
    void *driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    void *decoder = driver ? dlopen("libnvcuvid.so.1", RTLD_NOW | RTLD_LOCAL) : NULL;
    if (!decoder) {
        const char *cause = dlerror();
        snprintf(cuvid.obstacle, sizeof cuvid.obstacle,
                 "%s cannot be loaded (%s); the NVIDIA driver brings it, and a container gets it with "
                 "NVIDIA_DRIVER_CAPABILITIES=compute,video,utility",
                 driver ? "libnvcuvid.so.1" : "libcuda.so.1", cause ? cause : "no reason given");
        return;
    }
    /* A function's address comes as a pointer to an object; POSIX has it so, and C needs the detour. */
    *(void **)&cuvid.push = dlsym(driver, "cuCtxPushCurrent_v2");
    *(void **)&cuvid.pop = dlsym(driver, "cuCtxPopCurrent_v2");
    *(void **)&cuvid.get_caps = dlsym(decoder, "cuvidGetDecoderCaps");
    if (!cuvid.push || !cuvid.pop || !cuvid.get_caps) {
        snprintf(cuvid.obstacle, sizeof cuvid.obstacle,
                 "the NVIDIA driver is too old: it cannot be asked what its GPU decodes (cuvidGetDecoderCaps is missing)");
    }
}

static int cuvid_codec_of(enum AVCodecID id)
{
    switch (id) {
    case AV_CODEC_ID_MPEG1VIDEO: return CUVID_MPEG1;
    case AV_CODEC_ID_MPEG2VIDEO: return CUVID_MPEG2;
    case AV_CODEC_ID_MPEG4: return CUVID_MPEG4;
    case AV_CODEC_ID_VC1:
    case AV_CODEC_ID_WMV3: return CUVID_VC1;
    case AV_CODEC_ID_H264: return CUVID_H264;
    case AV_CODEC_ID_MJPEG: return CUVID_JPEG;
    case AV_CODEC_ID_HEVC: return CUVID_HEVC;
    case AV_CODEC_ID_VP8: return CUVID_VP8;
    case AV_CODEC_ID_VP9: return CUVID_VP9;
    case AV_CODEC_ID_AV1: return CUVID_AV1;
    default: return -1;
    }
}

/* CUFRAMES_AV_OK and the driver's answer, or CUFRAMES_AV_NVDEC_UNSUPPORTED and a text. */
static int ask_caps(CUcontext context, enum AVCodecID id, unsigned depth, unsigned chroma, struct cuvid_caps *caps,
                    char *text, size_t capacity)
{
    CUcontext popped;
    int codec = cuvid_codec_of(id), error;

    memset(caps, 0, sizeof *caps);
    if (codec < 0) {
        snprintf(text, capacity, "NVDEC knows no %s", avcodec_get_name(id));
        return CUFRAMES_AV_NVDEC_UNSUPPORTED;
    }
    pthread_once(&cuvid_once, cuvid_load);
    if (cuvid.obstacle[0]) {
        copy_text(text, capacity, cuvid.obstacle);
        return CUFRAMES_AV_NVDEC_UNSUPPORTED;
    }
    caps->codec = codec;
    caps->chroma = (int)chroma;
    caps->depth_minus_8 = depth - 8;
    error = cuvid.push(context);
    if (error == 0) {
        error = cuvid.get_caps(caps);
        cuvid.pop(&popped);
    }
    if (error != 0) {
        snprintf(text, capacity, "the NVIDIA driver does not tell what its GPU decodes (cuvidGetDecoderCaps: CUDA error %d)",
                 error);
        return CUFRAMES_AV_NVDEC_UNSUPPORTED;
    }
    return CUFRAMES_AV_OK;
}

static bool has_cuda_config(const AVCodec *codec)
{
    const AVCodecHWConfig *config;
    for (int i = 0; (config = avcodec_get_hw_config(codec, i)) != NULL; i++) {
        if (config->device_type == AV_HWDEVICE_TYPE_CUDA && config->pix_fmt == AV_PIX_FMT_CUDA &&
            (config->methods & AV_CODEC_HW_CONFIG_METHOD_HW_DEVICE_CTX))
            return true;
    }
    return false;
}

/*
 * libavcodec's own decoder of a codec, which parses and lets NVDEC decode. Wrappers are passed over: those of other
 * libraries (libdav1d) know no NVDEC, and those named *_cuvid parse by NVIDIA's parser and tell little of a damaged stream.
 */
static const AVCodec *nvdec_decoder_of(enum AVCodecID id)
{
    void *position = NULL;
    const AVCodec *codec;
    while ((codec = av_codec_iterate(&position)) != NULL) {
        if (codec->id == id && av_codec_is_decoder(codec) && !codec->wrapper_name && has_cuda_config(codec))
            return codec;
    }
    return NULL;
}

/* What NVDEC gives and a ring carries without a change of samples. The others have to be decoded in software. */
static bool is_nvdec_format(enum AVPixelFormat format)
{
    return format == AV_PIX_FMT_YUV420P || format == AV_PIX_FMT_YUVJ420P || format == AV_PIX_FMT_YUV420P10;
}

static const char *format_name(enum AVPixelFormat format)
{
    const char *name = av_get_pix_fmt_name(format);
    return name ? name : "of an unknown pixel format";
}

/* Whether NVDEC can decode the stream, as far as its parameters tell before the first packet. */
static int require_nvdec(cuframes_av_source *source, const cuframes_av_decoder *mode)
{
    const AVCodecParameters *parameters = source->stream->codecpar;
    enum AVPixelFormat format = (enum AVPixelFormat)parameters->format;
    const char *codec = avcodec_get_name(parameters->codec_id);
    struct cuvid_caps caps;
    char text[ERROR_CAPACITY];

    /* A camera that has sent no key picture yet has an unknown format; select_format looks again. */
    if (format != AV_PIX_FMT_NONE && !is_nvdec_format(format)) {
        return fail(source, CUFRAMES_AV_NVDEC_UNSUPPORTED,
                    "the video is %s, and NVDEC is used for 4:2:0 with 8 or 10 bits only", format_name(format));
    }
    unsigned depth = format == AV_PIX_FMT_YUV420P10 ? 10 : 8;
    int result = ask_caps(mode->cuda_context, parameters->codec_id, depth, 1, &caps, text, sizeof text);
    if (result != CUFRAMES_AV_OK)
        return fail(source, result, "%s", text);
    if (!caps.is_supported) {
        return fail(source, CUFRAMES_AV_NVDEC_UNSUPPORTED, "this GPU's NVDEC does not decode %s with %u bits", codec, depth);
    }
    /* Sizes of pictures that need no multiple of a block are rounded up by whoever coded them. */
    unsigned width = ((unsigned)parameters->width + 15) & ~15u, height = ((unsigned)parameters->height + 15) & ~15u;
    if (parameters->width > 0 && parameters->height > 0 &&
        (width > caps.max_width || height > caps.max_height || width / 16 * (height / 16) > caps.max_macroblocks ||
         width < caps.min_width || height < caps.min_height)) {
        return fail(source, CUFRAMES_AV_NVDEC_UNSUPPORTED,
                    "the video has %dx%d, and this GPU's NVDEC decodes %s from %ux%u to %ux%u with at most %u macroblocks",
                    parameters->width, parameters->height, codec, caps.min_width, caps.min_height, caps.max_width,
                    caps.max_height, caps.max_macroblocks);
    }
    return CUFRAMES_AV_OK;
}

/* The caller's context and stream as libav's device. It owns neither. */
static int make_device(cuframes_av_source *source, const cuframes_av_decoder *mode)
{
    source->device = av_hwdevice_ctx_alloc(AV_HWDEVICE_TYPE_CUDA);
    if (!source->device)
        return fail(source, CUFRAMES_AV_NVDEC_UNSUPPORTED, "the installed libavutil was built without CUDA");
    AVCUDADeviceContext *cuda = ((AVHWDeviceContext *)(void *)source->device->data)->hwctx;
    cuda->cuda_ctx = mode->cuda_context;
    cuda->stream = mode->cuda_stream;
    int error = av_hwdevice_ctx_init(source->device);
    if (error < 0) {
        fail_av(source, error);
        return CUFRAMES_AV_NVDEC_UNSUPPORTED;
    }
    return CUFRAMES_AV_OK;
}

/* NVDEC's surfaces are the decoder's: a frame gets its address when it is mapped, nothing is allocated for it here. */
static AVBufferRef *empty_buffer(size_t size)
{
    (void)size;
    return av_buffer_create(NULL, 0, NULL, NULL, 0);
}

static void free_frames_pool(AVHWFramesContext *frames)
{
    av_buffer_pool_uninit(&frames->pool);
}

/*
 * Sets the number of NVDEC's surfaces: the codec's picture buffer (H.264: reference pictures and reordered ones; H.265:
 * sps_max_dec_pic_buffering + 1) and two more, as libavcodec's parameters say: the picture that is decoded, and the one before,
 * which its error concealment keeps. By itself libavcodec would add three for callers that hold frames while the next ones are
 * decoded. Ours gives its frame back first, and libavcodec decodes nothing while a finished frame waits in it. Each surface
 * counts twice, because NVDEC allocates as many for its output: 6 MiB for 1080p in 8 bits. For a stream with 16 reference
 * pictures and as many reordered ones that sum is more than NVDEC takes; but the standard's buffer has 16 places for both.
 */
static int make_frames(cuframes_av_source *source, AVCodecContext *context)
{
    AVBufferRef *reference = NULL;
    int error = avcodec_get_hw_frames_parameters(context, context->hw_device_ctx, AV_PIX_FMT_CUDA, &reference);
    if (error < 0)
        return error;
    AVHWFramesContext *frames = (AVHWFramesContext *)(void *)reference->data;
    frames->initial_pool_size += (int)source->mode.extra_surfaces;
    if (frames->initial_pool_size > NVDEC_MAX_SURFACES)
        frames->initial_pool_size = NVDEC_MAX_SURFACES;
    frames->pool = av_buffer_pool_init(0, empty_buffer);
    frames->free = free_frames_pool;
    error = frames->pool ? av_hwframe_ctx_init(reference) : AVERROR(ENOMEM);
    if (error < 0) {
        av_buffer_unref(&reference);
        return error;
    }
    context->hw_frames_ctx = reference;
    return 0;
}

__attribute__((format(printf, 3, 4))) static enum AVPixelFormat refuse_nvdec(cuframes_av_source *source, int result,
                                                                             const char *format, ...)
{
    char text[ERROR_CAPACITY];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    source->nvdec_result = fail(source, result, "%s", text);
    return AV_PIX_FMT_NONE;
}

/*
 * libavcodec asks here with CUDA among the formats if it could try NVDEC, and then once more without if NVDEC could not be
 * set up. Its return codes do not tell why, its messages do.
 */
static enum AVPixelFormat refuse_after_setup(cuframes_av_source *source)
{
    char line[LINE_CAPACITY];
    pthread_mutex_lock(&source->log_lock);
    source->is_setting_up = false;
    if (source->line_length)
        append_line(source);
    copy_text(line, sizeof line, source->setup_line);
    pthread_mutex_unlock(&source->log_lock);
    bool is_busy = strstr(line, "CUDA_ERROR_OUT_OF_MEMORY") ||
        (strstr(line, "cuvidCreateDecoder") && !strstr(line, "CUDA_ERROR_NOT_SUPPORTED") &&
         !strstr(line, "CUDA_ERROR_INVALID_VALUE"));
    return is_busy
        ? refuse_nvdec(source, CUFRAMES_AV_NVDEC_BUSY, "NVDEC has no room for one more decoder: %s", line)
        : refuse_nvdec(source, CUFRAMES_AV_NVDEC_UNSUPPORTED, "NVDEC cannot be set up: %s",
                       line[0] ? line : "libavcodec gives no reason");
}

static enum AVPixelFormat select_format(AVCodecContext *context, const enum AVPixelFormat *formats)
{
    cuframes_av_source *source = context->opaque;
    bool is_offered = false;

    if (source->mode.mode != CUFRAMES_AV_NVDEC)
        return avcodec_default_get_format(context, formats);
    for (const enum AVPixelFormat *format = formats; *format != AV_PIX_FMT_NONE; format++)
        is_offered |= *format == AV_PIX_FMT_CUDA;
    pthread_mutex_lock(&source->log_lock);
    bool has_failed = source->is_setting_up;
    pthread_mutex_unlock(&source->log_lock);
    if (!is_offered && has_failed)
        return refuse_after_setup(source);
    if (!is_offered || !is_nvdec_format(context->sw_pix_fmt)) {
        const char *profile = avcodec_profile_name(context->codec_id, context->profile);
        return refuse_nvdec(source, CUFRAMES_AV_NVDEC_UNSUPPORTED,
                            "libavcodec decodes %s of profile %s in %s only in software, or not in a form that a ring carries",
                            avcodec_get_name(context->codec_id), profile ? profile : "unknown",
                            format_name(context->sw_pix_fmt));
    }
    pthread_mutex_lock(&source->log_lock);
    source->is_setting_up = true;
    source->setup_line[0] = 0;
    pthread_mutex_unlock(&source->log_lock);
    int error = make_frames(source, context);
    if (error < 0) {
        char name[AV_ERROR_MAX_STRING_SIZE];
        return refuse_nvdec(source, CUFRAMES_AV_NVDEC_UNSUPPORTED, "NVDEC cannot be set up: %s", error_name(error, name));
    }
    return AV_PIX_FMT_CUDA;
}

size_t cuframes_av_nvdec_codecs(char *text, size_t capacity)
{
    void *position = NULL;
    const AVCodec *codec;
    size_t length = 0;

    if (!text || capacity == 0)
        return 0;
    while ((codec = av_codec_iterate(&position)) != NULL) {
        if (!av_codec_is_decoder(codec) || nvdec_decoder_of(codec->id) != codec)
            continue;
        const char *name = avcodec_get_name(codec->id);
        if (length)
            put(text, capacity, &length, ",", 1);
        put(text, capacity, &length, name, strlen(name));
    }
    text[length] = 0;
    return length;
}

int cuframes_av_get_nvdec_caps(void *cuda_context, const char *codec, uint32_t bit_depth, uint32_t chroma,
                               cuframes_av_nvdec_caps *caps, char *error, size_t error_capacity)
{
    struct cuvid_caps answer;
    if (!cuda_context || !codec || bit_depth < 8 || bit_depth > 16 || chroma > 3 || !caps || caps->size < sizeof *caps ||
        !error || error_capacity == 0)
        return CUFRAMES_AV_INVALID_ARGUMENT;
    const AVCodecDescriptor *descriptor = avcodec_descriptor_get_by_name(codec);
    int result = ask_caps(cuda_context, descriptor ? descriptor->id : AV_CODEC_ID_NONE, bit_depth, chroma, &answer, error,
                          error_capacity);
    memset(caps, 0, sizeof *caps);
    caps->size = sizeof *caps;
    if (result == CUFRAMES_AV_OK && answer.is_supported) {
        caps->is_supported = 1;
        caps->engines = answer.engines;
        caps->min_width = answer.min_width;
        caps->min_height = answer.min_height;
        caps->max_width = answer.max_width;
        caps->max_height = answer.max_height;
        caps->max_macroblocks = answer.max_macroblocks;
    }
    return result;
}

/* ---- opening -------------------------------------------------------------------------------------------------- */

/*
 * The GPU decodes; a thread only parses and waits for it. Two of them let NVDEC decode a picture while the one before is copied,
 * which is all that more threads can gain; each delays the pictures by one and takes a surface.
 */
static int nvdec_threads(const cuframes_av_options *options)
{
    return options->decode_threads == 1 ? 1 : 2;
}

static int open_decoder(cuframes_av_source *source, const cuframes_av_decoder *mode)
{
    const AVCodecParameters *parameters = source->stream->codecpar;
    bool is_nvdec = mode->mode == CUFRAMES_AV_NVDEC;
    const AVCodec *codec = is_nvdec ? nvdec_decoder_of(parameters->codec_id)
                                    : avcodec_find_decoder(parameters->codec_id);
    close_decoder(source);
    source->mode = *mode;
    source->end_sent = false;
    if (!codec) {
        return fail(source, is_nvdec ? CUFRAMES_AV_NVDEC_UNSUPPORTED : CUFRAMES_AV_UNSUPPORTED_CODEC,
                    "the installed libavcodec has no %sdecoder for %s", is_nvdec ? "NVDEC " : "",
                    avcodec_get_name(parameters->codec_id));
    }
    if (is_nvdec) {
        int result = require_nvdec(source, mode);
        if (result == CUFRAMES_AV_OK)
            result = make_device(source, mode);
        if (result != CUFRAMES_AV_OK)
            return result;
    }
    source->decoder = avcodec_alloc_context3(codec);
    if (!source->decoder)
        return fail(source, CUFRAMES_AV_NO_MEMORY, "out of memory");
    int error = avcodec_parameters_to_context(source->decoder, parameters);
    if (error < 0)
        return fail_av(source, error);
    const struct track *track = &source->tracks[0];
    if (track->extradata) {
        /* What the stream said when it was opened holds no more. */
        uint8_t *extradata = av_mallocz(track->extradata_size + AV_INPUT_BUFFER_PADDING_SIZE);
        if (!extradata)
            return fail(source, CUFRAMES_AV_NO_MEMORY, "out of memory");
        memcpy(extradata, track->extradata, track->extradata_size);
        av_freep(&source->decoder->extradata);
        source->decoder->extradata = extradata;
        source->decoder->extradata_size = (int)track->extradata_size;
    }
    source->decoder->opaque = source;
    source->decoder->get_format = select_format;
    source->decoder->pkt_timebase = source->stream->time_base;
    source->decoder->thread_count = is_nvdec ? nvdec_threads(&source->options) : source->options.decode_threads;
    /* Without it a left crop is only applied down to an alignment, and the picture is too wide. */
    source->decoder->flags |= AV_CODEC_FLAG_UNALIGNED;
    if (source->options.flags & CUFRAMES_AV_LOW_DELAY) {
        source->decoder->thread_type = FF_THREAD_SLICE;
        /* With B pictures the flag would put pictures out of order. */
        if (parameters->video_delay == 0)
            source->decoder->flags |= AV_CODEC_FLAG_LOW_DELAY;
    }
    if (is_nvdec) {
        source->decoder->hw_device_ctx = av_buffer_ref(source->device);
        if (!source->decoder->hw_device_ctx)
            return fail(source, CUFRAMES_AV_NO_MEMORY, "out of memory");
#ifdef AV_HWACCEL_FLAG_UNSAFE_OUTPUT
        /* Without it FFmpeg 6 and newer copy every picture out of NVDEC's surface. Older ones never do. */
        source->decoder->hwaccel_flags |= AV_HWACCEL_FLAG_UNSAFE_OUTPUT;
#endif
    }
    error = avcodec_open2(source->decoder, codec, NULL);
    return error < 0 ? fail_av(source, error) : CUFRAMES_AV_OK;
}

static int open_source(cuframes_av_source *source, const char *url)
{
    const cuframes_av_options *options = &source->options;
    AVDictionary *dictionary = NULL;
    bool is_rtsp = starts_with(url, "rtsp:") || starts_with(url, "rtsps:");
    int error;

    source->format = avformat_alloc_context();
    if (!source->format)
        return fail(source, CUFRAMES_AV_NO_MEMORY, "out of memory");
    source->format->interrupt_callback = (AVIOInterruptCB){ on_interrupt, source };

    source->stage = STAGE_CONNECT;
    set_deadline(source, options->open_timeout_ns);
    if (is_rtsp) {
        av_dict_set(&dictionary, "rtsp_transport", options->transport == CUFRAMES_AV_UDP ? "udp" : "tcp", 0);
        /* A key picture of a 4K camera is a burst of several hundred datagrams; the kernel's default drops some. */
        if (options->transport == CUFRAMES_AV_UDP)
            av_dict_set_int(&dictionary, "buffer_size", 4 << 20, 0);
    }
    int64_t io_timeout_ns = FFMAX(options->open_timeout_ns, options->stall_timeout_ns);
    if (io_timeout_ns > 0) {
        /* The interrupt callback decides. libav's own limit, somewhat later, stands behind it for calls that never ask. */
        int64_t microseconds = FFMIN(io_timeout_ns / 1000 + 1000000, INT32_MAX);
        if (is_rtsp)
            av_dict_set_int(&dictionary, "timeout", microseconds, 0);
        else if (starts_with(url, "http:") || starts_with(url, "https:") || starts_with(url, "tcp:"))
            av_dict_set_int(&dictionary, "rw_timeout", microseconds, 0);
    }
    error = avformat_open_input(&source->format, url, NULL, &dictionary);
    av_dict_free(&dictionary);
    if (error < 0)
        return fail_av(source, error);

    const char *container = source->format->iformat->name;
    source->is_live = strcmp(container, "rtsp") == 0 || strcmp(container, "rtp") == 0 ||
        strcmp(container, "sdp") == 0 || starts_with(url, "udp:") || starts_with(url, "srt:") ||
        starts_with(url, "rtmp");

    source->stage = STAGE_PROBE;
    error = avformat_find_stream_info(source->format, NULL);
    if (source->timed_out || atomic_load_explicit(&source->abort, memory_order_relaxed))
        return fail_av(source, AVERROR_EXIT);
    if (error < 0)
        return fail_av(source, error);

    int index = av_find_best_stream(source->format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    if (index < 0 || (source->format->streams[index]->disposition & AV_DISPOSITION_ATTACHED_PIC)) {
        return fail(source, CUFRAMES_AV_NO_VIDEO, "%u streams found, none of them video",
                    source->format->nb_streams);
    }
    source->stream = source->format->streams[index];
    source->tracks[source->track_count++].stream = source->stream;
    for (unsigned i = 0; i < source->format->nb_streams; i++) {
        AVStream *stream = source->format->streams[i];
        if ((int)i == index)
            continue;
        enum AVMediaType type = stream->codecpar->codec_type;
        if ((options->flags & CUFRAMES_AV_ALL_TRACKS) && (type == AVMEDIA_TYPE_AUDIO || type == AVMEDIA_TYPE_DATA) &&
            source->track_count < CUFRAMES_AV_MAX_TRACKS)
            source->tracks[source->track_count++].stream = stream;
        else
            stream->discard = AVDISCARD_ALL;
    }
    source->stage = STAGE_READ;
    return CUFRAMES_AV_OK;
}

int cuframes_av_open(cuframes_av_source *source, const char *url, const char *secrets,
                     const cuframes_av_options *options)
{
    if (!source)
        return CUFRAMES_AV_INVALID_ARGUMENT;
    if (!secrets_parse(&source->secrets, secrets))
        return fail(source, CUFRAMES_AV_NO_MEMORY, "out of memory");
    if (!url || !*url || !options || options->size < sizeof *options || source->format || source->stream ||
        (options->flags & ~(uint32_t)(CUFRAMES_AV_LOW_DELAY | CUFRAMES_AV_ALL_TRACKS)) || options->transport > CUFRAMES_AV_UDP ||
        options->decode_threads < 0 || options->decode_threads > 64) {
        return fail(source, CUFRAMES_AV_INVALID_ARGUMENT,
                    "open takes a URL, known flags, 0 to 64 decode threads, and is called once per handle");
    }
    source->options = *options;
    current_source = source;
    int result = open_source(source, url);
    current_source = NULL;
    return result;
}

int cuframes_av_open_decoder(cuframes_av_source *source, const cuframes_av_decoder *decoder)
{
    if (!source)
        return CUFRAMES_AV_INVALID_ARGUMENT;
    if (!source->stream)
        return fail(source, CUFRAMES_AV_INVALID_ARGUMENT, "the source is not open");
    if (!decoder || decoder->size < sizeof *decoder || decoder->mode > CUFRAMES_AV_NVDEC || decoder->reserved ||
        decoder->extra_surfaces > NVDEC_MAX_EXTRA_SURFACES ||
        (decoder->mode == CUFRAMES_AV_NVDEC && (!decoder->cuda_context || !decoder->cuda_stream))) {
        return fail(source, CUFRAMES_AV_INVALID_ARGUMENT,
                    "a decoder is software, or NVDEC with a CUDA context, a stream and at most %d extra surfaces",
                    NVDEC_MAX_EXTRA_SURFACES);
    }
    source->keeps_deadline = false;
    current_source = source;
    int result = open_decoder(source, decoder);
    if (result != CUFRAMES_AV_OK)
        close_decoder(source);
    current_source = NULL;
    return result;
}

void cuframes_av_close_decoder(cuframes_av_source *source)
{
    if (!source)
        return;
    current_source = source;
    close_decoder(source);
    current_source = NULL;
}

int cuframes_av_get_stream_info(cuframes_av_source *source, cuframes_av_stream_info *info)
{
    if (!source || !info || info->size < sizeof *info)
        return CUFRAMES_AV_INVALID_ARGUMENT;
    if (!source->stream)
        return fail(source, CUFRAMES_AV_INVALID_ARGUMENT, "the source is not open");
    const AVCodecParameters *parameters = source->stream->codecpar;
    memset(info, 0, sizeof *info);
    info->size = sizeof *info;
    info->width = (uint32_t)parameters->width;
    info->height = (uint32_t)parameters->height;
    info->is_live = source->is_live;
    AVRational rate = av_guess_frame_rate(source->format, source->stream, NULL);
    info->frame_rate_num = rate.den ? rate.num : 0;
    info->frame_rate_den = rate.den ? rate.den : 1;
    info->duration_ns = source->format->duration == AV_NOPTS_VALUE ? CUFRAMES_AV_NO_TIME
                                                                  : source->format->duration * 1000;
    info->start_ns = to_ns(source->stream->start_time, source->stream->time_base);
    copy_text(info->container, sizeof info->container, source->format->iformat->name);
    copy_text(info->codec, sizeof info->codec, avcodec_get_name(parameters->codec_id));
    if (parameters->profile != PROFILE_UNKNOWN)
        copy_text(info->profile, sizeof info->profile, avcodec_profile_name(parameters->codec_id, parameters->profile));
    copy_text(info->pixel_format, sizeof info->pixel_format,
              av_get_pix_fmt_name((enum AVPixelFormat)parameters->format));
    return CUFRAMES_AV_OK;
}

/* ---- packets -------------------------------------------------------------------------------------------------- */

static unsigned quarter_turns(const int32_t *matrix)
{
    double degrees = -av_display_rotation_get(matrix); /* libav counts counter-clockwise */
    if (!(degrees >= -360 && degrees <= 360))
        return 0;                                       /* NaN: the matrix is singular */
    return (unsigned)((degrees + 360 + 45) / 90) % 4;
}

/* The display matrix that the container has; NULL: none. */
static const int32_t *matrix_of(const AVStream *stream)
{
#if HAVE_CODED_SIDE_DATA
    const AVCodecParameters *parameters = stream->codecpar;
    const AVPacketSideData *coded = av_packet_side_data_get(
        parameters->coded_side_data, parameters->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
    return coded && coded->size >= 9 * sizeof(int32_t) ? (const int32_t *)(const void *)coded->data : NULL;
#else
    size_t size = 0;
    const uint8_t *data = av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
    return data && size >= 9 * sizeof(int32_t) ? (const int32_t *)(const void *)data : NULL;
#endif
}

static void describe_video(const cuframes_av_source *source, const struct track *track, cuframes_av_source_track *info)
{
    AVStream *stream = track->stream;
    const AVCodecParameters *parameters = stream->codecpar;
    bool is_measured = track->width > 0 && track->height > 0;
    info->width = (uint32_t)(is_measured ? track->width : parameters->width);
    info->height = (uint32_t)(is_measured ? track->height : parameters->height);
    AVRational rate = av_guess_frame_rate(source->format, stream, NULL);
    if (rate.num > 0 && rate.den > 0) {
        info->frame_rate_num = rate.num;
        info->frame_rate_den = rate.den;
    }
    AVRational aspect = av_guess_sample_aspect_ratio(source->format, stream, NULL);
    if (aspect.num > 0 && aspect.den > 0) {
        info->sample_aspect_num = aspect.num;
        info->sample_aspect_den = aspect.den;
    }
    info->reorder_delay = (uint32_t)FFMAX(parameters->video_delay, 0);
    info->matrix = (uint8_t)parameters->color_space;
    info->primaries = (uint8_t)parameters->color_primaries;
    info->transfer = (uint8_t)parameters->color_trc;
    info->range = parameters->color_range == AVCOL_RANGE_JPEG ||
            is_full_range_format((enum AVPixelFormat)parameters->format) ? 2
        : parameters->color_range == AVCOL_RANGE_MPEG ? 1 : 0;
    info->chroma_location = (uint8_t)parameters->chroma_location;
    switch (parameters->field_order) {
    case AV_FIELD_PROGRESSIVE: info->field_order = 1; break;
    case AV_FIELD_TT:
    case AV_FIELD_BT: info->field_order = 2; break; /* the second letter tells what is shown first */
    case AV_FIELD_BB:
    case AV_FIELD_TB: info->field_order = 3; break;
    default: break;
    }
    const int32_t *matrix = matrix_of(stream);
    info->rotation = matrix ? (uint8_t)quarter_turns(matrix) : 0;
}

static void describe_audio(const struct track *track, cuframes_av_source_track *info)
{
    const AVCodecParameters *parameters = track->stream->codecpar;
    info->sample_rate = (uint32_t)FFMAX(parameters->sample_rate, 0);
    info->channels = (uint32_t)FFMAX(parameters->ch_layout.nb_channels, 0);
    if (parameters->ch_layout.order == AV_CHANNEL_ORDER_NATIVE)
        info->channel_layout = parameters->ch_layout.u.mask;
    info->samples_per_packet = (uint32_t)FFMAX(parameters->frame_size, 0);
    info->bits_per_sample = (uint32_t)FFMAX(parameters->bits_per_coded_sample, 0);
    info->block_align = (uint32_t)FFMAX(parameters->block_align, 0);
    info->initial_padding = (uint32_t)FFMAX(parameters->initial_padding, 0);
    info->seek_preroll = (uint32_t)FFMAX(parameters->seek_preroll, 0);
}

static const uint8_t *extradata_of(const struct track *track, size_t *size)
{
    const AVCodecParameters *parameters = track->stream->codecpar;
    *size = track->extradata ? track->extradata_size : (size_t)FFMAX(parameters->extradata_size, 0);
    return track->extradata ? track->extradata : parameters->extradata;
}

int cuframes_av_get_track(cuframes_av_source *source, uint32_t index, cuframes_av_source_track *info)
{
    if (!source || !info || info->size < sizeof *info)
        return CUFRAMES_AV_INVALID_ARGUMENT;
    if (!source->stream)
        return fail(source, CUFRAMES_AV_INVALID_ARGUMENT, "the source is not open");
    if (index >= source->track_count)
        return CUFRAMES_AV_END;
    const struct track *track = &source->tracks[index];
    const AVCodecParameters *parameters = track->stream->codecpar;
    memset(info, 0, sizeof *info);
    info->size = sizeof *info;
    info->kind = index == 0 ? CUFRAMES_AV_SOURCE_VIDEO
        : parameters->codec_type == AVMEDIA_TYPE_AUDIO ? CUFRAMES_AV_SOURCE_AUDIO : CUFRAMES_AV_SOURCE_DATA;
    info->time_base_num = track->stream->time_base.num;
    info->time_base_den = track->stream->time_base.den;
    if (info->kind == CUFRAMES_AV_SOURCE_VIDEO)
        describe_video(source, track, info);
    else if (info->kind == CUFRAMES_AV_SOURCE_AUDIO)
        describe_audio(track, info);
    size_t size;
    info->extradata = extradata_of(track, &size);
    info->extradata_bytes = info->extradata ? (uint32_t)size : 0;
    copy_text(info->codec, sizeof info->codec, avcodec_get_name(parameters->codec_id));
    const AVDictionaryEntry *language = av_dict_get(track->stream->metadata, "language", NULL, 0);
    if (language && strcmp(language->value, "und") != 0)
        copy_text(info->language, sizeof info->language, language->value);
    return CUFRAMES_AV_OK;
}

/* The first NAL unit of a byte stream from `position` on, without the zeros behind it. NULL: there is none. */
static const uint8_t *next_nal(const uint8_t *position, const uint8_t *end, size_t *size)
{
    while (end - position >= 3 && !(position[0] == 0 && position[1] == 0 && position[2] == 1))
        position++;
    if (end - position < 3)
        return NULL;
    const uint8_t *begin = position + 3, *next = begin;
    while (next < end && !(end - next >= 3 && next[0] == 0 && next[1] == 0 && next[2] <= 1))
        next++;
    while (next > begin && next[-1] == 0)
        next--;
    *size = (size_t)(next - begin);
    return begin;
}

/* Whether all NAL units of one byte stream are among those of another: start codes and order differ between sources of them. */
static bool has_all_nals(const uint8_t *known, size_t known_size, const uint8_t *found, size_t found_size)
{
    const uint8_t *end = found + found_size, *known_end = known + known_size;
    size_t size, other_size;
    for (const uint8_t *nal = next_nal(found, end, &size); nal; nal = next_nal(nal + size, end, &size)) {
        const uint8_t *other = known ? next_nal(known, known_end, &other_size) : NULL;
        while (other && (other_size != size || memcmp(other, nal, size) != 0))
            other = next_nal(other + other_size, known_end, &other_size);
        if (!other)
            return false;
    }
    return true;
}

/* Size of the pictures that a packet with other parameters begins, as libavcodec's parser reads it. */
static void measure(struct track *track, const AVPacket *packet)
{
    AVCodecParserContext *parser = av_parser_init((int)track->stream->codecpar->codec_id);
    AVCodecContext *context = avcodec_alloc_context3(NULL);
    uint8_t *data;
    int size;
    track->width = track->height = 0;
    if (parser && context) {
        context->codec_id = track->stream->codecpar->codec_id;
        context->extradata = av_mallocz(track->extradata_size + AV_INPUT_BUFFER_PADDING_SIZE);
        if (context->extradata) {
            memcpy(context->extradata, track->extradata, track->extradata_size);
            context->extradata_size = (int)track->extradata_size;
        }
        parser->flags |= PARSER_FLAG_COMPLETE_FRAMES;
        av_parser_parse2(parser, context, &data, &size, packet->data, packet->size, AV_NOPTS_VALUE, AV_NOPTS_VALUE, 0);
        track->width = parser->width;
        track->height = parser->height;
    }
    if (parser)
        av_parser_close(parser);
    avcodec_free_context(&context);
}

static int change_extradata(cuframes_av_source *source, struct track *track, const uint8_t *data, size_t size,
                            cuframes_av_packet_info *info)
{
    uint8_t *copy = av_mallocz(size + AV_INPUT_BUFFER_PADDING_SIZE);
    if (!copy)
        return fail(source, CUFRAMES_AV_NO_MEMORY, "out of memory");
    memcpy(copy, data, size);
    av_freep(&track->extradata);
    track->extradata = copy;
    track->extradata_size = size;
    if (track == &source->tracks[0])
        measure(track, source->packet);
    info->flags |= CUFRAMES_AV_PACKET_NEW_PARAMETERS;
    return CUFRAMES_AV_OK;
}

/*
 * Parameter sets in a key picture. libavcodec's filter looks for start codes, so streams with lengths before their NAL units,
 * whose extradata begins with a 1, are left alone: what changes there comes as side data.
 */
static int extract_parameters(cuframes_av_source *source, struct track *track, cuframes_av_packet_info *info)
{
    size_t known_size, size = 0;
    const uint8_t *known = extradata_of(track, &known_size);
    enum AVCodecID codec = track->stream->codecpar->codec_id;
    if ((codec != AV_CODEC_ID_H264 && codec != AV_CODEC_ID_HEVC) || !(source->packet->flags & AV_PKT_FLAG_KEY) ||
        (known && known_size > 0 && known[0] == 1))
        return CUFRAMES_AV_OK;
    if (!track->extractor) {
        const AVBitStreamFilter *filter = av_bsf_get_by_name("extract_extradata");
        int error = filter ? av_bsf_alloc(filter, &track->extractor) : AVERROR_BSF_NOT_FOUND;
        if (error >= 0)
            error = avcodec_parameters_copy(track->extractor->par_in, track->stream->codecpar);
        if (error >= 0)
            error = av_bsf_init(track->extractor);
        if (error < 0) {
            av_bsf_free(&track->extractor);
            return fail_av(source, error);
        }
    }
    int result = CUFRAMES_AV_OK;
    /* A damaged picture has none that could be used: it goes on as it is. */
    if (av_packet_ref(source->extract, source->packet) >= 0 && av_bsf_send_packet(track->extractor, source->extract) >= 0) {
        while (av_bsf_receive_packet(track->extractor, source->extract) >= 0) {
            const uint8_t *data = av_packet_get_side_data(source->extract, AV_PKT_DATA_NEW_EXTRADATA, &size);
            if (data && result == CUFRAMES_AV_OK && !has_all_nals(known, known_size, data, size))
                result = change_extradata(source, track, data, size, info);
            av_packet_unref(source->extract);
        }
    }
    av_packet_unref(source->extract);
    return result;
}

static int note_parameters(cuframes_av_source *source, struct track *track, cuframes_av_packet_info *info)
{
    size_t known_size, size = 0;
    const uint8_t *data = av_packet_get_side_data(source->packet, AV_PKT_DATA_NEW_EXTRADATA, &size);
    if (!data)
        return track == &source->tracks[0] ? extract_parameters(source, track, info) : CUFRAMES_AV_OK;
    const uint8_t *known = extradata_of(track, &known_size);
    if (known && known_size == size && memcmp(known, data, size) == 0)
        return CUFRAMES_AV_OK;
    return change_extradata(source, track, data, size, info);
}

static void note_capture_time(struct track *track, const AVPacket *packet)
{
    size_t size = 0;
    const uint8_t *data = av_packet_get_side_data(packet, AV_PKT_DATA_PRFT, &size);
    if (!data || size < sizeof(AVProducerReferenceTime) || packet->pts == AV_NOPTS_VALUE)
        return;
    AVProducerReferenceTime reference;
    memcpy(&reference, data, sizeof reference);
    track->wall_offset_ns = reference.wallclock * 1000 - to_ns(packet->pts, track->stream->time_base);
    track->has_wall_offset = true;
}

static struct track *track_of(cuframes_av_source *source, int index)
{
    for (unsigned i = 0; i < source->track_count; i++) {
        if (source->tracks[i].stream->index == index)
            return &source->tracks[i];
    }
    return NULL;
}

static int read_packet(cuframes_av_source *source, cuframes_av_packet_info *info)
{
    struct track *track = NULL;
    int error;
    av_packet_unref(source->packet);
    /* Sound alone is not life: the time-out runs on from the last packet of the video. */
    if (!source->keeps_deadline)
        set_deadline(source, source->options.stall_timeout_ns);
    source->packet_track = NULL;
    source->keeps_deadline = false;
    for (;;) {
        error = av_read_frame(source->format, source->packet);
        if (error == AVERROR(EAGAIN)) {
            if (on_interrupt(source))
                return fail_av(source, AVERROR_EXIT);
            /* The demuxer has nothing yet and offers nothing to wait on. */
            av_usleep(2000);
            continue;
        }
        if (error < 0)
            break;
        track = track_of(source, source->packet->stream_index);
        /* What libav gives when it was interrupted is what its parser had of a picture that had not come to its end. */
        if (source->timed_out || atomic_load_explicit(&source->abort, memory_order_relaxed)) {
            av_packet_unref(source->packet);
            return fail_av(source, AVERROR_EXIT);
        }
        if (track == &source->tracks[0])
            break;
        if (on_interrupt(source)) {
            av_packet_unref(source->packet);
            return fail_av(source, AVERROR_EXIT);
        }
        if (track)
            break;
        av_packet_unref(source->packet);
    }
    if (error == AVERROR_EOF) {
        if (source->format->pb && source->format->pb->error < 0)
            return fail_av(source, source->format->pb->error);
        return CUFRAMES_AV_END;
    }
    if (error < 0)
        return fail_av(source, error);

    AVPacket *packet = source->packet;
    source->packet_track = track;
    source->packet_arrival_ns = now_ns();
    source->keeps_deadline = track != &source->tracks[0];
    note_capture_time(track, packet);

    info->bytes = (uint32_t)packet->size;
    info->track = (uint32_t)(track - source->tracks);
    info->flags = (packet->flags & AV_PKT_FLAG_KEY ? CUFRAMES_AV_PACKET_KEY : 0u) |
        (packet->flags & AV_PKT_FLAG_CORRUPT ? CUFRAMES_AV_PACKET_CORRUPT : 0u) |
        (packet->flags & AV_PKT_FLAG_DISPOSABLE ? CUFRAMES_AV_PACKET_DISPOSABLE : 0u);
    info->pts = packet->pts;
    info->dts = packet->dts;
    info->duration = FFMAX(packet->duration, 0);
    info->arrival_ns = source->packet_arrival_ns;
    info->capture_wall_ns = track->has_wall_offset && packet->pts != AV_NOPTS_VALUE
        ? to_ns(packet->pts, track->stream->time_base) + track->wall_offset_ns : 0;
    info->data = packet->data;
    /* Only who takes all packets hears of it: a decoder finds its parameters in the same places. */
    return source->options.flags & CUFRAMES_AV_ALL_TRACKS ? note_parameters(source, track, info) : CUFRAMES_AV_OK;
}

int cuframes_av_read_packet(cuframes_av_source *source, cuframes_av_packet_info *info)
{
    if (!source || !info || info->size < sizeof *info)
        return CUFRAMES_AV_INVALID_ARGUMENT;
    if (!source->stream)
        return fail(source, CUFRAMES_AV_INVALID_ARGUMENT, "the source is not open");
    current_source = source;
    int result = read_packet(source, info);
    current_source = NULL;
    return result;
}

static bool is_out_of_device_memory(cuframes_av_source *source)
{
    pthread_mutex_lock(&source->log_lock);
    bool is_out = source->is_out_of_device_memory;
    pthread_mutex_unlock(&source->log_lock);
    return is_out;
}

/* Before each call of libavcodec: what the log tells from here on belongs to that call. */
static void begin_decoder_call(cuframes_av_source *source)
{
    pthread_mutex_lock(&source->log_lock);
    source->is_setting_up = false;
    source->is_out_of_device_memory = false;
    pthread_mutex_unlock(&source->log_lock);
    source->messages_at_call = atomic_load_explicit(&source->decoder_messages, memory_order_relaxed);
}

/* What a call of the decoder means for our caller. */
static int decoder_result(cuframes_av_source *source, int error)
{
    if (error == AVERROR(EAGAIN))
        return CUFRAMES_AV_AGAIN;
    if (error == AVERROR_EOF)
        return CUFRAMES_AV_END;
    if (source->nvdec_result) {
        /* Its sentence was set where it was found. Once only: the packet may be sent again. */
        int result = source->nvdec_result;
        source->nvdec_result = 0;
        /* What was logged about it is no damage of the video. NVDEC's decoder has no threads that log meanwhile. */
        atomic_store_explicit(&source->decoder_messages, source->messages_at_call, memory_order_relaxed);
        return result;
    }
    if (error == AVERROR_EXTERNAL && is_out_of_device_memory(source)) {
        fail_av(source, error);
        return CUFRAMES_AV_NVDEC_BUSY;
    }
    if (error == AVERROR(ENOMEM))
        return fail_av(source, error);
    /* What a decoder answers to a damaged packet differs by codec (INVALIDDATA, EINVAL, PATCHWELCOME, ...). */
    if (error < 0) {
        fail_av(source, error);
        return CUFRAMES_AV_INVALID_DATA;
    }
    return CUFRAMES_AV_OK;
}

static int send_to_decoder(cuframes_av_source *source, const AVPacket *packet)
{
    begin_decoder_call(source);
    return decoder_result(source, avcodec_send_packet(source->decoder, packet));
}

static int send_numbered(cuframes_av_source *source, const AVPacket *packet, int64_t arrival_ns, uint64_t number)
{
    int result = send_to_decoder(source, packet);
    /* Also when it says that something is damaged: that may be a packet before, and this one gives a frame. */
    if (result != CUFRAMES_AV_AGAIN && result != CUFRAMES_AV_END)
        source->arrivals[++source->packets % ARRIVALS] = (struct arrival){ packet->pts, packet->dts, arrival_ns, number };
    return result;
}

int cuframes_av_send_packet(cuframes_av_source *source, uint64_t number)
{
    if (!source)
        return CUFRAMES_AV_INVALID_ARGUMENT;
    if (!source->decoder || !source->packet->data || source->packet_track != &source->tracks[0] || source->end_sent) {
        return fail(source, CUFRAMES_AV_INVALID_ARGUMENT,
                    "there is no decoder, no packet of the video was read, or the end was sent before");
    }
    current_source = source;
    int result = send_numbered(source, source->packet, source->packet_arrival_ns, number);
    current_source = NULL;
    return result;
}

int cuframes_av_send_coded(cuframes_av_source *source, const cuframes_av_coded *coded)
{
    if (!source || !coded || coded->size < sizeof *coded)
        return CUFRAMES_AV_INVALID_ARGUMENT;
    if (!source->decoder || source->end_sent || !coded->data || coded->bytes == 0 || coded->bytes > INT_MAX) {
        return fail(source, CUFRAMES_AV_INVALID_ARGUMENT,
                    "there is no decoder, the end was sent before, or the packet has no bytes");
    }
    /* Whoever sends old packets is busy, and the video no staler for it. */
    source->keeps_deadline = false;
    AVPacket *packet = source->coded;
    /* Without a reference count: libavcodec copies what it keeps. It does not write. */
    packet->data = (uint8_t *)(uintptr_t)coded->data;
    packet->size = (int)coded->bytes;
    packet->pts = coded->pts;
    packet->dts = coded->dts;
    packet->duration = coded->duration;
    packet->flags = (coded->flags & CUFRAMES_AV_PACKET_KEY ? AV_PKT_FLAG_KEY : 0) |
        (coded->flags & CUFRAMES_AV_PACKET_CORRUPT ? AV_PKT_FLAG_CORRUPT : 0);
    current_source = source;
    int result = send_numbered(source, packet, coded->arrival_ns, coded->number);
    current_source = NULL;
    av_packet_unref(packet);
    return result;
}

int cuframes_av_flush(cuframes_av_source *source)
{
    if (!source)
        return CUFRAMES_AV_INVALID_ARGUMENT;
    if (!source->decoder)
        return fail(source, CUFRAMES_AV_INVALID_ARGUMENT, "the source has no decoder yet");
    current_source = source;
    av_frame_unref(source->frame);
    source->frame_format = CUFRAMES_AV_FORMAT_NONE;
    avcodec_flush_buffers(source->decoder);
    source->end_sent = false;
    current_source = NULL;
    return CUFRAMES_AV_OK;
}

int cuframes_av_send_end(cuframes_av_source *source)
{
    if (!source)
        return CUFRAMES_AV_INVALID_ARGUMENT;
    if (!source->decoder)
        return fail(source, CUFRAMES_AV_INVALID_ARGUMENT, "the source has no decoder yet");
    current_source = source;
    source->end_sent = true;
    int result = send_to_decoder(source, NULL);
    current_source = NULL;
    return result == CUFRAMES_AV_END ? CUFRAMES_AV_OK : result;
}

/* ---- frames --------------------------------------------------------------------------------------------------- */

/* Degrees clockwise. */
static unsigned rotation_of(cuframes_av_source *source)
{
    const AVFrameSideData *side = av_frame_get_side_data(source->frame, AV_FRAME_DATA_DISPLAYMATRIX);
    const int32_t *matrix = side && side->size >= 9 * sizeof(int32_t) ? (const int32_t *)(const void *)side->data
                                                                      : matrix_of(source->stream);
    return matrix ? quarter_turns(matrix) * 90 : 0;
}

static const struct arrival *arrival_of(const cuframes_av_source *source)
{
    const AVFrame *frame = source->frame;
    uint64_t newest = source->packets;
    for (uint64_t back = 0; back < ARRIVALS && back < newest; back++) {
        const struct arrival *arrival = &source->arrivals[(newest - back) % ARRIVALS];
        /* Both may be unknown: of the first packet of an RTSP session, of all packets of a raw stream. */
        if (arrival->pts == frame->pts && (frame->pts != AV_NOPTS_VALUE || arrival->dts == frame->pkt_dts))
            return arrival;
    }
    return NULL;
}

/* Format, size and addresses of a frame of NVDEC. */
static int describe_cuda_planes(cuframes_av_source *source, cuframes_av_frame_info *info)
{
    const AVFrame *frame = source->frame;
    const AVHWFramesContext *frames = (const AVHWFramesContext *)(void *)frame->hw_frames_ctx->data;

    copy_text(info->source_format, sizeof info->source_format, av_get_pix_fmt_name(frames->sw_format));
    /* P016 in a stream of 10 bits has them in the upper end of a word, which is P010. */
    bool is_wide = frames->sw_format == AV_PIX_FMT_P010LE || frames->sw_format == AV_PIX_FMT_P016LE;
    if (!is_wide && frames->sw_format != AV_PIX_FMT_NV12) {
        return fail(source, CUFRAMES_AV_UNSUPPORTED_FORMAT, "NVDEC gives %s, which a ring does not carry",
                    info->source_format);
    }
    /* Of a frame in device memory libavcodec takes off the right and the lower crop only. */
    size_t left = frame->crop_left, top = frame->crop_top, sample = is_wide ? 2 : 1;
    if (left >= (size_t)frame->width || top >= (size_t)frame->height)
        return fail(source, CUFRAMES_AV_INVALID_DATA, "the crop leaves nothing of the picture");
    info->flags |= CUFRAMES_AV_FRAME_CUDA;
    info->format = is_wide ? CUFRAMES_AV_FORMAT_P010 : CUFRAMES_AV_FORMAT_NV12;
    info->width = (uint32_t)((size_t)frame->width - left);
    info->height = (uint32_t)((size_t)frame->height - top);
    info->crop_shift_x = info->crop_shift_y = 1;
    for (int i = 0; i < 2; i++) {
        /* Two chroma samples for two columns: a byte offset like that of luma, to a whole pair. */
        size_t column = i == 0 ? left : left & ~(size_t)1, row = i == 0 ? top : top / 2;
        info->planes[i] = frame->data[i] + row * (size_t)frame->linesize[i] + column * sample;
        info->strides[i] = frame->linesize[i];
    }
    return CUFRAMES_AV_OK;
}

/* Format, size and addresses of a frame in host memory. */
static int describe_host_planes(cuframes_av_source *source, cuframes_av_frame_info *info)
{
    const AVFrame *frame = source->frame;
    bool converted;

    source->frame_format = target_of((enum AVPixelFormat)frame->format, &converted);
    copy_text(info->source_format, sizeof info->source_format,
              av_get_pix_fmt_name((enum AVPixelFormat)frame->format));
    if (source->frame_format == CUFRAMES_AV_FORMAT_NONE) {
        return fail(source, CUFRAMES_AV_UNSUPPORTED_FORMAT, "the decoder gives %s, which cannot be converted",
                    info->source_format);
    }
    info->flags |= converted ? CUFRAMES_AV_FRAME_CONVERTED : 0;
    info->format = source->frame_format;
    unsigned shift_x, shift_y;
    crop_shifts((enum AVPixelFormat)frame->format, &shift_x, &shift_y);
    info->crop_shift_x = (uint8_t)shift_x;
    info->crop_shift_y = (uint8_t)shift_y;
    info->width = (uint32_t)frame->width;
    info->height = (uint32_t)frame->height;
    for (int i = 0; i < 4; i++) {
        info->planes[i] = frame->data[i];
        info->strides[i] = frame->linesize[i];
    }
    return CUFRAMES_AV_OK;
}

static int describe_frame(cuframes_av_source *source, cuframes_av_frame_info *info)
{
    const AVFrame *frame = source->frame;
    AVRational base = source->stream->time_base;

    memset(info, 0, sizeof *info);
    info->size = sizeof *info;
    int result = frame->format == AV_PIX_FMT_CUDA ? describe_cuda_planes(source, info)
                                                  : describe_host_planes(source, info);
    if (result != CUFRAMES_AV_OK)
        return result;
    info->pts_ns = to_ns(frame->best_effort_timestamp, base);
#if HAVE_FRAME_DURATION
    info->duration_ns = frame->duration > 0 ? to_ns(frame->duration, base) : 0;
#else
    info->duration_ns = frame->pkt_duration > 0 ? to_ns(frame->pkt_duration, base) : 0;
#endif
    const struct arrival *arrival = arrival_of(source);
    if (arrival) {
        info->arrival_ns = arrival->stamp_ns;
        info->packet_number = arrival->number;
    }
    if (source->tracks[0].has_wall_offset && info->pts_ns != CUFRAMES_AV_NO_TIME)
        info->capture_wall_ns = info->pts_ns + source->tracks[0].wall_offset_ns;

#if HAVE_FRAME_FLAGS
    bool key = frame->flags & AV_FRAME_FLAG_KEY;
    bool interlaced = frame->flags & AV_FRAME_FLAG_INTERLACED;
    bool top_first = frame->flags & AV_FRAME_FLAG_TOP_FIELD_FIRST;
#else
    bool key = frame->key_frame;
    bool interlaced = frame->interlaced_frame;
    bool top_first = frame->top_field_first;
#endif
    uint64_t messages = atomic_load_explicit(&source->decoder_messages, memory_order_relaxed);
    bool corrupt = (frame->flags & AV_FRAME_FLAG_CORRUPT) || frame->decode_error_flags ||
        messages != source->messages_at_last_frame;
    source->messages_at_last_frame = messages;
    info->flags |= (key ? CUFRAMES_AV_FRAME_KEY : 0) | (corrupt ? CUFRAMES_AV_FRAME_CORRUPT : 0) |
        (interlaced ? CUFRAMES_AV_FRAME_INTERLACED : 0) |
        (interlaced && top_first ? CUFRAMES_AV_FRAME_TOP_FIELD_FIRST : 0);
    info->rotation = rotation_of(source);
    info->picture_type = frame->pict_type == AV_PICTURE_TYPE_I ? 'I'
        : frame->pict_type == AV_PICTURE_TYPE_P ? 'P'
        : frame->pict_type == AV_PICTURE_TYPE_B ? 'B' : 0;
    info->matrix = (uint8_t)frame->colorspace;
    info->primaries = (uint8_t)frame->color_primaries;
    info->transfer = (uint8_t)frame->color_trc;
    /* libav numbers the locations as H.273 does, plus one. */
    info->chroma_location = (uint8_t)frame->chroma_location;
    info->range = frame->color_range == AVCOL_RANGE_JPEG || is_full_range_format((enum AVPixelFormat)frame->format) ? 2
        : frame->color_range == AVCOL_RANGE_MPEG ? 1 : 0;
    return CUFRAMES_AV_OK;
}

static int receive_from_decoder(cuframes_av_source *source, cuframes_av_frame_info *info)
{
    begin_decoder_call(source);
    int result = decoder_result(source, avcodec_receive_frame(source->decoder, source->frame));
    return result == CUFRAMES_AV_OK ? describe_frame(source, info) : result;
}

int cuframes_av_receive_frame(cuframes_av_source *source, cuframes_av_frame_info *info)
{
    if (!source || !info || info->size < sizeof *info)
        return CUFRAMES_AV_INVALID_ARGUMENT;
    if (!source->decoder)
        return fail(source, CUFRAMES_AV_INVALID_ARGUMENT, "the source has no decoder yet");
    source->frame_format = CUFRAMES_AV_FORMAT_NONE;
    current_source = source;
    int result = receive_from_decoder(source, info);
    current_source = NULL;
    return result;
}

uint64_t cuframes_av_decoder_messages(cuframes_av_source *source)
{
    return source ? atomic_load_explicit(&source->decoder_messages, memory_order_relaxed) : 0;
}

/* swscale may write past a row's end, so it writes into a padded frame of its own and never into a slot. */
static int convert(cuframes_av_source *source, const cuframes_av_plane *planes)
{
    const AVFrame *frame = source->frame;
    AVFrame *target = source->converted;
    enum AVPixelFormat format = carrier_of(source->frame_format);

    if (target->width != frame->width || target->height != frame->height || target->format != format) {
        av_frame_unref(target);
        target->width = frame->width;
        target->height = frame->height;
        target->format = format;
        int error = av_frame_get_buffer(target, 0);
        if (error < 0)
            return fail_av(source, error);
    }
    source->sws = sws_getCachedContext(source->sws, frame->width, frame->height, (enum AVPixelFormat)frame->format,
                                       frame->width, frame->height, format,
                                       SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP, NULL, NULL, NULL);
    if (!source->sws) {
        return fail(source, CUFRAMES_AV_UNSUPPORTED_FORMAT, "swscale cannot convert %s",
                    av_get_pix_fmt_name((enum AVPixelFormat)frame->format));
    }
    /* Same matrix and range on both sides: the samples' meaning stays, only their layout and depth change. */
    int full = frame->color_range == AVCOL_RANGE_JPEG || is_full_range_format((enum AVPixelFormat)frame->format);
    int matrix = sws_matrix((unsigned)frame->colorspace);
    const int *coefficients = sws_getCoefficients(matrix < 0 ? SWS_CS_DEFAULT : matrix);
    sws_setColorspaceDetails(source->sws, coefficients, full, coefficients, full, 0, 1 << 16, 1 << 16);
    int rows = sws_scale(source->sws, (const uint8_t *const *)frame->data, frame->linesize, 0, frame->height,
                         target->data, target->linesize);
    if (rows != frame->height)
        return fail(source, CUFRAMES_AV_INTERNAL, "swscale gave %d of %d rows", rows, frame->height);
    for (unsigned plane = 0; plane < planes_of(source->frame_format); plane++) {
        size_t row_bytes, plane_rows;
        plane_shape(source->frame_format, plane, (size_t)frame->width, (size_t)frame->height, &row_bytes, &plane_rows);
        copy_plane(planes[plane].data, planes[plane].pitch, target->data[plane], target->linesize[plane], row_bytes,
                   plane_rows);
    }
    return CUFRAMES_AV_OK;
}

int cuframes_av_frame_copy(cuframes_av_source *source, const cuframes_av_plane *planes, uint32_t plane_count)
{
    if (!source)
        return CUFRAMES_AV_INVALID_ARGUMENT;
    enum cuframes_av_format format = source->frame_format;
    if (source->frame->format == AV_PIX_FMT_CUDA) {
        return fail(source, CUFRAMES_AV_INVALID_ARGUMENT,
                    "the frame is in device memory: copy it by CUDA from the addresses in its info");
    }
    if (format == CUFRAMES_AV_FORMAT_NONE || !planes || plane_count != planes_of(format)) {
        return fail(source, CUFRAMES_AV_INVALID_ARGUMENT,
                    "frame copy needs a received frame and as many planes as its format has (%u), found %u",
                    planes_of(format), plane_count);
    }
    const AVFrame *frame = source->frame;
    for (unsigned plane = 0; plane < plane_count; plane++) {
        size_t row_bytes, rows;
        plane_shape(format, plane, (size_t)frame->width, (size_t)frame->height, &row_bytes, &rows);
        if (!planes[plane].data || planes[plane].pitch < row_bytes ||
            (format == CUFRAMES_AV_FORMAT_P010 && (((uintptr_t)planes[plane].data | planes[plane].pitch) & 1))) {
            return fail(source, CUFRAMES_AV_INVALID_ARGUMENT, "plane %u needs a pitch of at least %zu bytes, found %zu",
                        plane, row_bytes, planes[plane].pitch);
        }
    }
    if (carrier_of(format) != (enum AVPixelFormat)frame->format && frame->format != AV_PIX_FMT_YUVJ420P) {
        if (frame->format == AV_PIX_FMT_YUV420P10LE) {
            copy_10_to_p010(planes, frame);
            return CUFRAMES_AV_OK;
        }
        current_source = source;
        int result = convert(source, planes);
        current_source = NULL;
        return result;
    }
    for (unsigned plane = 0; plane < plane_count; plane++) {
        size_t row_bytes, rows;
        plane_shape(format, plane, (size_t)frame->width, (size_t)frame->height, &row_bytes, &rows);
        copy_plane(planes[plane].data, planes[plane].pitch, frame->data[plane], frame->linesize[plane], row_bytes, rows);
    }
    return CUFRAMES_AV_OK;
}

/* ---- scaling -------------------------------------------------------------------------------------------------- */

/* Bits that do not depend on the processor; chroma of every column, not of every second one. */
#define SCALE_FLAGS (SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP | SWS_BITEXACT)

/* A picture to be scaled: a decoder's, which may have any format, or a caller's. */
struct scaler_input {
    enum AVPixelFormat format;
    int width, height;
    int matrix; /* H.273 */
    bool is_full;
    const uint8_t *data[4];
    int strides[4];
};

/* Everything that a context depends on. Compared byte by byte, so it is always zeroed first. */
struct scaling_key {
    enum AVPixelFormat source_format, target_format;
    int source_width, source_height, target_width, target_height;
    int matrix; /* SWS_CS_... */
    int source_full, target_full;
    int filter; /* SWS_BICUBIC or SWS_AREA */
};

struct cuframes_av_scaler {
    struct SwsContext *sws;
    AVFrame *result; /* swscale writes past the ends of rows, so it writes here and never into a slot */
    struct scaling_key key;
};

cuframes_av_scaler *cuframes_av_scaler_create(void)
{
    cuframes_av_scaler *scaler = calloc(1, sizeof *scaler);
    if (!scaler)
        return NULL;
    cuframes_av_start();
    scaler->result = av_frame_alloc();
    if (!scaler->result) {
        free(scaler);
        return NULL;
    }
    return scaler;
}

void cuframes_av_scaler_free(cuframes_av_scaler *scaler)
{
    if (!scaler)
        return;
    sws_freeContext(scaler->sws);
    av_frame_free(&scaler->result);
    free(scaler);
}

static bool is_rgb(enum AVPixelFormat format)
{
    return av_pix_fmt_desc_get(format)->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL);
}

static bool is_subsampled(enum cuframes_av_format format)
{
    return planes_of(format) > 1;
}

/* An edge of the shown part: at the result's own edge, or between two chroma samples. */
static bool is_edge(uint32_t position, uint32_t whole, bool subsampled)
{
    return position == whole || !subsampled || position % 2 == 0;
}

static const char *scaling_fault(const struct scaler_input *input, const cuframes_av_scaling *scaling,
                                 const cuframes_av_plane *planes, uint32_t plane_count)
{
    enum cuframes_av_format format = (enum cuframes_av_format)scaling->format;
    bool subsampled = is_subsampled(format);
    unsigned shift_x, shift_y;
    uint64_t width = (uint64_t)input->width, height = (uint64_t)input->height;

    if (carrier_of(format) == AV_PIX_FMT_NONE || scaling->width == 0 || scaling->height == 0 || scaling->width > 16384 ||
        scaling->height > 16384)
        return "scaling needs a known format and a result of 1 to 16384 rows and columns";
    if (scaling->filter > CUFRAMES_AV_FILTER_AREA)
        return "scaling needs a known filter";
    crop_shifts(input->format, &shift_x, &shift_y);
    if (scaling->source_width == 0 || scaling->source_height == 0 ||
        (uint64_t)scaling->source_x + scaling->source_width > width ||
        (uint64_t)scaling->source_y + scaling->source_height > height || scaling->source_x % (1u << shift_x) ||
        scaling->source_y % (1u << shift_y))
        return "the part to be scaled is not in the picture, or does not begin at a whole chroma sample";
    if (scaling->target_width == 0 || scaling->target_height == 0 ||
        (uint64_t)scaling->target_x + scaling->target_width > scaling->width ||
        (uint64_t)scaling->target_y + scaling->target_height > scaling->height ||
        !is_edge(scaling->target_x, 0, subsampled) || !is_edge(scaling->target_y, 0, subsampled) ||
        !is_edge(scaling->target_x + scaling->target_width, scaling->width, subsampled) ||
        !is_edge(scaling->target_y + scaling->target_height, scaling->height, subsampled))
        return "the place of the scaled part is not in the result, or divides a chroma sample";
    if (!planes || plane_count != planes_of(format))
        return "scaling needs as many planes as the result's format has";
    for (unsigned plane = 0; plane < plane_count; plane++) {
        size_t row_bytes, rows;
        plane_shape(format, plane, scaling->width, scaling->height, &row_bytes, &rows);
        if (!planes[plane].data || planes[plane].pitch < row_bytes ||
            (format == CUFRAMES_AV_FORMAT_P010 && (((uintptr_t)planes[plane].data | planes[plane].pitch) & 1)))
            return "a plane of the result is missing, or its pitch is shorter than a row";
    }
    return NULL;
}

/* Makes the context and the result fit. */
static int prepare_scaler(cuframes_av_scaler *scaler, const struct scaling_key *key)
{
    AVFrame *result = scaler->result;
    if (scaler->sws && memcmp(&scaler->key, key, sizeof *key) == 0)
        return CUFRAMES_AV_OK;
    sws_freeContext(scaler->sws);
    scaler->sws = NULL;
    if (result->width != key->target_width || result->height != key->target_height ||
        result->format != key->target_format) {
        av_frame_unref(result);
        result->width = key->target_width;
        result->height = key->target_height;
        result->format = key->target_format;
        if (av_frame_get_buffer(result, 0) < 0) {
            av_frame_unref(result);
            return CUFRAMES_AV_NO_MEMORY;
        }
    }
    scaler->sws = sws_getContext(key->source_width, key->source_height, key->source_format, key->target_width,
                                 key->target_height, key->target_format, key->filter | SCALE_FLAGS, NULL, NULL, NULL);
    if (!scaler->sws)
        return CUFRAMES_AV_UNSUPPORTED_FORMAT;
    const int *coefficients = sws_getCoefficients(key->matrix);
    sws_setColorspaceDetails(scaler->sws, coefficients, key->source_full, coefficients, key->target_full, 0, 1 << 16,
                             1 << 16);
    scaler->key = *key;
    return CUFRAMES_AV_OK;
}

static void fill(uint8_t *target, size_t bytes, const uint8_t *sample, size_t sample_bytes)
{
    if (sample_bytes == 1) {
        memset(target, sample[0], bytes);
        return;
    }
    for (size_t i = 0; i + sample_bytes <= bytes; i += sample_bytes)
        memcpy(target + i, sample, sample_bytes);
}

/* One sample of black; returns its bytes. */
static size_t black_of(enum cuframes_av_format format, unsigned plane, bool is_full, uint8_t sample[4])
{
    uint8_t luma = is_full ? 0 : 16;
    memset(sample, 0, 4);
    switch (format) {
    case CUFRAMES_AV_FORMAT_NV12:
    case CUFRAMES_AV_FORMAT_I420: sample[0] = plane == 0 ? luma : 128; return 1;
    case CUFRAMES_AV_FORMAT_P010: sample[1] = plane == 0 ? luma : 128; return 2; /* the 10 bits of 4 x, in the upper end */
    case CUFRAMES_AV_FORMAT_GRAY8: sample[0] = luma; return 1;
    case CUFRAMES_AV_FORMAT_RGBA:
    case CUFRAMES_AV_FORMAT_BGRA: sample[3] = 255; return 4;
    default: return 1;
    }
}

/* Copies the scaled part into the caller's planes and makes the rest black. */
static void place_result(const uint8_t *const data[4], const int strides[4], const cuframes_av_scaling *scaling, bool is_full,
                         const cuframes_av_plane *planes)
{
    enum cuframes_av_format format = (enum cuframes_av_format)scaling->format;
    for (unsigned plane = 0; plane < planes_of(format); plane++) {
        size_t bytes, rows, part_bytes, part_rows, left, top;
        uint8_t black[4];
        size_t black_bytes = black_of(format, plane, is_full, black);
        plane_shape(format, plane, scaling->width, scaling->height, &bytes, &rows);
        plane_shape(format, plane, scaling->target_width, scaling->target_height, &part_bytes, &part_rows);
        plane_shape(format, plane, scaling->target_x, scaling->target_y, &left, &top);
        for (size_t row = 0; row < rows; row++) {
            uint8_t *target = planes[plane].data + row * planes[plane].pitch;
            if (row < top || row >= top + part_rows) {
                fill(target, bytes, black, black_bytes);
                continue;
            }
            fill(target, left, black, black_bytes);
            memcpy(target + left, data[plane] + (ptrdiff_t)(row - top) * strides[plane], part_bytes);
            fill(target + left + part_bytes, bytes - left - part_bytes, black, black_bytes);
        }
    }
}

static int scale_input(cuframes_av_scaler *scaler, const struct scaler_input *input, const cuframes_av_scaling *scaling,
                       const cuframes_av_plane *planes, uint32_t plane_count, char *error, size_t error_capacity)
{
    const char *fault = scaling_fault(input, scaling, planes, plane_count);
    if (fault) {
        copy_text(error, error_capacity, fault);
        return CUFRAMES_AV_INVALID_ARGUMENT;
    }
    enum AVPixelFormat target = carrier_of((enum cuframes_av_format)scaling->format);
    bool from_rgb = is_rgb(input->format), to_rgb = is_rgb(target);
    int known = from_rgb ? -1 : sws_matrix((unsigned)input->matrix);
    /* RGB has no matrix of its own: the rows of the YUV that it becomes decide. */
    uint32_t rows = from_rgb ? scaling->height : (uint32_t)input->height;
    struct scaling_key key;
    memset(&key, 0, sizeof key);
    key.source_format = input->format;
    key.target_format = target;
    key.source_width = (int)scaling->source_width;
    key.source_height = (int)scaling->source_height;
    key.target_width = (int)scaling->target_width;
    key.target_height = (int)scaling->target_height;
    key.matrix = known >= 0 ? known : rows >= 720 ? SWS_CS_ITU709 : SWS_CS_ITU601;
    key.source_full = from_rgb || input->is_full;
    key.filter = scaling->filter == CUFRAMES_AV_FILTER_AREA ? SWS_AREA : SWS_BICUBIC;
    key.target_full = to_rgb || (from_rgb ? target == AV_PIX_FMT_GRAY8 : input->is_full);
    /* What stays as it is is copied. libswscale would leave the chroma of NV12 and P010 out: its copy of planes skips the second one of two. */
    bool is_same = key.source_format == key.target_format && key.source_width == key.target_width &&
        key.source_height == key.target_height && key.source_full == key.target_full;
    int result = is_same ? CUFRAMES_AV_OK : prepare_scaler(scaler, &key);
    if (result != CUFRAMES_AV_OK) {
        snprintf(error, error_capacity, "swscale cannot make %ux%u of format %s from %ux%u of format %s",
                 scaling->target_width, scaling->target_height, av_get_pix_fmt_name(target), scaling->source_width,
                 scaling->source_height, av_get_pix_fmt_name(input->format));
        return result;
    }

    const AVPixFmtDescriptor *descriptor = av_pix_fmt_desc_get(input->format);
    const uint8_t *data[4];
    int steps[4];
    av_image_fill_max_pixsteps(steps, NULL, descriptor);
    for (int i = 0; i < 4; i++) {
        bool is_chroma = i == 1 || i == 2;
        bool is_palette = i == 1 && (descriptor->flags & AV_PIX_FMT_FLAG_PAL);
        data[i] = input->data[i];
        if (!data[i] || is_palette)
            continue;
        ptrdiff_t row = (ptrdiff_t)(scaling->source_y >> (is_chroma ? descriptor->log2_chroma_h : 0));
        ptrdiff_t column = (ptrdiff_t)(scaling->source_x >> (is_chroma ? descriptor->log2_chroma_w : 0)) * steps[i];
        data[i] += row * input->strides[i] +
            (descriptor->flags & AV_PIX_FMT_FLAG_BITSTREAM ? column / 8 : column);
    }
    if (is_same) {
        place_result(data, input->strides, scaling, key.target_full, planes);
        return CUFRAMES_AV_OK;
    }
    if (sws_scale(scaler->sws, data, input->strides, 0, key.source_height, scaler->result->data,
                  scaler->result->linesize) != key.target_height) {
        copy_text(error, error_capacity, "swscale did not give all rows");
        return CUFRAMES_AV_INTERNAL;
    }
    place_result((const uint8_t *const *)scaler->result->data, scaler->result->linesize, scaling, key.target_full, planes);
    return CUFRAMES_AV_OK;
}

int cuframes_av_frame_scale(cuframes_av_source *source, cuframes_av_scaler *scaler, const cuframes_av_scaling *scaling,
                            const cuframes_av_plane *planes, uint32_t plane_count)
{
    char error[ERROR_CAPACITY] = "";
    if (!source || !scaler || !scaling || scaling->size < sizeof *scaling)
        return CUFRAMES_AV_INVALID_ARGUMENT;
    const AVFrame *frame = source->frame;
    if (frame->format == AV_PIX_FMT_CUDA || source->frame_format == CUFRAMES_AV_FORMAT_NONE)
        return fail(source, CUFRAMES_AV_INVALID_ARGUMENT, "scaling needs a received frame in host memory");
    struct scaler_input input = {
        .format = (enum AVPixelFormat)frame->format,
        .width = frame->width,
        .height = frame->height,
        .matrix = frame->colorspace,
        .is_full = frame->color_range == AVCOL_RANGE_JPEG || is_full_range_format((enum AVPixelFormat)frame->format),
    };
    for (int i = 0; i < 4; i++) {
        input.data[i] = frame->data[i];
        input.strides[i] = frame->linesize[i];
    }
    current_source = source;
    int result = scale_input(scaler, &input, scaling, planes, plane_count, error, sizeof error);
    current_source = NULL;
    return result == CUFRAMES_AV_OK ? result : fail(source, result, "%s", error);
}

/* Takes a caller's picture, if it is good. */
static int picture_input(const cuframes_av_picture *picture, struct scaler_input *input, char *error, size_t error_capacity)
{
    enum cuframes_av_format format = (enum cuframes_av_format)picture->format;
    *input = (struct scaler_input){
        .format = carrier_of(format),
        .width = (int)picture->width,
        .height = (int)picture->height,
        .matrix = (int)picture->matrix,
        .is_full = picture->range == 2,
    };
    if (input->format == AV_PIX_FMT_NONE || picture->width == 0 || picture->height == 0 || picture->width > 16384 ||
        picture->height > 16384) {
        copy_text(error, error_capacity, "scaling and encoding need a picture of a known format with 1 to 16384 rows and columns");
        return CUFRAMES_AV_INVALID_ARGUMENT;
    }
    for (unsigned plane = 0; plane < planes_of(format); plane++) {
        size_t row_bytes, rows;
        plane_shape(format, plane, picture->width, picture->height, &row_bytes, &rows);
        if (!picture->planes[plane].data || picture->planes[plane].pitch < row_bytes ||
            picture->planes[plane].pitch > INT_MAX) {
            copy_text(error, error_capacity, "a plane of the picture is missing, or its pitch is shorter than a row");
            return CUFRAMES_AV_INVALID_ARGUMENT;
        }
        input->data[plane] = picture->planes[plane].data;
        input->strides[plane] = (int)picture->planes[plane].pitch;
    }
    return CUFRAMES_AV_OK;
}

int cuframes_av_picture_scale(cuframes_av_scaler *scaler, const cuframes_av_picture *picture,
                              const cuframes_av_scaling *scaling, const cuframes_av_plane *planes, uint32_t plane_count,
                              char *error, size_t error_capacity)
{
    if (!scaler || !picture || picture->size < sizeof *picture || !scaling || scaling->size < sizeof *scaling || !error ||
        error_capacity == 0)
        return CUFRAMES_AV_INVALID_ARGUMENT;
    struct scaler_input input;
    int result = picture_input(picture, &input, error, error_capacity);
    return result == CUFRAMES_AV_OK ? scale_input(scaler, &input, scaling, planes, plane_count, error, error_capacity)
                                    : result;
}

/* ---- texts ---------------------------------------------------------------------------------------------------- */

size_t cuframes_av_error_text(cuframes_av_source *source, char *text, size_t capacity)
{
    if (!source || !text || capacity == 0)
        return 0;
    copy_text(text, capacity, source->error);
    return strlen(text);
}

size_t cuframes_av_take_log(cuframes_av_source *source, char *text, size_t capacity)
{
    if (!source || !text || capacity == 0)
        return 0;
    pthread_mutex_lock(&source->log_lock);
    if (source->line_length)
        append_line(source);
    copy_text(text, capacity, source->log);
    source->log_length = 0;
    source->log[0] = 0;
    pthread_mutex_unlock(&source->log_lock);
    return strlen(text);
}

/* ---- pictures ------------------------------------------------------------------------------------------------- */

static int fail_text(char *error, size_t capacity, int result, const char *text)
{
    if (error)
        copy_text(error, capacity, text);
    return result;
}

static AVFrame *new_picture(enum AVPixelFormat format, uint32_t width, uint32_t height)
{
    AVFrame *frame = av_frame_alloc();
    if (!frame)
        return NULL;
    frame->format = format;
    frame->width = (int)width;
    frame->height = (int)height;
    if (av_frame_get_buffer(frame, 0) < 0)
        av_frame_free(&frame);
    return frame;
}

int cuframes_av_to_rgb24(uint32_t format, uint32_t width, uint32_t height, const cuframes_av_plane *planes,
                         uint32_t plane_count, uint32_t matrix, uint32_t range, uint8_t *rgb, size_t rgb_pitch,
                         char *error, size_t error_capacity)
{
    enum cuframes_av_format kind = (enum cuframes_av_format)format;
    enum AVPixelFormat carrier = carrier_of(kind);
    int result = CUFRAMES_AV_OK;

    if (carrier == AV_PIX_FMT_NONE || width == 0 || height == 0 || width > 32768 || height > 32768 || !planes ||
        plane_count != planes_of(kind) || !rgb || rgb_pitch < 3 * (size_t)width) {
        return fail_text(error, error_capacity, CUFRAMES_AV_INVALID_ARGUMENT,
                         "conversion to RGB24 needs a known format, 1 to 32768 rows and columns, all planes and room");
    }
    /* swscale reads and writes past the ends of rows. Both sides go through padded buffers of its own. */
    AVFrame *source = new_picture(carrier, width, height);
    AVFrame *target = new_picture(AV_PIX_FMT_RGB24, width, height);
    struct SwsContext *sws = sws_getContext((int)width, (int)height, carrier, (int)width, (int)height, AV_PIX_FMT_RGB24,
                                            SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT, NULL, NULL, NULL);
    if (!source || !target || !sws) {
        result = fail_text(error, error_capacity, CUFRAMES_AV_NO_MEMORY, "out of memory");
    } else {
        for (unsigned plane = 0; plane < plane_count; plane++) {
            size_t row_bytes, rows;
            plane_shape(kind, plane, width, height, &row_bytes, &rows);
            copy_plane(source->data[plane], (size_t)source->linesize[plane], planes[plane].data,
                       (ptrdiff_t)planes[plane].pitch, row_bytes, rows);
        }
        int known = sws_matrix(matrix);
        const int *coefficients = sws_getCoefficients(known >= 0 ? known : height >= 720 ? SWS_CS_ITU709
                                                                                        : SWS_CS_ITU601);
        /* GRAY8 follows its range like luma; RGB input has no matrix and swscale ignores these for it. */
        sws_setColorspaceDetails(sws, coefficients, range == 2, coefficients, 1, 0, 1 << 16, 1 << 16);
        if (sws_scale(sws, (const uint8_t *const *)source->data, source->linesize, 0, (int)height, target->data,
                      target->linesize) != (int)height)
            result = fail_text(error, error_capacity, CUFRAMES_AV_INTERNAL, "swscale did not give all rows");
        else
            copy_plane(rgb, rgb_pitch, target->data[0], target->linesize[0], 3 * (size_t)width, height);
    }
    sws_freeContext(sws);
    av_frame_free(&source);
    av_frame_free(&target);
    return result;
}

int cuframes_av_encode_png(const uint8_t *rgb, size_t pitch, uint32_t width, uint32_t height, uint8_t **png,
                           size_t *png_size, char *error, size_t error_capacity)
{
    char name[AV_ERROR_MAX_STRING_SIZE];
    if (!rgb || !png || !png_size || width == 0 || height == 0 || width > 32768 || height > 32768 ||
        pitch < 3 * (size_t)width) {
        return fail_text(error, error_capacity, CUFRAMES_AV_INVALID_ARGUMENT,
                         "PNG encoding needs an RGB24 picture of 1 to 32768 rows and columns");
    }
    *png = NULL;
    *png_size = 0;
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_PNG);
    if (!codec) {
        return fail_text(error, error_capacity, CUFRAMES_AV_UNSUPPORTED_CODEC,
                         "the installed libavcodec has no PNG encoder");
    }
    int result = CUFRAMES_AV_OK, status = 0;
    AVCodecContext *context = avcodec_alloc_context3(codec);
    AVPacket *packet = av_packet_alloc();
    AVFrame *frame = new_picture(AV_PIX_FMT_RGB24, width, height);
    if (!context || !packet || !frame) {
        result = fail_text(error, error_capacity, CUFRAMES_AV_NO_MEMORY, "out of memory");
    } else {
        context->width = (int)width;
        context->height = (int)height;
        context->pix_fmt = AV_PIX_FMT_RGB24;
        context->time_base = (AVRational){ 1, 1 };
        copy_plane(frame->data[0], (size_t)frame->linesize[0], rgb, (ptrdiff_t)pitch, 3 * (size_t)width, height);
        if ((status = avcodec_open2(context, codec, NULL)) >= 0 &&
            (status = avcodec_send_frame(context, frame)) >= 0 && (status = avcodec_send_frame(context, NULL)) >= 0)
            status = avcodec_receive_packet(context, packet);
        if (status < 0) {
            result = fail_text(error, error_capacity, CUFRAMES_AV_INTERNAL, error_name(status, name));
        } else {
            *png = malloc((size_t)packet->size);
            if (*png) {
                memcpy(*png, packet->data, (size_t)packet->size);
                *png_size = (size_t)packet->size;
            } else {
                result = fail_text(error, error_capacity, CUFRAMES_AV_NO_MEMORY, "out of memory");
            }
        }
    }
    avcodec_free_context(&context);
    av_packet_free(&packet);
    av_frame_free(&frame);
    return result;
}

void cuframes_av_buffer_free(uint8_t *buffer)
{
    free(buffer);
}

/* ---- JPEG ----------------------------------------------------------------------------------------------------- */

/* libavcodec's scale from 2 (best) to 31. At 3 one has to look closely to find a fault. */
#define JPEG_QUALITY 3

/* Factors are numbers of 1 / 65536. */
#define FACTOR_BITS 16

/*
 * What turns YUV of any matrix and range into JFIF's, which is BT.601 and full range. A change of matrix is linear and leaves
 * grey as it is, so luma gets a share of chroma and chroma none of luma. (swscale gives colours that are off by up to 30 here:
 * it converts ranges from YUV to YUV, but not matrices.)
 */
struct jpeg_colours {
    int32_t black, y, y_u, y_v, u_u, u_v, v_u, v_v; /* black in quarters, factors of samples in quarters */
};

struct cuframes_av_jpeg_encoder {
    AVCodecContext *codec;
    AVFrame *frame;
    AVPacket *packet;
    int16_t *rows; /* two of luma, one of U, one of V: samples in quarters, so that 10 bits fit */
};

cuframes_av_jpeg_encoder *cuframes_av_jpeg_encoder_create(void)
{
    cuframes_av_jpeg_encoder *encoder = calloc(1, sizeof *encoder);
    if (!encoder)
        return NULL;
    pthread_once(&library_once, library_start);
    encoder->packet = av_packet_alloc();
    if (!encoder->packet) {
        free(encoder);
        return NULL;
    }
    return encoder;
}

static void jpeg_reset(cuframes_av_jpeg_encoder *encoder)
{
    avcodec_free_context(&encoder->codec);
    av_frame_free(&encoder->frame);
    free(encoder->rows);
    encoder->rows = NULL;
}

void cuframes_av_jpeg_encoder_free(cuframes_av_jpeg_encoder *encoder)
{
    if (!encoder)
        return;
    jpeg_reset(encoder);
    av_packet_free(&encoder->packet);
    free(encoder);
}

/* Makes codec and buffers for pictures of a size. */
static int jpeg_prepare(cuframes_av_jpeg_encoder *encoder, int width, int height, char *error, size_t error_capacity)
{
    char name[AV_ERROR_MAX_STRING_SIZE];
    if (encoder->codec && encoder->codec->width == width && encoder->codec->height == height)
        return CUFRAMES_AV_OK;
    jpeg_reset(encoder);
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_MJPEG);
    if (!codec)
        return fail_text(error, error_capacity, CUFRAMES_AV_UNSUPPORTED_CODEC, "the installed libavcodec has no JPEG encoder");
    encoder->frame = new_picture(AV_PIX_FMT_YUVJ420P, (uint32_t)width, (uint32_t)height);
    encoder->codec = avcodec_alloc_context3(codec);
    encoder->rows = calloc(4 * (size_t)(width + 1), sizeof *encoder->rows);
    if (!encoder->frame || !encoder->codec || !encoder->rows) {
        jpeg_reset(encoder);
        return fail_text(error, error_capacity, CUFRAMES_AV_NO_MEMORY, "out of memory");
    }
    encoder->frame->color_range = AVCOL_RANGE_JPEG;
    encoder->frame->quality = JPEG_QUALITY * FF_QP2LAMBDA;
    encoder->frame->pts = 0;
    encoder->codec->width = width;
    encoder->codec->height = height;
    encoder->codec->pix_fmt = AV_PIX_FMT_YUVJ420P;
    encoder->codec->color_range = AVCOL_RANGE_JPEG;
    encoder->codec->time_base = (AVRational){ 1, 25 };
    encoder->codec->thread_count = 1; /* more would give a picture late */
    encoder->codec->flags = AV_CODEC_FLAG_QSCALE | AV_CODEC_FLAG_BITEXACT;
    encoder->codec->global_quality = JPEG_QUALITY * FF_QP2LAMBDA;
    int status = avcodec_open2(encoder->codec, codec, NULL);
    if (status < 0) {
        jpeg_reset(encoder);
        return fail_text(error, error_capacity, CUFRAMES_AV_INTERNAL, error_name(status, name));
    }
    return CUFRAMES_AV_OK;
}

static int32_t factor_of(double value)
{
    return (int32_t)(value * (1 << FACTOR_BITS) + (value < 0 ? -0.5 : 0.5));
}

static struct jpeg_colours jpeg_colours_of(const struct scaler_input *input)
{
    int matrix = sws_matrix((unsigned)input->matrix);
    double kr = 0.299, kb = 0.114;
    if (matrix < 0)
        matrix = input->height >= 720 ? SWS_CS_ITU709 : SWS_CS_ITU601;
    switch (matrix) { /* ITU-T H.273, table 4 */
    case SWS_CS_ITU709: kr = 0.2126, kb = 0.0722; break;
    case SWS_CS_FCC: kr = 0.30, kb = 0.11; break;
    case SWS_CS_SMPTE240M: kr = 0.212, kb = 0.087; break;
    case SWS_CS_BT2020: kr = 0.2627, kb = 0.0593; break;
    }
    double kg = 1 - kr - kb;
    double luma = input->is_full ? 1 : 255.0 / 219, chroma = input->is_full ? 1 : 255.0 / 224;
    /* What U and V add to R, G and B, and these to the new luma. */
    double r_v = 2 * (1 - kr) * chroma, b_u = 2 * (1 - kb) * chroma;
    double y_u = -0.587 * kb * b_u / kg + 0.114 * b_u, y_v = 0.299 * r_v - 0.587 * kr * r_v / kg;
    return (struct jpeg_colours){
        .black = input->is_full ? 0 : 16 * 4,
        .y = factor_of(luma / 4),
        .y_u = factor_of(y_u / 4),
        .y_v = factor_of(y_v / 4),
        .u_u = factor_of((b_u - y_u) / 1.772 / 4),
        .u_v = factor_of(-y_v / 1.772 / 4),
        .v_u = factor_of(-y_u / 1.402 / 4),
        .v_v = factor_of((r_v - y_v) / 1.402 / 4),
    };
}

static uint8_t byte_of(int32_t value)
{
    value = (value + (1 << (FACTOR_BITS - 1))) >> FACTOR_BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* Every `step`th sample of a row, in quarters. */
static void unpack(int16_t *target, const uint8_t *source, int count, int step, bool is_p010)
{
    if (is_p010) {
        for (int i = 0; i < count; i++) {
            uint16_t word;
            memcpy(&word, source + 2 * (ptrdiff_t)(i * step), sizeof word);
            target[i] = (int16_t)(word >> 6);
        }
    } else {
        for (int i = 0; i < count; i++)
            target[i] = (int16_t)(source[i * step] * 4);
    }
}

static void jpeg_from_yuv(AVFrame *target, const struct scaler_input *input, enum cuframes_av_format format, int16_t *rows)
{
    const struct jpeg_colours c = jpeg_colours_of(input);
    const int width = input->width, height = input->height, half = (width + 1) / 2;
    const bool is_p010 = format == CUFRAMES_AV_FORMAT_P010, is_grey = format == CUFRAMES_AV_FORMAT_GRAY8;
    int16_t *luma = rows, *u = rows + 2 * (width + 1), *v = u + width + 1;
    for (int row = 0; row < height; row += 2) {
        if (!is_grey) {
            const uint8_t *first = input->data[1] + (ptrdiff_t)(row / 2) * input->strides[1];
            if (format == CUFRAMES_AV_FORMAT_I420) {
                unpack(u, first, half, 1, false);
                unpack(v, input->data[2] + (ptrdiff_t)(row / 2) * input->strides[2], half, 1, false);
            } else {
                unpack(u, first, half, 2, is_p010);
                unpack(v, first + (is_p010 ? 2 : 1), half, 2, is_p010);
            }
            for (int i = 0; i < half; i++) {
                u[i] -= 512;
                v[i] -= 512;
            }
        }
        for (int line = row; line < row + 2 && line < height; line++) {
            uint8_t *out = target->data[0] + (ptrdiff_t)line * target->linesize[0];
            unpack(luma, input->data[0] + (ptrdiff_t)line * input->strides[0], width, 1, is_p010);
            for (int i = 0; i < width; i++)
                out[i] = byte_of(c.y * (luma[i] - c.black) + c.y_u * u[i / 2] + c.y_v * v[i / 2]);
        }
        uint8_t *out_u = target->data[1] + (ptrdiff_t)(row / 2) * target->linesize[1];
        uint8_t *out_v = target->data[2] + (ptrdiff_t)(row / 2) * target->linesize[2];
        for (int i = 0; i < half; i++) {
            out_u[i] = byte_of(c.u_u * u[i] + c.u_v * v[i] + (128 << FACTOR_BITS));
            out_v[i] = byte_of(c.v_u * u[i] + c.v_v * v[i] + (128 << FACTOR_BITS));
        }
    }
}

static void jpeg_from_rgb(AVFrame *target, const struct scaler_input *input)
{
    const AVPixFmtDescriptor *descriptor = av_pix_fmt_desc_get(input->format);
    const int width = input->width, height = input->height;
    const uint8_t *channels[3];
    for (int i = 0; i < 3; i++)
        channels[i] = input->data[descriptor->comp[i].plane] + descriptor->comp[i].offset;
    const int step = descriptor->comp[0].step;
    for (int row = 0; row < height; row += 2) {
        const int lines = row + 1 < height ? 2 : 1;
        for (int column = 0; column < width; column += 2) {
            const int columns = column + 1 < width ? 2 : 1;
            int32_t sum[3] = { 0, 0, 0 };
            for (int line = row; line < row + lines; line++) {
                for (int i = column; i < column + columns; i++) {
                    int32_t sample[3];
                    for (int k = 0; k < 3; k++) {
                        ptrdiff_t stride = input->strides[descriptor->comp[k].plane];
                        sum[k] += sample[k] = channels[k][line * stride + (ptrdiff_t)i * step];
                    }
                    /* The factors' sum is 65536 exactly. */
                    target->data[0][line * target->linesize[0] + i] =
                        byte_of(19595 * sample[0] + 38470 * sample[1] + 7471 * sample[2]);
                }
            }
            int32_t count = lines * columns;
            target->data[1][row / 2 * target->linesize[1] + column / 2] =
                byte_of((-11058 * sum[0] - 21710 * sum[1] + 32768 * sum[2]) / count + (128 << FACTOR_BITS));
            target->data[2][row / 2 * target->linesize[2] + column / 2] =
                byte_of((32768 * sum[0] - 27439 * sum[1] - 5329 * sum[2]) / count + (128 << FACTOR_BITS));
        }
    }
}

int cuframes_av_encode_jpeg(cuframes_av_jpeg_encoder *encoder, const cuframes_av_picture *picture, const uint8_t **jpeg,
                            size_t *jpeg_size, char *error, size_t error_capacity)
{
    char name[AV_ERROR_MAX_STRING_SIZE];
    struct scaler_input input;
    if (!encoder || !picture || picture->size < sizeof *picture || !jpeg || !jpeg_size || !error || error_capacity == 0)
        return CUFRAMES_AV_INVALID_ARGUMENT;
    int result = picture_input(picture, &input, error, error_capacity);
    if (result == CUFRAMES_AV_OK)
        result = jpeg_prepare(encoder, input.width, input.height, error, error_capacity);
    if (result != CUFRAMES_AV_OK)
        return result;

    av_packet_unref(encoder->packet);
    int status = av_frame_make_writable(encoder->frame);
    if (status >= 0) {
        if (is_rgb(input.format))
            jpeg_from_rgb(encoder->frame, &input);
        else
            jpeg_from_yuv(encoder->frame, &input, (enum cuframes_av_format)picture->format, encoder->rows);
        encoder->frame->pts++;
        status = avcodec_send_frame(encoder->codec, encoder->frame);
    }
    if (status >= 0)
        status = avcodec_receive_packet(encoder->codec, encoder->packet);
    if (status < 0)
        return fail_text(error, error_capacity, CUFRAMES_AV_INTERNAL, error_name(status, name));
    *jpeg = encoder->packet->data;
    *jpeg_size = (size_t)encoder->packet->size;
    return CUFRAMES_AV_OK;
}
