/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Counts what a process asks the CUDA driver for, whoever asks: LD_AUDIT=libdriver_audit.so DRIVER_AUDIT=FILE PROGRAM.
 * The dynamic linker tells an audit library of each symbol that is looked up, by dlsym too, and takes another address from it.
 * FILE holds the counts as they grow: looked-up functions, copies from host to device, device to host, device to device, others,
 * kernels launched, NVDEC decoders created, decoders that there are now.
 * NVDEC's own library is left out: how it gets from a decoded to a mapped picture is not our copy.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum count { FOUND, HOST_TO_DEVICE, DEVICE_TO_HOST, DEVICE_TO_DEVICE, OTHER, LAUNCHES, DECODERS, DECODERS_OPEN, COUNTS };

static _Atomic uint64_t *counts;

/* The beginning of CUDA_MEMCPY2D. Memory types: 1 host, 2 device. */
struct copy_2d {
    size_t source_x, source_y;
    unsigned source_type;
    const void *source_host;
    uint64_t source_device;
    void *source_array;
    size_t source_pitch;
    size_t destination_x, destination_y;
    unsigned destination_type;
};

typedef int copy_function(uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d);

static void count_by(enum count which, int by)
{
    if (counts)
        atomic_fetch_add(&counts[which], (uint64_t)(int64_t)by);
}

static void count(enum count which)
{
    count_by(which, 1);
}

static void count_2d(const struct copy_2d *copy)
{
    unsigned from = copy->source_type, to = copy->destination_type;
    count(from == 2 && to == 2 ? DEVICE_TO_DEVICE : from == 1 && to == 2 ? HOST_TO_DEVICE
        : from == 2 && to == 1 ? DEVICE_TO_HOST : OTHER);
}

/* One more integer argument than a function takes does no harm: all are passed in registers. */
#define COPIES(X)                                                                                                       \
    X(cuMemcpy2D_v2, count_2d((const void *)a))                                                                         \
    X(cuMemcpy2DUnaligned_v2, count_2d((const void *)a))                                                                \
    X(cuMemcpy2DAsync_v2, count_2d((const void *)a))                                                                    \
    X(cuMemcpy3D_v2, count(OTHER))                                                                                      \
    X(cuMemcpy3DAsync_v2, count(OTHER))                                                                                 \
    X(cuMemcpy, count(OTHER))                                                                                           \
    X(cuMemcpyAsync, count(OTHER))                                                                                      \
    X(cuMemcpyHtoD_v2, count(HOST_TO_DEVICE))                                                                           \
    X(cuMemcpyHtoDAsync_v2, count(HOST_TO_DEVICE))                                                                      \
    X(cuMemcpyDtoH_v2, count(DEVICE_TO_HOST))                                                                           \
    X(cuMemcpyDtoHAsync_v2, count(DEVICE_TO_HOST))                                                                      \
    X(cuMemcpyDtoD_v2, count(DEVICE_TO_DEVICE))                                                                         \
    X(cuMemcpyDtoDAsync_v2, count(DEVICE_TO_DEVICE))

#define WRAPPER(name, counting)                                                                                         \
    static copy_function *real_##name;                                                                                  \
    static int counted_##name(uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d)                                       \
    {                                                                                                                   \
        counting;                                                                                                       \
        return real_##name(a, b, c, d);                                                                                 \
    }
COPIES(WRAPPER)

typedef int launch_function(void *function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y, unsigned block_z,
                            unsigned shared_bytes, void *stream, void **parameters, void **extra);
typedef int create_function(void **decoder, void *description);
typedef int destroy_function(void *decoder);

static launch_function *real_cuLaunchKernel;
static create_function *real_cuvidCreateDecoder;
static destroy_function *real_cuvidDestroyDecoder;

static int counted_cuLaunchKernel(void *function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y,
                                  unsigned block_z, unsigned shared_bytes, void *stream, void **parameters, void **extra)
{
    count(LAUNCHES);
    return real_cuLaunchKernel(function, grid_x, grid_y, grid_z, block_x, block_y, block_z, shared_bytes, stream, parameters, extra);
}

static int counted_cuvidCreateDecoder(void **decoder, void *description)
{
    int error = real_cuvidCreateDecoder(decoder, description);
    count_by(DECODERS, error == 0);
    count_by(DECODERS_OPEN, error == 0);
    return error;
}

static int counted_cuvidDestroyDecoder(void *decoder)
{
    count_by(DECODERS_OPEN, -1);
    return real_cuvidDestroyDecoder(decoder);
}

static const struct {
    const char *name;
    void *real;
    void *counted;
} functions[] = {
#define ROW(name, ...) { #name, &real_##name, (void *)counted_##name },
    COPIES(ROW)
    ROW(cuLaunchKernel) ROW(cuvidCreateDecoder) ROW(cuvidDestroyDecoder)
};

__attribute__((visibility("default"))) unsigned la_version(unsigned version)
{
    const char *path = getenv("DRIVER_AUDIT");
    int file = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (file >= 0 && ftruncate(file, COUNTS * sizeof *counts) == 0) {
        void *memory = mmap(NULL, COUNTS * sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        counts = memory == MAP_FAILED ? NULL : memory;
    }
    if (file >= 0)
        close(file);
    return version < LAV_CURRENT ? version : LAV_CURRENT;
}

__attribute__((visibility("default"))) unsigned la_objopen(struct link_map *map, Lmid_t space, uintptr_t *cookie)
{
    (void)space;
    *cookie = strstr(map->l_name, "nvcuvid") != NULL;
    return LA_FLG_BINDFROM | LA_FLG_BINDTO;
}

__attribute__((visibility("default"))) uintptr_t la_symbind64(Elf64_Sym *symbol, unsigned index, uintptr_t *from,
                                                              uintptr_t *to, unsigned *flags, const char *name)
{
    (void)index;
    (void)to;
    (void)flags;
    if (*from || strncmp(name, "cu", 2) != 0)
        return symbol->st_value;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        if (strcmp(functions[i].name, name) == 0) {
            memcpy(functions[i].real, &symbol->st_value, sizeof symbol->st_value);
            count(FOUND);
            return (uintptr_t)functions[i].counted;
        }
    }
    return symbol->st_value;
}
