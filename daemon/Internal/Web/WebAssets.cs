using System.Reflection;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Http;

namespace CuFrames.Daemon.Internal.Web;

/// <summary>The files of the dashboard, which lie in the program. Nothing comes from elsewhere, and nothing is built.</summary>
internal static class WebAssets
{
    private const string Prefix = "web/";

    private static readonly Dictionary<string, string> Types = new()
    {
        [".html"] = "text/html; charset=utf-8",
        [".css"] = "text/css; charset=utf-8",
        [".js"] = "text/javascript; charset=utf-8",
        [".svg"] = "image/svg+xml",
    };

    private static readonly Dictionary<string, (byte[] Content, string Tag)> Files = Load();

    /// <summary>Answers with a file.</summary>
    /// <param name="request">The request.</param>
    /// <param name="name">The file's name.</param>
    /// <param name="status">Status of HTTP.</param>
    internal static Task SendAsync(WebRequest request, string name, int status = StatusCodes.Status200OK)
    {
        if (!Files.TryGetValue(name, out (byte[] Content, string Tag) file))
        {
            throw new WebException(StatusCodes.Status404NotFound, $"There is no file '{name}' here");
        }

        HttpResponse response = request.Context.Response;
        response.Headers.CacheControl = "no-cache";
        response.Headers.ETag = file.Tag;
        if (status == StatusCodes.Status200OK && request.Context.Request.Headers.IfNoneMatch == file.Tag)
        {
            response.StatusCode = StatusCodes.Status304NotModified;
            return Task.CompletedTask;
        }

        return request.SendAsync(file.Content, Types[Path.GetExtension(name)], status);
    }

    /// <summary>Content of a file.</summary>
    internal static byte[] Read(string name) => Files[name].Content;

    private static Dictionary<string, (byte[] Content, string Tag)> Load()
    {
        Assembly assembly = typeof(WebAssets).Assembly;
        Dictionary<string, (byte[] Content, string Tag)> files = [];
        foreach (string resource in assembly.GetManifestResourceNames().Where(name => name.StartsWith(Prefix, StringComparison.Ordinal)))
        {
            using Stream stream = assembly.GetManifestResourceStream(resource)!;
            byte[] content = new byte[stream.Length];
            stream.ReadExactly(content);
            files.Add(resource[Prefix.Length..], (content, $"\"{Convert.ToHexString(SHA256.HashData(content), 0, 12)}\""));
        }

        return files;
    }
}
