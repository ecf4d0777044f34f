/*
 * Demuxer of CuFrames streams
 *
 * This file is part of FFmpeg.
 *
 * FFmpeg is free software; you can redistribute it and/or
 * modify it under the terms of the GNU Lesser General Public
 * License as published by the Free Software Foundation; either
 * version 2.1 of the License, or (at your option) any later version.
 *
 * FFmpeg is distributed in the hope that it will be useful,
 * but WITHOUT ANY WARRANTY; without even the implied warranty of
 * MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE.  See the GNU
 * Lesser General Public License for more details.
 *
 * You should have received a copy of the GNU Lesser General Public
 * License along with FFmpeg; if not, write to the Free Software
 * Foundation, Inc., 51 Franklin Street, Fifth Floor, Boston, MA 02110-1301 USA
 */

/**
 * @file
 * Decoded frames of another process. Those in main memory become raw video. Those in device memory become hardware frames that lie where the
 * publisher wrote them: the lease ends when the last reference is gone, behind the work that is on the device's stream by then.
 */

#include "config.h"

#include "compat/cuframes/cuframes_formats.h"
#include "compat/cuframes/cuframes_loader.h"

#include "libavutil/avstring.h"
#include "libavutil/buffer.h"
#include "libavutil/frame.h"
#include "libavutil/hwcontext.h"
#if CONFIG_CUDA
#include "libavutil/cuda_check.h"
#include "libavutil/hwcontext_cuda_internal.h"
#endif
#include "libavutil/mathematics.h"
#include "libavutil/mem.h"
#include "libavutil/opt.h"
#include "libavutil/pixdesc.h"
#include "libavutil/time.h"

#include "avformat.h"
#include "cuframes_demuxer.h"
#include "demux.h"
#include "internal.h"
#include "url.h"

/* How long the library waits before it is asked whether the user wants to stop. */
#define STEP CUFRAMES_MILLISECONDS(100)

/* The library does not wait for a lease that this program holds. Microseconds between two looks whether one has ended, and before the user is told. */
#define LEASE_STEP  2000
#define LEASE_PATIENCE 1000000

/* Time of a frame whose duration nobody knows. */
#define USUAL_DURATION INT64_C(40000000)

typedef struct CuFramesContext {
    const AVClass *class;
    CuFramesFunctions library;
    cuframes_subscriber *subscriber;

    /* The frame that read_header took to learn the format. */
    cuframes_frame first;
    cuframes_format format;
    AVBufferRef *device;
    int ordinal; ///< of the device
    AVBufferRef *frames;
    int has_told_leases;

    /* Source times become ours: they go on where the source's clock begins anew. Nanoseconds. */
    int64_t offset;
    int64_t last_pts;
    int64_t last_duration;
    int has_last;
    uint64_t missed;

    /* options */
    char *directory;
    int delivery;
    int leases;
    int64_t timeout;
    char *ignored; ///< what is meant for other inputs
} CuFramesContext;

/* What a hardware frame holds until nobody refers to it any more. */
typedef struct Lease {
    CuFramesFunctions library;
    cuframes_frame frame;
    AVBufferRef *device;
} Lease;

static int cuframes_read_probe(const AVProbeData *p)
{
    return av_strstart(p->filename, "cuframes:", NULL) ? AVPROBE_SCORE_MAX : 0;
}

static const char *key_of(const char *url)
{
    av_strstart(url, "cuframes:", &url);
    return url;
}

#define LEASE_ADVICE "If this lasts, a filter keeps frames: put hwdownload or scale_cuda before it, or ask for more with -leases (a publisher grants up to its max_leases)."

static int granted_leases(const CuFramesContext *c)
{
    cuframes_subscriber_info info = CUFRAMES_SUBSCRIBER_INFO_INIT;

    c->library.subscriber_get_info(c->subscriber, &info);
    return info.granted_leases;
}

/**
 * Wait for a frame, for as long as the options allow. As with other live sources AVFMT_FLAG_NONBLOCK changes nothing: ffmpeg sets it always, and
 * would ask again only after a pause.
 */
