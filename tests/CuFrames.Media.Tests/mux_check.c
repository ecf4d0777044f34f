/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Feeds the muxer with what no sane source sends: packets and extradata of real files with bytes changed, cut and emptied,
 * wild times, parameters that make no sense, calls in a wrong order. Compiled together with the shim under the address and
 * undefined behaviour sanitizers: a byte read or written outside of its buffer, or one that is not given back, ends the
 * program. Seed 0 changes nothing and leaves all sane. Usage: mux_check SEED ROUNDS FILE... Prints "<packets written> <packets refused> <outputs that failed> <bytes>".
 */
#include "cuframes_av_mux.h"

#include <libavformat/avformat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_SAMPLES 4096

struct sample {
    AVPacket *packet;
    const AVCodecParameters *parameters;
    AVRational time_base;
};

static struct sample samples[MOST_SAMPLES];
static size_t sample_count;
static uint64_t state;
static int is_sane;

static uint64_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static uint64_t below(uint64_t limit)
{
    return next() % limit;
}

static int64_t wild(int64_t sane)
{
    static const int64_t edges[] = { 0, -1, 1, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN + 1, INT64_MIN, INT64_MAX / 2, INT64_C(1) << 46, INT64_C(1) << 33 };
    if (is_sane)
        return sane;
    switch (below(24)) {
    case 0: return edges[below(sizeof edges / sizeof *edges)];
    case 1: return (int64_t)next();
    case 2: return sane + (int64_t)below(1000000) - 500000;
    default: return sane;
    }
}

/* A copy with some bytes changed, perhaps cut. The size is at least 1. */
static size_t damage(uint8_t *bytes, size_t size)
{
    if (is_sane)
        return size;
    if (size && below(4) == 0) {
        for (uint64_t hits = 1 + below(8); hits; hits--)
            bytes[below(size)] = (uint8_t)next();
    }
    if (size > 1 && below(16) == 0)
        size = 1 + below(size - 1);
    return size;
}

static void load(const char *path)
{
    AVFormatContext *format = NULL;
    if (avformat_open_input(&format, path, NULL, NULL) < 0 || avformat_find_stream_info(format, NULL) < 0)
        abort();
    while (sample_count < MOST_SAMPLES) {
        AVPacket *packet = av_packet_alloc();
        if (av_read_frame(format, packet) < 0) {
            av_packet_free(&packet);
            break;
        }
        AVCodecParameters *parameters = avcodec_parameters_alloc();
        avcodec_parameters_copy(parameters, format->streams[packet->stream_index]->codecpar);
        samples[sample_count++] = (struct sample){ packet, parameters, format->streams[packet->stream_index]->time_base };
    }
    avformat_close_input(&format);
}

static int32_t odd(int32_t sane)
{
    static const int32_t edges[] = { 0, 1, -1, INT32_MAX, INT32_MIN, 65535, 16384, 17 };
    return !is_sane && below(20) == 0 ? edges[below(8)] : sane;
}

static void describe(cuframes_av_track *track, const struct sample *sample, uint8_t *extradata)
{
    static const char *const codecs[] = { "h264", "hevc", "av1", "vp9", "mjpeg", "mpeg4", "mpeg2video", "aac", "opus", "pcm_alaw", "mp3", "ac3", "flac", "vorbis", "adpcm_g726", "none", "", "no codec" };
    const AVCodecParameters *p = sample->parameters;
    memset(track, 0, sizeof *track);
    track->size = sizeof *track;
    track->kind = p->codec_type == AVMEDIA_TYPE_VIDEO ? CUFRAMES_AV_TRACK_VIDEO : CUFRAMES_AV_TRACK_AUDIO;
    snprintf(track->codec, sizeof track->codec, "%s", is_sane || below(10) ? avcodec_get_name(p->codec_id) : codecs[below(18)]);
    snprintf(track->language, sizeof track->language, "%s", below(2) ? "deu" : "");
    track->time_base_num = odd(sample->time_base.num);
    track->time_base_den = odd(sample->time_base.den);
    track->width = odd(p->width);
    track->height = odd(p->height);
    track->frame_rate_num = odd(25);
    track->frame_rate_den = odd(1);
    track->sample_aspect_num = odd(1);
    track->sample_aspect_den = odd(1);
    track->sample_rate = odd(p->sample_rate);
    track->channels = odd(p->ch_layout.nb_channels);
    track->channel_layout = is_sane || below(8) ? 0 : next();
    track->samples_per_packet = odd(p->frame_size);
    track->bits_per_sample = odd(p->bits_per_coded_sample);
    track->block_align = odd(p->block_align);
    track->initial_padding = odd(p->initial_padding);
    track->seek_preroll = odd(0);
    track->reorder_delay = odd(p->video_delay);
    track->matrix = (uint8_t)(is_sane || below(4) ? 1 : next());
    track->range = (uint8_t)(is_sane || below(4) ? 1 : next());
    track->primaries = (uint8_t)(is_sane || below(4) ? 1 : next());
    track->transfer = (uint8_t)(is_sane || below(4) ? 1 : next());
    track->chroma_location = (uint8_t)(is_sane || below(4) ? 1 : next());
    track->field_order = (uint8_t)(is_sane || below(4) ? 1 : next());
    track->rotation = (uint8_t)below(is_sane ? 4 : 5);
    if (p->extradata_size && (is_sane || below(5))) {
        memcpy(extradata, p->extradata, (size_t)p->extradata_size);
        track->extradata_size = (uint32_t)damage(extradata, (size_t)p->extradata_size);
    } else if (!is_sane && below(3) == 0) {
        track->extradata_size = (uint32_t)below(64);
        for (uint32_t i = 0; i < track->extradata_size; i++)
            extradata[i] = (uint8_t)next();
    }
    track->extradata = track->extradata_size ? extradata : NULL;
}

