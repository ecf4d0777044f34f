/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See cuframes_av_mux.h for the contract. */
#define _GNU_SOURCE
#include "cuframes_av_mux.h"
#include "cuframes_av_internal.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavcodec/bsf.h>
#include <libavformat/avformat.h>
#include <libavutil/channel_layout.h>
#include <libavutil/display.h>
#include <libavutil/intreadwrite.h>
#include <libavutil/mathematics.h>
#include <libavutil/opt.h>

/* FFmpeg 6.1 moved a stream's side data into its codec parameters. */
#define HAVE_CODED_SIDE_DATA                                                                                           \
    (LIBAVFORMAT_VERSION_INT >= AV_VERSION_INT(60, 15, 100) && LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(60, 30, 101))
/* FFmpeg 7.0 made the data of write callbacks const. */
#if LIBAVFORMAT_VERSION_MAJOR >= 61
typedef const uint8_t written_byte;
#else
typedef uint8_t written_byte;
#endif

#define MAX_TRACKS 8
#define MAX_EXTRADATA (1 << 20)
#define MAX_PACKET (1 << 30)
#define ERROR_CAPACITY 1536
#define IO_CAPACITY 65536
/* What is held back at the beginning, for tracks that have not sent anything yet. */
#define HELD_SPAN_US 1000000
#define HELD_PACKETS 512
#define HELD_BYTES (16 << 20)
/* A fragment of MP4 and a cluster of Matroska last this long at most: what a killed recorder can lose. */
#define PIECE_SPAN_MS 1000
/* What ffmpeg uses: the lead that MPEG-TS gives its decoders. */
#define TS_DELAY_US 700000
/* Ticks of an output's clock: 24 years at 90 kHz, and libav's arithmetic with 300 times as much does not overflow. */
#define MAX_TICKS (INT64_C(1) << 46)

/* MP4 and Matroska need parameter sets of these in their headers. */
static const enum AVCodecID needy[] = { AV_CODEC_ID_H264, AV_CODEC_ID_HEVC, AV_CODEC_ID_NONE };

struct track {
    AVStream *stream;
    AVRational time_base;       /* of the caller's times */
    bool has_packet;            /* one at least was given */
    bool has_key;
    bool has_last;
    int64_t last_dts;           /* written last, in the stream's time base */
};

struct held {
    AVPacket *packet;
    uint32_t track;
};

/* Bytes that belong together at one place of the output. */
struct run {
    int64_t position;
    size_t offset, bytes;       /* in the buffer */
};

struct cuframes_av_muxer {
    AVFormatContext *format;
    AVIOContext *io;
    AVPacket *packet;
    AVPacket *repaired;         /* what goes to libav */
    struct track tracks[MAX_TRACKS];
    uint32_t track_count;
    uint32_t container;
    bool is_continued;          /* the times are those of an output that was begun before */
    bool is_started, is_finished;
    bool header_written;
    int failure;                /* result that stays; 0: none */
    int64_t shift_us;           /* time of the earliest packet, taken off; where a track's unit is coarser, rounded */

    struct held held[HELD_PACKETS];
    size_t held_count;
    size_t held_bytes;

    uint64_t written, refused;

    uint8_t *output;
    size_t output_bytes, output_capacity;
    struct run *runs;
    size_t run_count, run_capacity, runs_taken;
    int64_t position, end;

    struct cuframes_av_lines lines;
    char error[ERROR_CAPACITY];
};

__attribute__((format(printf, 3, 4))) static int fail(cuframes_av_muxer *muxer, int result, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(muxer->error, sizeof muxer->error, format, arguments);
    va_end(arguments);
    return result;
}

static int fail_for_good(cuframes_av_muxer *muxer, int result)
{
    muxer->failure = result;
    return result;
}

static int fail_av(cuframes_av_muxer *muxer, int result, int error)
{
    char name[AV_ERROR_MAX_STRING_SIZE];
    av_make_error_string(name, sizeof name, error);
    struct cuframes_av_lines *lines = &muxer->lines;
    if (lines->length) {
        memcpy(lines->last, lines->line, lines->length);
        lines->last[lines->length] = 0;
    }
    size_t length = strlen(lines->last);
    while (length && (lines->last[length - 1] == ' ' || lines->last[length - 1] == '.'))
        lines->last[--length] = 0;
    if (error == AVERROR(ENOMEM))
        result = CUFRAMES_AV_NO_MEMORY;
    return length ? fail(muxer, result, "%s; %s", name, lines->last) : fail(muxer, result, "%s", name);
}

/* Messages that libav logs from here to leave() are this muxer's. */
static void enter(cuframes_av_muxer *muxer)
{
    muxer->error[0] = 0;
    muxer->lines.length = 0;
    muxer->lines.last[0] = 0;
    cuframes_av_thread_lines = &muxer->lines;
}

static int leave(int result)
{
    cuframes_av_thread_lines = NULL;
    return result;
}

/* ---- output --------------------------------------------------------------------------------------------------- */

