using System.Collections.Concurrent;
using System.Net;
using CuFrames.Daemon.Tests;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace CuFrames.Operations.Tests;

/// <summary>A collector of OpenTelemetry as far as it takes metrics: HTTP on a real port, protobuf read field by field.</summary>
internal sealed class OtlpCollector : IAsyncDisposable
{
    private readonly WebApplication _server;
    private readonly BlockingCollection<OtlpPushed> _pushed = [];

    /// <summary>Written by the server's threads, read by the tests.</summary>
    private volatile InvalidDataException? _fault;

    private OtlpCollector(WebApplication server) => _server = server;

    /// <summary>What is answered: a status and bytes.</summary>
    public (int Status, byte[] Body) Answer { get; set; } = (200, []);

    public static async Task<OtlpCollector> StartAsync(int port)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port));
        OtlpCollector collector = new(builder.Build());
        collector._server.Run(collector.TakeAsync);
        await collector._server.StartAsync();
        return collector;
    }

    /// <summary>Waits for the next push that is as wanted.</summary>
    public OtlpPushed Next(Func<OtlpPushed, bool> condition, Func<string> log)
    {
        long end = Environment.TickCount64 + (3 * (long)DaemonProcess.Patience.TotalMilliseconds);
        while (true)
        {
            if (!_pushed.TryTake(out OtlpPushed? pushed, (int)Math.Clamp(end - Environment.TickCount64, 0, 1000)))
            {
                if (_fault is not null || Environment.TickCount64 >= end)
                {
                    throw new TimeoutException($"nothing was pushed that is as wanted: {_fault?.Message}\n{log()}");
                }

                continue;
            }

            if (condition(pushed))
            {
                return pushed;
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _pushed.Dispose();
    }

    private async Task TakeAsync(HttpContext context)
    {
        HttpRequest request = context.Request;
        if (request.Method != "POST" || request.Path != "/v1/metrics" || request.ContentType != "application/x-protobuf")
        {
            context.Response.StatusCode = 404;
            return;
        }

        using MemoryStream body = new();
        await request.Body.CopyToAsync(body);
        try
        {
            _pushed.Add(OtlpPushed.Read(body.ToArray()));
        }
        catch (InvalidDataException error)
        {
            _fault = error;
            throw;
        }

        context.Response.StatusCode = Answer.Status;
        context.Response.ContentType = "application/x-protobuf";
        await context.Response.Body.WriteAsync(Answer.Body);
    }
}
