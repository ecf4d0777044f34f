using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Media;
using CuFrames.Protocol;

namespace CuFrames.Daemon.Internal;

/// <summary>What was chosen for a camera and why, in words.</summary>
internal static class CameraChoice
{
    /// <summary>Whether the camera found no room: another camera, or less of this one, would make it.</summary>
    /// <param name="status">What the pump says.</param>
    internal static bool IsNotAdmitted(CameraStatus status) => status is { State: CameraState.SourceLost, Code: ErrorCode.OutOfResources };

    /// <summary>Whether software decodes because NVDEC cannot.</summary>
    /// <param name="configuration">The camera.</param>
    /// <param name="status">What the pump says while it is live.</param>
    internal static bool IsFallback(CameraConfiguration configuration, CameraStatus status) =>
        configuration is { Decode.Mode: DecodeMode.Auto, Memory: not FrameMemory.Host } && status.Info?.Decoder == "software";

    /// <summary>The text that stands beside the stream's state.</summary>
    /// <param name="configuration">The camera.</param>
    /// <param name="gpu">The GPU that it uses; null: none.</param>
    /// <param name="status">What the pump says.</param>
    /// <returns>The text; null when the pump's own says everything.</returns>
    internal static string? StateText(CameraConfiguration configuration, Gpu? gpu, CameraStatus status) =>
        status.IsIdle ? null
        : status.State == CameraState.Live ? Describe(configuration, gpu, status)
        : IsNotAdmitted(status) ? configuration.Redact($"Not admitted: {WithNextAttempt(status)}")
        : null;

    /// <summary>What decodes and why, and where frames lie.</summary>
    /// <param name="configuration">The camera.</param>
    /// <param name="gpu">The GPU that it uses; null: none.</param>
    /// <param name="status">What the pump says while it is live.</param>
    internal static string Describe(CameraConfiguration configuration, Gpu? gpu, CameraStatus status)
    {
        CudaDevice? device = gpu?.Context?.Device;
        string memory = configuration.Memory == FrameMemory.Host
            ? status.Info?.Decoder == "nvdec" ? $"host; each frame is copied there once from {Name(device)}" : "host"
            : $"{configuration.MemoryText} on {Name(device)}";
        string decoder = status.Info is { Decoder.Length: > 0 } info ? $"Decoder: {info.Decoder}. {info.DecoderReason} " : "";
        return $"{decoder}Memory: {memory}.";

        static string Name(CudaDevice? device) => $"{device?.Name} ({device?.UuidText})";
    }

    /// <summary>The pump's reason, and when the next attempt is made.</summary>
    /// <param name="status">What the pump says.</param>
    internal static string WithNextAttempt(CameraStatus status) =>
        // Of decoders that ran out the pump itself says when it tries again, which is earlier if there is room before.
        status.Error == MediaError.NotAdmitted ? status.Reason : $"{status.Reason} Next attempt in {status.RetryDelay.TotalSeconds:0.0} s.";
}
