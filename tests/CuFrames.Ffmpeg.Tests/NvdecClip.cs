namespace CuFrames.Ffmpeg.Tests;

/// <summary>The clip of gpu/build-clips.sh that NVDEC decodes in tests, and what ffmpeg is told to make of it on the device.</summary>
internal static class NvdecClip
{
    public const int Width = 1920;
    public const int Height = 1080;

    /// <summary>Pictures, at 25 frames per second; no two of them are the same.</summary>
    public const int Frames = 200;

    /// <summary>The stream's key.</summary>
    public const string Key = "cam1";

    /// <summary>Pictures that a reader takes.</summary>
    public const int Read = 50;

    /// <summary>No guarantee, only when a reader gives up; in microseconds.</summary>
    public const string Patience = "30000000";

    private const int ScaledWidth = 640;
    private const int ScaledHeight = 360;

    // The driver's double knows the kernels of no FFmpeg: to try the tests there, this names another filter that keeps the size.
    private static readonly string? OtherFilter = Environment.GetEnvironmentVariable("CUFRAMES_SCALE_FILTER");

    /// <summary>The options that make ffmpeg decode by NVDEC and leave the pictures on the device.</summary>
    public static string[] Hardware { get; } = ["-hwaccel", "cuda", "-hwaccel_output_format", "cuda"];

    /// <summary>The output options that give a line for each picture, with its time and its hash.</summary>
    public static string[] Hashes { get; } = ["-fps_mode", "passthrough", "-enc_time_base", "1:25", "-f", "framehash", "pipe:1"];

    /// <summary>A filter that scales on the device.</summary>
    public static string Scale { get; } = OtherFilter ?? FormattableString.Invariant($"scale_cuda=w={ScaledWidth}:h={ScaledHeight}");

    /// <summary>Bytes of a picture in NV12 or I420 after <see cref="Scale"/>.</summary>
    public static int ScaledBytes { get; } = OtherFilter is null ? ScaledWidth * ScaledHeight * 3 / 2 : Width * Height * 3 / 2;

    public static string Path { get; } = System.IO.Path.Combine(
        Environment.GetEnvironmentVariable("CUFRAMES_CLIPS") ?? throw new InvalidOperationException("CUFRAMES_CLIPS names no folder: run-gpu-tests of the archive sets it."),
        "h264.mp4");

    /// <summary>A clip that the tests of CuFrames.Media bring along; their folder lies beside this one's in the archive.</summary>
    public static string Other(string name) => System.IO.Path.GetFullPath(System.IO.Path.Combine(AppContext.BaseDirectory, "..", "CuFrames.Media.Tests", "gpu-clips", name));
}
