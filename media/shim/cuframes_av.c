/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See cuframes_av.h for the contract. */
#define _GNU_SOURCE
#include "cuframes_av.h"

#include <errno.h>
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
#include <libavformat/avformat.h>
#include <libavutil/avutil.h>
#include <libavutil/display.h>
#include <libavutil/hwcontext.h>
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
    AVFrame *frame;
    AVFrame *converted;
    struct SwsContext *sws;

    cuframes_av_options options;
    struct secrets secrets;
    enum stage stage;
    bool is_live;
    bool end_sent;
    bool has_wall_offset;
    int64_t wall_offset_ns; /* CLOCK_REALTIME of the camera minus pts */
    uint64_t packets;
    uint64_t messages_at_last_frame;
    enum cuframes_av_format frame_format;
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

static enum AVPixelFormat select_format(AVCodecContext *context, const enum AVPixelFormat *formats)
{
    return avcodec_default_get_format(context, formats);
}

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
    clean[length++] = '\n';
    /* A full buffer keeps its beginning: the first message tells the cause, the rest are its echo. */
    if (source->log_length + length < sizeof source->log) {
        memcpy(source->log + source->log_length, clean, length);
        source->log_length += length;
        source->log[source->log_length] = 0;
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
    if (!source)
        return;
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
    pthread_once(&library_once, library_start);
    cuframes_av_source *source = calloc(1, sizeof *source);
    if (!source)
        return NULL;
    pthread_mutex_init(&source->log_lock, NULL);
    source->packet = av_packet_alloc();
    source->frame = av_frame_alloc();
    source->converted = av_frame_alloc();
    if (!source->packet || !source->frame || !source->converted) {
        cuframes_av_free(source);
        return NULL;
    }
    return source;
}

