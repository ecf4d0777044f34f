/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Prints the names of all error codes and pixel formats, and sizes of pictures. */
#include "check.h"

#include <ctype.h>

int main(void) {
    static const uint32_t formats[] = {CUFRAMES_NV12, CUFRAMES_I420, CUFRAMES_P010, CUFRAMES_GRAY8, CUFRAMES_RGB24, CUFRAMES_BGR24, CUFRAMES_RGBA, CUFRAMES_BGRA,
        CUFRAMES_RGBP, CUFRAMES_BGRP, CUFRAMES_RGBP_F16, CUFRAMES_BGRP_F16, CUFRAMES_RGBP_F32, CUFRAMES_BGRP_F32};
    static const uint32_t sizes[][2] = {{1, 1}, {641, 361}, {1920, 1080}, {16384, 16384}};

    for (int32_t code = -10; code < 2000; code++) {
        if (strcmp(cuframes_error_name(code), "UNKNOWN") != 0) {
            printf("error %d %s\n", (int)code, cuframes_error_name(code));
        }
    }

    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        char upper[16] = {0};
        const char *name = cuframes_pixel_format_name(formats[i]);
        for (size_t k = 0; name[k] != '\0'; k++) {
            upper[k] = (char)toupper((unsigned char)name[k]);
        }

        printf("format %u %s %s=%u\n", (unsigned)formats[i], name, upper, (unsigned)cuframes_pixel_format_parse(upper));
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            printf("bytes %u %ux%u %lld\n", (unsigned)formats[i], (unsigned)sizes[k][0], (unsigned)sizes[k][1],
                (long long)cuframes_picture_bytes(formats[i], sizes[k][0], sizes[k][1]));
        }
    }

    CHECK(cuframes_version() == (CUFRAMES_VERSION_MAJOR << 16 | CUFRAMES_VERSION_MINOR << 8 | CUFRAMES_VERSION_PATCH));
    CHECK(cuframes_pixel_format_name(12345) == NULL);
    CHECK(cuframes_pixel_format_parse("nv21") == CUFRAMES_FORMAT_UNKNOWN);
    CHECK(cuframes_pixel_format_parse(NULL) == CUFRAMES_FORMAT_UNKNOWN);
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        for (uint32_t plane = 0; plane < 4; plane++) {
            int64_t shape[3] = {0, 0, 0};
            uint32_t dimensions = cuframes_plane_shape(formats[i], plane, 641, 361, shape);
            printf("shape %u %u %u", (unsigned)formats[i], (unsigned)cuframes_sample_type(formats[i]), (unsigned)plane);
            for (uint32_t k = 0; k < dimensions; k++) {
                printf(" %lld", (long long)shape[k]);
            }

            printf("\n");
        }
    }

    int64_t extents[3];
    CHECK(cuframes_sample_type(12345) == CUFRAMES_SAMPLE_NONE);
    CHECK(cuframes_plane_shape(12345, 0, 10, 10, extents) == 0);
    CHECK(cuframes_plane_shape(CUFRAMES_NV12, 0, 16385, 10, extents) == 0);
    CHECK(cuframes_plane_shape(CUFRAMES_NV12, 0, 10, 0, extents) == 0);
    CHECK(cuframes_plane_shape(CUFRAMES_NV12, 0, 10, 10, NULL) == 0);
    CHECK(cuframes_picture_bytes(12345, 10, 10) == 0);
    CHECK(cuframes_picture_bytes(CUFRAMES_NV12, 16385, 10) == 0);
    CHECK(cuframes_picture_bytes(CUFRAMES_NV12, 0, 10) == 0);
    CHECK(cuframes_picture_bytes(CUFRAMES_NV12, UINT32_MAX, UINT32_MAX) == 0);
    return 0;
}
