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
 * What differs between FFmpeg's versions in how a demuxer is described.
 */

#ifndef AVFORMAT_CUFRAMES_DEMUXER_H
#define AVFORMAT_CUFRAMES_DEMUXER_H

#include "libavutil/log.h"

#include "avformat.h"
#include "version.h"

/**
 * Keep the times that the publisher gives. NVRs ask for the time of arrival instead, because times of cameras may jump: these are joined already,
 * and packets come in bursts, whose times would be all the same.
 */
static inline void cuframes_keep_times(AVFormatContext *s)
{
    if (s->use_wallclock_as_timestamps)
        av_log(s, AV_LOG_VERBOSE, "use_wallclock_as_timestamps is not used: the publisher's times go on over interruptions.\n");
    s->use_wallclock_as_timestamps = 0;
}

#if LIBAVFORMAT_VERSION_MAJOR >= 61
#define CUFRAMES_DEMUXER(demuxer, text, context)                        \
    const FFInputFormat ff_##demuxer##_demuxer = {                      \
        .p.name         = #demuxer,                                     \
        .p.long_name    = NULL_IF_CONFIG_SMALL(text),                   \
        .p.flags        = AVFMT_NOFILE | AVFMT_TS_DISCONT,              \
        .p.priv_class   = &demuxer##_class,                             \
        .priv_data_size = sizeof(context),                              \
        .flags_internal = FF_INFMT_FLAG_INIT_CLEANUP,                   \
        .read_probe     = demuxer##_read_probe,                              \
        .read_header    = demuxer##_read_header,                        \
        .read_packet    = demuxer##_read_packet,                        \
        .read_close     = demuxer##_read_close,                         \
    };
#else
#define CUFRAMES_DEMUXER(demuxer, text, context)                        \
    const AVInputFormat ff_##demuxer##_demuxer = {                      \
        .name           = #demuxer,                                     \
        .long_name      = NULL_IF_CONFIG_SMALL(text),                   \
        .flags          = AVFMT_NOFILE | AVFMT_TS_DISCONT,              \
        .priv_class     = &demuxer##_class,                             \
        .priv_data_size = sizeof(context),                              \
        .flags_internal = FF_FMT_INIT_CLEANUP,                          \
        .read_probe     = demuxer##_read_probe,                              \
        .read_header    = demuxer##_read_header,                        \
        .read_packet    = demuxer##_read_packet,                        \
        .read_close     = demuxer##_read_close,                         \
    };
#endif

#endif /* AVFORMAT_CUFRAMES_DEMUXER_H */
