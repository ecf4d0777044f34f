using System.Buffers;
using System.Globalization;
using System.Text;

namespace CuFrames.Cli.Internal;

/// <summary>
/// Texts that may go to a terminal. Programs, sources and reasons are what other processes and cameras say: an escape sequence among them could write over
/// what stands on the screen, and a line feed could pass for a line of ours.
/// </summary>
internal static class PlainText
{
    /// <summary>Characters without a shape that turn the direction of what follows, so that it reads as something else (Unicode, UAX #9).</summary>
    private static readonly SearchValues<char> Directions = SearchValues.Create("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069");

    /// <summary>The text with a visible name, such as <c>\x1b</c>, in the place of each character that does something instead of being shown.</summary>
    public static string Of(string text)
    {
        if (!text.AsSpan().ContainsAnyInRange('\0', '\x1f') && !text.AsSpan().ContainsAnyExceptInRange('\0', '~'))
        {
            return text;
        }

        StringBuilder safe = new(text.Length);
        foreach (char c in text)
        {
            if (c < 0x100 && char.IsControl(c))
            {
                safe.Append(c switch { '\n' => "\\n", '\r' => "\\r", '\t' => "\\t", _ => string.Create(CultureInfo.InvariantCulture, $"\\x{(int)c:x2}") });
            }
            else if (c is '\u2028' or '\u2029' or '\ufeff' || Directions.Contains(c))
            {
                safe.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
            }
            else
            {
                safe.Append(c);
            }
        }

        return safe.ToString();
    }
}
