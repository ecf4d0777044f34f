/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A decoder that crashes on demand: LD_PRELOAD=libdecoder_crash.so DECODER_CRASH=FILE PROGRAM. While FILE exists, a packet that is given to
 * libavcodec makes it write to an address that is not mapped, as a fault of a decoder would. With FILE.hang it never comes back instead.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Not a constant to the compiler, which would know better. */
static volatile int *volatile unmapped = (volatile int *)64;

typedef int send_function(void *context, const void *packet);

static int find_library(struct dl_phdr_info *info, size_t size, void *real)
{
    (void)size;
    if (strstr(info->dlpi_name, "/libavcodec.so") == NULL)
        return 0;
    void *library = dlopen(info->dlpi_name, RTLD_LAZY | RTLD_NOLOAD);
    *(void **)real = library ? dlsym(library, "avcodec_send_packet") : NULL;
    return 1;
}

__attribute__((visibility("default"))) int avcodec_send_packet(void *context, const void *packet)
{
    /* Several threads may find the same. */
    static send_function *real;
    if (real == NULL)
        dl_iterate_phdr(find_library, &real);

    const char *file = getenv("DECODER_CRASH");
    char hang[4096];
    if (file != NULL && access(file, F_OK) == 0)
        *unmapped = 1;
    if (file != NULL && snprintf(hang, sizeof hang, "%s.hang", file) > 0)
        while (access(hang, F_OK) == 0)
            usleep(10000);
    return real(context, packet);
}