static bool grow(void **items, size_t *capacity, size_t needed, size_t size)
{
    if (needed <= *capacity)
        return true;
    size_t wanted = *capacity ? *capacity : 64;
    while (wanted < needed)
        wanted *= 2;
    void *grown = realloc(*items, wanted * size);
    if (!grown)
        return false;
    *items = grown;
    *capacity = wanted;
    return true;
}

static int on_write(void *opaque, written_byte *data, int bytes)
{
    cuframes_av_muxer *muxer = opaque;
    struct run *last = muxer->run_count ? &muxer->runs[muxer->run_count - 1] : NULL;
    if (bytes <= 0)
        return 0;
    if (!grow((void **)&muxer->output, &muxer->output_capacity, muxer->output_bytes + (size_t)bytes, 1))
        return AVERROR(ENOMEM);
    if (!last || last->position + (int64_t)last->bytes != muxer->position) {
        if (!grow((void **)&muxer->runs, &muxer->run_capacity, muxer->run_count + 1, sizeof *muxer->runs))
            return AVERROR(ENOMEM);
        last = &muxer->runs[muxer->run_count++];
        *last = (struct run){ .position = muxer->position, .offset = muxer->output_bytes };
    }
    memcpy(muxer->output + muxer->output_bytes, data, (size_t)bytes);
    muxer->output_bytes += (size_t)bytes;
    last->bytes += (size_t)bytes;
    muxer->position += bytes;
    if (muxer->position > muxer->end)
        muxer->end = muxer->position;
    return bytes;
}

static int64_t on_seek(void *opaque, int64_t offset, int whence)
{
    cuframes_av_muxer *muxer = opaque;
    int64_t target;
    switch (whence & ~AVSEEK_FORCE) {
    case AVSEEK_SIZE: return muxer->end;
    case SEEK_SET: target = offset; break;
    case SEEK_CUR: target = muxer->position + offset; break;
    case SEEK_END: target = muxer->end + offset; break;
    default: return AVERROR(EINVAL);
    }
    if (target < 0)
        return AVERROR(EINVAL);
    muxer->position = target;
    return target;
}

int cuframes_av_mux_take_output(cuframes_av_muxer *muxer, int64_t *position, const uint8_t **data, size_t *bytes)
{
    if (!muxer || !position || !data || !bytes)
        return 0;
    if (muxer->runs_taken == muxer->run_count) {
        muxer->runs_taken = muxer->run_count = 0;
        muxer->output_bytes = 0;
        return 0;
    }
    const struct run *run = &muxer->runs[muxer->runs_taken++];
    *position = run->position;
    *data = muxer->output + run->offset;
    *bytes = run->bytes;
    return 1;
}

/* ---- containers ----------------------------------------------------------------------------------------------- */

static const AVOutputFormat *format_of(uint32_t container)
{
    switch (container) {
    case CUFRAMES_AV_MP4: return av_guess_format("mp4", NULL, NULL);
    case CUFRAMES_AV_MATROSKA: return av_guess_format("matroska", NULL, NULL);
    case CUFRAMES_AV_MPEGTS: return av_guess_format("mpegts", NULL, NULL);
    default: return NULL;
    }
}

static const char *name_of(uint32_t container)
{
    return container == CUFRAMES_AV_MP4 ? "MP4" : container == CUFRAMES_AV_MATROSKA ? "Matroska" : "MPEG-TS";
}

static const AVCodecDescriptor *codec_named(const char *name)
{
    return name && *name ? avcodec_descriptor_get_by_name(name) : NULL;
}

static bool can_carry(uint32_t container, const AVCodecDescriptor *codec)
{
    const AVOutputFormat *format = format_of(container);
    if (!format || !codec)
        return false;
    /* mpegtsenc writes what it does not know as private data; these it names by a stream type or a registration. */
    if (container == CUFRAMES_AV_MPEGTS) {
        switch (codec->id) {
        case AV_CODEC_ID_H264:
        case AV_CODEC_ID_HEVC:
        case AV_CODEC_ID_MPEG1VIDEO:
        case AV_CODEC_ID_MPEG2VIDEO:
        case AV_CODEC_ID_MPEG4:
        case AV_CODEC_ID_AAC:
        case AV_CODEC_ID_MP2:
        case AV_CODEC_ID_MP3:
        case AV_CODEC_ID_AC3:
        case AV_CODEC_ID_EAC3:
        case AV_CODEC_ID_OPUS:
            return true;
        default:
            return false;
        }
    }
    if (avformat_query_codec(format, codec->id, FF_COMPLIANCE_NORMAL) == 1)
        return true;
    /* Sound that Matroska has no name for goes by its tag of WAVE files, and every reader knows that; libavformat does not say so. */
    if (container == CUFRAMES_AV_MATROSKA && codec->type == AVMEDIA_TYPE_AUDIO) {
        const struct AVCodecTag *const tags[] = { avformat_get_riff_audio_tags(), NULL };
        return av_codec_get_tag(tags, codec->id) != 0;
    }
    return false;
}

