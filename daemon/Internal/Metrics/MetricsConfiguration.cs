namespace CuFrames.Daemon.Internal.Metrics;

/// <summary>The key <c>metrics</c> of the configuration. Immutable; equal by value.</summary>
/// <param name="Otlp">Address that metrics are pushed to; null: they are not.</param>
internal sealed record MetricsConfiguration(Uri? Otlp)
{
    /// <summary>What holds where the key is missing.</summary>
    internal static MetricsConfiguration Default { get; } = new(Otlp: null);
}
