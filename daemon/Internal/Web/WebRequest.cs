using System.Text;
using CuFrames.Daemon.Internal.Access;
using Microsoft.AspNetCore.Http;

namespace CuFrames.Daemon.Internal.Web;

/// <summary>A request that has passed the checks that all share.</summary>
/// <param name="Context">The request and its answer.</param>
/// <param name="Caller">Who asks; null: the route needs no permission, so nobody was asked for one.</param>
/// <param name="Parameter">What the path has in place of the pattern's braces.</param>
/// <param name="Gone">The caller has gone, or the server ends.</param>
internal sealed record WebRequest(HttpContext Context, Caller? Caller, string Parameter, CancellationToken Gone)
{
    /// <summary>Longest JSON that a request may carry, in bytes.</summary>
    internal const int MaxBody = 64 << 10;

    /// <summary>Answers with a text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="contentType">Its type.</param>
    /// <param name="status">Status of HTTP.</param>
    internal Task SendAsync(string text, string contentType = "text/plain; charset=utf-8", int status = StatusCodes.Status200OK) =>
        SendAsync(Encoding.UTF8.GetBytes(text), contentType, status);

    /// <summary>Answers with bytes.</summary>
    internal async Task SendAsync(ReadOnlyMemory<byte> bytes, string contentType, int status = StatusCodes.Status200OK)
    {
        Context.Response.StatusCode = status;
        Context.Response.ContentType = contentType;
        Context.Response.ContentLength = bytes.Length;
        await Context.Response.Body.WriteAsync(bytes, Gone).ConfigureAwait(false);
    }

    /// <summary>Reads what a request carries.</summary>
    internal async Task<byte[]> ReadBodyAsync()
    {
        using MemoryStream content = new();
        await Context.Request.Body.CopyToAsync(content, Gone).ConfigureAwait(false);
        return content.ToArray();
    }
}