int cuframes_av_mux_can_carry(uint32_t container, const char *codec)
{
    cuframes_av_start();
    return can_carry(container, codec_named(codec));
}

static bool is_among(const AVCodecParameters *parameters, const enum AVCodecID *codecs)
{
    for (; *codecs != AV_CODEC_ID_NONE; codecs++) {
        if (*codecs == parameters->codec_id)
            return true;
    }
    return false;
}

/*
 * Whether extradata of H.264 or H.265 can be what it should: a configuration record with parameter sets, or a sequence
 * parameter set behind a start code. libavformat writes anything, and readers find out.
 */
static bool is_plausible(const AVCodecParameters *parameters)
{
    const uint8_t *data = parameters->extradata;
    int size = parameters->extradata_size;
    bool is_hevc = parameters->codec_id == AV_CODEC_ID_HEVC;

    if (size >= 7 && data[0] == 1)
        return is_hevc ? size > 23 && data[22] > 0 : (data[5] & 31) > 0;
    for (int i = 0; i + 4 < size; i++) {
        if (data[i] == 0 && data[i + 1] == 0 && data[i + 2] == 1
            && (is_hevc ? (data[i + 3] >> 1 & 63) == 33 : (data[i + 3] & 31) == 7))
            return true;
    }
    return false;
}

static bool set_extradata(AVCodecParameters *parameters, const uint8_t *data, size_t bytes)
{
    uint8_t *copy = av_mallocz(bytes + AV_INPUT_BUFFER_PADDING_SIZE);
    if (!copy)
        return false;
    memcpy(copy, data, bytes);
    av_freep(&parameters->extradata);
    parameters->extradata = copy;
    parameters->extradata_size = (int)bytes;
    return true;
}

static bool set_rotation(AVStream *stream, uint8_t quarters)
{
    uint8_t *matrix = NULL;
    size_t bytes = 9 * sizeof(int32_t);
    if (quarters == 0)
        return true;
#if HAVE_CODED_SIDE_DATA
    AVPacketSideData *side = av_packet_side_data_new(&stream->codecpar->coded_side_data,
        &stream->codecpar->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX, bytes, 0);
    if (side)
        matrix = side->data;
#else
    matrix = av_stream_new_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, bytes);
#endif
    if (!matrix)
        return false;
    /* av_display_rotation_set turns counterclockwise by its documentation, and its matrix is the inverse: as ffmpeg does. */
    av_display_rotation_set((int32_t *)(void *)matrix, -90.0 * quarters);
    return true;
}

/* The unit of time that a container is asked for; it may choose another one. */
static AVRational wanted_base(const cuframes_av_track *track)
{
    if (track->kind == CUFRAMES_AV_TRACK_AUDIO && track->sample_rate > 0)
        return (AVRational){ 1, track->sample_rate };
    return (AVRational){ 1, track->time_base_den >= 1000 && track->time_base_den <= 192000 ? track->time_base_den : 90000 };
}

