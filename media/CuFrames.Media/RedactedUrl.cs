using System.Text;

namespace CuFrames.Media;

/// <summary>
/// A source's URL or file path whose secrets never reach a text by accident: <see cref="ToString"/> and <see cref="Display"/> show
/// <c>***</c> in their place, only <see cref="Reveal"/> gives the whole. Immutable.
/// </summary>
/// <remarks>
/// Secret are the password of the userinfo, the values of query parameters whose name speaks of a secret (token, password, key,
/// signature and the like), and such parameters inside the path, as some recorders have them
/// (<c>/user=admin_password=…_channel=1.sdp</c>).
/// </remarks>
public sealed class RedactedUrl
{
    private const string Mask = "***";

    /// <summary>Shorter secrets are masked where they stand in the URL, but not searched for in other texts: they would hit every word.</summary>
    private const int ShortestSearched = 3;

    private static readonly string[] SecretWords =
        ["pass", "pwd", "token", "secret", "key", "auth", "sig", "credential", "session", "jwt"];

    private readonly string _text;
    private readonly string[] _secrets;

    /// <summary>Parses a URL or a path.</summary>
    /// <param name="text">A URL with <c>scheme://</c>, <c>file:</c> and a path, or a path.</param>
    /// <exception cref="MediaException">The text is empty or holds a control character.</exception>
    public RedactedUrl(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (string.IsNullOrWhiteSpace(text) || text.AsSpan().ContainsAnyInRange('\0', '\x1f'))
        {
            throw new MediaException(
                MediaError.InvalidArgument, "A source needs a URL such as rtsp://camera/stream or a file's path; found an empty text or one with control characters.");
        }

        _text = text;
        List<string> secrets = [];
        int scheme = text.IndexOf("://", StringComparison.Ordinal);
        if (scheme < 1 || text.AsSpan(0, scheme).ContainsAny('/', '?'))
        {
            IsFile = true;
            _text = text.StartsWith("file:", StringComparison.OrdinalIgnoreCase) ? text["file:".Length..] : text;
            Host = string.Empty;
            Display = _text;
        }
        else if (text.StartsWith("file://", StringComparison.OrdinalIgnoreCase))
        {
            IsFile = true;
            _text = text["file://".Length..];
            Host = string.Empty;
            Display = _text;
        }
        else
        {
            Display = Parse(text, scheme + 3, secrets, out string host, out bool hasCredentials);
            Host = host;
            HasCredentials = hasCredentials;
        }

        secrets.RemoveAll(secret => secret.Length < ShortestSearched || secret == Mask);
        secrets.Sort((a, b) => b.Length.CompareTo(a.Length));
        _secrets = [.. secrets.Distinct()];
        Display = Redact(Display);
    }

    /// <summary>The URL with <c>***</c> in place of every secret; a file's path as it is.</summary>
    public string Display { get; }

    /// <summary>The host's name or address without port; empty for a file.</summary>
    public string Host { get; }

    /// <summary>Whether this is a file's path.</summary>
    public bool IsFile { get; }

    /// <summary>Whether the URL has a userinfo part.</summary>
    public bool HasCredentials { get; }

    /// <summary>Every text that must not be shown, one per line, as the shim wants it; null if there is none.</summary>
    internal string? SecretLines => _secrets.Length == 0 ? null : string.Join('\n', _secrets);

    /// <summary>The same URL with other credentials. Any character is allowed in them; they are percent-encoded.</summary>
    /// <param name="user">User name.</param>
    /// <param name="password">Password.</param>
    /// <exception cref="MediaException">This is a file, or the user name is empty or has a colon, which HTTP and RTSP cannot carry.</exception>
    public RedactedUrl WithCredentials(string user, string password)
    {
        ArgumentNullException.ThrowIfNull(user);
        ArgumentNullException.ThrowIfNull(password);
        if (IsFile)
        {
            throw new MediaException(MediaError.InvalidArgument, $"{Display} is a file; credentials belong to a URL.");
        }

        if (user.Length == 0 || user.Contains(':', StringComparison.Ordinal))
        {
            throw new MediaException(
                MediaError.InvalidArgument, $"The user name for {Display} is empty or has a colon; give the user name and the password apart.");
        }

        int start = _text.IndexOf("://", StringComparison.Ordinal) + 3;
        int end = AuthorityEnd(_text, start);
        int at = _text.LastIndexOf('@', end - 1, end - start);
        string rest = at < 0 ? _text[start..] : _text[(at + 1)..];
        return new RedactedUrl($"{_text[..start]}{Uri.EscapeDataString(user)}:{Uri.EscapeDataString(password)}@{rest}");
    }

