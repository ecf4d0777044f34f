using System.Buffers;
using System.Text;
using System.Text.Json;
using CuFrames.Protocol;

namespace CuFrames.Cli.Internal;

/// <summary>The settings of a camera while they are put together: keys in their order, each with the YAML lines of its value.</summary>
internal sealed class CameraSettings
{
    private static readonly SearchValues<char> NameCharacters = SearchValues.Create("abcdefghijklmnopqrstuvwxyz_0123456789");

    private readonly List<(string Key, string Lines)> _entries = [];

    private CameraSettings()
    {
    }

    /// <summary>Settings without a key.</summary>
    public static CameraSettings Empty() => new();

    /// <summary>Settings as the daemon writes them: each key begins a line, and what belongs to it is indented.</summary>
    /// <param name="text">The text.</param>
    public static CameraSettings Parse(string text)
    {
        CameraSettings settings = new();
        foreach (string line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line[0] == ' ')
            {
                (string key, string lines) = settings._entries[^1];
                settings._entries[^1] = (key, $"{lines}\n{line}");
                continue;
            }

            int colon = line.IndexOf(':', StringComparison.Ordinal);
            settings._entries.Add((line[..colon], line[(colon + 1)..]));
        }

        return settings;
    }

    /// <summary>Sets the source, whatever characters it has.</summary>
    public void SetSource(string source) => Set("source", Quote(source));

    /// <summary>Sets a key.</summary>
    /// <param name="assignment">NAME=VALUE; the value is YAML in one line.</param>
    /// <exception cref="CuFramesException">It is no such text.</exception>
    public void Set(string assignment)
    {
        int equals = assignment.IndexOf('=', StringComparison.Ordinal);
        if (equals < 1 || assignment.AsSpan(0, equals).ContainsAnyExcept(NameCharacters) || assignment.AsSpan().ContainsAnyInRange('\0', '\x1f'))
        {
            throw new CuFramesException(
                ErrorCode.ConfigurationInvalid, "--set takes NAME=VALUE, for example memory=cuda or 'renditions={small: {size: 640x360}}'; found another text.");
        }

        Set(assignment[..equals], assignment[(equals + 1)..]);
    }

    /// <summary>Takes a key away, so that its default holds.</summary>
    public void Unset(string key) => _entries.RemoveAll(entry => entry.Key == key);

    /// <summary>The settings as YAML.</summary>
    public override string ToString()
    {
        StringBuilder text = new();
        foreach ((string key, string lines) in _entries)
        {
            text.Append(key).Append(':').Append(lines).Append('\n');
        }

        return text.ToString();
    }

    /// <summary>A text of JSON is one of YAML.</summary>
    private static string Quote(string text) => JsonSerializer.Serialize(text);

    private void Set(string key, string value)
    {
        int index = _entries.FindIndex(entry => entry.Key == key);
        if (index < 0)
        {
            _entries.Add((key, " " + value));
        }
        else
        {
            _entries[index] = (key, " " + value);
        }
    }
}
