using Google.Protobuf;

namespace CuFrames.Control.Internal;

/// <summary>A method of the service: its path in HTTP, and how its messages are read.</summary>
/// <param name="Name">As in control.proto.</param>
/// <param name="Request">Reads a request.</param>
/// <param name="Response">Reads an answer.</param>
internal sealed record RpcMethod<TRequest, TResponse>(string Name, MessageParser<TRequest> Request, MessageParser<TResponse> Response)
    where TRequest : class, IMessage<TRequest>
    where TResponse : class, IMessage<TResponse>
{
    /// <summary>The largest answer that the client takes, in bytes.</summary>
    internal int MaxResponseBytes { get; init; } = RpcWire.MaxReceivedBytes;

    /// <summary>Path of the call.</summary>
    internal string Path { get; } = ControlMethods.PathOf(Name);
}