static int take(AVFormatContext *s, cuframes_frame *frame)
{
    CuFramesContext *c = s->priv_data;
    const int64_t begin = av_gettime_relative();
    int has_said = 0;

    for (;;) {
        int64_t waited;
        int32_t code;

        *frame = (cuframes_frame)CUFRAMES_FRAME_INIT;
        code = c->library.subscriber_next(c->subscriber, STEP, frame);
        if (code == CUFRAMES_OK)
            return 0;
        if (code != CUFRAMES_TIMED_OUT && code != CUFRAMES_LEASES_EXHAUSTED)
            return cuframes_error(s, &c->library, "Cannot read a frame", code);
        if (ff_check_interrupt(&s->interrupt_callback))
            return AVERROR_EXIT;
        waited = av_gettime_relative() - begin;
        if (!has_said && code == CUFRAMES_TIMED_OUT && waited >= CUFRAMES_PATIENCE) {
            cuframes_subscriber_info info = CUFRAMES_SUBSCRIBER_INFO_INIT;
            c->library.subscriber_get_info(c->subscriber, &info);
            cuframes_log_waiting(s, &c->library, c->directory, key_of(s->url), info.is_connected);
            has_said = 1;
        }
        if (c->timeout && waited >= c->timeout) {
            if (code == CUFRAMES_LEASES_EXHAUSTED)
                av_log(s, AV_LOG_ERROR, "This program let go of no frame of '%s' within %.1f s, and may hold %d. %s\n",
                       key_of(s->url), c->timeout / 1e6, granted_leases(c), LEASE_ADVICE);
            else
                av_log(s, AV_LOG_ERROR, "'%s' gave no frame within %.1f s. See whether its publisher runs and its source is live: cuframes ls\n",
                       key_of(s->url), c->timeout / 1e6);
            return AVERROR(ETIMEDOUT);
        }
        if (code == CUFRAMES_LEASES_EXHAUSTED) {
            /* Queues between the threads of this program are full: as with any other source, what comes meanwhile is not waited for. */
            if (!c->has_told_leases && waited >= LEASE_PATIENCE) {
                c->has_told_leases = 1;
                av_log(s, AV_LOG_WARNING, "This program holds as many frames of '%s' as it may (%d); none is read until it lets go of one. %s\n",
                       key_of(s->url), granted_leases(c), LEASE_ADVICE);
            }
            av_usleep(LEASE_STEP);
        }
    }
}

static int is_same_format(const CuFramesContext *c, const cuframes_frame *frame)
{
    return c->format.pixel_format == frame->pixel_format && c->format.width == frame->width && c->format.height == frame->height;
}

#if CONFIG_CUDA
static void release(void *opaque, uint8_t *data)
{
    Lease *lease = opaque;
    AVHWDeviceContext *device = (AVHWDeviceContext *)lease->device->data;
    AVCUDADeviceContext *cuda = device->hwctx;

    if (lease->library.frame_release_stream(&lease->frame, cuda->stream) != CUFRAMES_OK) {
        /* Then the processor waits for the work. Where it cannot (the device is lost), nothing reads the frame any more. */
        CudaFunctions *cu = cuda->internal->cuda_dl;
        CUcontext previous;

        av_log(device, AV_LOG_WARNING, "A frame is not released by the GPU: %s\n", lease->library.last_error());
        if (FF_CUDA_CHECK_DL(device, cu, cu->cuCtxPushCurrent(cuda->cuda_ctx)) >= 0) {
            FF_CUDA_CHECK_DL(device, cu, cu->cuStreamSynchronize(cuda->stream));
            FF_CUDA_CHECK_DL(device, cu, cu->cuCtxPopCurrent(&previous));
        }
        lease->library.frame_release(&lease->frame);
    }
    av_buffer_unref(&lease->device);
    av_free(lease);
}

/* The reference to a primary context that a device of FFmpeg holds. */
typedef struct Primary {
    CudaFunctions *cu;
    CUdevice device;
} Primary;

static void free_device(AVHWDeviceContext *device)
{
    Primary *primary = device->user_opaque;

    primary->cu->cuDevicePrimaryCtxRelease(primary->device);
    cuda_free_functions(&primary->cu);
    av_free(primary);
}

/**
 * The library maps frames in the primary context, and has made it active by now with the flags that the process chose. FFmpeg's own way to it
 * (primary_ctx=1) refuses a context that is active with other flags than FFmpeg's.
 */