static int add_track(cuframes_av_muxer *muxer, const cuframes_av_track *track, uint32_t number)
{
    static const enum AVMediaType types[] = { AVMEDIA_TYPE_VIDEO, AVMEDIA_TYPE_AUDIO, AVMEDIA_TYPE_DATA };
    const AVCodecDescriptor *codec;

    if (track->size < sizeof *track || track->kind < CUFRAMES_AV_TRACK_VIDEO || track->kind > CUFRAMES_AV_TRACK_DATA
        || track->time_base_num < 1 || track->time_base_den < 1 || track->width < 0 || track->height < 0
        || track->width > 65535 || track->height > 65535 || track->sample_rate < 0 || track->channels < 0
        || track->channels > 255 || track->samples_per_packet < 0 || track->bits_per_sample < 0 || track->block_align < 0
        || track->initial_padding < 0 || track->seek_preroll < 0 || track->reorder_delay < 0 || track->frame_rate_num < 0
        || track->frame_rate_den < 0 || track->sample_aspect_num < 0 || track->sample_aspect_den < 0 || track->rotation > 3
        || track->extradata_size > MAX_EXTRADATA || (track->extradata_size && !track->extradata)
        || !memchr(track->codec, 0, sizeof track->codec) || !memchr(track->language, 0, sizeof track->language))
        return fail(muxer, CUFRAMES_AV_INVALID_ARGUMENT, "a value of track %u is out of range", number);

    codec = codec_named(track->codec);
    if (!codec || !can_carry(muxer->container, codec) || codec->type != types[track->kind - 1])
        return fail(muxer, CUFRAMES_AV_UNSUPPORTED_CODEC, "%s does not carry '%s'", name_of(muxer->container), track->codec);

    AVStream *stream = avformat_new_stream(muxer->format, NULL);
    if (!stream)
        return fail(muxer, CUFRAMES_AV_NO_MEMORY, "memory ran out");
    AVCodecParameters *p = stream->codecpar;
    p->codec_type = codec->type;
    p->codec_id = codec->id;
    if (track->extradata_size && !set_extradata(p, track->extradata, track->extradata_size))
        return fail(muxer, CUFRAMES_AV_NO_MEMORY, "memory ran out");
    /* What is none is looked for in the packets, as if there were nothing. */
    if (p->extradata_size && is_among(p, needy) && !is_plausible(p)) {
        av_freep(&p->extradata);
        p->extradata_size = 0;
    }
    p->bits_per_coded_sample = track->bits_per_sample;
    if (codec->type == AVMEDIA_TYPE_VIDEO) {
        p->width = track->width;
        p->height = track->height;
        p->video_delay = track->reorder_delay <= 16 ? track->reorder_delay : 16;
        p->color_space = track->matrix;
        p->color_primaries = track->primaries;
        p->color_trc = track->transfer;
        p->color_range = track->range == 1 ? AVCOL_RANGE_MPEG : track->range == 2 ? AVCOL_RANGE_JPEG : AVCOL_RANGE_UNSPECIFIED;
        p->chroma_location = track->chroma_location <= 6 ? (enum AVChromaLocation)track->chroma_location : AVCHROMA_LOC_UNSPECIFIED;
        p->field_order = track->field_order == 1 ? AV_FIELD_PROGRESSIVE
            : track->field_order == 2 ? AV_FIELD_TT : track->field_order == 3 ? AV_FIELD_BB : AV_FIELD_UNKNOWN;
        /* Zero is a matrix of H.273, of RGB; as a set of three zeros it means that nobody has filled it in. */
        if (p->color_space == 0 && p->color_primaries == 0 && p->color_trc == 0) {
            p->color_space = AVCOL_SPC_UNSPECIFIED;
            p->color_primaries = AVCOL_PRI_UNSPECIFIED;
            p->color_trc = AVCOL_TRC_UNSPECIFIED;
        }
        if (track->sample_aspect_num > 0 && track->sample_aspect_den > 0)
            stream->sample_aspect_ratio = p->sample_aspect_ratio = (AVRational){ track->sample_aspect_num, track->sample_aspect_den };
        if (track->frame_rate_num > 0 && track->frame_rate_den > 0)
            stream->avg_frame_rate = (AVRational){ track->frame_rate_num, track->frame_rate_den };
        if (!set_rotation(stream, track->rotation))
            return fail(muxer, CUFRAMES_AV_NO_MEMORY, "memory ran out");
    } else if (codec->type == AVMEDIA_TYPE_AUDIO) {
        p->sample_rate = track->sample_rate;
        p->frame_size = track->samples_per_packet;
        p->block_align = track->block_align;
        p->initial_padding = track->initial_padding;
        p->seek_preroll = track->seek_preroll;
        if (track->channels > 0) {
            if (track->channel_layout)
                av_channel_layout_from_mask(&p->ch_layout, track->channel_layout);
            if (p->ch_layout.nb_channels != track->channels) {
                av_channel_layout_uninit(&p->ch_layout);
                av_channel_layout_default(&p->ch_layout, track->channels);
            }
        }
    }
    if (track->language[0] && av_dict_set(&stream->metadata, "language", track->language, 0) < 0)
        return fail(muxer, CUFRAMES_AV_NO_MEMORY, "memory ran out");
    stream->time_base = wanted_base(track);
    muxer->tracks[number] = (struct track){
        .stream = stream,
        .time_base = { track->time_base_num, track->time_base_den },
    };
    muxer->track_count = number + 1;
    return CUFRAMES_AV_OK;
}

cuframes_av_muxer *cuframes_av_mux_create(void)
{
    cuframes_av_start();
    cuframes_av_muxer *muxer = calloc(1, sizeof *muxer);
    if (!muxer)
        return NULL;
    muxer->packet = av_packet_alloc();
    muxer->repaired = av_packet_alloc();
    if (!muxer->packet || !muxer->repaired) {
        cuframes_av_mux_free(muxer);
        return NULL;
    }
    return muxer;
}

void cuframes_av_mux_free(cuframes_av_muxer *muxer)
{
    if (!muxer)
        return;
    for (size_t i = 0; i < muxer->held_count; i++)
        av_packet_free(&muxer->held[i].packet);
    if (muxer->format) {
        muxer->format->pb = NULL;
        avformat_free_context(muxer->format);
    }
    if (muxer->io) {
        av_freep(&muxer->io->buffer);
        avio_context_free(&muxer->io);
    }
    av_packet_free(&muxer->packet);
    av_packet_free(&muxer->repaired);
    free(muxer->output);
    free(muxer->runs);
    free(muxer);
}

