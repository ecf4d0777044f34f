namespace CuFrames.Daemon.Internal.Metrics;

/// <summary>What a metric's numbers are, in the words of OpenTelemetry.</summary>
internal enum MetricKind
{
    /// <summary>Grows; begins anew when what it counts begins anew.</summary>
    Counter,

    /// <summary>Grows and shrinks, and is a part of a whole: sums of it mean something.</summary>
    UpDownCounter,

    /// <summary>Grows and shrinks; sums of it mean nothing.</summary>
    Gauge,

    /// <summary>How many values lie below each of several bounds.</summary>
    Histogram,
}