static int open_device(AVFormatContext *s, int ordinal)
{
    CuFramesContext *c = s->priv_data;
    Primary *primary = av_mallocz(sizeof(*primary));
    AVBufferRef *made = av_hwdevice_ctx_alloc(AV_HWDEVICE_TYPE_CUDA);
    AVHWDeviceContext *device;
    AVCUDADeviceContext *cuda;
    CUdevice number;
    int ret = AVERROR(ENOMEM);

    if (!primary || !made)
        goto fail;
    device = (AVHWDeviceContext *)made->data;
    cuda   = device->hwctx;
    if (cuda_load_functions(&primary->cu, s) < 0) {
        ret = AVERROR(ENOSYS);
        goto fail;
    }
    if ((ret = FF_CUDA_CHECK_DL(s, primary->cu, primary->cu->cuInit(0))) < 0 ||
        (ret = FF_CUDA_CHECK_DL(s, primary->cu, primary->cu->cuDeviceGet(&primary->device, ordinal))) < 0 ||
        (ret = FF_CUDA_CHECK_DL(s, primary->cu, primary->cu->cuDevicePrimaryCtxRetain(&cuda->cuda_ctx, primary->device))) < 0)
        goto fail;
    number              = primary->device;
    device->user_opaque = primary;
    device->free        = free_device;
    primary = NULL;
    if ((ret = av_hwdevice_ctx_init(made)) < 0)
        goto fail;
    /* FFmpeg knows this of contexts that it made itself, and asks this device for how frames are to be aligned. */
    cuda->internal->cuda_device = number;

    av_buffer_unref(&c->frames);
    av_buffer_unref(&c->device);
    c->device  = made;
    c->ordinal = ordinal;
    return 0;

fail:
    if (primary && primary->cu)
        cuda_free_functions(&primary->cu);
    av_free(primary);
    av_buffer_unref(&made);
    av_log(s, AV_LOG_ERROR, "'%s' lies on CUDA device %d, which FFmpeg cannot open.\n", key_of(s->url), ordinal);
    return ret;
}

static int open_frames(AVFormatContext *s, const cuframes_frame *frame)
{
    CuFramesContext *c = s->priv_data;
    AVBufferRef *made = av_hwframe_ctx_alloc(c->device);
    AVHWFramesContext *frames;
    int ret;

    if (!made)
        return AVERROR(ENOMEM);
    frames            = (AVHWFramesContext *)made->data;
    frames->format    = AV_PIX_FMT_CUDA;
    frames->sw_format = cuframes_to_pix_fmt(frame->pixel_format);
    frames->width     = frame->width;
    frames->height    = frame->height;
    if ((ret = av_hwframe_ctx_init(made)) < 0) {
        av_log(s, AV_LOG_ERROR, "This FFmpeg has no CUDA frames of %s. Read a rendition in another format, or with memory: host.\n",
               c->library.pixel_format_name(frame->pixel_format));
        av_buffer_unref(&made);
        return ret;
    }
    av_buffer_unref(&c->frames);
    c->frames              = made;
    c->format.pixel_format = frame->pixel_format;
    c->format.width        = frame->width;
    c->format.height       = frame->height;
    return 0;
}

/* Bytes from the first plane's begin to the end of the last one. */
static size_t extent_of(const cuframes_frame *frame)
{
    const uint8_t *begin = frame->planes[0].data;
    size_t extent = 0;

    for (unsigned i = 0; i < frame->plane_count; i++) {
        const cuframes_plane *plane = &frame->planes[i];
        extent = FFMAX(extent, (const uint8_t *)plane->data - begin + (size_t)plane->pitch * plane->rows);
    }
    return extent;
}

static void free_wrapped(void *opaque, uint8_t *data)
{
    AVFrame *frame = (AVFrame *)data;
    av_frame_free(&frame);
}

/**
 * Make a packet of a frame that stays where it is. The frame's lease becomes the packet's, whatever is returned.
 */
