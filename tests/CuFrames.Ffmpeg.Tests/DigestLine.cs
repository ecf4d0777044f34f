using System.Globalization;
using System.Numerics;

namespace CuFrames.Ffmpeg.Tests;

/// <summary>A line of <c>-f framehash</c>.</summary>
/// <param name="Stream">The stream.</param>
/// <param name="Dts">Decoding time in nanoseconds.</param>
/// <param name="Pts">Presentation time in nanoseconds.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Hash">SHA-256 of the bytes, lower case.</param>
internal sealed record DigestLine(int Stream, long Dts, long Pts, int Size, string Hash)
{
    /// <summary>Reads all lines.</summary>
    public static DigestLine[] ReadAll(string text)
    {
        Dictionary<int, (long Numerator, long Denominator)> units = [];
        List<DigestLine> lines = [];
        foreach (string line in text.Split('\n'))
        {
            if (line.StartsWith("#tb ", StringComparison.Ordinal))
            {
                string[] parts = line["#tb ".Length..].Split([':', '/'], StringSplitOptions.TrimEntries);
                units[int.Parse(parts[0], CultureInfo.InvariantCulture)] = (Number(parts[1]), Number(parts[2]));
            }
            else if (line.Length > 0 && line[0] != '#')
            {
                string[] fields = line.Split(',', StringSplitOptions.TrimEntries);
                int stream = int.Parse(fields[0], CultureInfo.InvariantCulture);
                (long numerator, long denominator) = units[stream];
                lines.Add(new DigestLine(stream, Nanoseconds(fields[1]), Nanoseconds(fields[2]), int.Parse(fields[4], CultureInfo.InvariantCulture), fields[5]));

                // Half a unit and more counts as one, as av_rescale_q has it.
                long Nanoseconds(string ticks)
                {
                    BigInteger twice = 2 * (BigInteger)Number(ticks) * numerator * 1_000_000_000;
                    return (long)((BigInteger.Abs(twice) + denominator) / (2 * denominator)) * twice.Sign;
                }
            }
        }

        return [.. lines];
    }

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);
}
