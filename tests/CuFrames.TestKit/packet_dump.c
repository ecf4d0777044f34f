/*
 * Writes the tracks and packets of the media file named on the command line to stdout, as libavformat gives them: the
 * reference of tests for what a source sends. Native integers; DemuxedFile.cs reads it.
 */
#include <libavformat/avformat.h>
#include <stdio.h>

static void put32(int32_t value)
{
    fwrite(&value, sizeof value, 1, stdout);
}

static void put64(int64_t value)
{
    fwrite(&value, sizeof value, 1, stdout);
}

int main(int argc, char **argv)
{
    AVFormatContext *format = NULL;
    AVPacket *packet = av_packet_alloc();
    if (argc != 2 || avformat_open_input(&format, argv[1], NULL, NULL) < 0 || avformat_find_stream_info(format, NULL) < 0)
        return 1;
    put32((int32_t)format->nb_streams);
    for (unsigned i = 0; i < format->nb_streams; i++) {
        AVStream *stream = format->streams[i];
        AVCodecParameters *p = stream->codecpar;
        char name[32] = { 0 };
        snprintf(name, sizeof name, "%s", avcodec_get_name(p->codec_id));
        fwrite(name, sizeof name, 1, stdout);
        put32(p->codec_type == AVMEDIA_TYPE_VIDEO ? 1 : p->codec_type == AVMEDIA_TYPE_AUDIO ? 2 : 3);
        put32(stream->time_base.num);
        put32(stream->time_base.den);
        put32(p->width);
        put32(p->height);
        put32(stream->avg_frame_rate.num);
        put32(stream->avg_frame_rate.den);
        put32(p->sample_rate);
        put32(p->ch_layout.nb_channels);
        put32(p->frame_size);
        put32(p->bits_per_coded_sample);
        put32(p->block_align);
        put32(p->initial_padding);
        put32(p->video_delay);
        put32(p->extradata_size);
        if (p->extradata_size)
            fwrite(p->extradata, (size_t)p->extradata_size, 1, stdout);
    }
    while (av_read_frame(format, packet) >= 0) {
        put32(packet->stream_index);
        put32(packet->flags);
        put64(packet->pts);
        put64(packet->dts);
        put64(packet->duration);
        put32(packet->size);
        if (packet->size)
            fwrite(packet->data, (size_t)packet->size, 1, stdout);
        av_packet_unref(packet);
    }
    av_packet_free(&packet);
    avformat_close_input(&format);
    return fflush(stdout) == 0 ? 0 : 1;
}
