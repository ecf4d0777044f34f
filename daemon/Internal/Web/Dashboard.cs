using System.Net;
using System.Text;
using System.Text.Json;
using CuFrames.Control;
using CuFrames.Control.V1;
using CuFrames.Daemon.Internal.Access;
using CuFrames.Daemon.Internal.Control;
using CuFrames.Daemon.Internal.Metrics;
using CuFrames.Daemon.Internal.State;
using Microsoft.AspNetCore.Http;

namespace CuFrames.Daemon.Internal.Web;

/// <summary>The dashboard: its pages, what they are told, and what they may do. Changes are made by the methods of the control API.</summary>
/// <param name="site">Where it is served.</param>
/// <param name="sampler">Gives figures.</param>
/// <param name="control">Makes changes.</param>
/// <param name="set">The cameras that are written down. Any thread.</param>
/// <param name="cameras">The cameras that run; used on the control thread.</param>
/// <param name="post">Hands work to the control thread.</param>
/// <param name="log">The log.</param>
internal sealed class Dashboard(WebSite site, Sampler sampler, ControlService control, Func<CameraSet> set, IReadOnlyList<Camera> cameras, Action<Action> post, Log log)
{
    private const string LoginPage = "login.html";

    /// <summary>Adds its routes.</summary>
    internal void AddRoutes()
    {
        Tiles tiles = new(FindTileAsync);
        DashboardStream stream = new(sampler, set, log.Events, DescribeAsync);
        site.SendLoginAsync = SendLoginAsync;
        List<WebRoute> routes =
        [
            new WebRoute(HttpMethods.Get, "/", Permission.View, request => WebAssets.SendAsync(request, "overview.html")),
            new WebRoute(HttpMethods.Get, "/cameras/{key}", Permission.View, request => WebAssets.SendAsync(request, "camera.html")),
            new WebRoute(HttpMethods.Get, "/assets/{name}", Permission.None, request => WebAssets.SendAsync(request, request.Parameter)),
            new WebRoute(HttpMethods.Get, "/login", Permission.None, request => SendLoginAsync(request, StatusCodes.Status200OK, "")),
            new WebRoute(HttpMethods.Post, "/login", Permission.None, LogInAsync),
            new WebRoute(HttpMethods.Post, "/logout", Permission.None, LogOutAsync),
            new WebRoute(HttpMethods.Get, "/events/stream", Permission.View, stream.AnswerAsync),
            new WebRoute(HttpMethods.Post, "/tiles", Permission.View, tiles.AnswerAsync),
            new WebRoute(HttpMethods.Post, "/api/cameras/add", Permission.Control, request => ChangeAsync(request, AddAsync)),
            new WebRoute(HttpMethods.Post, "/api/cameras/remove", Permission.Control, request => ChangeAsync(request, RemoveAsync)),
            new WebRoute(HttpMethods.Post, "/api/cameras/restart", Permission.Control, request => ChangeAsync(request, RestartAsync)),
            new WebRoute(HttpMethods.Post, "/api/readers/evict", Permission.Control, request => ChangeAsync(request, EvictAsync)),
        ];
        site.Routes.AddRange(routes.Select(route => route with { IsServed = configuration => configuration.Dashboard }));
    }

    private static Task SendLoginAsync(WebRequest request, int status, string reason)
    {
        string page = Encoding.UTF8.GetString(WebAssets.Read(LoginPage)).Replace("{reason}", WebUtility.HtmlEncode(reason), StringComparison.Ordinal);
        return request.SendAsync(page, "text/html; charset=utf-8", status);
    }

    private async Task LogInAsync(WebRequest request)
    {
        JsonElement content = await ReadAsync(request).ConfigureAwait(false);
        Caller caller = site.LogIn(request.Context, TextOf(content, "token").Trim());
        log.Write(LogEvents.WebLogin, $"{caller.Name} logged in from {request.Context.Connection.RemoteIpAddress}.");
        await AnswerAsync(request, json => json.WriteString("caller", caller.Name)).ConfigureAwait(false);
    }

    private Task LogOutAsync(WebRequest request)
    {
        site.Sessions.End(request.Context);
        return AnswerAsync(request, _ => { });
    }

    private async Task ChangeAsync(WebRequest request, Func<JsonElement, RpcCall, Task<string>> change)
    {
        JsonElement content = await ReadAsync(request).ConfigureAwait(false);
        try
        {
            string done = await change(content, new RpcCall(request.Caller!, request.Gone)).ConfigureAwait(false);
            Audit(request, done, RpcStatus.Ok);
            await AnswerAsync(request, json => json.WriteString("done", done)).ConfigureAwait(false);
        }
        catch (RpcException error)
        {
            Audit(request, error.Message, error.Status);
            throw new WebException(StatusOf(error.Status), error.Message);
        }
    }

