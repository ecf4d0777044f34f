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
 * libcuframes, opened at run time: a program that was built with this runs without the library, and says what is missing when it is needed.
 */

#ifndef COMPAT_CUFRAMES_CUFRAMES_LOADER_H
#define COMPAT_CUFRAMES_CUFRAMES_LOADER_H

#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>

#include "libavutil/error.h"
#include "libavutil/log.h"

#include "cuframes.h"

#define CUFRAMES_LIBRARY "libcuframes.so.0"

#define CUFRAMES_FUNCTIONS(F)   \
    F(last_error)               \
    F(error_name)               \
    F(set_log)                  \
    F(runtime_directory)        \
    F(pixel_format_name)        \
    F(picture_bytes)            \
    F(probe)                    \
    F(stream_list_at)           \
    F(stream_list_free)         \
    F(subscriber_open)          \
    F(subscriber_close)         \
    F(subscriber_next)          \
    F(subscriber_get_info)      \
    F(frame_release)            \
    F(frame_release_stream)     \
    F(frame_check)              \
    F(frame_copy)               \
    F(publisher_open)           \
    F(publisher_close)          \
    F(publisher_configure)      \
    F(publisher_begin)          \
    F(publisher_publish)        \
    F(publisher_publish_stream) \
    F(publisher_abandon)        \
    F(publisher_get_info)       \
    F(packet_subscriber_open)   \
    F(packet_subscriber_close)  \
    F(packet_subscriber_next)   \
    F(packet_subscriber_get_info) \
    F(packet_subscriber_get_track) \
    F(packet_get_track)         \
    F(packet_copy)

typedef struct CuFramesFunctions {
#define MEMBER(name) __typeof__(cuframes_##name) *name;
    CUFRAMES_FUNCTIONS(MEMBER)
#undef MEMBER
} CuFramesFunctions;

/**
 * Find the library and its functions. It stays loaded until the process ends: its runtime cannot be taken out again.
 *
 * @return 0 or AVERROR(ENOSYS)
 */
static inline int cuframes_load(void *logctx, CuFramesFunctions *functions)
{
    void *library = dlopen(CUFRAMES_LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);

    if (!library) {
        av_log(logctx, AV_LOG_ERROR, "CuFrames needs " CUFRAMES_LIBRARY ", which cannot be loaded (%s). Put it into the folder lib beside "
               "the folder of this program, or install libcuframes, or name its folder in LD_LIBRARY_PATH.\n", dlerror());
        return AVERROR(ENOSYS);
    }

#define FIND(name)                                                                                                       \
    functions->name = (__typeof__(cuframes_##name) *)dlsym(library, "cuframes_" #name);                                  \
    if (!functions->name) {                                                                                              \
        av_log(logctx, AV_LOG_ERROR, CUFRAMES_LIBRARY " has no function cuframes_" #name ": install a newer one.\n");    \
        return AVERROR(ENOSYS);                                                                                          \
    }
    CUFRAMES_FUNCTIONS(FIND)
#undef FIND

    return 0;
}

/**
 * Log what the library says of the call that has just failed.
 *
 * @return what FFmpeg calls the error
 */
static inline int cuframes_error(void *logctx, const CuFramesFunctions *functions, const char *what, int32_t code)
{
    av_log(logctx, AV_LOG_ERROR, "%s: %s (%s)\n", what, functions->last_error(), functions->error_name(code));

    switch (code) {
    case CUFRAMES_STREAM_NOT_FOUND:     return AVERROR(ENOENT);
    case CUFRAMES_INVALID_KEY:
    case CUFRAMES_INVALID_ARGUMENT:
    case CUFRAMES_CONFIGURATION_INVALID: return AVERROR(EINVAL);
    case CUFRAMES_ACCESS_DENIED:        return AVERROR(EACCES);
    case CUFRAMES_ALREADY_PUBLISHED:    return AVERROR(EADDRINUSE);
    case CUFRAMES_TIMED_OUT:
    case CUFRAMES_HANDSHAKE_TIMEOUT:    return AVERROR(ETIMEDOUT);
    case CUFRAMES_OUT_OF_RESOURCES:     return AVERROR(ENOMEM);
    case CUFRAMES_FORMAT_UNSUPPORTED:   return AVERROR(ENOTSUP);
    case CUFRAMES_INTERRUPTED:          return AVERROR_EXIT;
    case CUFRAMES_CUDA_CALL_FAILED:
    case CUFRAMES_CUDA_UNAVAILABLE:
    case CUFRAMES_DOMAIN_NOT_MAPPABLE:
    case CUFRAMES_CUDA_IPC_NAMESPACE:   return AVERROR_EXTERNAL;
    default:                            return AVERROR(EIO);
    }
}

#endif /* COMPAT_CUFRAMES_CUFRAMES_LOADER_H */
