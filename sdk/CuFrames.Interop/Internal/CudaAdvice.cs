using System.Globalization;

namespace CuFrames.Interop.Internal;

/// <summary>What to do about an error of the CUDA driver, by code and call.</summary>
internal static class CudaAdvice
{
    private const string ContextBroken =
        "The context of this process is broken and every later call fails: restart the process. Other processes are not hurt.";

    /// <summary>Whether a call opens a legacy IPC handle of another process.</summary>
    internal static bool OpensLegacyHandle(string call) => call is "cuIpcOpenMemHandle_v2" or "cuIpcOpenEventHandle";

    /// <summary>The advice, as sentences; null when there is nothing better to say than the code itself.</summary>
    internal static string? For(string call, CudaResult result) => result switch
    {
        CudaResult.OutOfMemory when call is "cuMemHostAlloc" or "cuMemHostRegister_v2" =>
            "Host memory that can be pinned ran out: free memory, or raise the memory limit of the container and the limit of locked memory (ulimit -l).",
        CudaResult.OutOfMemory => OutOfMemory(),
        CudaResult.InvalidContext when OpensLegacyHandle(call) =>
            "The driver takes this process for the one that made the handle, because both have the same process number in their own " +
            "PID namespaces: two containers whose programs are both PID 1, as a rule. Let the publisher share its memory as " +
            "descriptors (memory: cuda), or give one of the containers an init process (docker run --init) or a shared PID namespace " +
            "(--pid). A handle cannot be opened by the process that made it either.",
        CudaResult.InvalidContext => "The context is not the one that this belongs to, or it has been destroyed.",
        CudaResult.InvalidValue when call is "cuMemImportFromShareableHandle" =>
            "The descriptor is no CUDA allocation, or one of a device that this process cannot see.",
        CudaResult.InvalidValue when call is "cuMemMap" =>
            "The allocation is smaller than was asked for, or the size is no multiple of the granularity.",
        CudaResult.InvalidDevice when call is "cuMemImportFromShareableHandle" =>
            "The allocation lies on a device that this process cannot see: check CUDA_VISIBLE_DEVICES.",
        CudaResult.InvalidHandle when OpensLegacyHandle(call) => "The handle's maker has freed it or has ended.",
        CudaResult.MapFailed when OpensLegacyHandle(call) => "The handle's maker has freed it or has ended, or the device cannot map it.",
        CudaResult.NotInitialized or CudaResult.Deinitialized =>
            "The driver is being torn down, as at the end of a process: make no CUDA calls then.",
        CudaResult.StubLibrary =>
            "The library is the stub of a CUDA toolkit: take the toolkit's stubs folder out of LD_LIBRARY_PATH.",
        CudaResult.InsufficientDriver or CudaResult.CallRequiresNewerDriver =>
            "The NVIDIA driver is too old: install version 515 or later.",
        CudaResult.DeviceUnavailable =>
            "Another process has the device to itself, or a new one may not use it: check the compute mode (nvidia-smi -q -d COMPUTE).",
        CudaResult.NoDevice => NoDevice(),
        CudaResult.InvalidDevice => "The device is not there: check CUDA_VISIBLE_DEVICES; in MIG mode a GPU needs a MIG instance.",
        CudaResult.DeviceNotLicensed => "The virtual GPU has no licence: check the vGPU licence server.",
        CudaResult.EccUncorrectable or CudaResult.NvlinkUncorrectable or CudaResult.Contained =>
            $"The hardware failed (see nvidia-smi -q -d ECC and the kernel's log). {ContextBroken}",
        CudaResult.LaunchTimeout =>
            $"The kernel ran too long for a device that drives a display. {ContextBroken}",
        CudaResult.MpsClientTerminated =>
            $"The MPS server has ended this client, because another client failed as a rule. {ContextBroken}",
        CudaResult.ContextIsDestroyed => "The context was destroyed while it was in use: restart the process.",
        CudaResult.IllegalAddress =>
            "A kernel or copy of this process touched memory that is not mapped, or wrote to memory that is mapped read-only. " +
            ContextBroken,
        CudaResult.Assert or CudaResult.TensorMemoryLeak or
            (>= CudaResult.HardwareStackError and <= CudaResult.LaunchFailed) =>
            $"A kernel of this process failed. {ContextBroken}",
        CudaResult.HostMemoryAlreadyRegistered => "These pages are registered already in this process: register them once.",
        CudaResult.NotPermitted when call is "cuMemHostRegister_v2" or "cuMemImportFromShareableHandle" =>
            "The user or the container may not do this: check its security profile.",
        CudaResult.NotSupported when call.StartsWith("cuIpc", StringComparison.Ordinal) =>
            "Legacy IPC does not work here: it needs Linux on a machine with a GPU of its own, and not every virtual GPU, MIG instance or Tegra " +
            "has it. Share memory as descriptors (memory: cuda).",
        CudaResult.NotSupported when call.StartsWith("cuMem", StringComparison.Ordinal) =>
            "This device or driver does not have it: virtual GPUs often lack virtual memory management. Use legacy handles " +
            "(memory: cuda-ipc) or host memory.",
        CudaResult.NotSupported => "This device, driver or set-up (virtual GPU, MIG instance) does not support it.",
        CudaResult.SystemNotReady =>
            "The system is not ready for CUDA: on machines with NVSwitch the fabric manager must run (systemctl status nvidia-fabricmanager).",
        CudaResult.SystemDriverMismatch =>
            "The driver's library and the kernel module have different versions: reboot after an update of the driver, or restart the " +
            "container, which still holds the old library.",
        CudaResult.CompatNotSupportedOnDevice =>
            "A CUDA forward-compatibility library was loaded, which this device does not support: take it out of LD_LIBRARY_PATH.",
        CudaResult.MpsConnectionFailed or CudaResult.MpsRpcFailure or CudaResult.MpsServerNotReady =>
            "CUDA MPS does not answer: start nvidia-cuda-mps-control, or unset CUDA_MPS_PIPE_DIRECTORY.",
        CudaResult.MpsMaxClientsReached or CudaResult.MpsMaxConnectionsReached =>
            "CUDA MPS has no room for another client: end one, or do without MPS.",
        CudaResult.UnsupportedPtxVersion => "The PTX text is newer than the driver: install a newer driver.",
        CudaResult.OperatingSystem =>
            "The operating system refused the driver a call: check the limits of descriptors and memory, and that the process may use /dev/nvidia*.",
        CudaResult.Unknown =>
            "Often a device node is missing or the kernel module has just failed: look at nvidia-smi and the kernel's log (dmesg, NVRM), and " +
            "check that /dev/nvidia-uvm is there.",
        _ => null,
    };

    /// <summary>Who is out of memory is asked in the context that is current: that of the failed call.</summary>
    private static unsafe string OutOfMemory()
    {
        nuint free = 0;
        nuint total = 0;
        string found = CudaDriver.IsLoaded && CudaNative.GetMemory(&free, &total) == CudaResult.Success
            ? string.Create(CultureInfo.InvariantCulture, $"The device has {free >> 20:N0} MiB free of {total >> 20:N0} MiB. ")
            : string.Empty;
        return found + "Use fewer slots, streams or decoders, or end other processes on the device (nvidia-smi lists them).";
    }

    private static string NoDevice()
    {
        string? visible = Environment.GetEnvironmentVariable("CUDA_VISIBLE_DEVICES");
        return visible is null
            ? "No GPU is visible: check nvidia-smi, and in a container that the GPU is passed in (docker run --gpus all)."
            : $"CUDA_VISIBLE_DEVICES is '{visible}' and leaves no GPU: name one that nvidia-smi -L lists, or unset it. " +
              "A GPU in MIG mode counts only by its instances.";
    }
}
