using System.Text.Json;
using System.Text.Json.Serialization;

namespace CuFrames.Daemon.Internal.Workers;

/// <summary>Orders and reports as JSON, one in a line, by code that is made when the program is built: a trimmed program has it too.</summary>
[JsonSourceGenerationOptions(
    Converters = [typeof(RedactedUrlConverter)],
    IgnoreReadOnlyProperties = true,
    MaxDepth = 16)]
[JsonSerializable(typeof(WorkerOrder))]
[JsonSerializable(typeof(WorkerReport))]
internal sealed partial class WorkerJson : JsonSerializerContext
{
    /// <summary>An order or a report as a line, line feed included.</summary>
    internal static byte[] Write(WorkerOrder order) => [.. JsonSerializer.SerializeToUtf8Bytes(order, Default.WorkerOrder), (byte)'\n'];

    /// <inheritdoc cref="Write(WorkerOrder)"/>
    internal static byte[] Write(WorkerReport report) => [.. JsonSerializer.SerializeToUtf8Bytes(report, Default.WorkerReport), (byte)'\n'];

    /// <summary>Reads an order.</summary>
    /// <returns>Null when it is none.</returns>
    internal static WorkerOrder? ReadOrder(ReadOnlySpan<byte> line) => JsonSerializer.Deserialize(line, Default.WorkerOrder);

    /// <summary>Reads a report. A worker that a hostile stream has taken over says what it likes.</summary>
    /// <returns>Null when it is none.</returns>
    internal static WorkerReport? TryReadReport(ReadOnlySpan<byte> line)
    {
        try
        {
            return JsonSerializer.Deserialize(line, Default.WorkerReport);
        }
        catch (Exception error) when (error is JsonException or NotSupportedException or ArgumentException or FormatException or OverflowException)
        {
            return null;
        }
    }
}