static int open_output(cuframes_av_muxer *muxer, bool is_seekable)
{
    const AVOutputFormat *format = format_of(muxer->container);
    if (!format)
        return fail(muxer, CUFRAMES_AV_UNSUPPORTED_FORMAT, "this libavformat cannot write %s", name_of(muxer->container));
    if (avformat_alloc_output_context2(&muxer->format, format, NULL, NULL) < 0)
        return fail(muxer, CUFRAMES_AV_NO_MEMORY, "memory ran out");
    uint8_t *buffer = av_malloc(IO_CAPACITY);
    if (buffer)
        muxer->io = avio_alloc_context(buffer, IO_CAPACITY, 1, muxer, NULL, on_write, is_seekable ? on_seek : NULL);
    if (!muxer->io) {
        av_free(buffer);
        return fail(muxer, CUFRAMES_AV_NO_MEMORY, "memory ran out");
    }
    muxer->format->pb = muxer->io;
    muxer->format->flags |= AVFMT_FLAG_CUSTOM_IO;
    muxer->format->max_delay = TS_DELAY_US;
    /* Times are brought to zero here; libavformat would move the tracks of MP4 against each other. */
    muxer->format->avoid_negative_ts = AVFMT_AVOID_NEG_TS_DISABLED;
    return CUFRAMES_AV_OK;
}

int cuframes_av_mux_open(cuframes_av_muxer *muxer, const cuframes_av_mux_options *options, const cuframes_av_track *tracks,
                         uint32_t count, uint32_t *failed_track)
{
    if (!muxer || !options || options->size < sizeof *options || !tracks || !failed_track || muxer->format)
        return CUFRAMES_AV_INVALID_ARGUMENT;
    *failed_track = UINT32_MAX;
    enter(muxer);
    if (options->container < CUFRAMES_AV_MP4 || options->container > CUFRAMES_AV_MPEGTS || count < 1 || count > MAX_TRACKS
        || options->flags & ~(uint32_t)(CUFRAMES_AV_MUX_SEEKABLE | CUFRAMES_AV_MUX_DISCONTINUITY)) {
        fail(muxer, CUFRAMES_AV_INVALID_ARGUMENT, "1 to %d tracks of a container are needed, found %u", MAX_TRACKS, count);
        return leave(fail_for_good(muxer, CUFRAMES_AV_INVALID_ARGUMENT));
    }
    muxer->container = options->container;
    muxer->is_continued = options->flags & CUFRAMES_AV_MUX_DISCONTINUITY;
    muxer->shift_us = muxer->is_continued ? options->shift_us : 0;
    int result = open_output(muxer, options->flags & CUFRAMES_AV_MUX_SEEKABLE);
    if (result == CUFRAMES_AV_OK && muxer->container == CUFRAMES_AV_MPEGTS
        && options->flags & CUFRAMES_AV_MUX_DISCONTINUITY
        && av_opt_set(muxer->format->priv_data, "mpegts_flags", "+initial_discontinuity", 0) < 0)
        result = fail(muxer, CUFRAMES_AV_UNSUPPORTED_FORMAT, "this libavformat cannot mark a discontinuity in MPEG-TS");
    for (uint32_t i = 0; i < count && result == CUFRAMES_AV_OK; i++) {
        result = add_track(muxer, &tracks[i], i);
        if (result != CUFRAMES_AV_OK)
            *failed_track = i;
    }
    return leave(result == CUFRAMES_AV_OK ? result : fail_for_good(muxer, result));
}

/* ---- header --------------------------------------------------------------------------------------------------- */

static bool has_adts(const AVPacket *packet)
{
    return packet->size >= 7 && (AV_RB16(packet->data) & 0xfff6) == 0xfff0;
}

/* Parameter sets that stand in a packet only. */
static int find_extradata(cuframes_av_muxer *muxer, AVStream *stream, const AVPacket *packet)
{
    static const enum AVCodecID codecs[] = { AV_CODEC_ID_H264, AV_CODEC_ID_HEVC, AV_CODEC_ID_AV1, AV_CODEC_ID_MPEG4,
                                             AV_CODEC_ID_MPEG2VIDEO, AV_CODEC_ID_NONE };
    AVCodecParameters *parameters = stream->codecpar;
    if (parameters->extradata_size)
        return CUFRAMES_AV_OK;

    if (parameters->codec_id == AV_CODEC_ID_AAC) {
        /* AudioSpecificConfig from the header of ADTS: object type, index of the rate, channels. */
        if (!has_adts(packet))
            return CUFRAMES_AV_OK;
        unsigned type = (packet->data[2] >> 6) + 1u;
        unsigned rate = packet->data[2] >> 2 & 15;
        unsigned channels = (packet->data[2] & 1u) << 2 | packet->data[3] >> 6;
        uint8_t config[2] = { (uint8_t)(type << 3 | rate >> 1), (uint8_t)((rate & 1) << 7 | channels << 3) };
        /* Channels that a program config element describes: libavformat finds it in the packets as well as it can. */
        if (channels == 0 || rate > 12)
            return CUFRAMES_AV_OK;
        return set_extradata(parameters, config, sizeof config) ? CUFRAMES_AV_OK : fail(muxer, CUFRAMES_AV_NO_MEMORY, "memory ran out");
    }
    if (!is_among(parameters, codecs))
        return CUFRAMES_AV_OK;

    AVBSFContext *filter = NULL;
    const AVBitStreamFilter *kind = av_bsf_get_by_name("extract_extradata");
    AVPacket *copy = av_packet_alloc();
    int result = CUFRAMES_AV_NO_MEMORY;
    if (copy && kind && av_bsf_alloc(kind, &filter) >= 0 && avcodec_parameters_copy(filter->par_in, parameters) >= 0) {
        filter->time_base_in = stream->time_base;
        result = CUFRAMES_AV_OK;
        /* A packet that the filter cannot read has no parameter sets: whether it can be muxed is found out there. */
        if (av_bsf_init(filter) >= 0 && av_packet_ref(copy, packet) >= 0 && av_bsf_send_packet(filter, copy) >= 0) {
            av_packet_unref(copy);
            if (av_bsf_receive_packet(filter, copy) >= 0) {
                size_t bytes = 0;
                const uint8_t *data = av_packet_get_side_data(copy, AV_PKT_DATA_NEW_EXTRADATA, &bytes);
                if (data && bytes && bytes <= MAX_EXTRADATA && !set_extradata(parameters, data, bytes))
                    result = CUFRAMES_AV_NO_MEMORY;
            }
        }
    }
    av_bsf_free(&filter);
    av_packet_free(&copy);
    return result == CUFRAMES_AV_OK ? result : fail(muxer, result, "memory ran out");
}

