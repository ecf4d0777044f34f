using System.Text.RegularExpressions;
using CuFrames.Daemon.Internal;
using CuFrames.Daemon.Internal.Metrics;

namespace CuFrames.Operations.Tests;

/// <summary>Looks whether what a query names exists.</summary>
internal static class MetricNames
{
    /// <summary>Labels that Prometheus itself adds.</summary>
    private static readonly string[] OfPrometheus = ["job", "instance", "le"];

    /// <summary>Checks each metric of a query, the labels that it is selected by, and the values of those that the daemon has a fixed list of.</summary>
    /// <param name="query">PromQL in which every metric has selectors, or stands alone.</param>
    /// <param name="what">Where it is from, for the message.</param>
    public static void Check(string query, string what)
    {
        string bare = Regex.Replace(query, "\"(\\\\.|[^\"])*\"", "\"\"");
        string[] names = [.. Regex.Matches(bare, @"\b(cuframes|process|dotnet|hw)_\w+\b").Select(match => match.Value)];
        Assert.True(names.Length > 0 || query.StartsWith("up{", StringComparison.Ordinal), what);
        foreach (string name in names)
        {
            Assert.True(Find(name) is not null, $"{what}: there is no metric {name}");
        }

        foreach (Match selected in Regex.Matches(query, @"\b((?:cuframes|process|dotnet|hw)_\w+)\{([^}]*)\}"))
        {
            MetricDefinition metric = Find(selected.Groups[1].Value)!;
            foreach (Match selector in Regex.Matches(selected.Groups[2].Value, "(\\w+)\\s*(=~|=|!=|!~)\\s*\"([^\"]*)\""))
            {
                string label = selector.Groups[1].Value;
                Assert.True(metric.Attributes.Any(attribute => attribute.Replace('.', '_') == label) || OfPrometheus.Contains(label), $"{what}: {metric.PrometheusName} has no label {label}");
                string[]? known = label switch
                {
                    "state" => [.. MetricTable.States.Select(state => state.Name)],
                    "event" => [.. LogEvents.All.Select(kind => kind.Name)],
                    "level" => [.. LogKey.Levels.Select(level => level.Name)],
                    "percentile" => ["50", "95", "99"],
                    "task" => ["general", "decoder"],
                    "domain" => ["host", "cuda"],
                    _ => null,
                };
                if (known is not null)
                {
                    Assert.All(selector.Groups[3].Value.Split('|'), value => Assert.True(known.Contains(value), $"{what}: {label} is never {value}"));
                }
            }
        }
    }

    private static MetricDefinition? Find(string name) =>
        MetricTable.All.FirstOrDefault(metric => metric.PrometheusName == name) ??
        MetricTable.All.FirstOrDefault(metric => metric.Kind == MetricKind.Histogram && Regex.Replace(name, "_(bucket|sum|count)$", "") == metric.PrometheusName && name != metric.PrometheusName);
}
