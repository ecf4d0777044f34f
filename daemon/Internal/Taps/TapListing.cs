using System.Globalization;
using System.Net;
using CuFrames.Client;
using CuFrames.Protocol;

namespace CuFrames.Daemon.Internal.Taps;

/// <summary>What is told of a stream's taps.</summary>
/// <param name="Key">The stream's key.</param>
/// <param name="State">Its state, for people.</param>
/// <param name="PixelFormat">Format of its frames; null: not known yet.</param>
/// <param name="Width">Columns; 0: not known yet.</param>
/// <param name="Height">Rows; 0: not known yet.</param>
/// <param name="FrameRate">Frames per second as announced; null: not known.</param>
/// <param name="Taps">The taps.</param>
internal sealed record TapListing(string Key, string State, string? PixelFormat, int Width, int Height, double? FrameRate, IReadOnlyList<TapListing.Tap> Taps)
{
    /// <summary>One tap.</summary>
    /// <param name="Kind">What it gives.</param>
    /// <param name="Url">Where it is by HTTP.</param>
    /// <param name="Socket">Where its socket is.</param>
    /// <param name="Ffmpeg">The command that reads the socket.</param>
    /// <param name="FfmpegHttp">The command that reads it by HTTP.</param>
    internal sealed record Tap(string Kind, string Url, string Socket, string Ffmpeg, string FfmpegHttp);

    /// <summary>Asks every stream what it is now.</summary>
    /// <param name="points">The streams.</param>
    /// <param name="address">The address of HTTP.</param>
    /// <param name="isShown">Which taps are told; a stream without one is left out.</param>
    internal static List<TapListing> Of(IEnumerable<TapPoint> points, IPEndPoint address, Func<TapPoint, TapKind, bool> isShown) =>
        [.. points.Where(point => point.Stream.Kinds.Any(kind => isShown(point, kind)))
            .OrderBy(point => point.Stream.Key, StringComparer.Ordinal)
            .Select(point => Of(point, address, isShown))];

    private static TapListing Of(TapPoint point, IPEndPoint address, Func<TapPoint, TapKind, bool> isShown)
    {
        StreamInfo stream = StreamDirectory.Probe(point.Stream.Key, point.Directory);
        StreamDescription? found = stream.Description is { Width: > 0 } description ? description : null;
        double? rate = found is { FrameRateNumerator: > 0, FrameRateDenominator: > 0 } ? (double)found.FrameRateNumerator / found.FrameRateDenominator : null;
        string state = stream.Description is { } known ? known.State.ToString().ToUpperInvariant() : stream.Error;
        return new TapListing(
            point.Stream.Key,
            stream.StateText.Length > 0 ? $"{state}: {stream.StateText}" : state,
            found is null ? null : PixelFormats.Name(found.PixelFormat),
            found?.Width ?? 0,
            found?.Height ?? 0,
            rate is { } value ? Math.Round(value, 3) : null,
            [.. point.Stream.Kinds.Where(kind => isShown(point, kind)).Select(kind => Describe(point, kind, address, found))]);
    }

    private static Tap Describe(TapPoint point, TapKind kind, IPEndPoint address, StreamDescription? stream)
    {
        string url = $"http://{address}/{point.Stream.Key}.{TapKinds.NameOf(kind)}", socket = point.SocketPath(kind);
        return new Tap(TapKinds.NameOf(kind), url, socket, Command(kind, $"unix:{socket}", isHttp: false, stream), Command(kind, url, isHttp: true, stream));
    }

    private static string Command(TapKind kind, string input, bool isHttp, StreamDescription? stream) => kind switch
    {
        TapKind.Ts or TapKind.Mkv => $"ffmpeg -i {input} -c copy out.mkv",
        TapKind.RawVideo => $"ffmpeg -f rawvideo -pixel_format {FfmpegName(stream?.PixelFormat)} -video_size {SizeOf(stream)} -framerate {RateOf(stream)} -i {input} out.mkv",
        TapKind.Y4m => $"ffmpeg -f yuv4mpegpipe -i {input} out.mkv",
        TapKind.Mjpeg => $"ffmpeg -use_wallclock_as_timestamps 1 -f {(isHttp ? "mpjpeg" : "mjpeg")} -i {input} out.mkv",
        _ => $"ffmpeg -f mjpeg -i {input} -frames:v 1 out.png",
    };

    private static string SizeOf(StreamDescription? stream) =>
        stream is null ? "WIDTHxHEIGHT" : string.Create(CultureInfo.InvariantCulture, $"{stream.Width}x{stream.Height}");

    private static string RateOf(StreamDescription? stream) =>
        stream is { FrameRateNumerator: > 0, FrameRateDenominator: > 0 } ? string.Create(CultureInfo.InvariantCulture, $"{stream.FrameRateNumerator}/{stream.FrameRateDenominator}") : "25";

    /// <summary>ffmpeg's name of a format. It has none of packed tensors.</summary>
    private static string FfmpegName(PixelFormat? format) => format switch
    {
        null => "FORMAT",
        Protocol.PixelFormat.I420 => "yuv420p",
        Protocol.PixelFormat.P010 => "p010le",
        Protocol.PixelFormat.Gray8 => "gray",
        _ => PixelFormats.Name(format.Value),
    };
}