static int write_header(cuframes_av_muxer *muxer)
{
    static const enum AVCodecID late[] = { AV_CODEC_ID_AC3, AV_CODEC_ID_EAC3, AV_CODEC_ID_NONE };
    AVDictionary *options = NULL;
    char number[32];
    bool is_late = false;

    for (uint32_t i = 0; i < muxer->track_count; i++) {
        const AVCodecParameters *p = muxer->tracks[i].stream->codecpar;
        if (muxer->container != CUFRAMES_AV_MPEGTS && !p->extradata_size && is_among(p, needy))
            return fail(muxer, CUFRAMES_AV_INVALID_ARGUMENT,
                        "%s needs the parameter sets of track %u (%s), and neither the source nor its first packets have them",
                        name_of(muxer->container), i, avcodec_get_name(p->codec_id));
        /* AAC whose configuration is not known yet, and AC-3: MP4's header is made from their first packets. */
        is_late |= is_among(p, late) || (p->codec_id == AV_CODEC_ID_AAC && !p->extradata_size);
    }
    if (muxer->container == CUFRAMES_AV_MP4) {
        /* A fragment begins at each key frame, and at the latest after a second. */
        av_dict_set(&options, "movflags", "frag_keyframe+empty_moov+default_base_moof+frag_discont", 0);
        if (is_late)
            av_dict_set(&options, "movflags", "+delay_moov", AV_DICT_APPEND);
        /* Each fragment says when it begins, so a track may begin late, and later than the header; edit lists could not. */
        av_dict_set(&options, "use_editlist", "0", 0);
        snprintf(number, sizeof number, "%d", PIECE_SPAN_MS * 1000);
        av_dict_set(&options, "frag_duration", number, 0);
    } else if (muxer->container == CUFRAMES_AV_MATROSKA) {
        snprintf(number, sizeof number, "%d", PIECE_SPAN_MS);
        av_dict_set(&options, "cluster_time_limit", number, 0);
    }
    int error = avformat_write_header(muxer->format, &options);
    av_dict_free(&options);
    if (error < 0)
        return fail_av(muxer, CUFRAMES_AV_INVALID_ARGUMENT, error);
    muxer->header_written = true;
    avio_flush(muxer->io);
    return CUFRAMES_AV_OK;
}

/* ---- packets -------------------------------------------------------------------------------------------------- */

static int to_ticks(cuframes_av_muxer *muxer, const struct track *track, int64_t time, int64_t *ticks)
{
    int64_t value = av_rescale_q(time, track->time_base, track->stream->time_base);
    int64_t shift = av_rescale_q(muxer->shift_us, AV_TIME_BASE_Q, track->stream->time_base);
    if (value <= -MAX_TICKS || value >= MAX_TICKS || shift <= -MAX_TICKS || shift >= MAX_TICKS)
        return fail(muxer, CUFRAMES_AV_INVALID_DATA, "a time of %" PRId64 " units is out of range", time);
    *ticks = value - shift;
    return CUFRAMES_AV_OK;
}

/* Only MPEG-TS wants the header; what it says is in the track's parameters. */
static void strip_adts(AVPacket *packet)
{
    int header = packet->size >= 7 && packet->data[1] & 1 ? 7 : 9;
    if (has_adts(packet) && packet->size > header) {
        packet->data += header;
        packet->size -= header;
    }
}