void cuframes_av_free(cuframes_av_source *source)
{
    if (!source)
        return;
    cuframes_av_source *outer = current_source;
    current_source = source;
    avcodec_free_context(&source->decoder);
    /* Closing an RTSP session writes TEARDOWN; a peer that no longer reads must not hold us. */
    set_deadline(source, 500000000);
    if (source->format)
        avformat_close_input(&source->format);
    av_packet_free(&source->packet);
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

static int open_decoder(cuframes_av_source *source)
{
    const AVCodecParameters *parameters = source->stream->codecpar;
    const AVCodec *codec = avcodec_find_decoder(parameters->codec_id);
    if (!codec) {
        return fail(source, CUFRAMES_AV_UNSUPPORTED_CODEC, "the installed libavcodec has no decoder for %s",
                    avcodec_get_name(parameters->codec_id));
    }
    source->decoder = avcodec_alloc_context3(codec);
    if (!source->decoder)
        return fail(source, CUFRAMES_AV_NO_MEMORY, "out of memory");
    int error = avcodec_parameters_to_context(source->decoder, parameters);
    if (error < 0)
        return fail_av(source, error);
    source->decoder->opaque = source;
    source->decoder->get_format = select_format;
    source->decoder->pkt_timebase = source->stream->time_base;
    source->decoder->thread_count = source->options.decode_threads;
    /* Without it a left crop is only applied down to an alignment, and the picture is too wide. */
    source->decoder->flags |= AV_CODEC_FLAG_UNALIGNED;
    if (source->options.flags & CUFRAMES_AV_LOW_DELAY) {
        source->decoder->thread_type = FF_THREAD_SLICE;
        /* With B pictures the flag would put pictures out of order. */
        if (parameters->video_delay == 0)
            source->decoder->flags |= AV_CODEC_FLAG_LOW_DELAY;
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
    for (unsigned i = 0; i < source->format->nb_streams; i++) {
        if ((int)i != index)
            source->format->streams[i]->discard = AVDISCARD_ALL;
    }
    int result = open_decoder(source);
    source->stage = STAGE_READ;
    return result;
}

int cuframes_av_open(cuframes_av_source *source, const char *url, const char *secrets,
                     const cuframes_av_options *options)
{
    if (!source)
        return CUFRAMES_AV_INVALID_ARGUMENT;
    if (!secrets_parse(&source->secrets, secrets))
        return fail(source, CUFRAMES_AV_NO_MEMORY, "out of memory");
    if (!url || !*url || !options || options->size < sizeof *options || source->format || source->stream ||
        (options->flags & ~(uint32_t)CUFRAMES_AV_LOW_DELAY) || options->transport > CUFRAMES_AV_UDP ||
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

int cuframes_av_get_stream_info(cuframes_av_source *source, cuframes_av_stream_info *info)
{
    if (!source || !info || info->size < sizeof *info)
        return CUFRAMES_AV_INVALID_ARGUMENT;
    if (!source->stream || !source->decoder)
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

static void note_capture_time(cuframes_av_source *source)
{
    size_t size = 0;
    const uint8_t *data = av_packet_get_side_data(source->packet, AV_PKT_DATA_PRFT, &size);
    if (!data || size < sizeof(AVProducerReferenceTime) || source->packet->pts == AV_NOPTS_VALUE)
        return;
    AVProducerReferenceTime reference;
    memcpy(&reference, data, sizeof reference);
    source->wall_offset_ns = reference.wallclock * 1000 - to_ns(source->packet->pts, source->stream->time_base);
    source->has_wall_offset = true;
}

static int read_packet(cuframes_av_source *source, cuframes_av_packet_info *info)
{
    int error;
    av_packet_unref(source->packet);
    set_deadline(source, source->options.stall_timeout_ns);
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
        if (source->packet->stream_index == source->stream->index)
            break;
        av_packet_unref(source->packet);
        /* Audio alone is not life: the video stream has stalled. */
        if (on_interrupt(source))
            return fail_av(source, AVERROR_EXIT);
    }
    if (error == AVERROR_EOF) {
        if (source->format->pb && source->format->pb->error < 0)
            return fail_av(source, source->format->pb->error);
        return CUFRAMES_AV_END;
    }
    if (error < 0)
        return fail_av(source, error);

    AVPacket *packet = source->packet;
    uint64_t number = ++source->packets;
    struct arrival *arrival = &source->arrivals[number % ARRIVALS];
    *arrival = (struct arrival){ packet->pts, packet->dts, now_ns(), number };
    note_capture_time(source);

    info->bytes = (uint32_t)packet->size;
    info->number = number;
    info->pts_ns = to_ns(packet->pts, source->stream->time_base);
    info->dts_ns = to_ns(packet->dts, source->stream->time_base);
    info->arrival_ns = arrival->stamp_ns;
    info->is_key = (packet->flags & AV_PKT_FLAG_KEY) != 0;
    info->is_corrupt = (packet->flags & AV_PKT_FLAG_CORRUPT) != 0;
    return CUFRAMES_AV_OK;
}

int cuframes_av_read_packet(cuframes_av_source *source, cuframes_av_packet_info *info)
{
    if (!source || !info || info->size < sizeof *info)
        return CUFRAMES_AV_INVALID_ARGUMENT;
    if (!source->stream || !source->decoder)
        return fail(source, CUFRAMES_AV_INVALID_ARGUMENT, "the source is not open");
    current_source = source;
    int result = read_packet(source, info);
    current_source = NULL;
    return result;
}

/* What a call of the decoder means for our caller. */
static int decoder_result(cuframes_av_source *source, int error)
{
    if (error == AVERROR(EAGAIN))
        return CUFRAMES_AV_AGAIN;
    if (error == AVERROR_EOF)
        return CUFRAMES_AV_END;
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
    return decoder_result(source, avcodec_send_packet(source->decoder, packet));
}

int cuframes_av_send_packet(cuframes_av_source *source)
{
    if (!source)
        return CUFRAMES_AV_INVALID_ARGUMENT;
    if (!source->decoder || !source->packet->data || source->end_sent)
        return fail(source, CUFRAMES_AV_INVALID_ARGUMENT, "no packet was read, or the end was sent before");
    current_source = source;
    int result = send_to_decoder(source, source->packet);
    current_source = NULL;
    return result;
}

int cuframes_av_send_end(cuframes_av_source *source)
{
    if (!source)
        return CUFRAMES_AV_INVALID_ARGUMENT;
    if (!source->decoder)
        return fail(source, CUFRAMES_AV_INVALID_ARGUMENT, "the source is not open");
    current_source = source;
    source->end_sent = true;
    int result = send_to_decoder(source, NULL);
    current_source = NULL;
    return result == CUFRAMES_AV_END ? CUFRAMES_AV_OK : result;
}

/* ---- frames --------------------------------------------------------------------------------------------------- */

static unsigned rotation_of(cuframes_av_source *source)
{
    const int32_t *matrix = NULL;
    const AVFrameSideData *side = av_frame_get_side_data(source->frame, AV_FRAME_DATA_DISPLAYMATRIX);
    if (side && side->size >= 9 * sizeof(int32_t)) {
        matrix = (const int32_t *)(const void *)side->data;
    } else {
#if HAVE_CODED_SIDE_DATA
        const AVCodecParameters *parameters = source->stream->codecpar;
        const AVPacketSideData *coded = av_packet_side_data_get(
            parameters->coded_side_data, parameters->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
        if (coded && coded->size >= 9 * sizeof(int32_t))
            matrix = (const int32_t *)(const void *)coded->data;
#else
        size_t size = 0;
        const uint8_t *data = av_stream_get_side_data(source->stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
        if (data && size >= 9 * sizeof(int32_t))
            matrix = (const int32_t *)(const void *)data;
#endif
    }
    if (!matrix)
        return 0;
    double degrees = -av_display_rotation_get(matrix); /* libav counts counter-clockwise */
    if (!(degrees >= -360 && degrees <= 360))
        return 0;                                       /* NaN: the matrix is singular */
    int quarter = (int)((degrees + 360 + 45) / 90);
    return (unsigned)(quarter % 4) * 90;
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

static int describe_frame(cuframes_av_source *source, cuframes_av_frame_info *info)
{
    const AVFrame *frame = source->frame;
    AVRational base = source->stream->time_base;
    bool converted;

    memset(info, 0, sizeof *info);
    info->size = sizeof *info;
    source->frame_format = target_of((enum AVPixelFormat)frame->format, &converted);
    copy_text(info->source_format, sizeof info->source_format,
              av_get_pix_fmt_name((enum AVPixelFormat)frame->format));
    if (source->frame_format == CUFRAMES_AV_FORMAT_NONE) {
        return fail(source, CUFRAMES_AV_UNSUPPORTED_FORMAT, "the decoder gives %s, which cannot be converted",
                    info->source_format);
    }
    info->format = source->frame_format;
    info->width = (uint32_t)frame->width;
    info->height = (uint32_t)frame->height;
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
    if (source->has_wall_offset && info->pts_ns != CUFRAMES_AV_NO_TIME)
        info->capture_wall_ns = info->pts_ns + source->wall_offset_ns;

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
    info->flags = (key ? CUFRAMES_AV_FRAME_KEY : 0) | (corrupt ? CUFRAMES_AV_FRAME_CORRUPT : 0) |
        (interlaced ? CUFRAMES_AV_FRAME_INTERLACED : 0) |
        (interlaced && top_first ? CUFRAMES_AV_FRAME_TOP_FIELD_FIRST : 0) |
        (converted ? CUFRAMES_AV_FRAME_CONVERTED : 0);
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
    for (int i = 0; i < 4; i++) {
        info->planes[i] = frame->data[i];
        info->strides[i] = frame->linesize[i];
    }
    return CUFRAMES_AV_OK;
}

static int receive_from_decoder(cuframes_av_source *source, cuframes_av_frame_info *info)
{
    int result = decoder_result(source, avcodec_receive_frame(source->decoder, source->frame));
    return result == CUFRAMES_AV_OK ? describe_frame(source, info) : result;
}

int cuframes_av_receive_frame(cuframes_av_source *source, cuframes_av_frame_info *info)
{
    if (!source || !info || info->size < sizeof *info)
        return CUFRAMES_AV_INVALID_ARGUMENT;
    if (!source->decoder)
        return fail(source, CUFRAMES_AV_INVALID_ARGUMENT, "the source is not open");
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
