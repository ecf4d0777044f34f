/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * DLPack tensors of all planes of all formats: shapes, strides, types, ownership. The structures are written down here once more, by the specification of DLPack
 * 0.8 and 1.0, so that a mistake in the library's own shows. */
#include "stream.h"

typedef struct {
    int32_t device_type;
    int32_t device_id;
} dl_device;

typedef struct {
    uint8_t code;
    uint8_t bits;
    uint16_t lanes;
} dl_data_type;

typedef struct {
    void *data;
    dl_device device;
    int32_t ndim;
    dl_data_type dtype;
    int64_t *shape;
    int64_t *strides;
    uint64_t byte_offset;
} dl_tensor;

typedef struct dl_managed_tensor {
    dl_tensor tensor;
    void *manager_ctx;
    void (*deleter)(struct dl_managed_tensor *self);
} dl_managed_tensor;

typedef struct dl_managed_tensor_versioned {
    struct {
        uint32_t major;
        uint32_t minor;
    } version;
    void *manager_ctx;
    void (*deleter)(struct dl_managed_tensor_versioned *self);
    uint64_t flags;
    dl_tensor tensor;
} dl_managed_tensor_versioned;

static void check_tensor(const dl_tensor *tensor, const cuframes_frame *frame, uint32_t plane) {
    const uint32_t type = cuframes_sample_type(frame->pixel_format);
    int64_t bytes = type == CUFRAMES_SAMPLE_UINT8 ? 1 : type == CUFRAMES_SAMPLE_FLOAT32 ? 4 : 2;
    const int is_float = type == CUFRAMES_SAMPLE_FLOAT16 || type == CUFRAMES_SAMPLE_FLOAT32;
    int64_t samples = 1;
    switch (frame->pixel_format) {
    case CUFRAMES_NV12:
    case CUFRAMES_P010:
        samples = plane == 0 ? 1 : 2;
        break;
    case CUFRAMES_RGB24:
    case CUFRAMES_BGR24:
        samples = 3;
        break;
    case CUFRAMES_RGBA:
    case CUFRAMES_BGRA:
        samples = 4;
        break;
    }

    CHECK(tensor->data == frame->planes[plane].data && tensor->byte_offset == 0);
    CHECK(tensor->device.device_type == 1 && tensor->device.device_id == 0);
    CHECK(tensor->dtype.code == (is_float ? 2 : 1) && tensor->dtype.bits == 8 * bytes && tensor->dtype.lanes == 1);

    int64_t shape[3];
    CHECK(tensor->ndim == (int32_t)cuframes_plane_shape(frame->pixel_format, plane, frame->width, frame->height, shape));
    CHECK(memcmp(tensor->shape, shape, (size_t)tensor->ndim * sizeof *shape) == 0);
    if (tensor->ndim == 3 && samples == 1) {
        /* A tensor: one piece, channel after channel. */
        CHECK(tensor->shape[0] == 3 && tensor->shape[1] == frame->height && tensor->shape[2] == frame->width);
        CHECK(tensor->strides[0] == (int64_t)frame->height * frame->width && tensor->strides[1] == frame->width && tensor->strides[2] == 1);
        for (int64_t row = 0; row < 3 * (int64_t)frame->height; row++) {
            for (int64_t byte = 0; byte < (int64_t)frame->width * bytes; byte++) {
                CHECK(((const uint8_t *)tensor->data)[row * frame->width * bytes + byte] == stamp(frame->sequence, plane, row, byte));
            }
        }

        return;
    }

    CHECK(tensor->ndim == (samples == 1 ? 2 : 3));
    CHECK(tensor->shape[0] == frame->planes[plane].rows);
    CHECK(tensor->shape[1] * samples * bytes == frame->planes[plane].row_bytes);
    CHECK(tensor->strides[0] * bytes == frame->planes[plane].pitch);
    CHECK(tensor->strides[1] == samples);
    CHECK(samples == 1 || (tensor->shape[2] == samples && tensor->strides[2] == 1));

    /* Every byte, by shape and strides alone. */
    for (int64_t row = 0; row < tensor->shape[0]; row++) {
        for (int64_t column = 0; column < tensor->shape[1]; column++) {
            for (int64_t sample = 0; sample < samples; sample++) {
                const uint8_t *place = (const uint8_t *)tensor->data + (row * tensor->strides[0] + column * tensor->strides[1] + sample) * bytes;
                for (int64_t byte = 0; byte < bytes; byte++) {
                    CHECK(place[byte] == stamp(frame->sequence, plane, row, (column * samples + sample) * bytes + byte));
                }
            }
        }
    }
}

int main(int count, char **arguments) {
    (void)count;
    static const uint32_t formats[] = {CUFRAMES_NV12, CUFRAMES_I420, CUFRAMES_P010, CUFRAMES_GRAY8, CUFRAMES_RGB24, CUFRAMES_BGR24, CUFRAMES_RGBA, CUFRAMES_BGRA,
        CUFRAMES_RGBP, CUFRAMES_BGRP, CUFRAMES_RGBP_F16, CUFRAMES_BGRP_F16, CUFRAMES_RGBP_F32, CUFRAMES_BGRP_F32};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        cuframes_publisher *publisher = open_publisher(arguments[1], formats[i], 66, 50);
        cuframes_subscriber *subscriber = open_subscriber(arguments[1], CUFRAMES_NEWEST, 2);
        cuframes_frame frame = CUFRAMES_FRAME_INIT;
        publish_frame(publisher);
        CHECK_CODE(CUFRAMES_OK, cuframes_subscriber_next(subscriber, CUFRAMES_MILLISECONDS(20000), &frame));
        CHECK(frame.pixel_format == formats[i]);
        dl_managed_tensor *plain[CUFRAMES_MAX_PLANES];
        dl_managed_tensor_versioned *versioned[CUFRAMES_MAX_PLANES];
        for (uint32_t plane = 0; plane < frame.plane_count; plane++) {
            void *tensor;
            CHECK_CODE(CUFRAMES_OK, cuframes_frame_to_dlpack(&frame, plane, 0, NULL, 0, &tensor));
            plain[plane] = tensor;
            CHECK_CODE(CUFRAMES_OK, cuframes_frame_to_dlpack(&frame, plane, 1, NULL, 1, &tensor));
            versioned[plane] = tensor;
        }

        /* The tensors are owners: the frame may go. */
        cuframes_frame copy = frame;
        CHECK_CODE(CUFRAMES_OK, cuframes_frame_release(&frame));
        publish_frame(publisher);
        for (uint32_t plane = 0; plane < copy.plane_count; plane++) {
            CHECK(held_frames(subscriber) == 1);
            check_tensor(&plain[plane]->tensor, &copy, plane);
            check_tensor(&versioned[plane]->tensor, &copy, plane);
            CHECK(versioned[plane]->version.major == 1 && versioned[plane]->version.minor == 0 && versioned[plane]->flags == 1);
            plain[plane]->deleter(plain[plane]);
            CHECK(held_frames(subscriber) == 1);

            /* The last one outlives its subscriber. */
            if (plane + 1 == copy.plane_count) {
                CHECK_CODE(CUFRAMES_OK, cuframes_frame_check(&copy));
                cuframes_subscriber_close(subscriber);
                check_tensor(&versioned[plane]->tensor, &copy, plane);
            }

            versioned[plane]->deleter(versioned[plane]);
        }

        CHECK_CODE(CUFRAMES_INVALID_HANDLE, cuframes_frame_check(&copy));
        cuframes_publisher_close(publisher);
    }

    return 0;
}