static int write_packet(cuframes_av_muxer *muxer, uint32_t number, const AVPacket *packet)
{
    struct track *track = &muxer->tracks[number];
    AVPacket *out = muxer->repaired;
    int64_t pts = 0, dts = 0, duration;

    if (to_ticks(muxer, track, packet->pts, &pts) || to_ticks(muxer, track, packet->dts, &dts))
        return CUFRAMES_AV_INVALID_DATA;
    duration = av_rescale_q(packet->duration, track->time_base, track->stream->time_base);
    /* Two times that were apart may be one in the container's unit; and a track may begin a little before the others. */
    int64_t least = track->has_last ? track->last_dts + 1 : 0;
    if (dts < least)
        dts = least;
    if (pts < dts)
        pts = dts;
    if (av_packet_ref(out, packet) < 0)
        return fail_for_good(muxer, fail(muxer, CUFRAMES_AV_NO_MEMORY, "memory ran out"));
    out->pts = pts;
    out->dts = dts;
    out->duration = duration > 0 && duration < MAX_TICKS ? duration : 0;
    out->stream_index = (int)number;
    if (muxer->container != CUFRAMES_AV_MPEGTS && track->stream->codecpar->codec_id == AV_CODEC_ID_AAC)
        strip_adts(out);
    int error = av_write_frame(muxer->format, out);
    av_packet_unref(out);
    if (error < 0) {
        int result = fail_av(muxer, CUFRAMES_AV_INVALID_DATA, error);
        return result == CUFRAMES_AV_NO_MEMORY ? fail_for_good(muxer, result) : result;
    }
    track->last_dts = dts;
    track->has_last = true;
    muxer->written++;
    return CUFRAMES_AV_OK;
}

/* Writes the header and what was held back. A packet that is refused does not keep the others from being written. */
static int start(cuframes_av_muxer *muxer)
{
    int64_t earliest = INT64_MAX;
    int result = CUFRAMES_AV_OK;
    char first_error[ERROR_CAPACITY];

    for (size_t i = 0; i < muxer->held_count; i++) {
        const struct held *held = &muxer->held[i];
        int64_t time = av_rescale_q(held->packet->dts, muxer->tracks[held->track].time_base, AV_TIME_BASE_Q);
        if (time < earliest)
            earliest = time;
    }
    if (!muxer->is_continued)
        muxer->shift_us = muxer->held_count ? earliest : 0;
    muxer->is_started = true;
    int failure = write_header(muxer);
    if (failure != CUFRAMES_AV_OK)
        return fail_for_good(muxer, failure);
    for (size_t i = 0; i < muxer->held_count && !muxer->failure; i++) {
        int written = write_packet(muxer, muxer->held[i].track, muxer->held[i].packet);
        if (written == CUFRAMES_AV_INVALID_DATA)
            muxer->refused++;
        if (written != CUFRAMES_AV_OK && result == CUFRAMES_AV_OK) {
            result = written;
            memcpy(first_error, muxer->error, sizeof first_error);
        }
    }
    for (size_t i = 0; i < muxer->held_count; i++)
        av_packet_free(&muxer->held[i].packet);
    muxer->held_count = muxer->held_bytes = 0;
    if (result != CUFRAMES_AV_OK && !muxer->failure)
        memcpy(muxer->error, first_error, sizeof first_error);
    return muxer->failure ? muxer->failure : result;
}

static bool is_ready(const cuframes_av_muxer *muxer)
{
    int64_t first = INT64_MAX, last = INT64_MIN;
    bool is_complete = true;

    for (uint32_t i = 0; i < muxer->track_count; i++) {
        const struct track *track = &muxer->tracks[i];
        /* H.264 without parameter sets: they come with a key frame. */
        bool waits_for_key = !track->has_key && !track->stream->codecpar->extradata_size && is_among(track->stream->codecpar, needy);
        is_complete &= track->has_packet && !waits_for_key;
    }
    if (is_complete || muxer->held_count == HELD_PACKETS || muxer->held_bytes >= HELD_BYTES)
        return true;
    for (size_t i = 0; i < muxer->held_count; i++) {
        const struct held *held = &muxer->held[i];
        int64_t time = av_rescale_q(held->packet->dts, muxer->tracks[held->track].time_base, AV_TIME_BASE_Q);
        first = time < first ? time : first;
        last = time > last ? time : last;
    }
    return first <= last && last - first >= HELD_SPAN_US;
}

static int hold(cuframes_av_muxer *muxer, uint32_t number)
{
    AVPacket *kept = av_packet_alloc();
    if (!kept)
        return fail_for_good(muxer, fail(muxer, CUFRAMES_AV_NO_MEMORY, "memory ran out"));
    int result = find_extradata(muxer, muxer->tracks[number].stream, muxer->packet);
    if (result != CUFRAMES_AV_OK) {
        av_packet_free(&kept);
        return fail_for_good(muxer, result);
    }
    muxer->tracks[number].has_packet = true;
    muxer->tracks[number].has_key |= muxer->packet->flags & AV_PKT_FLAG_KEY;
    muxer->held_bytes += (size_t)muxer->packet->size;
    av_packet_move_ref(kept, muxer->packet);
    muxer->held[muxer->held_count++] = (struct held){ kept, number };
    return is_ready(muxer) ? start(muxer) : CUFRAMES_AV_OK;
}

