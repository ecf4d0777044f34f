/*
 * Publishes what flows through it as a CuFrames stream
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
 * The frames pass unchanged. Each is copied once, where it lies, into a ring that other processes map. Readers never hold the pipeline up: when
 * they hold all slots, the frame is not published and counted.
 */

#include "config.h"

#include "compat/cuframes/cuframes_formats.h"
#include "compat/cuframes/cuframes_loader.h"

#include "libavutil/avstring.h"
#include "libavutil/hwcontext.h"
#if CONFIG_CUDA
#include "libavutil/cuda_check.h"
#include "libavutil/hwcontext_cuda_internal.h"
#endif
#include "libavutil/imgutils.h"
#include "libavutil/mathematics.h"
#include "libavutil/opt.h"
#include "libavutil/pixdesc.h"

#include "avfilter.h"
#include "cuframes_filter.h"
#include "video.h"

#define MEMORY_AUTO 0

typedef struct CudaIpcExportContext {
    const AVClass *class;
    CuFramesFunctions library;
    cuframes_publisher *publisher;
    cuframes_format format;
    AVBufferRef *device; ///< that the ring lies on; NULL: main memory
    uint64_t published;
    uint64_t dropped;
    int64_t last_pts;
    int64_t offset;
    int has_last;

    /* options */
    char *key;
    char *directory;
    char *source;
    int slots;
    int max_slots;
    int memory;
    int allow;
} CudaIpcExportContext;

static av_cold int init(AVFilterContext *ctx)
{
    CudaIpcExportContext *s = ctx->priv;

    if (!s->key || !*s->key) {
        av_log(ctx, AV_LOG_ERROR, "Which stream? Name it: cuda_ipc_export=key=cam1\n");
        return AVERROR(EINVAL);
    }
    return cuframes_load(ctx, &s->library);
}

static av_cold void uninit(AVFilterContext *ctx)
{
    CudaIpcExportContext *s = ctx->priv;

    if (s->publisher) {
        av_log(ctx, AV_LOG_INFO, "%"PRIu64" frames published as '%s', %"PRIu64" dropped because readers held every slot\n", s->published, s->key, s->dropped);
        s->library.publisher_close(s->publisher);
        s->publisher = NULL;
    }
    av_buffer_unref(&s->device);
}

static int open_publisher(AVFilterContext *ctx, const AVFrame *frame)
{
    CudaIpcExportContext *s = ctx->priv;
    cuframes_publisher_options options = CUFRAMES_PUBLISHER_OPTIONS_INIT;
    const int is_cuda = frame->format == AV_PIX_FMT_CUDA;
    char what[256];
    int32_t code;

    if (s->memory != MEMORY_AUTO && is_cuda != (s->memory != CUFRAMES_MEMORY_HOST)) {
        av_log(ctx, AV_LOG_ERROR, "Frames come in %s memory, and memory=%s was asked for. Put %s before this filter, or leave the option out.\n",
               is_cuda ? "GPU" : "main", is_cuda ? "host" : s->memory == CUFRAMES_MEMORY_CUDA ? "cuda" : "cuda-ipc",
               is_cuda ? "hwdownload,format=nv12" : "hwupload_cuda");
        return AVERROR(EINVAL);
    }
    options.memory    = !is_cuda ? CUFRAMES_MEMORY_HOST : s->memory == MEMORY_AUTO ? CUFRAMES_MEMORY_CUDA : s->memory;
    options.slots     = s->slots;
    options.max_slots = s->max_slots;
    options.directory = s->directory;
    options.program   = "ffmpeg";
    options.source    = s->source;
    options.readers   = s->allow;
#if CONFIG_CUDA
    if (is_cuda) {
        AVHWFramesContext *frames = (AVHWFramesContext *)frame->hw_frames_ctx->data;
        AVCUDADeviceContext *cuda = frames->device_ctx->hwctx;

        options.cuda_context = cuda->cuda_ctx;
        if (!(s->device = av_buffer_ref(frames->device_ref)))
            return AVERROR(ENOMEM);
    }
#endif
    code = s->library.publisher_open(s->key, &options, NULL, &s->publisher);
    if (code == CUFRAMES_OK)
        return 0;
    av_buffer_unref(&s->device);
    snprintf(what, sizeof(what), "Cannot publish '%s'", s->key);
    return cuframes_error(ctx, &s->library, what, code);
}