    /// <summary>Puts <c>***</c> in place of every secret of this URL that is found in a text.</summary>
    /// <param name="text">A log line or an error, for example.</param>
    public string Redact(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        foreach (string secret in _secrets)
        {
            text = text.Replace(secret, Mask, StringComparison.Ordinal);
        }

        return text;
    }

    /// <summary>The URL with its secrets, for the library that opens it. Never put it into a text.</summary>
    public string Reveal() => _text;

    /// <summary>The same as <see cref="Display"/>.</summary>
    public override string ToString() => Display;

    private static int AuthorityEnd(string text, int start)
    {
        int end = text.AsSpan(start).IndexOfAny('/', '?', '#');
        return end < 0 ? text.Length : start + end;
    }

    private static string Parse(string text, int start, List<string> secrets, out string host, out bool hasCredentials)
    {
        StringBuilder display = new(text, 0, start, text.Length + 16);
        int end = AuthorityEnd(text, start);
        int at = end > start ? text.LastIndexOf('@', end - 1, end - start) : -1;
        hasCredentials = at > start;
        if (at >= 0)
        {
            string userInfo = text[start..at];
            int colon = userInfo.IndexOf(':', StringComparison.Ordinal);
            string user = colon < 0 ? userInfo : userInfo[..colon];
            display.Append(user);
            if (colon >= 0)
            {
                string password = userInfo[(colon + 1)..];
                display.Append(':').Append(Mask);
                AddSecret(secrets, password);
                // How the pair travels in a Basic authorization header.
                secrets.Add(Convert.ToBase64String(Encoding.UTF8.GetBytes($"{Uri.UnescapeDataString(user)}:{Uri.UnescapeDataString(password)}")));
            }

            display.Append('@');
        }

        string authority = text[(at < 0 ? start : at + 1)..end];
        host = HostOf(authority);
        display.Append(authority);
        int question = text.IndexOf('?', end);
        AppendPath(display, question < 0 ? text[end..] : text[end..question], secrets);
        if (question >= 0)
        {
            AppendQuery(display, text[question..], secrets);
        }

        return display.ToString();
    }

    private static string HostOf(string authority)
    {
        if (authority.StartsWith('['))
        {
            int bracket = authority.IndexOf(']', StringComparison.Ordinal);
            return bracket < 0 ? authority : authority[1..bracket];
        }

        int colon = authority.LastIndexOf(':');
        return colon < 0 ? authority : authority[..colon];
    }

    private static void AppendQuery(StringBuilder display, string query, List<string> secrets)
    {
        int position = 0;
        while (position < query.Length)
        {
            display.Append(query[position++]); // ? or & or ;
            int next = query.AsSpan(position).IndexOfAny('&', ';');
            string pair = next < 0 ? query[position..] : query.Substring(position, next);
            position += pair.Length;
            int equals = pair.IndexOf('=', StringComparison.Ordinal);
            if (equals >= 0 && IsSecretName(pair.AsSpan(0, equals)))
            {
                display.Append(pair, 0, equals + 1).Append(Mask);
                AddSecret(secrets, pair[(equals + 1)..]);
            }
            else
            {
                display.Append(pair);
            }
        }
    }

    /// <summary>Masks the value of every <c>name=value</c> inside the path. It ends at the next such pair or at the path's next part.</summary>
    private static void AppendPath(StringBuilder display, string path, List<string> secrets)
    {
        int position = 0;
        while (position < path.Length)
        {
            int equals = path.IndexOf('=', position);
            if (equals < 0)
            {
                break;
            }

            int nameStart = path.AsSpan(0, equals).LastIndexOfAny("/_;,&") + 1;
            display.Append(path, position, equals + 1 - position);
            position = equals + 1;
            if (!IsSecretName(path.AsSpan(nameStart, equals - nameStart)))
            {
                continue;
            }

            int end = path.AsSpan(position).IndexOfAny("/;,&");
            end = end < 0 ? path.Length : position + end;
            // The password itself may hold an underscore: the one before the next name ends it.
            int following = path.IndexOf('=', position, end - position);
            int underscore = following < 0 ? -1 : path.LastIndexOf('_', following, following - position);
            end = underscore < 0 ? end : underscore;
            AddSecret(secrets, path[position..end]);
            display.Append(Mask);
            position = end;
        }

        display.Append(path, position, path.Length - position);
    }

    private static void AddSecret(List<string> secrets, string value)
    {
        secrets.Add(value);
        secrets.Add(Uri.UnescapeDataString(value));
    }

    private static bool IsSecretName(ReadOnlySpan<char> name)
    {
        foreach (string word in SecretWords)
        {
            if (name.Contains(word, StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }

        return false;
    }
}
