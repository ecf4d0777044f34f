/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libnvcuvid.so.1 for tests, on the double of the CUDA driver: it decodes nothing, but hands surfaces out and takes them back
 * as NVDEC does. All bytes of a picture have the value 1 + n % 250, where n counts the pictures that its decoder was given,
 * from 0; they are written by work on the stream that libav names. A surface that was given back holds 0xEE at once, so
 * whoever still reads it sees that. Decodes H.264 in 8 bits and H.265 in 8 and 10, up to 4096x4096.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
enum { SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NOT_SUPPORTED = 801 };
enum { MAX_SURFACES = 64 };

struct caps { /* CUVIDDECODECAPS */
    int codec, chroma;
    unsigned depth_minus_8, reserved1[3];
    unsigned char is_supported, engines;
    unsigned short output_formats;
    unsigned max_width, max_height, max_macroblocks;
    unsigned short min_width, min_height;
};

struct create { /* the beginning of CUVIDDECODECREATEINFO */
    unsigned long width, height, surfaces;
    int codec, chroma;
    unsigned long flags, depth_minus_8, intra_only, max_width, max_height, reserved1;
    short display_area[4];
    int output_format, deinterlace;
    unsigned long target_width, target_height, output_surfaces;
};

struct picture { /* the beginning of CUVIDPICPARAMS */
    int width_in_macroblocks, height_in_macroblocks, index;
};

struct process { /* the beginning of CUVIDPROCPARAMS */
    int progressive, second_field, top_field_first, unpaired_field;
    unsigned reserved_flags, reserved_zero;
    unsigned long long raw_input;
    unsigned raw_input_pitch, raw_input_format;
    unsigned long long raw_output;
    unsigned raw_output_pitch, reserved1;
    void *output_stream;
};

struct decoder {
    size_t pitch, size;
    unsigned long surfaces, output_surfaces;
    uint64_t pictures;
    uint64_t picture_of[MAX_SURFACES];
    uint64_t outputs[MAX_SURFACES];
    int is_mapped[MAX_SURFACES];
};

static _Atomic int sessions, limit = 1000;
static _Atomic unsigned long most_mapped, last_surfaces;

EXPORT int nvdec_double_sessions(void);
EXPORT void nvdec_double_limit(int value);
EXPORT unsigned long nvdec_double_most_mapped(void);
EXPORT unsigned long nvdec_double_last_surfaces(void);

int nvdec_double_sessions(void) { return atomic_load(&sessions); }
void nvdec_double_limit(int value) { atomic_store(&limit, value); }
unsigned long nvdec_double_most_mapped(void) { return atomic_load(&most_mapped); }
unsigned long nvdec_double_last_surfaces(void) { return atomic_load(&last_surfaces); }

static void *driver(const char *name)
{
    void *function = dlsym(dlopen("libcuda.so.1", RTLD_NOW), name);
    if (!function)
        abort();
    return function;
}

EXPORT int cuvidGetDecoderCaps(struct caps *caps);
EXPORT int cuvidCreateDecoder(struct decoder **decoder, const struct create *info);
EXPORT int cuvidDestroyDecoder(struct decoder *decoder);
EXPORT int cuvidDecodePicture(struct decoder *decoder, const struct picture *picture);
EXPORT int cuvidMapVideoFrame64(struct decoder *decoder, int index, unsigned long long *address, unsigned *pitch,
                                const struct process *how);
EXPORT int cuvidUnmapVideoFrame64(struct decoder *decoder, unsigned long long address);

int cuvidGetDecoderCaps(struct caps *caps)
{
    int h264 = caps->codec == 4, hevc = caps->codec == 8;
    caps->is_supported = caps->chroma == 1 && ((h264 && caps->depth_minus_8 == 0) || (hevc && caps->depth_minus_8 <= 2));
    caps->engines = 2;
    caps->min_width = caps->min_height = 48;
    caps->max_width = caps->max_height = 4096;
    caps->max_macroblocks = 65536;
    return SUCCESS;
}

