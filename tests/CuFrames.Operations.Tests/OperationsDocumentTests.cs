using CuFrames.Daemon.Internal.Metrics;
using CuFrames.Daemon.Tests;
using Xunit;

namespace CuFrames.Operations.Tests;

/// <summary>docs/operations.md explains every metric and every alert, and none that is not there. The table of the log is compared in CuFrames.Daemon.Tests.</summary>
public sealed class OperationsDocumentTests
{
    private static readonly string Text = File.ReadAllText(Path.Combine(Repository.Root, "docs", "operations.md"));

    [Fact]
    public void The_table_of_metrics_is_the_daemons_own() =>
        Assert.Equal(
            MetricTable.All.Select(metric =>
                $"{metric.Name} / {metric.PrometheusName} / {KindOf(metric)} / {metric.Unit} / {(metric.Attributes.Count == 0 ? "-" : string.Join(", ", metric.Attributes))} / {metric.Meaning}"),
            Rows("| metric | in Prometheus | kind | unit | attributes | meaning |").Select(row => string.Join(" / ", row.Select(cell => cell.Replace("`", "", StringComparison.Ordinal)))));

    [Fact]
    public void Names_of_metrics_are_those_of_the_conventions_and_stand_for_one_thing()
    {
        Assert.Equal(MetricTable.All.Count, MetricTable.All.Select(metric => metric.PrometheusName).Distinct().Count());
        Assert.All(MetricTable.All, metric => Assert.Matches("^(cuframes|process|dotnet|hw)(\\.[a-z]+(_[a-z]+)*)+$", metric.Name));
        Assert.All(MetricTable.All, metric => Assert.Matches(@"^(s|By|1|\{[a-z_]+\})$", metric.Unit));
        Assert.All(MetricTable.All, metric => Assert.EndsWith(".", metric.Meaning, StringComparison.Ordinal));
    }

    [Fact]
    public void The_table_of_alerts_is_that_of_the_rules()
    {
        string[][] rows = Rows("| alert | severity | after | what it means | what to do |");
        Assert.Equal(
            AlertRules.Read().Select(rule => $"{rule.Name} / {rule.Severity} / {rule.For}"),
            rows.Select(row => string.Join(" / ", row.Take(3).Select(cell => cell.Trim('`')))));
        Assert.All(rows, row => Assert.True(row.Length == 5 && row[3].Length > 20 && row[4].Length > 20, row[0]));
    }

    [Fact]
    public void Every_state_of_a_camera_is_explained() =>
        Assert.Equal(
            MetricTable.States.Select(state => state.Name),
            Rows("| state | meaning |").Select(row => row[0].Trim('`')));

    private static string KindOf(MetricDefinition metric) => metric.Kind switch
    {
        MetricKind.Counter => "counter",
        MetricKind.UpDownCounter => "up-down counter",
        MetricKind.Gauge => "gauge",
        _ => "histogram",
    };

    private static string[][] Rows(string header)
    {
        string[] lines = Text.Split('\n');
        int start = Array.IndexOf(lines, header);
        Assert.True(start > 0, header);
        return [.. lines[(start + 2)..].TakeWhile(line => line.StartsWith('|')).Select(line => line.Trim('|', ' ').Split(" | ").Select(cell => cell.Trim()).ToArray())];
    }
}
