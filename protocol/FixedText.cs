using System.Text;

namespace CuFrames.Protocol;

/// <summary>ASCII text in a field of fixed length, zeros behind it.</summary>
public static class FixedText
{
    /// <summary>Whether a text fits a field: printable ASCII, not longer than the field.</summary>
    /// <param name="text">The text.</param>
    /// <param name="length">Bytes of the field.</param>
    public static bool Fits(string text, int length)
    {
        foreach (char c in text)
        {
            if (c is <= ' ' or > '~')
            {
                return false;
            }
        }

        return text.Length <= length;
    }

    /// <summary>Writes a text and zeros behind it.</summary>
    /// <param name="field">The field.</param>
    /// <param name="text">A text that fits it.</param>
    public static void Write(Span<byte> field, string text)
    {
        field.Clear();
        Encoding.ASCII.GetBytes(text, field);
    }

    /// <summary>The text up to the first zero; null when it is no printable ASCII.</summary>
    /// <param name="field">The field.</param>
    public static string? Read(ReadOnlySpan<byte> field)
    {
        int end = field.IndexOf((byte)0);
        string text = Encoding.Latin1.GetString(end < 0 ? field : field[..end]);
        return Fits(text, field.Length) ? text : null;
    }
}