int cuvidCreateDecoder(struct decoder **decoder, const struct create *info)
{
    int (*allocate)(unsigned long long *, size_t) = driver("cuMemAlloc_v2");
    if (info->surfaces > MAX_SURFACES || info->output_surfaces > MAX_SURFACES || info->surfaces == 0)
        return INVALID_VALUE;
    if (atomic_fetch_add(&sessions, 1) >= atomic_load(&limit)) {
        atomic_fetch_sub(&sessions, 1);
        return OUT_OF_MEMORY;
    }
    struct decoder *made = calloc(1, sizeof *made);
    size_t sample = info->output_format == 1 ? 2 : 1;
    made->pitch = (info->target_width * sample + 511) / 512 * 512;
    made->size = made->pitch * (info->target_height * 3 / 2);
    made->surfaces = info->surfaces;
    made->output_surfaces = info->output_surfaces;
    for (unsigned long i = 0; i < info->output_surfaces; i++) {
        unsigned long long address;
        if (allocate(&address, made->size) != SUCCESS) {
            cuvidDestroyDecoder(made);
            return OUT_OF_MEMORY;
        }
        made->outputs[i] = address;
    }
    atomic_store(&last_surfaces, info->surfaces);
    *decoder = made;
    return SUCCESS;
}

int cuvidDestroyDecoder(struct decoder *decoder)
{
    int (*release)(unsigned long long) = driver("cuMemFree_v2");
    for (unsigned long i = 0; i < decoder->output_surfaces; i++) {
        if (decoder->outputs[i])
            release(decoder->outputs[i]);
    }
    free(decoder);
    atomic_fetch_sub(&sessions, 1);
    return SUCCESS;
}

int cuvidDecodePicture(struct decoder *decoder, const struct picture *picture)
{
    if (picture->index < 0 || (unsigned long)picture->index >= decoder->surfaces)
        return INVALID_VALUE;
    decoder->picture_of[picture->index] = decoder->pictures++;
    return SUCCESS;
}

int cuvidMapVideoFrame64(struct decoder *decoder, int index, unsigned long long *address, unsigned *pitch,
                         const struct process *how)
{
    int (*fill)(unsigned long long, unsigned char, size_t, void *) = driver("cuMemsetD8Async");
    unsigned long mapped = 1;
    for (unsigned long i = 0; i < decoder->output_surfaces; i++)
        mapped += (unsigned long)decoder->is_mapped[i];
    for (unsigned long i = 0; i < decoder->output_surfaces; i++) {
        if (decoder->is_mapped[i])
            continue;
        decoder->is_mapped[i] = 1;
        if (mapped > atomic_load(&most_mapped))
            atomic_store(&most_mapped, mapped);
        *address = decoder->outputs[i];
        *pitch = (unsigned)decoder->pitch;
        return fill(*address, (unsigned char)(1 + decoder->picture_of[index] % 250), decoder->size, how->output_stream);
    }
    return INVALID_VALUE;
}

int cuvidUnmapVideoFrame64(struct decoder *decoder, unsigned long long address)
{
    for (unsigned long i = 0; i < decoder->output_surfaces; i++) {
        if (decoder->outputs[i] == address) {
            decoder->is_mapped[i] = 0;
            /* A device address of the double is one of the process. */
            memset((void *)(uintptr_t)address, 0xEE, decoder->size);
            return SUCCESS;
        }
    }
    return INVALID_VALUE;
}

/* Wanted by libav's loader and not used for decoding. */
#define REST(name)                                                                                                      \
    EXPORT int name(void);                                                                                              \
    int name(void)                                                                                                      \
    {                                                                                                                   \
        return NOT_SUPPORTED;                                                                                           \
    }

REST(cuvidGetDecodeStatus)
REST(cuvidReconfigureDecoder)
REST(cuvidCtxLockCreate)
REST(cuvidCtxLockDestroy)
REST(cuvidCtxLock)
REST(cuvidCtxUnlock)
REST(cuvidCreateVideoSource)
REST(cuvidCreateVideoSourceW)
REST(cuvidDestroyVideoSource)
REST(cuvidSetVideoSourceState)
REST(cuvidGetVideoSourceState)
REST(cuvidGetSourceVideoFormat)
REST(cuvidGetSourceAudioFormat)
REST(cuvidCreateVideoParser)
REST(cuvidParseVideoData)
REST(cuvidDestroyVideoParser)
