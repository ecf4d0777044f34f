using System.Globalization;
using System.Text;

namespace CuFrames.Daemon.Internal.Metrics;

/// <summary>Writes metrics in the text format 0.0.4 of Prometheus ("Exposition formats" of its documentation).</summary>
internal static class PrometheusText
{
    internal const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    /// <summary>Writes all metrics.</summary>
    /// <param name="families">The metrics.</param>
    internal static string Of(IReadOnlyList<MetricFamily> families)
    {
        StringBuilder text = new(64 << 10);
        foreach (MetricFamily family in families)
        {
            MetricDefinition metric = family.Definition;
            string name = metric.PrometheusName;
            string type = metric.Kind switch
            {
                MetricKind.Counter => "counter",
                MetricKind.Histogram => "histogram",
                _ => "gauge",
            };
            text.Append("# HELP ").Append(name).Append(' ');
            AppendEscaped(text, metric.Meaning, quotes: false);
            text.Append("\n# TYPE ").Append(name).Append(' ').Append(type).Append('\n');
            foreach (MetricPoint point in family.Points)
            {
                if (point.Buckets is { } buckets)
                {
                    AppendHistogram(text, name, point, buckets);
                }
                else
                {
                    AppendSample(text, name, "", point.Attributes, null, point.Value);
                }
            }
        }

        return text.ToString();
    }

    private static void AppendHistogram(StringBuilder text, string name, MetricPoint point, IReadOnlyList<long> buckets)
    {
        long all = 0;
        for (int bucket = 0; bucket < buckets.Count; bucket++)
        {
            all += buckets[bucket];
            string bound = bucket < MetricTable.LatencyBounds.Count ? MetricTable.LatencyBounds[bucket].ToString("0.###########", CultureInfo.InvariantCulture) : "+Inf";
            AppendSample(text, name, "_bucket", point.Attributes, bound, all);
        }

        AppendSample(text, name, "_sum", point.Attributes, null, point.Value);
        AppendSample(text, name, "_count", point.Attributes, null, all);
    }

    private static void AppendSample(
        StringBuilder text, string name, string suffix, IReadOnlyList<KeyValuePair<string, string>> attributes, string? bound, double value)
    {
        text.Append(name).Append(suffix);
        if (attributes.Count > 0 || bound is not null)
        {
            char separator = '{';
            foreach ((string key, string label) in attributes)
            {
                text.Append(separator).Append(key.Replace('.', '_')).Append("=\"");
                AppendEscaped(text, label, quotes: true);
                text.Append('"');
                separator = ',';
            }

            if (bound is not null)
            {
                text.Append(separator).Append("le=\"").Append(bound).Append('"');
            }

            text.Append('}');
        }

        text.Append(' ').Append(value.ToString("R", CultureInfo.InvariantCulture)).Append('\n');
    }

    /// <summary>Peers name themselves: what they say must not become a line or a label of its own.</summary>
    private static void AppendEscaped(StringBuilder text, string value, bool quotes)
    {
        foreach (char c in value)
        {
            _ = c switch
            {
                '\\' => text.Append("\\\\"),
                '\n' => text.Append("\\n"),
                '"' when quotes => text.Append("\\\""),
                _ when char.IsControl(c) => text.Append(' '),
                _ => text.Append(c),
            };
        }
    }
}
