using System.Diagnostics.Metrics;

namespace CuFrames.Daemon.Internal.Metrics;

/// <summary>A metric. Name, unit and attributes are stable: people build dashboards and alarms on them.</summary>
/// <param name="Name">Name by the conventions of OpenTelemetry.</param>
/// <param name="Kind">What its numbers are.</param>
/// <param name="Unit">Unit in the notation of UCUM: <c>s</c>, <c>By</c>, <c>1</c> for a ratio, <c>{frame}</c> for a number of things.</param>
/// <param name="Attributes">Names of the attributes of each of its series.</param>
/// <param name="Meaning">What it tells, for the documentation and for whoever reads the output.</param>
/// <param name="Observe">Reads its values from a moment; null: of a histogram, <see cref="ObserveHistogram"/> does.</param>
internal sealed record MetricDefinition(
    string Name, MetricKind Kind, string Unit, IReadOnlyList<string> Attributes, string Meaning, Func<DaemonSnapshot, IEnumerable<Measurement<double>>>? Observe)
{
    /// <summary>Reads the values of a histogram from a moment; null: it is none.</summary>
    internal Func<DaemonSnapshot, IEnumerable<MetricPoint>>? ObserveHistogram { get; init; }

    /// <summary>Name in Prometheus, by the rules of OpenTelemetry's specification "Prometheus and OpenMetrics Compatibility".</summary>
    internal string PrometheusName
    {
        get
        {
            string name = Name.Replace('.', '_');
            string unit = Unit switch
            {
                "s" => "_seconds",
                "By" => "_bytes",
                "1" => "_ratio",
                _ => "",
            };
            return name + unit + (Kind == MetricKind.Counter ? "_total" : "");
        }
    }
}