static int wrap(AVFormatContext *s, cuframes_frame *taken, AVPacket *pkt)
{
    CuFramesContext *c = s->priv_data;
    AVStream *st = s->streams[0];
    Lease *lease = av_mallocz(sizeof(*lease));
    AVFrame *frame = av_frame_alloc();
    int ret = AVERROR(ENOMEM);

    if (!lease || !frame)
        goto fail;
    /* The publisher has begun anew, elsewhere or with other pictures: FFmpeg sees other frames contexts and makes its filters anew. */
    if (taken->cuda_device != c->ordinal && (ret = open_device(s, taken->cuda_device)) < 0)
        goto fail;
    if ((!c->frames || !is_same_format(c, taken)) && (ret = open_frames(s, taken)) < 0)
        goto fail;
    lease->library = c->library;
    lease->frame   = *taken;
    ret = AVERROR(ENOMEM);
    if (!(lease->device = av_buffer_ref(c->device)) || !(frame->hw_frames_ctx = av_buffer_ref(c->frames)))
        goto fail;
    if (!(frame->buf[0] = av_buffer_create(taken->planes[0].data, extent_of(taken), release, lease, AV_BUFFER_FLAG_READONLY)))
        goto fail;
    lease = NULL;
    taken->lease = 0;

    frame->format = AV_PIX_FMT_CUDA;
    frame->width  = taken->width;
    frame->height = taken->height;
    for (unsigned i = 0; i < taken->plane_count; i++) {
        frame->data[i]     = taken->planes[i].data;
        frame->linesize[i] = taken->planes[i].pitch;
    }
    cuframes_to_frame(frame, &taken->metadata);
    frame->sample_aspect_ratio = st->sample_aspect_ratio;

    if (!(pkt->buf = av_buffer_create((uint8_t *)frame, sizeof(*frame), free_wrapped, NULL, 0)))
        goto fail;
    pkt->data   = (uint8_t *)frame;
    pkt->size   = sizeof(*frame);
    pkt->flags |= AV_PKT_FLAG_TRUSTED;
    return 0;

fail:
    if (lease)
        av_buffer_unref(&lease->device);
    av_free(lease);
    av_frame_free(&frame);
    return ret;
}
#endif

static int cuframes_read_close(AVFormatContext *s)
{
    CuFramesContext *c = s->priv_data;

    if (c->first.lease)
        c->library.frame_release(&c->first);
    if (c->subscriber)
        c->library.subscriber_close(c->subscriber);
    c->subscriber = NULL;
    av_buffer_unref(&c->frames);
    av_buffer_unref(&c->device);
    return 0;
}

/**
 * What the publisher announces as the rate. Who connected before the first frame (to a rendition that nobody had read, say) was told none then, and
 * FFmpeg would wait for twenty frames to find out.
 */
static AVRational announced_rate(const CuFramesContext *c, const char *key)
{
    cuframes_subscriber_info info = CUFRAMES_SUBSCRIBER_INFO_INIT;
    cuframes_stream_list *list = NULL;

    if (c->library.subscriber_get_info(c->subscriber, &info) == CUFRAMES_OK && !info.format.rate_numerator &&
        c->library.probe(c->directory, key, &list) == CUFRAMES_OK) {
        const cuframes_stream_info *stream = c->library.stream_list_at(list, 0);

        if (stream && stream->error_code == CUFRAMES_OK)
            info.format = stream->format;
        c->library.stream_list_free(list);
    }
    return (AVRational){ info.format.rate_numerator, info.format.rate_denominator };
}

static int cuframes_read_header(AVFormatContext *s)
{
    CuFramesContext *c = s->priv_data;
    cuframes_subscriber_options options = CUFRAMES_SUBSCRIBER_OPTIONS_INIT;
    const char *key = key_of(s->url);
    AVRational rate;
    AVStream *st;
    int32_t code;
    int ret;

    cuframes_keep_times(s);
    if ((ret = cuframes_load(s, &c->library)) < 0)
        return ret;

    options.delivery        = c->delivery;
    options.leases          = c->leases;
    options.wait_for_stream = 1;
    options.directory       = c->directory;
    options.program         = "ffmpeg";
    options.on_event        = cuframes_log_event;
    options.event_user      = s;
    code = c->library.subscriber_open(key, &options, &c->subscriber);
    if (code != CUFRAMES_OK) {
        char what[256];
        snprintf(what, sizeof(what), "Cannot read '%s'", key);
        return cuframes_error(s, &c->library, what, code);
    }

    if ((ret = take(s, &c->first)) < 0)
        return ret;
    rate = announced_rate(c, key);

    if (!(st = avformat_new_stream(s, NULL)))
        return AVERROR(ENOMEM);
    avpriv_set_pts_info(st, 64, 1, 1000000000);
    st->codecpar->codec_type = AVMEDIA_TYPE_VIDEO;
    st->codecpar->width      = c->first.width;
    st->codecpar->height     = c->first.height;
    if (rate.num > 0 && rate.den > 0)
        st->avg_frame_rate = st->r_frame_rate = rate;
    cuframes_to_parameters(st->codecpar, &c->first.metadata);
    if (cuframes_to_pix_fmt(c->first.pixel_format) == AV_PIX_FMT_NONE) {
        av_log(s, AV_LOG_ERROR, "'%s' has frames of %s, which FFmpeg has no name for. Read a rendition in another format.\n", key,
               c->library.pixel_format_name(c->first.pixel_format));
        return AVERROR(ENOTSUP);
    }

    if (c->first.memory == CUFRAMES_MEMORY_CUDA) {
#if CONFIG_CUDA
        if ((ret = open_device(s, c->first.cuda_device)) < 0 || (ret = open_frames(s, &c->first)) < 0)
            return ret;
        st->codecpar->codec_id = AV_CODEC_ID_WRAPPED_AVFRAME;
        st->codecpar->format   = AV_PIX_FMT_CUDA;
        /* Packets that avformat_find_stream_info() keeps to measure the frame rate hold leases, more of them than there are. Where nobody tells the
         * rate, FFmpeg's programs would take the time base for it. */
        if (s->fps_probe_size < 0)
            s->fps_probe_size = 0;
        if (!st->avg_frame_rate.num) {
            av_reduce(&st->avg_frame_rate.num, &st->avg_frame_rate.den, 1000000000,
                      c->first.metadata.duration > 0 ? c->first.metadata.duration : USUAL_DURATION, INT_MAX);
            st->r_frame_rate = st->avg_frame_rate;
            av_log(s, AV_LOG_VERBOSE, "'%s' has no frame rate; %d/%d is told\n", key, st->avg_frame_rate.num, st->avg_frame_rate.den);
        }
#else
        av_log(s, AV_LOG_ERROR, "'%s' lies in GPU memory, and this FFmpeg was built without CUDA. Read a rendition with memory: host.\n", key);
        return AVERROR(ENOSYS);
#endif
    } else {
        st->codecpar->codec_id = AV_CODEC_ID_RAWVIDEO;
        st->codecpar->format   = cuframes_to_pix_fmt(c->first.pixel_format);
    }

    c->format.pixel_format = c->first.pixel_format;
    c->format.width        = c->first.width;
    c->format.height       = c->first.height;
    return 0;
}

