using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace CuFrames.Daemon.Internal.Taps;

/// <summary>Writes the listing as JSON, by code that is made when the program is built: a trimmed program has it too.</summary>
[JsonSerializable(typeof(TapListings))]
internal sealed partial class TapJson : JsonSerializerContext
{
    /// <summary>How it is written.</summary>
    internal static TapJson Indented { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,

        // Nothing of it becomes a part of a page.
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}
