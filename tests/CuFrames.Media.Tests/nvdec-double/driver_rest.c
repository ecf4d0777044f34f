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

REST(cuArray3DCreate_v2)
REST(cuArrayDestroy)
REST(cuCtxSetLimit)
REST(cuDestroyExternalMemory)
REST(cuDestroyExternalSemaphore)
REST(cuDeviceComputeCapability)
REST(cuDevicePrimaryCtxRelease)
REST(cuDevicePrimaryCtxReset)
REST(cuDevicePrimaryCtxSetFlags)
REST(cuEGLStreamConsumerDisconnect)
REST(cuEGLStreamProducerConnect)
REST(cuEGLStreamProducerDisconnect)
REST(cuEGLStreamProducerPresentFrame)
REST(cuEGLStreamProducerReturnFrame)
REST(cuExternalMemoryGetMappedBuffer)
REST(cuExternalMemoryGetMappedMipmappedArray)
REST(cuGLGetDevices_v2)
REST(cuGraphicsGLRegisterImage)
REST(cuGraphicsMapResources)
REST(cuGraphicsResourceGetMappedPointer_v2)
REST(cuGraphicsSubResourceGetMappedArray)
REST(cuGraphicsUnmapResources)
REST(cuGraphicsUnregisterResource)
REST(cuImportExternalMemory)
REST(cuImportExternalSemaphore)
REST(cuLinkAddData)
REST(cuLinkComplete)
REST(cuLinkCreate)
REST(cuLinkDestroy)
REST(cuMemAllocManaged)
REST(cuMemAllocPitch_v2)
REST(cuMemcpy)
REST(cuMemcpyAsync)
REST(cuMipmappedArrayDestroy)
REST(cuMipmappedArrayGetLevel)
REST(cuModuleGetGlobal)
REST(cuSignalExternalSemaphoresAsync)
REST(cuStreamAddCallback)
REST(cuTexObjectCreate)
REST(cuTexObjectDestroy)
REST(cuWaitExternalSemaphoresAsync)