/**
 * Put a frame on a time line that grows.
 */
static void set_times(AVFormatContext *s, const cuframes_frame *frame, AVPacket *pkt)
{
    CuFramesContext *c = s->priv_data;
    const int64_t duration = frame->metadata.duration > 0 ? frame->metadata.duration : USUAL_DURATION;
    int64_t pts = frame->metadata.pts != CUFRAMES_PTS_UNKNOWN ? frame->metadata.pts : frame->metadata.publish_time;

    /* A pause in which there were no frames is left out: filters that keep a rate would fill it with copies of the last frame, all at once. */
    if (c->has_last && (pts + c->offset <= c->last_pts || frame->metadata.flags & CUFRAMES_FLAG_DISCONTINUITY))
        c->offset = c->last_pts + c->last_duration - pts;
    pts += c->offset;
    c->has_last      = 1;
    c->last_pts      = pts;
    c->last_duration = duration;
    pkt->pts = pkt->dts = pts;
    pkt->duration     = frame->metadata.duration;
    pkt->stream_index = 0;
    pkt->flags |= AV_PKT_FLAG_KEY;
    if (frame->metadata.flags & CUFRAMES_FLAG_CORRUPT)
        pkt->flags |= AV_PKT_FLAG_CORRUPT;
}

static int cuframes_read_packet(AVFormatContext *s, AVPacket *pkt)
{
    CuFramesContext *c = s->priv_data;
    cuframes_frame frame;
    int ret;

    for (;;) {
        int is_hardware;
        int32_t code;

        if (c->first.lease) {
            frame = c->first;
            c->first.lease = 0;
        } else if ((ret = take(s, &frame)) < 0) {
            return ret;
        }

        if (frame.missed) {
            c->missed += frame.missed;
            av_log(s, AV_LOG_VERBOSE, "%"PRIu64" frames missed, %"PRIu64" in all\n", frame.missed, c->missed);
        }

#if CONFIG_CUDA
        if (s->streams[0]->codecpar->codec_id == AV_CODEC_ID_WRAPPED_AVFRAME && frame.memory == CUFRAMES_MEMORY_CUDA) {
            const cuframes_frame described = frame;
            ret = wrap(s, &frame, pkt);
            if (ret < 0) {
                if (frame.lease)
                    c->library.frame_release(&frame);
                return ret;
            }
            set_times(s, &described, pkt);
            ((AVFrame *)pkt->data)->pts = pkt->pts;
            return 0;
        }
#endif

        is_hardware = s->streams[0]->codecpar->codec_id == AV_CODEC_ID_WRAPPED_AVFRAME;
        if (is_hardware || !is_same_format(c, &frame) || frame.memory != CUFRAMES_MEMORY_HOST) {
            av_log(s, AV_LOG_ERROR, "'%s' changed from %s %ux%u in %s memory to %s %ux%u in %s memory, which %s cannot express. Open it again.\n",
                   key_of(s->url), c->library.pixel_format_name(c->format.pixel_format), c->format.width, c->format.height,
                   is_hardware ? "GPU" : "main", c->library.pixel_format_name(frame.pixel_format), frame.width, frame.height,
                   frame.memory == CUFRAMES_MEMORY_HOST ? "main" : "GPU", is_hardware ? "a stream of hardware frames" : "raw video");
            c->library.frame_release(&frame);
            return AVERROR_INVALIDDATA;
        }

        ret = av_new_packet(pkt, c->library.picture_bytes(frame.pixel_format, frame.width, frame.height));
        if (ret < 0) {
            c->library.frame_release(&frame);
            return ret;
        }
        code = c->library.frame_copy(&frame, pkt->data, pkt->size);
        if (code == CUFRAMES_OK) {
            set_times(s, &frame, pkt);
            c->library.frame_release(&frame);
            return 0;
        }

        /* This reader was evicted while it copied: the next call connects again. */
        av_packet_unref(pkt);
        if (code != CUFRAMES_FRAME_LOST) {
            ret = cuframes_error(s, &c->library, "Cannot copy a frame", code);
            c->library.frame_release(&frame);
            return ret;
        }
        c->library.frame_release(&frame);
    }
}

