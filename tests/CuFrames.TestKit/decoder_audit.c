/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Counts the decoders of libavcodec that libcuframes_av.so opens, and what they decode, as the process asks for it:
 * LD_AUDIT=libdecoder_audit.so DECODER_AUDIT=FILE PROGRAM. The dynamic linker tells an audit library of each symbol that is bound,
 * and takes another address from it. What libavformat decodes to find out what a source holds is not counted: it goes round us.
 * FILE holds the counts as they grow: functions bound, decoders opened, decoders open now, packets given, pictures taken.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum count { FOUND, OPENED, OPEN, PACKETS, PICTURES, COUNTS };
enum { MOST_CODECS = 64, MOST_DECODERS = 1024 };

static _Atomic uint64_t *counts;

/* Codecs that were found as encoders, and contexts that are open decoders; guarded by lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const void *encoders[MOST_CODECS];
static const void *decoders[MOST_DECODERS];

typedef const void *find_function(uintptr_t what);
typedef int open_function(void *context, const void *codec, void **options);
typedef int data_function(void *context, const void *data);
typedef void free_function(void **context);

static find_function *real_avcodec_find_encoder, *real_avcodec_find_encoder_by_name;
static open_function *real_avcodec_open2;
static data_function *real_avcodec_send_packet, *real_avcodec_receive_frame;
static free_function *real_avcodec_free_context;

static void count(enum count which, int by)
{
    if (counts)
        atomic_fetch_add(&counts[which], (uint64_t)(int64_t)by);
}

/* Puts `to` where `from` is. Whether there was such a place. */
static int replace(const void **set, size_t size, const void *from, const void *to)
{
    int found = 0;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < size && !found; i++) {
        if (set[i] == from) {
            set[i] = to;
            found = 1;
        }
    }
    pthread_mutex_unlock(&lock);
    return found;
}

static const void *remember(const void *codec)
{
    if (codec && !replace(encoders, MOST_CODECS, codec, codec))
        replace(encoders, MOST_CODECS, NULL, codec);
    return codec;
}

static const void *counted_avcodec_find_encoder(uintptr_t id)
{
    return remember(real_avcodec_find_encoder(id));
}

static const void *counted_avcodec_find_encoder_by_name(uintptr_t name)
{
    return remember(real_avcodec_find_encoder_by_name(name));
}

/* Our shim always names the codec here. */
static int counted_avcodec_open2(void *context, const void *codec, void **options)
{
    int error = real_avcodec_open2(context, codec, options);
    if (error >= 0 && !replace(encoders, MOST_CODECS, codec, codec) && replace(decoders, MOST_DECODERS, NULL, context)) {
        count(OPENED, 1);
        count(OPEN, 1);
    }
    return error;
}

static void counted_avcodec_free_context(void **context)
{
    if (*context && replace(decoders, MOST_DECODERS, *context, NULL))
        count(OPEN, -1);
    real_avcodec_free_context(context);
}

static int counted_avcodec_send_packet(void *context, const void *packet)
{
    int error = real_avcodec_send_packet(context, packet);
    count(PACKETS, error >= 0 && packet);
    return error;
}

static int counted_avcodec_receive_frame(void *context, const void *frame)
{
    int error = real_avcodec_receive_frame(context, frame);
    count(PICTURES, error >= 0);
    return error;
}

static const struct {
    const char *name;
    void *real;
    void *counted;
} functions[] = {
#define ROW(name) { #name, &real_##name, (void *)counted_##name }
    ROW(avcodec_find_encoder), ROW(avcodec_find_encoder_by_name), ROW(avcodec_open2), ROW(avcodec_free_context),
    ROW(avcodec_send_packet), ROW(avcodec_receive_frame),
};

__attribute__((visibility("default"))) unsigned la_version(unsigned version)
{
    const char *path = getenv("DECODER_AUDIT");
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
    *cookie = strstr(map->l_name, "libcuframes_av") != NULL;
    return LA_FLG_BINDFROM | LA_FLG_BINDTO;
}

__attribute__((visibility("default"))) uintptr_t la_symbind64(Elf64_Sym *symbol, unsigned index, uintptr_t *from,
                                                              uintptr_t *to, unsigned *flags, const char *name)
{
    (void)index;
    (void)to;
    (void)flags;
    if (!*from || strncmp(name, "avcodec_", 8) != 0)
        return symbol->st_value;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        if (strcmp(functions[i].name, name) == 0) {
            memcpy(functions[i].real, &symbol->st_value, sizeof symbol->st_value);
            count(FOUND, 1);
            return (uintptr_t)functions[i].counted;
        }
    }
    return symbol->st_value;
}
