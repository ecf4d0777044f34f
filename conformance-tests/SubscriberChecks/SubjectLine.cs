using System.Globalization;
using System.Text.Json;

namespace CuFrames.Conformance.SubscriberChecks;

/// <summary>A line that the command under test printed: a frame or an event (README.md).</summary>
internal sealed record SubjectLine
{
    public ulong Sequence { get; private init; }

    public ulong Epoch { get; private init; }

    public string Sha256 { get; private init; } = string.Empty;

    public ulong Missed { get; private init; }

    /// <summary>Null for a frame.</summary>
    public string? Event { get; private init; }

    public uint Code { get; private init; }

    /// <summary>What was printed.</summary>
    public required string Text { get; init; }

    /// <summary>Reads a line; null if it is neither.</summary>
    public static SubjectLine? Parse(string text)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(text);
            JsonElement root = document.RootElement;
            return root.TryGetProperty("event", out JsonElement name)
                ? new SubjectLine { Text = text, Event = name.GetString(), Code = root.GetProperty("code").GetUInt32() }
                : new SubjectLine
                {
                    Text = text,
                    Sequence = root.GetProperty("sequence").GetUInt64(),
                    Epoch = ulong.Parse(root.GetProperty("epoch").GetString()!, NumberStyles.HexNumber, CultureInfo.InvariantCulture),
                    Sha256 = root.GetProperty("sha256").GetString()!,
                    Missed = root.GetProperty("missed").GetUInt64(),
                };
        }
        catch (Exception exception) when (exception is JsonException or KeyNotFoundException or FormatException or InvalidOperationException or ArgumentNullException)
        {
            return null;
        }
    }
}
