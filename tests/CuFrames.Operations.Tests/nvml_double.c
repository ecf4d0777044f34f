/* A double of NVML: the calls that are used, with the signatures of nvml.h, and fixed answers. NVML_DOUBLE=no-decoder: the device tells nothing of its
   decoder, as an instance in MIG mode does. */
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

enum { SUCCESS = 0, NOT_SUPPORTED = 3, NOT_FOUND = 6 };

struct memory {
    unsigned long long total, free, used;
};

struct utilisation {
    unsigned int gpu, memory;
};

static int is_initialised;

EXPORT int nvmlInit_v2(void)
{
    is_initialised = 1;
    return SUCCESS;
}

EXPORT const char *nvmlErrorString(int result)
{
    return result == NOT_SUPPORTED ? "Not Supported" : result == NOT_FOUND ? "Not Found" : "Unknown Error";
}

EXPORT int nvmlDeviceGetHandleByUUID(const char *uuid, void **device)
{
    if (!is_initialised || strcmp(uuid, "GPU-fa4ecada-0000-4000-8000-000000000000") != 0)
        return NOT_FOUND;
    *device = &is_initialised;
    return SUCCESS;
}

EXPORT int nvmlDeviceGetMemoryInfo(void *device, struct memory *memory)
{
    if (device != &is_initialised)
        return NOT_FOUND;
    *memory = (struct memory){.total = 16ULL << 30, .free = 11ULL << 30, .used = 5ULL << 30};
    return SUCCESS;
}

EXPORT int nvmlDeviceGetUtilizationRates(void *device, struct utilisation *utilisation)
{
    if (device != &is_initialised)
        return NOT_FOUND;
    *utilisation = (struct utilisation){.gpu = 41, .memory = 9};
    return SUCCESS;
}

EXPORT int nvmlDeviceGetDecoderUtilization(void *device, unsigned int *utilisation, unsigned int *period)
{
    const char *mode = getenv("NVML_DOUBLE");
    if (device != &is_initialised)
        return NOT_FOUND;
    if (mode && strcmp(mode, "no-decoder") == 0)
        return NOT_SUPPORTED;
    *utilisation = 73;
    *period = 167000;
    return SUCCESS;
}