static int configure(AVFilterContext *ctx, const AVFrame *frame)
{
    CudaIpcExportContext *s = ctx->priv;
    AVFilterLink *inlink = ctx->inputs[0];
    const AVRational rate = cuframes_link_rate(inlink);
    const enum AVPixelFormat pix_fmt =
        frame->format == AV_PIX_FMT_CUDA ? ((AVHWFramesContext *)frame->hw_frames_ctx->data)->sw_format : frame->format;
    cuframes_metadata metadata = { 0 };
    cuframes_format format = CUFRAMES_FORMAT_INIT;
    int32_t code;

    cuframes_from_frame(&metadata, frame);
    format.pixel_format     = cuframes_from_pix_fmt(pix_fmt);
    format.width            = frame->width;
    format.height           = frame->height;
    format.rate_numerator   = FFMAX(rate.num, 0);
    format.rate_denominator = FFMAX(rate.den, 0);
    format.colour_matrix    = metadata.colour_matrix;
    format.colour_range     = metadata.colour_range;
    format.colour_primaries = metadata.colour_primaries;
    format.colour_transfer  = metadata.colour_transfer;
    if (format.pixel_format == CUFRAMES_FORMAT_UNKNOWN) {
        av_log(ctx, AV_LOG_ERROR, "CuFrames does not carry frames of %s on the GPU. Put scale_cuda=format=nv12 before this filter.\n", av_get_pix_fmt_name(pix_fmt));
        return AVERROR(ENOTSUP);
    }
    if (!memcmp(&format, &s->format, sizeof(format)))
        return 0;
    code = s->library.publisher_configure(s->publisher, &format);
    if (code != CUFRAMES_OK)
        return cuframes_error(ctx, &s->library, "Cannot publish this format", code);
    s->format = format;
    return 0;
}

#if CONFIG_CUDA
/**
 * Enqueue one copy per plane on the stream that the frame's work is on.
 */
static int enqueue(AVFilterContext *ctx, const AVFrame *frame, const cuframes_frame *slot)
{
    AVHWFramesContext *frames = (AVHWFramesContext *)frame->hw_frames_ctx->data;
    AVCUDADeviceContext *cuda = frames->device_ctx->hwctx;
    CudaFunctions *cu = cuda->internal->cuda_dl;
    CUcontext previous;
    int ret = FF_CUDA_CHECK_DL(ctx, cu, cu->cuCtxPushCurrent(cuda->cuda_ctx));

    if (ret < 0)
        return ret;
    for (unsigned i = 0; i < slot->plane_count && ret >= 0; i++) {
        const CUDA_MEMCPY2D copy = {
            .srcMemoryType = CU_MEMORYTYPE_DEVICE,
            .srcDevice     = (CUdeviceptr)frame->data[i],
            .srcPitch      = frame->linesize[i],
            .dstMemoryType = CU_MEMORYTYPE_DEVICE,
            .dstDevice     = (CUdeviceptr)slot->planes[i].data,
            .dstPitch      = slot->planes[i].pitch,
            .WidthInBytes  = slot->planes[i].row_bytes,
            .Height        = slot->planes[i].rows,
        };
        ret = FF_CUDA_CHECK_DL(ctx, cu, cu->cuMemcpy2DAsync(&copy, cuda->stream));
    }
    FF_CUDA_CHECK_DL(ctx, cu, cu->cuCtxPopCurrent(&previous));
    return ret;
}
#endif

/**
 * The stream's times are nanoseconds that grow.
 */
static int64_t time_of(CudaIpcExportContext *s, const AVFilterLink *inlink, const AVFrame *frame, cuframes_metadata *metadata)
{
    int64_t pts;

    metadata->duration = av_rescale_q(cuframes_frame_duration(frame), inlink->time_base, (AVRational){ 1, 1000000000 });
    if (frame->pts == AV_NOPTS_VALUE)
        return CUFRAMES_PTS_UNKNOWN;
    pts = av_rescale_q(frame->pts, inlink->time_base, (AVRational){ 1, 1000000000 });
    if (s->has_last && pts + s->offset <= s->last_pts) {
        metadata->flags |= CUFRAMES_FLAG_DISCONTINUITY;
        s->offset = s->last_pts + FFMAX(metadata->duration, 1) - pts;
    }
    s->has_last = 1;
    return s->last_pts = pts + s->offset;
}

static int publish(AVFilterContext *ctx, const AVFrame *frame)
{
    CudaIpcExportContext *s = ctx->priv;
    cuframes_frame slot = CUFRAMES_FRAME_INIT;
    int32_t code;
    int ret;

    if (!s->publisher && (ret = open_publisher(ctx, frame)) < 0)
        return ret;
    if (!s->device != (frame->format != AV_PIX_FMT_CUDA) ||
        (s->device && s->device->data != ((AVHWFramesContext *)frame->hw_frames_ctx->data)->device_ref->data)) {
        av_log(ctx, AV_LOG_ERROR, "Frames lie somewhere else than those before them; a stream stays where it began. Use a filter graph of its own.\n");
        return AVERROR(EINVAL);
    }
    if ((ret = configure(ctx, frame)) < 0)
        return ret;

    code = s->library.publisher_begin(s->publisher, &slot);
    if (code == CUFRAMES_DROPPED) {
        if (!s->dropped++)
            av_log(ctx, AV_LOG_WARNING, "Readers of '%s' hold every slot: frames are dropped for them. Let it grow with max_slots, or see who holds them: cuframes stat %s\n",
                   s->key, s->key);
        return 0;
    }
    if (code != CUFRAMES_OK)
        return cuframes_error(ctx, &s->library, "Cannot begin a frame", code);

    cuframes_from_frame(&slot.metadata, frame);
    slot.metadata.pts = time_of(s, ctx->inputs[0], frame, &slot.metadata);
    if (s->device) {
#if CONFIG_CUDA
        AVCUDADeviceContext *cuda = ((AVHWFramesContext *)frame->hw_frames_ctx->data)->device_ctx->hwctx;

        if ((ret = enqueue(ctx, frame, &slot)) < 0) {
            s->library.publisher_abandon(s->publisher, &slot);
            return ret;
        }
        code = s->library.publisher_publish_stream(s->publisher, &slot, cuda->stream, NULL);
#endif
    } else {
        for (unsigned i = 0; i < slot.plane_count; i++)
            av_image_copy_plane(slot.planes[i].data, slot.planes[i].pitch, frame->data[i], frame->linesize[i], slot.planes[i].row_bytes,
                                slot.planes[i].rows);
        code = s->library.publisher_publish(s->publisher, &slot, NULL);
    }
    if (code != CUFRAMES_OK) {
        ret = cuframes_error(ctx, &s->library, "Cannot publish a frame", code);
        s->library.publisher_abandon(s->publisher, &slot);
        return ret;
    }
    s->published++;
    return 0;
}

