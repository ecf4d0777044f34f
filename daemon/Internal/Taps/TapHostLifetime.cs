using Microsoft.Extensions.Hosting;

namespace CuFrames.Daemon.Internal.Taps;

/// <summary>A web server that leaves signals to the daemon.</summary>
internal sealed class TapHostLifetime : IHostLifetime
{
    /// <inheritdoc/>
    public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
