using System.Text.Json;
using System.Text.Json.Serialization;
using CuFrames.Media;

namespace CuFrames.Daemon.Internal.Workers;

/// <summary>A source with its secrets. Only for the pipe between the daemon and a worker.</summary>
internal sealed class RedactedUrlConverter : JsonConverter<RedactedUrl>
{
    public override RedactedUrl Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => new(reader.GetString() ?? "");

    public override void Write(Utf8JsonWriter writer, RedactedUrl value, JsonSerializerOptions options) => writer.WriteStringValue(value.Reveal());
}
