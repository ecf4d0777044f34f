using CuFrames.Control;
using CuFrames.Control.Internal;
using CuFrames.Daemon.Internal.Access;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace CuFrames.Daemon.Internal.Control;

/// <summary>What answers a method: reads the request from a body and gives the answer's messages, ready to be sent.</summary>
/// <param name="Path">The method's path.</param>
/// <param name="Needed">What a caller must be permitted.</param>
/// <param name="Answer">Reads, does, answers; is told what the request says, for the audit. Errors are <see cref="RpcException"/>.</param>
internal sealed record RpcHandler(string Path, Permission Needed, Func<Stream, RpcCall, Action<string>, IAsyncEnumerable<byte[]>> Answer)
{
    /// <summary>A method with one answer. Unless it says otherwise, who may control the daemon may call it.</summary>
    internal static RpcHandler Unary<TRequest, TResponse>(RpcMethod<TRequest, TResponse> method, Func<TRequest, RpcCall, Task<TResponse>> handle, Permission needed = Permission.Control)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        return new RpcHandler(method.Path, needed, AnswerAsync);

        async IAsyncEnumerable<byte[]> AnswerAsync(Stream body, RpcCall call, Action<string> told)
        {
            TRequest request = await ReadOnlyMessageAsync(method, body, call).ConfigureAwait(false);
            told(Describe(request));
            yield return MessageFraming.Frame(await handle(request, call).ConfigureAwait(false));
        }
    }

    /// <summary>A method that answers with a stream. Unless it says otherwise, who may control the daemon may call it.</summary>
    internal static RpcHandler Streaming<TRequest, TResponse>(RpcMethod<TRequest, TResponse> method, Func<TRequest, RpcCall, IAsyncEnumerable<TResponse>> handle, Permission needed = Permission.Control)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        return new RpcHandler(method.Path, needed, AnswerAsync);

        async IAsyncEnumerable<byte[]> AnswerAsync(Stream body, RpcCall call, Action<string> told)
        {
            TRequest request = await ReadOnlyMessageAsync(method, body, call).ConfigureAwait(false);
            told(Describe(request));
            await foreach (TResponse message in handle(request, call).ConfigureAwait(false))
            {
                yield return MessageFraming.Frame(message);
            }
        }
    }

    /// <summary>What a request says, without what may hold a secret: the settings of a camera.</summary>
    private static string Describe(IMessage request) => string.Join(
        ", ",
        request.Descriptor.Fields.InDeclarationOrder()
            .Where(field => field.Name != "settings" && field.FieldType != FieldType.Message && field.FieldType != FieldType.Bytes && !field.IsRepeated)
            .Select(field => $"{field.Name}: {field.Accessor.GetValue(request)}"));

    private static async Task<TRequest> ReadOnlyMessageAsync<TRequest, TResponse>(RpcMethod<TRequest, TResponse> method, Stream body, RpcCall call)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        TRequest request = await MessageFraming.ReadAsync(body, method.Request, call.Cancellation).ConfigureAwait(false)
            ?? throw new RpcException(RpcStatus.Internal, $"{method.Path} takes one message, and none came.");
        return await MessageFraming.ReadAsync(body, method.Request, call.Cancellation).ConfigureAwait(false) is null
            ? request
            : throw new RpcException(RpcStatus.Internal, $"{method.Path} takes one message, and more came.");
    }
}