static unsigned long long bytes_out;

static void take(cuframes_av_muxer *muxer)
{
    int64_t position;
    const uint8_t *data;
    size_t bytes;
    while (cuframes_av_mux_take_output(muxer, &position, &data, &bytes)) {
        unsigned sum = 0;
        if (position < 0)
            abort();
        /* Every byte is read, so that none may lie outside. */
        for (size_t i = 0; i < bytes; i++)
            sum += data[i];
        bytes_out += bytes + (sum & 0);
    }
}

int main(int argc, char **argv)
{
    unsigned long long written = 0, refused = 0, failed = 0;
    uint8_t *extradata = malloc(8 * 65536);
    if (argc < 4 || !extradata)
        return 2;
    is_sane = strcmp(argv[1], "0") == 0;
    state = strtoull(argv[1], NULL, 10) * 2654435761u + 88172645463325252u;
    for (int i = 3; i < argc; i++)
        load(argv[i]);
    for (long round = atol(argv[2]); round; round--) {
        cuframes_av_muxer *muxer = cuframes_av_mux_create();
        cuframes_av_mux_options options = { .size = sizeof options, .container = 1 + (uint32_t)below(3), .flags = (uint32_t)below(4), .shift_us = wild(0) };
        cuframes_av_mux_counts counts = { .size = sizeof counts };
        cuframes_av_track tracks[8];
        const struct sample *kinds[8];
        uint32_t count = 1 + (uint32_t)below(below(4) ? 2 : 8), bad;
        char text[256];
        int result = CUFRAMES_AV_OK;

        if (!is_sane && below(50) == 0)
            options.container = (uint32_t)next();
        for (uint32_t i = 0; i < count; i++) {
            kinds[i] = &samples[below(sample_count)];
            describe(&tracks[i], kinds[i], extradata + i * 65536);
        }
        result = cuframes_av_mux_open(muxer, &options, tracks, is_sane || below(60) ? count : 9 * (uint32_t)below(2), &bad);
        if (result < 0)
            failed++;
        int64_t time = is_sane || below(8) ? 0 : (int64_t)next();
        for (uint64_t packets = result < 0 ? 3 : below(80); packets; packets--) {
            uint32_t track = (uint32_t)below(count);
            /* Bytes of the right codec as a rule. */
            const struct sample *sample = &samples[below(sample_count)];
            for (int tries = 0; tries < 2000 && sample->parameters->codec_id != kinds[track]->parameters->codec_id && (is_sane || below(10)); tries++)
                sample = &samples[below(sample_count)];
            uint8_t *buffer = cuframes_av_mux_packet_buffer(muxer, is_sane || below(100) ? (size_t)sample->packet->size : 0);
            time += (int64_t)below(4000);
            cuframes_av_mux_packet packet = { .size = sizeof packet, .track = is_sane || below(100) ? track : (uint32_t)next(), .flags = (uint32_t)below(8) };
            packet.dts = wild(time);
            packet.pts = is_sane || below(30) ? (packet.dts < INT64_MAX - 100000 ? packet.dts + (int64_t)below(9000) : packet.dts) : wild(time);
            packet.duration = wild(3600);
            if (buffer) {
                memcpy(buffer, sample->packet->data, (size_t)sample->packet->size);
                damage(buffer, (size_t)sample->packet->size);
            }
            cuframes_av_mux_write(muxer, &packet);
            if (below(3) == 0)
                take(muxer);
            if (below(40) == 0)
                cuframes_av_mux_flush(muxer);
        }
        if (below(4)) {
            if (cuframes_av_mux_finish(muxer) < 0)
                failed++;
            take(muxer);
        }
        if (below(8) == 0) {
            cuframes_av_mux_finish(muxer);
            cuframes_av_mux_flush(muxer);
        }
        cuframes_av_mux_error_text(muxer, text, below(2) ? sizeof text : 1);
        if (cuframes_av_mux_get_counts(muxer, &counts) == CUFRAMES_AV_OK) {
            written += counts.written;
            refused += counts.refused;
        }
        cuframes_av_mux_free(muxer);
    }
    for (size_t i = 0; i < sample_count; i++) {
        AVCodecParameters *parameters = (AVCodecParameters *)samples[i].parameters;
        av_packet_free(&samples[i].packet);
        avcodec_parameters_free(&parameters);
    }
    free(extradata);
    printf("%llu %llu %llu %llu\n", written, refused, failed, bytes_out);
    return 0;
}
