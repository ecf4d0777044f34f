using System.Text.Json;

namespace CuFrames.Control.Tests;

/// <summary>How a call ended.</summary>
/// <param name="Status">Its status.</param>
/// <param name="Text">The status's text.</param>
/// <param name="Messages">The messages that came, in protobuf's JSON.</param>
internal sealed record CallResult(RpcStatus Status, string Text, IReadOnlyList<JsonElement> Messages)
{
    /// <summary>The only message of a call that was done.</summary>
    public JsonElement Message => Status == RpcStatus.Ok ? Assert.Single(Messages) : throw new InvalidOperationException($"{Status}: {Text}");
}
