/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What libav's loader wants to find in libcuda.so.1 besides the double's own functions. Decoding calls none of these; each
 * answers CUDA_ERROR_NOT_SUPPORTED.
 */
#define REST(name)                                                                                                      \
    __attribute__((visibility("default"))) int name(void);                                                              \
    int name(void)                                                                                                      \
    {                                                                                                                   \
        return 801;                                                                                                     \
    }

REST(cuDestroyExternalMemory)
REST(cuDestroyExternalSemaphore)
REST(cuEGLStreamConsumerDisconnect)
REST(cuEGLStreamProducerConnect)
REST(cuEGLStreamProducerDisconnect)
REST(cuEGLStreamProducerPresentFrame)
REST(cuEGLStreamProducerReturnFrame)
REST(cuExternalMemoryGetMappedBuffer)
REST(cuExternalMemoryGetMappedMipmappedArray)
REST(cuImportExternalMemory)
REST(cuImportExternalSemaphore)
REST(cuMipmappedArrayDestroy)
REST(cuMipmappedArrayGetLevel)
REST(cuSignalExternalSemaphoresAsync)
REST(cuWaitExternalSemaphoresAsync)
