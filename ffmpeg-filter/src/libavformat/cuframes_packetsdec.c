/*
 * Demuxer of the packets of CuFrames streams
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
 * The coded pictures and sounds of a camera as it sends them, out of the ring of the process that is connected to it: another reader costs the
 * camera nothing.
 */

#include "compat/cuframes/cuframes_formats.h"
#include "compat/cuframes/cuframes_loader.h"

#include "libavcodec/codec_desc.h"
#include "libavutil/avstring.h"
#include "libavutil/channel_layout.h"
#include "libavutil/intreadwrite.h"
#include "libavutil/mathematics.h"
#include "libavutil/mem.h"
#include "libavutil/opt.h"
#include "libavutil/time.h"

#include "avformat.h"
#include "cuframes_demuxer.h"
#include "demux.h"
#include "internal.h"
#include "url.h"

/* How long the library waits before it is asked whether the user wants to stop. */
#define STEP CUFRAMES_MILLISECONDS(100)

/* Tracks are interrupted together: what a jump of one has put right holds for the others that jump within this time. Nanoseconds of arrival. */
#define JUMP INT64_C(2000000000)

/* Packets out of order go back by less than this; a clock that begins anew by more. Nanoseconds. */
#define STEP_BACK INT64_C(1000000000)

typedef struct Track {
    AVStream *stream;
    uint32_t parameters; ///< number of the set that the last packet was coded with
    int64_t last_dts;    ///< in the stream's time base
    int has_last;
} Track;

typedef struct CuFramesPacketsContext {
    const AVClass *class;
    CuFramesFunctions library;
    cuframes_packet_subscriber *subscriber;
    cuframes_packet_track *described; ///< too large for a stack
    Track tracks[CUFRAMES_MAX_TRACKS];
    cuframes_packet first;
    uint64_t epoch;
    uint64_t missed;
    int64_t position; ///< bytes of all packets so far

    /* The source's times become ours: they go on where its clock begins anew. Nanoseconds. */
    int64_t offset;
    int64_t last_time;
    int64_t last_duration;
    int64_t last_arrival;
    int64_t jumped_at;
    int has_time;
    int is_jump; ///< the next time that the source gives is of another clock

    /* options */
    char *directory;
    int start;
    int64_t timeout;
    char *ignored; ///< what is meant for other inputs
} CuFramesPacketsContext;

static int cuframes_packets_read_probe(const AVProbeData *p)
{
    return av_strstart(p->filename, "cuframes_packets:", NULL) ? AVPROBE_SCORE_MAX : 0;
}

static const char *key_of(const char *url)
{
    if (!av_strstart(url, "cuframes_packets:", &url))
        av_strstart(url, "cuframes:", &url);
    return url;
}

/**
 * Wait for a packet, for as long as the options allow, AVFMT_FLAG_NONBLOCK or not: see cuframesdec.c.
 */
static int take(AVFormatContext *s, cuframes_packet *packet)
{
    CuFramesPacketsContext *c = s->priv_data;
    const int64_t begin = av_gettime_relative();
    int has_said = 0;

    for (;;) {
        int64_t waited;
        int32_t code;

        *packet = (cuframes_packet)CUFRAMES_PACKET_INIT;
        code = c->library.packet_subscriber_next(c->subscriber, STEP, packet);
        if (code == CUFRAMES_OK)
            return 0;
        if (code != CUFRAMES_TIMED_OUT)
            return cuframes_error(s, &c->library, "Cannot read a packet", code);
        if (ff_check_interrupt(&s->interrupt_callback))
            return AVERROR_EXIT;
        waited = av_gettime_relative() - begin;
        if (!has_said && waited >= CUFRAMES_PATIENCE) {
            cuframes_packet_subscriber_info info = CUFRAMES_PACKET_SUBSCRIBER_INFO_INIT;
            c->library.packet_subscriber_get_info(c->subscriber, &info);
            cuframes_log_waiting(s, &c->library, c->directory, key_of(s->url), info.is_connected);
            has_said = 1;
        }
        if (c->timeout && waited >= c->timeout) {
            av_log(s, AV_LOG_ERROR, "'%s' gave no packet within %.1f s. See whether its publisher runs and its source is live: cuframes ls\n",
                   key_of(s->url), c->timeout / 1e6);
            return AVERROR(ETIMEDOUT);
        }
    }
}

