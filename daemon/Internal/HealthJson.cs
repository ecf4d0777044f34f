using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace CuFrames.Daemon.Internal;

/// <summary>Writes the result of a health check as one line of JSON, by code that is made when the program is built: a trimmed program has it too.</summary>
[JsonSerializable(typeof(HealthReport))]
internal sealed partial class HealthJson : JsonSerializerContext
{
    /// <summary>How it is written.</summary>
    internal static HealthJson Line { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,

        // The output is read by programs and people, not by a browser.
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}