uint8_t *cuframes_av_mux_packet_buffer(cuframes_av_muxer *muxer, size_t bytes)
{
    if (!muxer || bytes < 1 || bytes > MAX_PACKET)
        return NULL;
    av_packet_unref(muxer->packet);
    return av_new_packet(muxer->packet, (int)bytes) < 0 ? NULL : muxer->packet->data;
}

int cuframes_av_mux_write(cuframes_av_muxer *muxer, const cuframes_av_mux_packet *packet)
{
    if (!muxer || !muxer->format || !packet || packet->size < sizeof *packet || packet->track >= muxer->track_count
        || !muxer->packet->data || muxer->is_finished || packet->pts < packet->dts || packet->duration < 0)
        return CUFRAMES_AV_INVALID_ARGUMENT;
    if (muxer->failure)
        return muxer->failure;
    enter(muxer);
    /* A time in microseconds must not overflow either: the units are the caller's. */
    int64_t pts_us = av_rescale_q(packet->pts, muxer->tracks[packet->track].time_base, AV_TIME_BASE_Q);
    int64_t dts_us = av_rescale_q(packet->dts, muxer->tracks[packet->track].time_base, AV_TIME_BASE_Q);
    if (pts_us <= -MAX_TICKS * 64 || pts_us >= MAX_TICKS * 64 || dts_us <= -MAX_TICKS * 64 || dts_us >= MAX_TICKS * 64) {
        av_packet_unref(muxer->packet);
        muxer->refused++;
        return leave(fail(muxer, CUFRAMES_AV_INVALID_DATA, "a time of %" PRId64 " units is out of range", packet->dts));
    }
    muxer->packet->pts = packet->pts;
    muxer->packet->dts = packet->dts;
    muxer->packet->duration = packet->duration;
    /* Sound can be decoded from anywhere, whether its source says so or not. */
    bool is_key = packet->flags & CUFRAMES_AV_MUX_KEY
        || muxer->tracks[packet->track].stream->codecpar->codec_type == AVMEDIA_TYPE_AUDIO;
    muxer->packet->flags = (is_key ? AV_PKT_FLAG_KEY : 0)
        | (packet->flags & CUFRAMES_AV_MUX_CORRUPT ? AV_PKT_FLAG_CORRUPT : 0)
        | (packet->flags & CUFRAMES_AV_MUX_DISPOSABLE ? AV_PKT_FLAG_DISPOSABLE : 0);
    int result;
    if (!muxer->is_started) {
        result = hold(muxer, packet->track);
    } else {
        result = write_packet(muxer, packet->track, muxer->packet);
        if (result == CUFRAMES_AV_INVALID_DATA)
            muxer->refused++;
        av_packet_unref(muxer->packet);
    }
    if (muxer->header_written)
        avio_flush(muxer->io);
    return leave(result);
}

int cuframes_av_mux_flush(cuframes_av_muxer *muxer)
{
    if (!muxer || !muxer->format || muxer->is_finished)
        return CUFRAMES_AV_INVALID_ARGUMENT;
    if (muxer->failure || !muxer->is_started)
        return muxer->failure;
    enter(muxer);
    int error = av_write_frame(muxer->format, NULL);
    avio_flush(muxer->io);
    return leave(error < 0 ? fail_av(muxer, CUFRAMES_AV_INVALID_DATA, error) : CUFRAMES_AV_OK);
}

int cuframes_av_mux_finish(cuframes_av_muxer *muxer)
{
    int result = CUFRAMES_AV_OK;
    if (!muxer || !muxer->format || muxer->is_finished)
        return CUFRAMES_AV_INVALID_ARGUMENT;
    enter(muxer);
    muxer->is_finished = true;
    if (!muxer->failure && !muxer->is_started && muxer->held_count)
        result = start(muxer);
    /* The trailer also where a packet failed: what is in the output is made whole. */
    if (muxer->header_written) {
        int error = av_write_trailer(muxer->format);
        avio_flush(muxer->io);
        if (error < 0 && result == CUFRAMES_AV_OK)
            result = fail_av(muxer, CUFRAMES_AV_IO, error);
    }
    return leave(muxer->failure ? muxer->failure : result);
}

int cuframes_av_mux_get_counts(cuframes_av_muxer *muxer, cuframes_av_mux_counts *counts)
{
    if (!muxer || !counts || counts->size < sizeof *counts)
        return CUFRAMES_AV_INVALID_ARGUMENT;
    counts->is_started = muxer->header_written;
    counts->written = muxer->written;
    counts->refused = muxer->refused;
    counts->held = muxer->held_count;
    counts->shift_us = muxer->shift_us;
    return CUFRAMES_AV_OK;
}

size_t cuframes_av_mux_error_text(cuframes_av_muxer *muxer, char *text, size_t capacity)
{
    if (!muxer || !text || capacity == 0)
        return 0;
    size_t length = strlen(muxer->error);
    if (length >= capacity)
        length = capacity - 1;
    memcpy(text, muxer->error, length);
    text[length] = 0;
    return length;
}
