using System.Diagnostics.CodeAnalysis;

namespace CuFrames.Protocol;

/// <summary>Rules for the names of streams (docs/protocol.md 1.1).</summary>
public static class StreamKey
{
    /// <summary>Longest name in characters; a key with a rendition has two names and an <c>@</c> between them.</summary>
    public const int MaxNameLength = 64;

    /// <summary>Whether a text is a stream key: a name, and optionally <c>@</c> and the name of a rendition.</summary>
    /// <param name="key">The text.</param>
    public static bool IsValid([NotNullWhen(true)] string? key)
    {
        if (key is null)
        {
            return false;
        }

        int at = key.IndexOf('@', StringComparison.Ordinal);
        return at < 0 ? IsName(key) : IsName(key.AsSpan(0, at)) && IsName(key.AsSpan(at + 1));
    }

    /// <summary>Returns the key when it is valid.</summary>
    /// <param name="key">The text.</param>
    /// <exception cref="CuFramesException">It is not a key; the text says what is allowed.</exception>
    public static string Require(string? key) => IsValid(key)
        ? key
        : throw new CuFramesException(ErrorCode.InvalidKey,
            $"'{key}' is not a stream key. Use 1 to {MaxNameLength} of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit; " +
            "'@' and a second name of that kind may follow for a rendition (cam1, front-door@small).");

    private static bool IsName(ReadOnlySpan<char> name)
    {
        if (name.Length is 0 or > MaxNameLength || !char.IsAsciiLetterLower(name[0]) && !char.IsAsciiDigit(name[0]))
        {
            return false;
        }

        foreach (char c in name)
        {
            if (!char.IsAsciiLetterLower(c) && !char.IsAsciiDigit(c) && c is not ('.' or '_' or '-'))
            {
                return false;
            }
        }

        return true;
    }
}
