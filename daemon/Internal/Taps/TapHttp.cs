using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace CuFrames.Daemon.Internal.Taps;

/// <summary>
/// The front door for browsers and for programs that know HTTP, at a loopback address. Kestrel reads the requests. TCP does not tell who asks: every
/// user of the machine gets every stream here.
/// </summary>
internal sealed class TapHttp : IDisposable
{
    /// <summary>Connections beyond the limit of clients: they get an answer that says so, and the list.</summary>
    private const int MoreConnections = 32;

    private const int MaxRequestLine = 2048;
    private const int MaxHeaders = 16 << 10;

    private static readonly TimeSpan HeaderTime = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan IdleTime = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan NextAttempt = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LastMoments = TimeSpan.FromMilliseconds(200);

    private readonly TapClients _clients;
    private readonly Func<IReadOnlyDictionary<string, TapPoint>> _points;
    private readonly Log _log;
    private readonly CancellationTokenSource _ending = new();
    private readonly Task _running;

    /// <summary>Begins to serve; an address that cannot be used is tried again until <see cref="Dispose"/>.</summary>
    /// <param name="address">A loopback address.</param>
    /// <param name="clients">Serves the clients.</param>
    /// <param name="points">Gives the streams there are, by key.</param>
    /// <param name="log">The log.</param>
    internal TapHttp(IPEndPoint address, TapClients clients, Func<IReadOnlyDictionary<string, TapPoint>> points, Log log)
    {
        (Address, _clients, _points, _log) = (address, clients, points, log);
        _running = Task.Run(RunAsync);
    }

    /// <summary>The address.</summary>
    internal IPEndPoint Address { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        _ending.Cancel();
        if (_running.Wait(LastMoments * 2))
        {
            _ending.Dispose();
        }
    }

    private async Task RunAsync()
    {
        string trouble = "";
        while (!_ending.IsCancellationRequested)
        {
            WebApplication server = Build();
            await using (server.ConfigureAwait(false))
            {
                try
                {
                    await server.StartAsync(_ending.Token).ConfigureAwait(false);
                    _log.Write(LogEvents.TapsHttp, $"http://{Address}/ lists the taps. Every user of this machine gets every stream there, whatever its 'readers' say.");
                    await Task.Delay(Timeout.Infinite, _ending.Token).ConfigureAwait(false);
                }
                catch (OperationCanceledException)
                {
                    using CancellationTokenSource last = new(LastMoments);
                    await server.StopAsync(last.Token).ConfigureAwait(false);
                    return;
                }
                catch (Exception error) when (error is IOException or System.Net.Sockets.SocketException)
                {
                    if (error.Message != trouble)
                    {
                        trouble = error.Message;
                        _log.Write(LogEvents.TapsUnavailable, $"The taps cannot be served by HTTP at {Address}: {error.Message.TrimEnd('.')}. Tried again every {NextAttempt.TotalSeconds:0} s.");
                    }
                }
            }

            await Task.Delay(NextAttempt, _ending.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private WebApplication Build()
    {
        // The empty builder: no file, variable or argument but our own configuration decides anything.
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddSingleton<IHostLifetime, TapHostLifetime>();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(Address, listen => listen.Protocols = HttpProtocols.Http1);
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxConcurrentConnections = _clients.Limits.Clients + MoreConnections;
            kestrel.Limits.MaxRequestLineSize = MaxRequestLine;
            kestrel.Limits.MaxRequestHeadersTotalSize = MaxHeaders;
            kestrel.Limits.MaxRequestBodySize = 0;
            kestrel.Limits.RequestHeadersTimeout = HeaderTime;
            kestrel.Limits.KeepAliveTimeout = IdleTime;

            // A stream has the rate that it has; who takes nothing is found out by TapOutput.
            kestrel.Limits.MinResponseDataRate = null;
        });
        WebApplication server = builder.Build();
        server.Run(AnswerAsync);
        return server;
    }

    private async Task AnswerAsync(HttpContext context)
    {
        HttpRequest request = context.Request;
        HttpResponse response = context.Response;
        response.Headers.CacheControl = "no-store";
        response.Headers.XContentTypeOptions = "nosniff";
        if (!IsLocal(request.Host))
        {
            // A page of another site whose name was made to point here would be allowed to read the answers.
            await SayAsync(response, StatusCodes.Status421MisdirectedRequest, $"This server is localhost, 127.0.0.1 or [::1]; the request names '{request.Host.Host}'.").ConfigureAwait(false);
            return;
        }

        if (!HttpMethods.IsGet(request.Method) && !HttpMethods.IsHead(request.Method))
        {
            response.Headers.Allow = "GET, HEAD";
            await SayAsync(response, StatusCodes.Status405MethodNotAllowed, "Taps are read with GET.").ConfigureAwait(false);
            return;
        }

        string name = request.Path.Value is { Length: > 1 } path ? path[1..] : "";
        if (name.Length == 0)
        {
            await ListAsync(request, response).ConfigureAwait(false);
            return;
        }

        if (Find(name) is not (TapPoint point, TapKind kind))
        {
            string names = string.Join('\n', _points().Values.OrderBy(candidate => candidate.Stream.Key, StringComparer.Ordinal)
                .SelectMany(candidate => candidate.Stream.Kinds.Select(kind => $"/{candidate.Stream.Key}.{TapKinds.NameOf(kind)}")));
            await SayAsync(response, StatusCodes.Status404NotFound, $"There is no tap /{name}. There are:\n{names}").ConfigureAwait(false);
            return;
        }

        await ServeAsync(context, point, kind).ConfigureAwait(false);
    }

    private async Task ServeAsync(HttpContext context, TapPoint point, TapKind kind)
    {
        HttpResponse response = context.Response;
        response.ContentType = TapKinds.ContentTypeOf(kind);
        if (HttpMethods.IsHead(context.Request.Method))
        {
            return;
        }

        TapClient client = new(point, kind, IsHttp: true, $"{context.Connection.RemoteIpAddress}:{context.Connection.RemotePort}");
        if (_clients.TryEnter(point) is { } obstacle)
        {
            _clients.Refuse(client.Tap, client.Name, obstacle, client.Key);
            response.Headers.RetryAfter = "5";
            await SayAsync(response, StatusCodes.Status503ServiceUnavailable, obstacle).ConfigureAwait(false);
            return;
        }

        using CancellationTokenSource gone = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, point.Ending.Token, _ending.Token);
        TapException? error = await _clients.ServeAsync(client, response.Body, gone.Token, length => response.ContentLength = length).ConfigureAwait(false);
        if (error is not null && !response.HasStarted && !gone.IsCancellationRequested)
        {
            response.ContentLength = null;
            await SayAsync(response, error.Status, error.Message).ConfigureAwait(false);
        }
        else if (error is not null || client.WasCut)
        {
            // Not the orderly end of a body.
            context.Abort();
        }
    }

