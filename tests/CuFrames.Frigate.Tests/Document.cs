using System.Text.RegularExpressions;
using CuFrames.Daemon.Tests;

namespace CuFrames.Frigate.Tests;

/// <summary>The configurations in docs/frigate.md, as they stand there, and fitted to a test.</summary>
internal static partial class Document
{
    // What the document has, and tests put something else in place of: small pictures cost little, and the cameras are here.
    private const string Size = "width: 640, height: 360,";
    private const string RenditionSize = "size: 640x360,";
    private const string Directory = "/run/cuframes";

    private static readonly string[] Blocks =
        [.. Block().Matches(File.ReadAllText(Path.Combine(Repository.Root, "docs", "frigate.md"))).Select(match => match.Groups[1].Value)];

    /// <summary>Columns of what is detected on.</summary>
    public static int Width => 160;

    /// <summary>Its rows.</summary>
    public static int Height => 90;

    /// <summary>Cameras of a fitted configuration: those of the document, twice.</summary>
    public static string[] Cameras { get; } = ["front", "garden", "front2", "garden2"];

    private static string Addresses(int camera) => $"rtsp://192.0.2.{10 + camera}/stream1";

    /// <summary>The daemon's configuration.</summary>
    /// <param name="urls">Addresses of the cameras.</param>
    /// <param name="directory">The runtime directory.</param>
    public static string Daemon(string[] urls, string directory) =>
        Fit(Blocks[0], urls, (RenditionSize, $"size: {Width}x{Height},"), (Directory, directory));

    /// <summary>Frigate's configuration for patched FFmpeg. One of the cameras keeps Frigate's own input arguments, as the document says it may.</summary>
    public static string Patched()
    {
        string fitted = Fit(Blocks[1], null, (Size, Fitted));
        int begin = fitted.IndexOf("  front2:", StringComparison.Ordinal), end = fitted.IndexOf("  garden2:", StringComparison.Ordinal);
        return fitted[..begin] + InputArguments().Replace(fitted[begin..end], "") + fitted[end..];
    }

    /// <summary>Frigate's configuration for taps.</summary>
    public static string Taps(string directory) => Fit(Blocks[2], null, (Size, Fitted), ($"unix:{Directory}/taps/", $"unix:{directory}/taps/"));

    /// <summary>Frigate's configuration without CuFrames.</summary>
    public static string Rtsp(string[] urls) => Fit(Blocks[3], urls, (Size, Fitted));

    /// <summary>A block as it stands in the document.</summary>
    /// <param name="index">0: the daemon, 1: patched FFmpeg, 2: taps, 3: RTSP.</param>
    public static string AsItStands(int index) => Blocks[index];

    private static string Fitted => $"width: {Width}, height: {Height},";

    private static string Fit(string block, string[]? urls, params (string Old, string New)[] replacements)
    {
        const string Begin = "\ncameras:\n";
        int cameras = block.IndexOf(Begin, StringComparison.Ordinal) + Begin.Length;
        string again = block[cameras..].Replace("front", "front2", StringComparison.Ordinal).Replace("garden", "garden2", StringComparison.Ordinal)
            .Replace(Addresses(0), Addresses(2), StringComparison.Ordinal).Replace(Addresses(1), Addresses(3), StringComparison.Ordinal);
        string text = block + again;
        foreach ((string old, string replacement) in replacements)
        {
            Replace(old, replacement);
        }

        for (int i = 0; i < urls?.Length; i++)
        {
            Replace(Addresses(i), urls[i]);
        }

        return text;

        void Replace(string old, string replacement) =>
            text = text.Contains(old, StringComparison.Ordinal)
                ? text.Replace(old, replacement, StringComparison.Ordinal)
                : throw new InvalidDataException($"docs/frigate.md has no '{old}' in this block:\n{block}");
    }

    [GeneratedRegex("^```yaml\n(.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Block();

    [GeneratedRegex("^ +input_args: .*\n", RegexOptions.Multiline)]
    private static partial Regex InputArguments();
}
