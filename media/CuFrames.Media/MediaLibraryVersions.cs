namespace CuFrames.Media;

/// <summary>The libav libraries that a process uses.</summary>
/// <param name="Release">FFmpeg's release as libavutil names it.</param>
/// <param name="Avformat">Version of the loaded libavformat.</param>
/// <param name="Avcodec">Version of the loaded libavcodec.</param>
/// <param name="Avutil">Version of the loaded libavutil.</param>
/// <param name="Swscale">Version of the loaded libswscale.</param>
/// <param name="BuiltForAvcodec">Version of the libavcodec headers that the shim was compiled with.</param>
/// <param name="HardwareDevices">Hardware device types built into libavutil. Says nothing of whether such a device is present.</param>
public sealed record MediaLibraryVersions(
    string Release,
    Version Avformat,
    Version Avcodec,
    Version Avutil,
    Version Swscale,
    Version BuiltForAvcodec,
    IReadOnlyList<string> HardwareDevices);
