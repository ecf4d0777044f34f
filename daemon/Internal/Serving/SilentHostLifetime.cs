using Microsoft.Extensions.Hosting;

namespace CuFrames.Daemon.Internal.Serving;

/// <summary>A web server that leaves signals to the daemon.</summary>
internal sealed class SilentHostLifetime : IHostLifetime
{
    /// <inheritdoc/>
    public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