    private void Audit(WebRequest request, string text, RpcStatus status)
    {
        Caller caller = request.Caller!;
        log.Audit.Write(LogEvents.ControlDone, $"{request.Context.Request.Path}: {text}", null, caller.Name, caller.Peer?.UserId, caller.Peer?.ProcessId ?? 0, status: $"{status}");
    }

    private async Task<string> AddAsync(JsonElement content, RpcCall call)
    {
        string key = TextOf(content, "key");
        await control.AddCameraAsync(new AddCameraRequest { Key = key, Settings = TextOf(content, "settings") }, call).ConfigureAwait(false);
        return $"{key} was added.";
    }

    private async Task<string> RemoveAsync(JsonElement content, RpcCall call)
    {
        string key = TextOf(content, "key");
        await control.RemoveCameraAsync(new RemoveCameraRequest { Key = key }, call).ConfigureAwait(false);
        return $"{key} was removed.";
    }

    private async Task<string> RestartAsync(JsonElement content, RpcCall call)
    {
        string key = TextOf(content, "key");
        await control.RestartCameraAsync(new RestartCameraRequest { Key = key }, call).ConfigureAwait(false);
        return $"{key} is started anew.";
    }

    private async Task<string> EvictAsync(JsonElement content, RpcCall call)
    {
        EvictReaderRequest message = new() { Stream = TextOf(content, "stream"), Reason = "an operator asked for it in the dashboard" };
        message.ReadsPackets = content.TryGetProperty("packets", out JsonElement packets) && packets.ValueKind == JsonValueKind.True;
        message.Id = content.TryGetProperty("id", out JsonElement id) && id.ValueKind == JsonValueKind.Number && id.TryGetUInt64(out ulong number)
            ? number
            : throw new WebException(StatusCodes.Status400BadRequest, "'id' is missing or no number");
        await control.EvictReaderAsync(message, call).ConfigureAwait(false);
        return $"Reader {message.Id} of {message.Stream} was evicted.";
    }

    private static int StatusOf(RpcStatus status) => status switch
    {
        RpcStatus.InvalidArgument or RpcStatus.OutOfRange => StatusCodes.Status400BadRequest,
        RpcStatus.PermissionDenied => StatusCodes.Status403Forbidden,
        RpcStatus.NotFound => StatusCodes.Status404NotFound,
        RpcStatus.AlreadyExists or RpcStatus.FailedPrecondition => StatusCodes.Status409Conflict,
        RpcStatus.ResourceExhausted => StatusCodes.Status429TooManyRequests,
        RpcStatus.Unavailable => StatusCodes.Status503ServiceUnavailable,
        _ => StatusCodes.Status500InternalServerError,
    };

    private static async Task<JsonElement> ReadAsync(WebRequest request)
    {
        byte[] body = await request.ReadBodyAsync().ConfigureAwait(false);
        try
        {
            using JsonDocument document = JsonDocument.Parse(body);
            if (document.RootElement.ValueKind == JsonValueKind.Object)
            {
                return document.RootElement.Clone();
            }
        }
        catch (JsonException)
        {
            // Told below.
        }

        throw new WebException(StatusCodes.Status400BadRequest, "What was sent is no JSON object");
    }

    private static string TextOf(JsonElement content, string name) =>
        content.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String
            ? value.GetString()!
            : throw new WebException(StatusCodes.Status400BadRequest, $"'{name}' is missing or no text");

    private static Task AnswerAsync(WebRequest request, Action<Utf8JsonWriter> write) => request.SendAsync(DashboardJson.Of(write), "application/json");

    private Task<TilePlace?> FindTileAsync(string key, CancellationToken cancellation) => AskAsync(
        () =>
        {
            foreach (Camera camera in cameras)
            {
                if (camera.TapStreams.FirstOrDefault(candidate => candidate.Key == key) is { } stream)
                {
                    return new TilePlace(camera.Configuration.Key, camera.Directory, stream);
                }
            }

            return null;
        },
        cancellation);

    private async Task<byte[]?> DescribeAsync(string key, CancellationToken cancellation)
    {
        try
        {
            CuFrames.Control.V1.Camera description = await control.GetCameraAsync(key, cancellation).ConfigureAwait(false);
            return DashboardJson.Of(json =>
            {
                json.WriteString("settings", description.Settings);
                json.WriteBoolean("isAdded", description.Origin == Origin.Api);
                json.WriteBoolean("isolated", description.Isolated);
            });
        }
        catch (RpcException error) when (error.Status == RpcStatus.NotFound)
        {
            return null;
        }
    }

    private Task<T> AskAsync<T>(Func<T> work, CancellationToken cancellation)
    {
        TaskCompletionSource<T> done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        post(() =>
        {
            try
            {
                done.SetResult(work());
            }
            catch (Exception error)
            {
                // Whatever it is, it is the asker's to handle, and not the control thread's.
                done.SetException(error);
            }
        });
        return done.Task.WaitAsync(cancellation);
    }
}
