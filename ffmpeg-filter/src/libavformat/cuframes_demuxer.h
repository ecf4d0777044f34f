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

#include "compat/cuframes/cuframes_loader.h"
#include "avformat.h"
#include "version.h"

/* After this long a reader says what it waits for. Microseconds. */
#define CUFRAMES_PATIENCE 2000000

/**
 * Tell the user what becomes of a connection: a reader that waits for its publisher looks like one that hangs. The library calls this in the
 * thread that waits for a frame or packet.
 */
static inline void cuframes_log_event(void *logctx, const cuframes_event *event)
{
    switch (event->kind) {
    case CUFRAMES_EVENT_EVICTED:
    case CUFRAMES_EVENT_DISCONNECTED:
        av_log(logctx, AV_LOG_WARNING, "Disconnected: %s Waiting for the publisher.\n", event->text);
        break;
    case CUFRAMES_EVENT_SOURCE_LOST:
        av_log(logctx, AV_LOG_WARNING, "The publisher has lost its source: %s\n", event->text);
        break;
    case CUFRAMES_EVENT_SOURCE_BACK:
        av_log(logctx, AV_LOG_INFO, "The publisher's source is back.\n");
        break;
    default:
        av_log(logctx, AV_LOG_VERBOSE, "%s\n", event->text);
        break;
    }
}

/**
 * Say what a reader waits for that has got nothing for CUFRAMES_PATIENCE.
 */
static inline void cuframes_log_waiting(void *logctx, const CuFramesFunctions *functions, const char *directory, const char *key, int is_connected)
{
    char usual[CUFRAMES_TEXT_BYTES] = "";

    if (is_connected) {
        av_log(logctx, AV_LOG_WARNING, "'%s' is published, but nothing comes. Waiting for its source; see its state: cuframes ls\n", key);
        return;
    }
    if (!directory && functions->runtime_directory(usual, sizeof(usual)) == CUFRAMES_OK)
        directory = usual;
    av_log(logctx, AV_LOG_WARNING, "Nobody publishes '%s' in '%s'. Waiting for it; see what is published: cuframes ls. "
           "Another folder is named by the option directory or by $CUFRAMES_DIR.\n", key, directory ? directory : "");
}

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
