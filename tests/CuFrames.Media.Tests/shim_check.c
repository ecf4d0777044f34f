/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads each file named on the command line through the shim, copies every frame into buffers that hold exactly the
 * picture, scales it to every format with borders and to a cut-out part, and turns some into RGB and PNG. Compiled together with the shim under the address and undefined behaviour
 * sanitizers: a byte read or written outside of its buffer, or one that is not given back, ends the program.
 * Prints "<frames> <failed opens> <bad packets>".
 */
#include "cuframes_av.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned planes_of(uint32_t format)
{
    return format == CUFRAMES_AV_FORMAT_I420 ? 3
        : format == CUFRAMES_AV_FORMAT_NV12 || format == CUFRAMES_AV_FORMAT_P010 ? 2 : 1;
}

static size_t row_bytes(uint32_t format, unsigned plane, size_t width)
{
    size_t half = (width + 1) / 2;
    switch (format) {
    case CUFRAMES_AV_FORMAT_NV12: return plane ? 2 * half : width;
    case CUFRAMES_AV_FORMAT_P010: return plane ? 4 * half : 2 * width;
    case CUFRAMES_AV_FORMAT_I420: return plane ? half : width;
    case CUFRAMES_AV_FORMAT_GRAY8: return width;
    case CUFRAMES_AV_FORMAT_RGB24:
    case CUFRAMES_AV_FORMAT_BGR24: return 3 * width;
    default: return 4 * width;
    }
}

/* With borders all around an odd size, then a part of the picture enlarged a little. */
static void scale(cuframes_av_source *source, const cuframes_av_frame_info *info)
{
    for (uint32_t format = CUFRAMES_AV_FORMAT_NV12; format <= CUFRAMES_AV_FORMAT_BGRA; format++) {
        uint32_t x = 1u << info->crop_shift_x, y = 1u << info->crop_shift_y;
        cuframes_av_scaling scalings[2] = {
            { sizeof *scalings, format, 37, 41, 0, 0, info->width, info->height, 2, 4, 34, 30, CUFRAMES_AV_FILTER_BICUBIC },
            { sizeof *scalings, format, 51, 45, x, y, info->width - x, info->height - y, 0, 0, 51, 45, CUFRAMES_AV_FILTER_AREA },
        };
        cuframes_av_scaler *scaler = cuframes_av_scaler_create();
        for (unsigned i = 0; i < 2; i++) {
            cuframes_av_plane planes[3] = { { 0 } };
            unsigned count = planes_of(format);
            for (unsigned plane = 0; plane < count; plane++) {
                planes[plane].pitch = row_bytes(format, plane, scalings[i].width);
                planes[plane].data = malloc(planes[plane].pitch * (plane ? (scalings[i].height + 1) / 2 : scalings[i].height));
                if (!planes[plane].data)
                    abort();
            }
            if (!scaler || cuframes_av_frame_scale(source, scaler, &scalings[i], planes, count) != CUFRAMES_AV_OK)
                abort();
            for (unsigned plane = 0; plane < count; plane++)
                free(planes[plane].data);
        }
        cuframes_av_scaler_free(scaler);
    }
}

static void use_frame(cuframes_av_source *source, const cuframes_av_frame_info *info, int with_png)
{
    cuframes_av_plane planes[3] = { { 0 } };
    unsigned count = planes_of(info->format);
    for (unsigned plane = 0; plane < count; plane++) {
        size_t rows = plane ? ((size_t)info->height + 1) / 2 : info->height;
        planes[plane].pitch = row_bytes(info->format, plane, info->width);
        planes[plane].data = malloc(planes[plane].pitch * rows);
        if (!planes[plane].data)
            abort();
    }
    if (cuframes_av_frame_copy(source, planes, count) != CUFRAMES_AV_OK)
        abort();
    if (with_png) {
        char error[128];
        size_t pitch = 3 * (size_t)info->width, size = 0;
        uint8_t *rgb = malloc(pitch * info->height), *png = NULL;
        if (!rgb || cuframes_av_to_rgb24(info->format, info->width, info->height, planes, count, info->matrix,
                                         info->range, rgb, pitch, error, sizeof error) != CUFRAMES_AV_OK)
            abort();
        if (cuframes_av_encode_png(rgb, pitch, info->width, info->height, &png, &size, error, sizeof error) !=
            CUFRAMES_AV_OK)
            abort();
        cuframes_av_buffer_free(png);
        free(rgb);
    }
    scale(source, info);
    for (unsigned plane = 0; plane < count; plane++)
        free(planes[plane].data);
}

/* Every byte of the packet and of what its track needs can be read, the padding too. */
static void check_packet(cuframes_av_source *source, const cuframes_av_packet_info *packet, cuframes_av_source_track *track)
{
    static volatile unsigned sum;
    for (size_t i = 0; packet->bytes && i < packet->bytes + (size_t)64; i++)
        sum += packet->data[i];
    if (cuframes_av_get_track(source, packet->track, track) != CUFRAMES_AV_OK || track->time_base_den <= 0)
        abort();
    for (size_t i = 0; i < track->extradata_bytes; i++)
        sum += track->extradata[i];
}

int main(int argc, char **argv)
{
    unsigned long frames = 0, failed = 0, bad = 0;
    for (int i = 1; i < argc; i++) {
        cuframes_av_source *source = cuframes_av_create();
        cuframes_av_options options = { .size = sizeof options, .open_timeout_ns = 5000000000, .decode_threads = 1 + i % 2,
                                        .flags = CUFRAMES_AV_ALL_TRACKS };
        cuframes_av_packet_info packet = { .size = sizeof packet };
        cuframes_av_frame_info frame = { .size = sizeof frame };
        cuframes_av_stream_info info = { .size = sizeof info };
        cuframes_av_source_track track = { .size = sizeof track };
        uint64_t number = 0;
        cuframes_av_decoder decoder = { .size = sizeof decoder, .mode = CUFRAMES_AV_SOFTWARE };
        char text[256];
        int end_sent = 0, limit = 2000;

        if (cuframes_av_open(source, argv[i], "secret", &options) < 0 ||
            cuframes_av_open_decoder(source, &decoder) < 0) {
            failed++;
        } else {
            cuframes_av_get_stream_info(source, &info);
            while (limit-- > 0) {
                int result = cuframes_av_receive_frame(source, &frame);
                if (result == CUFRAMES_AV_OK) {
                    use_frame(source, &frame, frames++ % 16 == 0);
                } else if (result == CUFRAMES_AV_INVALID_DATA) {
                    bad++;
                } else if (result != CUFRAMES_AV_AGAIN) {
                    break;
                } else if (!end_sent) {
                    result = cuframes_av_read_packet(source, &packet);
                    if (result != CUFRAMES_AV_OK) {
                        end_sent = 1;
                        cuframes_av_send_end(source);
                        continue;
                    }
                    check_packet(source, &packet, &track);
                    if (packet.track == 0 && cuframes_av_send_packet(source, ++number) == CUFRAMES_AV_INVALID_DATA)
                        bad++;
                }
            }
        }
        cuframes_av_error_text(source, text, sizeof text);
        cuframes_av_take_log(source, text, sizeof text);
        cuframes_av_free(source);
    }
    printf("%lu %lu %lu\n", frames, failed, bad);
    return 0;
}