#define OFFSET(x) offsetof(CuFramesContext, x)
#define DEC AV_OPT_FLAG_DECODING_PARAM
static const AVOption cuframes_options[] = {
    { "directory",  "folder of the sockets (default: $CUFRAMES_DIR, /run/cuframes)", OFFSET(directory), AV_OPT_TYPE_STRING, { .str = NULL }, 0, 0, DEC },
    { "delivery",   "which frames are read", OFFSET(delivery), AV_OPT_TYPE_INT, { .i64 = CUFRAMES_IN_ORDER }, CUFRAMES_NEWEST, CUFRAMES_LOSSLESS, DEC, "delivery" },
    {   "newest",   "the newest frame; older ones are skipped", 0, AV_OPT_TYPE_CONST, { .i64 = CUFRAMES_NEWEST }, 0, 0, DEC, "delivery" },
    {   "in_order", "the oldest frame that is still there", 0, AV_OPT_TYPE_CONST, { .i64 = CUFRAMES_IN_ORDER }, 0, 0, DEC, "delivery" },
    {   "lossless", "every frame; the publisher waits, where it offers that", 0, AV_OPT_TYPE_CONST, { .i64 = CUFRAMES_LOSSLESS }, 0, 0, DEC, "delivery" },
    { "leases",     "most frames in device memory that are held at once", OFFSET(leases), AV_OPT_TYPE_INT, { .i64 = 8 }, 1, 64, DEC },
    { "timeout",    "longest wait for a frame in microseconds, 0: no limit", OFFSET(timeout), AV_OPT_TYPE_INT64, { .i64 = 0 }, 0, INT64_MAX, DEC },
    { "rw_timeout", "the same, for programs that know it by this name", OFFSET(timeout), AV_OPT_TYPE_INT64, { .i64 = 0 }, 0, INT64_MAX, DEC },
    { "stimeout",   "the same, for programs that know it by this name", OFFSET(timeout), AV_OPT_TYPE_INT64, { .i64 = 0 }, 0, INT64_MAX, DEC },
    { "rtsp_transport", "accepted and not used", OFFSET(ignored), AV_OPT_TYPE_STRING, { .str = NULL }, 0, 0, DEC },
    { "rtsp_flags",     "accepted and not used", OFFSET(ignored), AV_OPT_TYPE_STRING, { .str = NULL }, 0, 0, DEC },
    { "user_agent",     "accepted and not used", OFFSET(ignored), AV_OPT_TYPE_STRING, { .str = NULL }, 0, 0, DEC },
    { "buffer_size",    "accepted and not used", OFFSET(ignored), AV_OPT_TYPE_STRING, { .str = NULL }, 0, 0, DEC },
    { NULL },
};

static const AVClass cuframes_class = {
    .class_name = "cuframes demuxer",
    .item_name  = av_default_item_name,
    .option     = cuframes_options,
    .version    = LIBAVUTIL_VERSION_INT,
    .category   = AV_CLASS_CATEGORY_DEMUXER,
};

CUFRAMES_DEMUXER(cuframes, "CuFrames frames of another process", CuFramesContext)
