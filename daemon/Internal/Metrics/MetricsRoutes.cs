using CuFrames.Daemon.Internal.Access;
using CuFrames.Daemon.Internal.Web;
using Microsoft.AspNetCore.Http;
using CameraState = CuFrames.Control.V1.CameraState;

namespace CuFrames.Daemon.Internal.Metrics;

/// <summary>What the web server answers to those who watch over the daemon: metrics, and whether it and its cameras are well.</summary>
internal static class MetricsRoutes
{
    internal const string MetricsPath = "/metrics";

    /// <summary>A control thread that does not answer in that time is stuck: it does nothing that takes long.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(2);

    /// <summary>The routes.</summary>
    /// <param name="metrics">The metrics.</param>
    /// <param name="sampler">Takes the snapshots.</param>
    /// <param name="hasMetrics">Whether the configuration lets metrics be served; any thread.</param>
    internal static IReadOnlyList<WebRoute> Of(DaemonMetrics metrics, Sampler sampler, Func<bool> hasMetrics) =>
    [
        new("GET", MetricsPath, Permission.View, async request =>
        {
            if (!hasMetrics())
            {
                throw new WebException(StatusCodes.Status404NotFound, "Metrics are not served here: web.metrics of the configuration is off");
            }

            (_, IReadOnlyList<MetricFamily> families) = await WithinLimit(metrics.CollectAsync, request).ConfigureAwait(false);
            await request.SendAsync(PrometheusText.Of(families), PrometheusText.ContentType).ConfigureAwait(false);
        }),
        new("GET", "/health/live", Permission.None, async request =>
        {
            _ = await WithinLimit(sampler.AskAsync, request).ConfigureAwait(false);
            await SayAsync(request, "live", isWell: true).ConfigureAwait(false);
        }),
        new("GET", "/health/ready", Permission.None, async request =>
        {
            DaemonSnapshot moment = await WithinLimit(sampler.AskAsync, request).ConfigureAwait(false);
            await SayAsync(request, moment.IsReady ? "ready" : "starting", moment.IsReady).ConfigureAwait(false);
        }),
        new("GET", "/health/cameras/{key}", Permission.None, async request =>
        {
            DaemonSnapshot moment = await WithinLimit(sampler.AskAsync, request).ConfigureAwait(false);
            if (moment.Cameras.FirstOrDefault(camera => camera.Key == request.Parameter) is not { } camera)
            {
                await request.SendAsync("unknown\n", status: StatusCodes.Status404NotFound).ConfigureAwait(false);
                return;
            }

            CameraState state = camera.Facts.State;
            await SayAsync(request, MetricTable.NameOf(state), state is CameraState.Live or CameraState.Idle).ConfigureAwait(false);
        }),
    ];

    private static Task SayAsync(WebRequest request, string word, bool isWell) =>
        request.SendAsync(word + "\n", status: isWell ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable);

    /// <summary>Asks the control thread, but not for longer than it may take.</summary>
    private static async Task<T> WithinLimit<T>(Func<CancellationToken, Task<T>> ask, WebRequest request)
    {
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(request.Gone);
        limit.CancelAfter(LongestWait);
        try
        {
            return await ask(limit.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!request.Gone.IsCancellationRequested)
        {
            throw new WebException(StatusCodes.Status503ServiceUnavailable, "stuck: the daemon's control thread does not answer");
        }
    }
}
