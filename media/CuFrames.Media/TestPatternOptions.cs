using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using CuFrames.Protocol;

namespace CuFrames.Media;

/// <summary>Size, format and pace of the built-in test pattern. Immutable.</summary>
public sealed record TestPatternOptions
{
    private static readonly string[] Formats = [.. PixelFormats.All.ToArray().Where(format => !PixelFormats.IsTensor(format)).Select(PixelFormats.Name)];

    /// <summary>Columns, 32 to 16384. Default: 1280.</summary>
    public int Width { get; init; } = 1280;

    /// <summary>Rows, 32 to 16384. Default: 720.</summary>
    public int Height { get; init; } = 720;

    /// <summary>Format of the frames. Default: NV12.</summary>
    public PixelFormat Format { get; init; } = PixelFormat.Nv12;

    /// <summary>Frames per <see cref="FrameRateDenominator"/> seconds, 1 to 1,000,000. Default: 25.</summary>
    public int FrameRateNumerator { get; init; } = 25;

    /// <summary>Seconds for <see cref="FrameRateNumerator"/> frames, 1 to 1,000,000. Default: 1.</summary>
    public int FrameRateDenominator { get; init; } = 1;

    /// <summary>Whether frames are held back until their presentation time. Default: true.</summary>
    public bool Paced { get; init; } = true;

    /// <summary>Number of frames until the pattern ends; null, the default: it does not end.</summary>
    public long? FrameCount { get; init; }

    /// <summary>Whether a source's text asks for the test pattern: <c>test</c>, or <c>test:</c> and options.</summary>
    /// <param name="text">The text.</param>
    public static bool IsPattern(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text == "test" || text.StartsWith("test:", StringComparison.Ordinal);
    }

    /// <summary>
    /// Reads <c>test[:[FORMAT@]WIDTHxHEIGHT[@RATE]]</c>, for example <c>test</c>, <c>test:640x480</c> or <c>test:nv12@1280x720@30</c>. RATE is a whole
    /// number or a fraction such as 30000/1001.
    /// </summary>
    /// <param name="text">The text.</param>
    /// <param name="options">What it says; the rest has its default.</param>
    /// <param name="fault">What is wrong with it, as the end of a sentence that begins with "found".</param>
    public static bool TryParse(string text, [NotNullWhen(true)] out TestPatternOptions? options, [NotNullWhen(false)] out string? fault)
    {
        ArgumentNullException.ThrowIfNull(text);
        options = null;
        fault = null;
        TestPatternOptions result = new();
        if (text == "test")
        {
            options = result;
            return true;
        }

        List<string> parts = [.. text["test:".Length..].Split('@')];
        if (parts.Count > 0 && PixelFormats.TryParse(parts[0], out PixelFormat format) && !PixelFormats.IsTensor(format))
        {
            result = result with { Format = format };
            parts.RemoveAt(0);
        }

        string[] size = parts.Count is 1 or 2 ? parts[0].Split('x') : [];
        if (size.Length != 2 || !TryNumber(size[0], 32, 16384, out int width) || !TryNumber(size[1], 32, 16384, out int height))
        {
            fault = $"'{text}', which is not test:[FORMAT@]WIDTHxHEIGHT[@RATE] with a format of {string.Join(", ", Formats)} " +
                "and 32 to 16384 columns and rows";
            return false;
        }

        string[] rate = parts.Count == 2 ? parts[1].Split('/') : ["25"];
        int denominator = 1;
        if (rate.Length > 2 || !TryNumber(rate[0], 1, 1_000_000, out int numerator) || (rate.Length == 2 && !TryNumber(rate[1], 1, 1_000_000, out denominator)))
        {
            fault = $"'{text}', whose rate is neither a whole number from 1 to 1000000 nor a fraction of two such as 30000/1001";
            return false;
        }

        options = result with { Width = width, Height = height, FrameRateNumerator = numerator, FrameRateDenominator = denominator };
        return true;
    }

    /// <summary>The text that <see cref="TryParse"/> reads.</summary>
    public string ToText()
    {
        string rate = FrameRateDenominator == 1 ? $"{FrameRateNumerator}" : $"{FrameRateNumerator}/{FrameRateDenominator}";
        return $"test:{PixelFormats.Name(Format)}@{Width}x{Height}@{rate}";
    }

    private static bool TryNumber(string text, int least, int most, out int number) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number >= least && number <= most;
}