static int set_parameters(AVFormatContext *s, AVStream *st, const cuframes_packet_track *track)
{
    static const enum AVFieldOrder orders[] = { AV_FIELD_UNKNOWN, AV_FIELD_PROGRESSIVE, AV_FIELD_TT, AV_FIELD_BB };
    const AVCodecDescriptor *codec = avcodec_descriptor_get_by_name(track->codec_name);
    AVCodecParameters *par = st->codecpar;
    int ret;

    if (!codec)
        av_log(s, AV_LOG_WARNING, "Track %u is coded as '%s', which this FFmpeg does not know.\n", track->track, track->codec_name);
    par->codec_id              = codec ? codec->id : AV_CODEC_ID_NONE;
    par->bits_per_coded_sample = track->bits_per_sample;
    if ((ret = ff_alloc_extradata(par, track->extradata_size)) < 0)
        return ret;
    memcpy(par->extradata, track->extradata, track->extradata_size);

    switch (track->kind) {
    case CUFRAMES_TRACK_VIDEO:
        par->codec_type          = AVMEDIA_TYPE_VIDEO;
        par->width               = track->width;
        par->height              = track->height;
        par->sample_aspect_ratio = (AVRational){ track->sample_aspect_numerator, FFMAX(track->sample_aspect_denominator, 1) };
        par->video_delay         = track->reorder_delay;
        par->color_space         = track->colour_matrix;
        par->color_range         = track->colour_range;
        par->color_primaries     = track->colour_primaries;
        par->color_trc           = track->colour_transfer;
        par->chroma_location     = track->chroma_location;
        par->field_order         = orders[track->field_order & 3];
        st->sample_aspect_ratio  = par->sample_aspect_ratio;
        if (track->frame_rate_numerator > 0 && track->frame_rate_denominator > 0)
            st->avg_frame_rate = st->r_frame_rate = (AVRational){ track->frame_rate_numerator, track->frame_rate_denominator };
        break;
    case CUFRAMES_TRACK_AUDIO:
        par->codec_type      = AVMEDIA_TYPE_AUDIO;
        par->sample_rate     = track->sample_rate;
        par->frame_size      = track->samples_per_packet;
        par->block_align     = track->block_align;
        par->initial_padding = track->initial_padding;
        par->seek_preroll    = track->seek_preroll;
        if (!track->channel_layout || av_channel_layout_from_mask(&par->ch_layout, track->channel_layout) < 0 ||
            par->ch_layout.nb_channels != track->channels)
            av_channel_layout_default(&par->ch_layout, track->channels);
        break;
    default:
        par->codec_type = AVMEDIA_TYPE_DATA;
        break;
    }
    return 0;
}

static int add_track(AVFormatContext *s, const cuframes_packet_track *track)
{
    CuFramesPacketsContext *c = s->priv_data;
    AVStream *st = avformat_new_stream(s, NULL);

    if (!st)
        return AVERROR(ENOMEM);
    st->id = track->track;
    c->tracks[track->track].stream     = st;
    c->tracks[track->track].parameters = track->parameters;
    avpriv_set_pts_info(st, 64, track->time_base_numerator, track->time_base_denominator);
    /* A packet is a whole picture; what it is like stands in its headers. Sound says all in its parameters. */
    if (track->kind == CUFRAMES_TRACK_VIDEO)
        ffstream(st)->need_parsing = AVSTREAM_PARSE_HEADERS;
    if (track->language[0])
        av_dict_set(&st->metadata, "language", track->language, 0);
    return set_parameters(s, st, track);
}

static int cuframes_packets_read_close(AVFormatContext *s)
{
    CuFramesPacketsContext *c = s->priv_data;

    if (c->subscriber)
        c->library.packet_subscriber_close(c->subscriber);
    c->subscriber = NULL;
    av_freep(&c->described);
    return 0;
}

/**
 * Connect, from where on the options say. What a source sent before it was lost is no news: then the next packet is the first one.
 */
