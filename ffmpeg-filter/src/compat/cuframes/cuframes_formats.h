/*
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
 * What CuFrames and FFmpeg call the same: pixel formats, colours, flags.
 */

#ifndef COMPAT_CUFRAMES_CUFRAMES_FORMATS_H
#define COMPAT_CUFRAMES_CUFRAMES_FORMATS_H

#include "libavcodec/codec_par.h"
#include "libavutil/avutil.h"
#include "libavutil/frame.h"
#include "libavutil/macros.h"
#include "libavutil/pixfmt.h"
#include "libavutil/version.h"

#include "cuframes.h"

static const struct {
    uint32_t pixel_format;
    enum AVPixelFormat pix_fmt;
} cuframes_pix_fmts[] = {
    { CUFRAMES_NV12,  AV_PIX_FMT_NV12    },
    { CUFRAMES_I420,  AV_PIX_FMT_YUV420P },
    { CUFRAMES_P010,  AV_PIX_FMT_P010LE  },
    { CUFRAMES_GRAY8, AV_PIX_FMT_GRAY8   },
    { CUFRAMES_RGB24, AV_PIX_FMT_RGB24   },
    { CUFRAMES_BGR24, AV_PIX_FMT_BGR24   },
    { CUFRAMES_RGBA,  AV_PIX_FMT_RGBA    },
    { CUFRAMES_BGRA,  AV_PIX_FMT_BGRA    },
};

static av_unused enum AVPixelFormat cuframes_to_pix_fmt(uint32_t pixel_format)
{
    for (size_t i = 0; i < FF_ARRAY_ELEMS(cuframes_pix_fmts); i++)
        if (cuframes_pix_fmts[i].pixel_format == pixel_format)
            return cuframes_pix_fmts[i].pix_fmt;
    return AV_PIX_FMT_NONE;
}

static av_unused uint32_t cuframes_from_pix_fmt(enum AVPixelFormat pix_fmt)
{
    /* yuvj420p is yuv420p in full range; the range travels beside it. */
    if (pix_fmt == AV_PIX_FMT_YUVJ420P)
        return CUFRAMES_I420;
    for (size_t i = 0; i < FF_ARRAY_ELEMS(cuframes_pix_fmts); i++)
        if (cuframes_pix_fmts[i].pix_fmt == pix_fmt)
            return cuframes_pix_fmts[i].pixel_format;
    return CUFRAMES_FORMAT_UNKNOWN;
}

/* Matrix, primaries and transfer are numbers of H.273 on both sides, and so are the ranges; a chroma location is H.273's plus 1 on both. */
static av_unused void cuframes_to_parameters(AVCodecParameters *par, const cuframes_metadata *metadata)
{
    par->color_space     = metadata->colour_matrix;
    par->color_range     = metadata->colour_range;
    par->color_primaries = metadata->colour_primaries;
    par->color_trc       = metadata->colour_transfer;
    par->chroma_location = metadata->chroma_location;
    par->field_order     = !(metadata->flags & CUFRAMES_FLAG_INTERLACED)    ? AV_FIELD_PROGRESSIVE :
                           metadata->flags & CUFRAMES_FLAG_TOP_FIELD_FIRST ? AV_FIELD_TT : AV_FIELD_BB;
}

static av_unused void cuframes_to_frame(AVFrame *frame, const cuframes_metadata *metadata)
{
    static const enum AVPictureType types[] = {
        [CUFRAMES_PICTURE_UNKNOWN]       = AV_PICTURE_TYPE_NONE,
        [CUFRAMES_PICTURE_INTRA]         = AV_PICTURE_TYPE_I,
        [CUFRAMES_PICTURE_PREDICTED]     = AV_PICTURE_TYPE_P,
        [CUFRAMES_PICTURE_BIDIRECTIONAL] = AV_PICTURE_TYPE_B,
    };

    frame->colorspace      = metadata->colour_matrix;
    frame->color_range     = metadata->colour_range;
    frame->color_primaries = metadata->colour_primaries;
    frame->color_trc       = metadata->colour_transfer;
    frame->chroma_location = metadata->chroma_location;
    frame->pict_type       = metadata->picture_type < FF_ARRAY_ELEMS(types) ? types[metadata->picture_type] : AV_PICTURE_TYPE_NONE;
#if LIBAVUTIL_VERSION_MAJOR >= 59
    if (metadata->flags & CUFRAMES_FLAG_KEY)
        frame->flags |= AV_FRAME_FLAG_KEY;
    if (metadata->flags & CUFRAMES_FLAG_INTERLACED)
        frame->flags |= AV_FRAME_FLAG_INTERLACED;
    if (metadata->flags & CUFRAMES_FLAG_TOP_FIELD_FIRST)
        frame->flags |= AV_FRAME_FLAG_TOP_FIELD_FIRST;
#else
    frame->key_frame        = !!(metadata->flags & CUFRAMES_FLAG_KEY);
    frame->interlaced_frame = !!(metadata->flags & CUFRAMES_FLAG_INTERLACED);
    frame->top_field_first  = !!(metadata->flags & CUFRAMES_FLAG_TOP_FIELD_FIRST);
#endif
    if (metadata->flags & CUFRAMES_FLAG_CORRUPT)
        frame->flags |= AV_FRAME_FLAG_CORRUPT;
}

static av_unused void cuframes_from_frame(cuframes_metadata *metadata, const AVFrame *frame)
{
    static const uint8_t types[] = {
        [AV_PICTURE_TYPE_NONE] = CUFRAMES_PICTURE_UNKNOWN,
        [AV_PICTURE_TYPE_I]    = CUFRAMES_PICTURE_INTRA,
        [AV_PICTURE_TYPE_P]    = CUFRAMES_PICTURE_PREDICTED,
        [AV_PICTURE_TYPE_B]    = CUFRAMES_PICTURE_BIDIRECTIONAL,
    };
#if LIBAVUTIL_VERSION_MAJOR >= 59
    const int is_key = !!(frame->flags & AV_FRAME_FLAG_KEY);
    const int is_interlaced = !!(frame->flags & AV_FRAME_FLAG_INTERLACED);
    const int is_top_first = !!(frame->flags & AV_FRAME_FLAG_TOP_FIELD_FIRST);
#else
    const int is_key = frame->key_frame, is_interlaced = frame->interlaced_frame, is_top_first = frame->top_field_first;
#endif

    metadata->colour_matrix    = frame->colorspace;
    metadata->colour_range     = frame->format == AV_PIX_FMT_YUVJ420P ? CUFRAMES_RANGE_FULL : frame->color_range;
    metadata->colour_primaries = frame->color_primaries;
    metadata->colour_transfer  = frame->color_trc;
    metadata->chroma_location  = frame->chroma_location;
    metadata->picture_type     = frame->pict_type < FF_ARRAY_ELEMS(types) ? types[frame->pict_type] : CUFRAMES_PICTURE_UNKNOWN;
    metadata->flags            = (is_key        ? CUFRAMES_FLAG_KEY             : 0) |
                                 (is_interlaced ? CUFRAMES_FLAG_INTERLACED      : 0) |
                                 (is_top_first && is_interlaced ? CUFRAMES_FLAG_TOP_FIELD_FIRST : 0) |
                                 (frame->flags & AV_FRAME_FLAG_CORRUPT ? CUFRAMES_FLAG_CORRUPT : 0);
}

#endif /* COMPAT_CUFRAMES_CUFRAMES_FORMATS_H */
