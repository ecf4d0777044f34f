namespace CuFrames.Daemon.Internal.Taps;

/// <summary>Names and types of the kinds of taps.</summary>
internal static class TapKinds
{
    /// <summary>What is between two pictures of a tap on HTTP.</summary>
    internal const string Boundary = "cuframes";

    /// <summary>All kinds, in the order in which they are listed.</summary>
    internal static IReadOnlyList<TapKind> All { get; } = Enum.GetValues<TapKind>();

    /// <summary>The ending of a tap's name.</summary>
    internal static string NameOf(TapKind kind) => kind.ToString().ToLowerInvariant();

    /// <summary>Its media type on HTTP.</summary>
    internal static string ContentTypeOf(TapKind kind) => kind switch
    {
        TapKind.Ts => "video/mp2t",
        TapKind.Mkv => "video/x-matroska",
        TapKind.Y4m => "video/x-yuv4mpeg",
        TapKind.Mjpeg => $"multipart/x-mixed-replace;boundary={Boundary}",
        TapKind.Jpeg => "image/jpeg",
        _ => "application/octet-stream",
    };
}