static int32_t open_subscriber(AVFormatContext *s, const char *key)
{
    CuFramesPacketsContext *c = s->priv_data;
    cuframes_packet_subscriber_options options = CUFRAMES_PACKET_SUBSCRIBER_OPTIONS_INIT;
    cuframes_packet_subscriber_info info = CUFRAMES_PACKET_SUBSCRIBER_INFO_INIT;
    int32_t code;

    options.start           = c->start;
    options.wait_for_stream = 1;
    options.directory       = c->directory;
    options.program         = "ffmpeg";
    options.on_event        = cuframes_log_event;
    options.event_user      = s;
    code = c->library.packet_subscriber_open(key, &options, &c->subscriber);
    if (code != CUFRAMES_OK || c->start != CUFRAMES_START_NEWEST_KEY)
        return code;
    if (c->library.packet_subscriber_get_info(c->subscriber, &info) != CUFRAMES_OK || info.state != CUFRAMES_STATE_SOURCE_LOST)
        return code;

    c->library.packet_subscriber_close(c->subscriber);
    c->subscriber = NULL;
    options.start = CUFRAMES_START_NEXT;
    return c->library.packet_subscriber_open(key, &options, &c->subscriber);
}

static int cuframes_packets_read_header(AVFormatContext *s)
{
    CuFramesPacketsContext *c = s->priv_data;
    const char *key = key_of(s->url);
    int32_t code;
    int ret;

    cuframes_keep_times(s);
    if ((ret = cuframes_load(s, &c->library)) < 0)
        return ret;
    if (!(c->described = av_mallocz(sizeof(*c->described))))
        return AVERROR(ENOMEM);
    c->described->size = sizeof(*c->described);

    if ((code = open_subscriber(s, key)) != CUFRAMES_OK) {
        char what[256];
        snprintf(what, sizeof(what), "Cannot read the packets of '%s'", key);
        return cuframes_error(s, &c->library, what, code);
    }
    if ((ret = take(s, &c->first)) < 0)
        return ret;
    c->epoch = c->first.epoch;

    /* By the first key frame all tracks of a camera are there. */
    for (uint32_t number = 0; number < CUFRAMES_MAX_TRACKS; number++) {
        if (c->library.packet_subscriber_get_track(c->subscriber, number, c->described) != CUFRAMES_OK)
            break;
        if ((ret = add_track(s, c->described)) < 0)
            return ret;
    }
    return 0;
}

/**
 * How long a packet is shown or heard, in nanoseconds; 0 where nobody says.
 */
static int64_t duration_of(const Track *track, const cuframes_packet *packet)
{
    static const AVRational nanoseconds = { 1, 1000000000 };
    const AVRational source = { packet->time_base_numerator, packet->time_base_denominator };
    const AVRational rate = track->stream->avg_frame_rate;

    if (packet->duration > 0)
        return av_rescale_q(packet->duration, source, nanoseconds);
    return rate.num > 0 && rate.den > 0 ? av_rescale_q(1, av_inv_q(rate), nanoseconds) : 0;
}

/**
 * Put a packet on time lines that grow, those of all tracks by the same amount. The first packet of an RTSP session has no time: it gets that of its
 * arrival, and the clock of the next one decides.
 */