    private async Task ListAsync(HttpRequest request, HttpResponse response)
    {
        List<TapListing> streams = TapListing.Of(_points().Values, Address);
        bool wantsPage = request.Headers.Accept.ToString().Contains("text/html", StringComparison.OrdinalIgnoreCase);
        response.ContentType = wantsPage ? "text/html; charset=utf-8" : "application/json";
        response.Headers.ContentSecurityPolicy = "default-src 'none'; style-src 'unsafe-inline'";
        string text = wantsPage ? TapPage.Of(streams) : JsonSerializer.Serialize(new TapListings(streams), TapJson.Indented.TapListings);
        await response.WriteAsync(text).ConfigureAwait(false);
    }

    private (TapPoint Point, TapKind Kind)? Find(string name)
    {
        int dot = name.LastIndexOf('.');
        if (dot < 0 || !_points().TryGetValue(name[..dot], out TapPoint? point))
        {
            return null;
        }

        foreach (TapKind kind in point.Stream.Kinds)
        {
            if (name.AsSpan(dot + 1).SequenceEqual(TapKinds.NameOf(kind)))
            {
                return (point, kind);
            }
        }

        return null;
    }

    /// <summary>Whether a request names this machine: by any port, since ports may be forwarded.</summary>
    private static bool IsLocal(HostString host) =>
        string.Equals(host.Host, "localhost", StringComparison.OrdinalIgnoreCase) ||
        (IPAddress.TryParse(host.Host.Trim('[', ']'), out IPAddress? address) && IPAddress.IsLoopback(address));

    private static Task SayAsync(HttpResponse response, int status, string text)
    {
        response.StatusCode = status;
        response.ContentType = "text/plain; charset=utf-8";
        return response.WriteAsync($"{text.TrimEnd('.')}{(text.Contains('\n', StringComparison.Ordinal) ? "" : ".")}\n");
    }
}