static int filter_frame(AVFilterLink *inlink, AVFrame *frame)
{
    AVFilterContext *ctx = inlink->dst;
    const int ret = publish(ctx, frame);

    if (ret < 0) {
        av_frame_free(&frame);
        return ret;
    }
    return ff_filter_frame(ctx->outputs[0], frame);
}

static const enum AVPixelFormat pix_fmts[] = {
    AV_PIX_FMT_CUDA, AV_PIX_FMT_NV12, AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUVJ420P, AV_PIX_FMT_P010LE, AV_PIX_FMT_GRAY8,
    AV_PIX_FMT_RGB24, AV_PIX_FMT_BGR24, AV_PIX_FMT_RGBA, AV_PIX_FMT_BGRA, AV_PIX_FMT_NONE
};

#define OFFSET(x) offsetof(CudaIpcExportContext, x)
#define FLAGS (AV_OPT_FLAG_FILTERING_PARAM | AV_OPT_FLAG_VIDEO_PARAM)
static const AVOption cuda_ipc_export_options[] = {
    { "key",       "name of the stream", OFFSET(key), AV_OPT_TYPE_STRING, { .str = NULL }, 0, 0, FLAGS },
    { "slots",     "frames that the ring begins with", OFFSET(slots), AV_OPT_TYPE_INT, { .i64 = 6 }, 2, 48, FLAGS },
    { "max_slots", "frames that it may grow to while readers hold some", OFFSET(max_slots), AV_OPT_TYPE_INT, { .i64 = 24 }, 2, 48, FLAGS },
    { "memory",    "where the ring lies", OFFSET(memory), AV_OPT_TYPE_INT, { .i64 = MEMORY_AUTO }, MEMORY_AUTO, CUFRAMES_MEMORY_CUDA_IPC, FLAGS, "memory" },
    {   "auto",     "where the frames lie", 0, AV_OPT_TYPE_CONST, { .i64 = MEMORY_AUTO }, 0, 0, FLAGS, "memory" },
    {   "host",     "main memory", 0, AV_OPT_TYPE_CONST, { .i64 = CUFRAMES_MEMORY_HOST }, 0, 0, FLAGS, "memory" },
    {   "cuda",     "GPU memory, shared by file descriptors", 0, AV_OPT_TYPE_CONST, { .i64 = CUFRAMES_MEMORY_CUDA }, 0, 0, FLAGS, "memory" },
    {   "cuda-ipc", "GPU memory, shared by legacy handles", 0, AV_OPT_TYPE_CONST, { .i64 = CUFRAMES_MEMORY_CUDA_IPC }, 0, 0, FLAGS, "memory" },
    { "allow",     "who may read", OFFSET(allow), AV_OPT_TYPE_INT, { .i64 = CUFRAMES_READERS_OWN_USER_AND_GROUP }, 0, CUFRAMES_READERS_EVERYONE, FLAGS, "allow" },
    {   "group",    "this user and the members of its group", 0, AV_OPT_TYPE_CONST, { .i64 = CUFRAMES_READERS_OWN_USER_AND_GROUP }, 0, 0, FLAGS, "allow" },
    {   "everyone", "every user who can reach the socket", 0, AV_OPT_TYPE_CONST, { .i64 = CUFRAMES_READERS_EVERYONE }, 0, 0, FLAGS, "allow" },
    { "directory", "folder of the sockets (default: $CUFRAMES_DIR, /run/cuframes)", OFFSET(directory), AV_OPT_TYPE_STRING, { .str = NULL }, 0, 0, FLAGS },
    { "source",    "where frames come from, told to readers; no secrets", OFFSET(source), AV_OPT_TYPE_STRING, { .str = NULL }, 0, 0, FLAGS },
    { NULL },
};

AVFILTER_DEFINE_CLASS(cuda_ipc_export);

CUFRAMES_FILTER(cuda_ipc_export, "Publish frames for other processes (CuFrames).", CudaIpcExportContext)