static void set_times(CuFramesPacketsContext *c, Track *track, const cuframes_packet *packet, AVPacket *pkt)
{
    static const AVRational nanoseconds = { 1, 1000000000 };
    const AVRational source = { packet->time_base_numerator, packet->time_base_denominator };
    const AVRational base = track->stream->time_base;
    const int64_t known = packet->dts != CUFRAMES_PTS_UNKNOWN ? packet->dts : packet->pts;
    /* As much later as it arrived later, and not before the last one is over: what libav read while it opened the source arrives at once. */
    const int64_t expected = c->has_time ? c->last_time + FFMAX(packet->arrival_time - c->last_arrival, c->last_duration) : 0;
    int64_t shift;

    if (!c->has_time) {
        c->is_jump   = known == CUFRAMES_PTS_UNKNOWN;
        c->jumped_at = packet->arrival_time;
    } else if ((packet->epoch != c->epoch || packet->flags & CUFRAMES_PACKET_FLAG_DISCONTINUITY) &&
               packet->arrival_time - c->jumped_at > JUMP) {
        c->is_jump   = 1;
        c->jumped_at = packet->arrival_time;
    }
    c->epoch = packet->epoch;

    pkt->duration = av_rescale_q(packet->duration, source, base);
    if (known == CUFRAMES_PTS_UNKNOWN) {
        pkt->pts = pkt->dts = av_rescale_q(expected, nanoseconds, base);
        c->last_time = expected;
    } else {
        const int64_t time = av_rescale_q(known, source, nanoseconds);
        const int64_t last = track->has_last ? av_rescale_q(track->last_dts, base, nanoseconds) : INT64_MIN;

        if (c->is_jump || (track->has_last && time + c->offset < last - STEP_BACK)) {
            c->offset  = expected - time;
            c->is_jump = 0;
        }
        /* The track that the jump was measured on may be ahead of this one: both go on when this one's last packet is over. */
        if (track->has_last && time + c->offset <= last && packet->arrival_time - c->jumped_at <= JUMP)
            c->offset = last + duration_of(track, packet) - time;
        c->last_time = c->has_time ? FFMAX(c->last_time, time + c->offset) : time;

        shift = av_rescale_q(c->offset, nanoseconds, base);
        pkt->pts = packet->pts == CUFRAMES_PTS_UNKNOWN ? AV_NOPTS_VALUE : av_rescale_q(packet->pts, source, base) + shift;
        pkt->dts = packet->dts == CUFRAMES_PTS_UNKNOWN ? AV_NOPTS_VALUE : av_rescale_q(packet->dts, source, base) + shift;
    }
    c->last_duration = duration_of(track, packet);
    c->last_arrival  = packet->arrival_time;
    c->has_time      = 1;

    if (pkt->dts != AV_NOPTS_VALUE) {
        if (track->has_last && pkt->dts <= track->last_dts) {
            pkt->dts = track->last_dts + 1;
            if (pkt->pts != AV_NOPTS_VALUE && pkt->pts < pkt->dts)
                pkt->pts = pkt->dts;
        }
        track->has_last = 1;
        track->last_dts = pkt->dts;
    }
}

/**
 * Tell decoders of parameters that have changed.
 */
static int update(AVFormatContext *s, Track *track, const cuframes_packet *packet, AVPacket *pkt)
{
    CuFramesPacketsContext *c = s->priv_data;
    const AVCodecParameters *par = track->stream->codecpar;
    uint8_t *side;

    if (track->parameters == packet->parameters)
        return 0;
    if (c->library.packet_get_track(packet, c->described) != CUFRAMES_OK)
        return 0; /* so old that its parameters are gone: those of a later packet come */
    track->parameters = packet->parameters;
    if (c->described->extradata_size == par->extradata_size && !memcmp(c->described->extradata, par->extradata, par->extradata_size))
        return 0;
    if (!(side = av_packet_new_side_data(pkt, AV_PKT_DATA_NEW_EXTRADATA, c->described->extradata_size)))
        return AVERROR(ENOMEM);
    memcpy(side, c->described->extradata, c->described->extradata_size);
    return 0;
}

