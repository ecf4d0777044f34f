using System.Text;

namespace CuFrames.Protocol;

/// <summary>ASCII text in a field of fixed length, zeros behind it.</summary>
internal static class FixedText
{
    /// <summary>Whether a text fits a field: printable ASCII, not longer than the field.</summary>
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

    public static void Write(Span<byte> field, string text)
    {
        field.Clear();
        Encoding.ASCII.GetBytes(text, field);
    }

    /// <summary>The text up to the first zero; null when it is no printable ASCII.</summary>
    public static string? Read(ReadOnlySpan<byte> field)
    {
        int end = field.IndexOf((byte)0);
        string text = Encoding.Latin1.GetString(end < 0 ? field : field[..end]);
        return Fits(text, field.Length) ? text : null;
    }
}
