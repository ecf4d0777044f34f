using System.Globalization;
using System.Text.RegularExpressions;
using CuFrames.Media;
using CuFrames.Protocol;

namespace CuFrames.Cli.Internal;

/// <summary>The test pattern as it is written on the command line: <c>test[:FORMAT@WIDTHxHEIGHT@FPS]</c>, every part optional.</summary>
internal static partial class PatternText
{
    /// <summary>Reads the text.</summary>
    /// <param name="text">The source as it was given.</param>
    /// <returns>The pattern; null when the text does not begin with <c>test</c> alone or <c>test:</c>.</returns>
    /// <exception cref="CuFramesException">It does, and the rest is wrong.</exception>
    public static TestPatternOptions? Parse(string text)
    {
        if (text != "test" && !text.StartsWith("test:", StringComparison.Ordinal))
        {
            return null;
        }

        TestPatternOptions options = new();
        foreach (string part in text.Length > 5 ? text[5..].Split('@') : [])
        {
            Match size = SizeText().Match(part);
            Match rate = RateText().Match(part);
            if (size.Success)
            {
                options = options with { Width = Number(size.Groups[1]), Height = Number(size.Groups[2]) };
            }
            else if (rate.Success)
            {
                options = options with
                {
                    FrameRateNumerator = Number(rate.Groups[1]),
                    FrameRateDenominator = rate.Groups[2].Success ? Number(rate.Groups[2]) : 1,
                };
            }
            else if (PixelFormats.TryParse(part, out PixelFormat format))
            {
                options = options with { Format = format };
            }
            else
            {
                throw new CuFramesException(ErrorCode.ConfigurationInvalid,
                    $"'{part}' of '{text}' is no pixel format, size or rate. Write test[:FORMAT@WIDTHxHEIGHT@FPS], for example test:nv12@1280x720@25 " +
                    "or test:30000/1001; formats are nv12, i420, p010, gray8, rgb24, bgr24, rgba, bgra.");
            }
        }

        return options;
    }

    private static int Number(Group group) => int.Parse(group.Value, CultureInfo.InvariantCulture);

    [GeneratedRegex("^([0-9]{1,5})x([0-9]{1,5})$")]
    private static partial Regex SizeText();

    [GeneratedRegex("^([0-9]{1,6})(?:/([0-9]{1,6}))?$")]
    private static partial Regex RateText();
}