static int cuframes_packets_read_packet(AVFormatContext *s, AVPacket *pkt)
{
    CuFramesPacketsContext *c = s->priv_data;

    for (;;) {
        cuframes_packet packet;
        Track *track;
        int32_t code;
        int ret;

        if (c->first.owner) {
            packet = c->first;
            c->first.owner = 0;
        } else if ((ret = take(s, &packet)) < 0) {
            return ret;
        }

        if (packet.missed) {
            c->missed += packet.missed;
            av_log(s, AV_LOG_WARNING, "%"PRIu64" packets lost, %"PRIu64" in all: this reader is too slow\n", packet.missed, c->missed);
        }
        track = &c->tracks[packet.track];
        if (!track->stream) {
            /* It came after the header: a stream more, which programs may take or leave. */
            if (c->library.packet_get_track(&packet, c->described) != CUFRAMES_OK)
                continue; /* so old that its parameters are gone */
            if ((ret = add_track(s, c->described)) < 0)
                return ret;
        }

        if ((ret = av_new_packet(pkt, packet.data_size)) < 0)
            return ret;
        code = c->library.packet_copy(&packet, pkt->data, pkt->size);
        if (code == CUFRAMES_PACKET_LOST) {
            /* Overwritten while it was copied. The next one that is taken is a key frame, and says what was lost between. */
            av_packet_unref(pkt);
            c->missed++;
            continue;
        }
        if (code != CUFRAMES_OK) {
            av_packet_unref(pkt);
            return cuframes_error(s, &c->library, "Cannot copy a packet", code);
        }

        if ((ret = update(s, track, &packet, pkt)) < 0) {
            av_packet_unref(pkt);
            return ret;
        }
        set_times(c, track, &packet, pkt);
        /* Parsers find the times of a packet by its position. */
        pkt->pos     = c->position;
        c->position += pkt->size;
        pkt->stream_index = track->stream->index;
        if (packet.flags & CUFRAMES_PACKET_FLAG_KEY || packet.kind != CUFRAMES_TRACK_VIDEO)
            pkt->flags |= AV_PKT_FLAG_KEY;
        if (packet.flags & CUFRAMES_PACKET_FLAG_CORRUPT)
            pkt->flags |= AV_PKT_FLAG_CORRUPT;
        if (packet.flags & CUFRAMES_PACKET_FLAG_DISPOSABLE)
            pkt->flags |= AV_PKT_FLAG_DISPOSABLE;
        return 0;
    }
}

#define OFFSET(x) offsetof(CuFramesPacketsContext, x)
#define DEC AV_OPT_FLAG_DECODING_PARAM
static const AVOption cuframes_packets_options[] = {
    { "directory",  "folder of the sockets (default: $CUFRAMES_DIR, /run/cuframes)", OFFSET(directory), AV_OPT_TYPE_STRING, { .str = NULL }, 0, 0, DEC },
    { "start",      "where to begin", OFFSET(start), AV_OPT_TYPE_INT, { .i64 = CUFRAMES_START_NEWEST_KEY }, CUFRAMES_START_NEWEST_KEY, CUFRAMES_START_NEXT, DEC, "start" },
    {   "newest_key", "at the newest key frame", 0, AV_OPT_TYPE_CONST, { .i64 = CUFRAMES_START_NEWEST_KEY }, 0, 0, DEC, "start" },
    {   "oldest_key", "at the oldest key frame that is still there", 0, AV_OPT_TYPE_CONST, { .i64 = CUFRAMES_START_OLDEST_KEY }, 0, 0, DEC, "start" },
    {   "next",       "at the next packet", 0, AV_OPT_TYPE_CONST, { .i64 = CUFRAMES_START_NEXT }, 0, 0, DEC, "start" },
    { "timeout",    "longest wait for a packet in microseconds, 0: no limit", OFFSET(timeout), AV_OPT_TYPE_INT64, { .i64 = 0 }, 0, INT64_MAX, DEC },
    { "rw_timeout", "the same, for programs that know it by this name", OFFSET(timeout), AV_OPT_TYPE_INT64, { .i64 = 0 }, 0, INT64_MAX, DEC },
    { "stimeout",   "the same, for programs that know it by this name", OFFSET(timeout), AV_OPT_TYPE_INT64, { .i64 = 0 }, 0, INT64_MAX, DEC },
    { "rtsp_transport", "accepted and not used", OFFSET(ignored), AV_OPT_TYPE_STRING, { .str = NULL }, 0, 0, DEC },
    { "rtsp_flags",     "accepted and not used", OFFSET(ignored), AV_OPT_TYPE_STRING, { .str = NULL }, 0, 0, DEC },
    { "user_agent",     "accepted and not used", OFFSET(ignored), AV_OPT_TYPE_STRING, { .str = NULL }, 0, 0, DEC },
    { "buffer_size",    "accepted and not used", OFFSET(ignored), AV_OPT_TYPE_STRING, { .str = NULL }, 0, 0, DEC },
    { NULL },
};

static const AVClass cuframes_packets_class = {
    .class_name = "cuframes_packets demuxer",
    .item_name  = av_default_item_name,
    .option     = cuframes_packets_options,
    .version    = LIBAVUTIL_VERSION_INT,
    .category   = AV_CLASS_CATEGORY_DEMUXER,
};

CUFRAMES_DEMUXER(cuframes_packets, "CuFrames packets of another process", CuFramesPacketsContext)
