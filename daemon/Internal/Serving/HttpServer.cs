using System.Net.Sockets;
using System.Security.Cryptography;
using CuFrames.Daemon.Internal.Limits;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace CuFrames.Daemon.Internal.Serving;

/// <summary>
/// A server of the daemon: Kestrel with the limits that all of them have. It serves from when it is made until <see cref="Dispose"/>; an address that cannot be used
/// is tried again, and the log says so. Nothing of it runs on the control thread.
/// </summary>
internal sealed class HttpServer : IDisposable
{
    /// <summary>Time for a handshake of TLS, and for the head of a request.</summary>
    internal static readonly TimeSpan HeadTime = TimeSpan.FromSeconds(10);

    private const int MaxRequestLine = 4096;
    private const int MaxHeaders = 16 << 10;
    private const int MaxHeaderCount = 64;

    private static readonly TimeSpan NextAttempt = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LastMoments = TimeSpan.FromMilliseconds(200);

    private readonly HttpServerSettings _settings;
    private readonly DescriptorGate _gate;
    private readonly Log _log;
    private readonly CancellationTokenSource _ending = new();
    private readonly Task _running;

    /// <summary>Written by the task that serves, read by any thread.</summary>
    private volatile string _problem = "It is being started.";

    /// <summary>Written by the task that serves, read by any thread.</summary>
    private volatile bool _hasTried;

    /// <summary>Begins to serve.</summary>
    /// <param name="settings">What.</param>
    /// <param name="gate">Lets connections in while there are descriptors.</param>
    /// <param name="log">The log.</param>
    internal HttpServer(HttpServerSettings settings, DescriptorGate gate, Log log)
    {
        (_settings, _gate, _log) = (settings, gate, log);
        _running = Task.Run(RunAsync);
    }

    /// <summary>Why it does not serve now; empty: it does.</summary>
    internal string Problem => _problem;

    /// <summary>Whether it serves, or could not at its first attempt.</summary>
    internal bool HasTried => _hasTried;

    /// <summary>Ends it: answers that are under way have a moment to end.</summary>
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
            try
            {
                await ServeAsync().ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (_ending.IsCancellationRequested)
            {
                return;
            }
            catch (Exception error)
            {
                _problem = error.Message;
                _hasTried = true;
                bool isKnown = error is IOException or SocketException or UnauthorizedAccessException or CryptographicException;
                if (error.Message != trouble)
                {
                    trouble = error.Message;
                    string reason = isKnown ? error.Message.TrimEnd('.') : $"{error}";
                    _log.Write(_settings.Unavailable, $"{_settings.UnavailableText}: {reason}. Tried again every {NextAttempt.TotalSeconds:0} s{_settings.Advice}.");
                }
            }

            await Task.Delay(NextAttempt, _ending.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task ServeAsync()
    {
        WebApplication server = Build();
        await using (server.ConfigureAwait(false))
        {
            await server.StartAsync(_ending.Token).ConfigureAwait(false);
            _problem = "";
            _hasTried = true;
            _log.Write(_settings.Ready, _settings.ReadyText);
            await Task.Delay(Timeout.Infinite, _ending.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            using CancellationTokenSource last = new(LastMoments);
            await server.StopAsync(last.Token).ConfigureAwait(false);
        }
    }

    private WebApplication Build()
    {
        // The empty builder: no file, variable or argument but our own configuration decides anything.
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddSingleton<IHostLifetime, SilentHostLifetime>();
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(Configure);
        if (_settings.Transport is { } transport)
        {
            builder.Services.AddSingleton(transport);
        }

        WebApplication server = builder.Build();
        server.Run(context => _settings.Answer(context, _ending.Token));
        return server;
    }

    private void Configure(KestrelServerOptions kestrel)
    {
        kestrel.ConfigureEndpointDefaults(endpoint => endpoint.Use(next => connection => ServeIfThereIsRoomAsync(next, connection)));
        _settings.Listen(kestrel);
        kestrel.AddServerHeader = false;
        KestrelServerLimits limits = kestrel.Limits;
        limits.MaxConcurrentConnections = _settings.MaxConnections;
        limits.MaxRequestLineSize = MaxRequestLine;
        limits.MaxRequestHeadersTotalSize = MaxHeaders;
        limits.MaxRequestHeaderCount = MaxHeaderCount;
        limits.MaxRequestBodySize = _settings.MaxBody;
        limits.RequestHeadersTimeout = HeadTime;
        limits.KeepAliveTimeout = _settings.IdleTime;
        limits.Http2.MaxStreamsPerConnection = _settings.MaxStreamsPerConnection;
        limits.MinResponseDataRate = _settings.CutsSlowReaders ? limits.MinResponseDataRate : null;
    }

    private async Task ServeIfThereIsRoomAsync(ConnectionDelegate next, ConnectionContext connection)
    {
        if (connection.Features.Get<IConnectionSocketFeature>() is { } feature && !_gate.Admits($"A connection to {_settings.Name}", feature.Socket.Handle))
        {
            connection.Abort();
            return;
        }

        await next(connection).ConfigureAwait(false);
    }
}
