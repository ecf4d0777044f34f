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
 * What differs between FFmpeg's versions in how a filter and its frames are described.
 */

#ifndef AVFILTER_CUFRAMES_FILTER_H
#define AVFILTER_CUFRAMES_FILTER_H

#include "libavutil/frame.h"

#include "avfilter.h"
#include "version_major.h"

#if LIBAVFILTER_VERSION_MAJOR >= 10
#include "filters.h"
#else
#include "internal.h"
#endif

#if LIBAVFILTER_VERSION_MAJOR >= 10
static inline AVRational cuframes_link_rate(AVFilterLink *link)
{
    return ff_filter_link(link)->frame_rate;
}

static inline int64_t cuframes_frame_duration(const AVFrame *frame)
{
    return frame->duration;
}
#else
static inline AVRational cuframes_link_rate(AVFilterLink *link)
{
    return link->frame_rate;
}

static inline int64_t cuframes_frame_duration(const AVFrame *frame)
{
    return frame->pkt_duration;
}
#endif

#if LIBAVFILTER_VERSION_MAJOR >= 11
#define CUFRAMES_FILTER_TYPE FFFilter
#define CUFRAMES_FILTER_PUBLIC(field) .p.field
#else
#define CUFRAMES_FILTER_TYPE AVFilter
#define CUFRAMES_FILTER_PUBLIC(field) .field
#endif

#define CUFRAMES_FILTER(filter, text, context)                          \
    static const AVFilterPad filter##_inputs[] = {                      \
        {                                                               \
            .name         = "default",                                  \
            .type         = AVMEDIA_TYPE_VIDEO,                         \
            .filter_frame = filter_frame,                               \
        },                                                              \
    };                                                                  \
    static const AVFilterPad filter##_outputs[] = {                     \
        {                                                               \
            .name = "default",                                          \
            .type = AVMEDIA_TYPE_VIDEO,                                 \
        },                                                              \
    };                                                                  \
    const CUFRAMES_FILTER_TYPE ff_vf_##filter = {                       \
        CUFRAMES_FILTER_PUBLIC(name)        = #filter,                  \
        CUFRAMES_FILTER_PUBLIC(description) = NULL_IF_CONFIG_SMALL(text),\
        CUFRAMES_FILTER_PUBLIC(priv_class)  = &filter##_class,          \
        .priv_size     = sizeof(context),                               \
        .init          = init,                                          \
        .uninit        = uninit,                                        \
        FILTER_INPUTS(filter##_inputs),                                 \
        FILTER_OUTPUTS(filter##_outputs),                               \
        FILTER_PIXFMTS_ARRAY(pix_fmts),                                 \
    };

#endif /* AVFILTER_CUFRAMES_FILTER_H */
