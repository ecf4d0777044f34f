using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using CuFrames.Daemon.Tests;
using Xunit;

namespace CuFrames.Operations.Tests;

/// <summary>
/// monitoring/grafana/cuframes.json is a dashboard by Grafana's schema (grafana/grafana, kinds/dashboard/dashboard_kind.cue): which fields there may be, which
/// there must be, and what the numbers and names in them may be. Every query is PromQL, and every metric and label in it is one that the daemon has.
/// Not checked: the options of each kind of panel, which their plugins define, and what a running Grafana draws.
/// </summary>
public sealed class GrafanaTests
{
    private static readonly string Text = File.ReadAllText(Path.Combine(Repository.Root, "monitoring", "grafana", "cuframes.json"));

    private static readonly string[] DashboardFields =
    [
        "uid", "title", "description", "revision", "gnetId", "tags", "style", "timezone", "editable", "graphTooltip", "time", "timepicker",
        "fiscalYearStartMonth", "liveNow", "weekStart", "refresh", "schemaVersion", "version", "panels", "templating", "annotations", "links",
    ];

    private static readonly string[] PanelFields =
    [
        "type", "id", "pluginVersion", "tags", "targets", "title", "description", "transparent", "datasource", "gridPos", "links", "repeat", "repeatDirection",
        "maxDataPoints", "transformations", "interval", "timeFrom", "timeShift", "options", "fieldConfig",
    ];

    private static readonly string[] RowFields = ["type", "collapsed", "title", "datasource", "gridPos", "id", "panels", "repeat"];

    private static readonly string[] FieldFields =
        ["displayName", "description", "unit", "decimals", "min", "max", "mappings", "thresholds", "color", "links", "noValue", "custom"];

    private static readonly string[] VariableFields =
    [
        "type", "name", "label", "hide", "skipUrlSync", "description", "query", "datasource", "definition", "refresh", "sort", "multi", "includeAll", "allValue",
        "regex", "options", "current",
    ];

    private static readonly string[] VariableTypes = ["query", "adhoc", "constant", "datasource", "interval", "textbox", "custom", "system"];

    /// <summary>Panels that come with Grafana 10 and are used here.</summary>
    private static readonly string[] PanelTypes = ["stat", "timeseries", "state-timeline", "heatmap", "table"];

    /// <summary>Identifiers of Grafana's units (packages/grafana-data, valueFormats) that are used here.</summary>
    private static readonly string[] Units = ["s", "bytes", "bps", "percentunit"];

    private static JsonElement Dashboard => JsonDocument.Parse(Text).RootElement;

    [Fact]
    public void The_dashboard_has_the_fields_of_the_schema()
    {
        JsonElement dashboard = Dashboard;
        Only(dashboard, DashboardFields);
        Assert.InRange(dashboard.GetProperty("uid").GetString()!.Length, 8, 40);
        Assert.NotEqual("", dashboard.GetProperty("title").GetString());
        Assert.InRange(dashboard.GetProperty("schemaVersion").GetInt32(), 36, ushort.MaxValue);
        Assert.Contains(dashboard.GetProperty("style").GetString(), (string[])["light", "dark"]);
        Assert.InRange(dashboard.GetProperty("graphTooltip").GetInt32(), 0, 2);
        Assert.InRange(dashboard.GetProperty("fiscalYearStartMonth").GetInt32(), 0, 11);
        Assert.True(dashboard.GetProperty("editable").ValueKind is JsonValueKind.True or JsonValueKind.False);
        Assert.Equal(["from", "to"], dashboard.GetProperty("time").EnumerateObject().Select(field => field.Name));
        Assert.All(dashboard.GetProperty("tags").EnumerateArray(), tag => Assert.Equal(JsonValueKind.String, tag.ValueKind));
        foreach (JsonElement annotation in dashboard.GetProperty("annotations").GetProperty("list").EnumerateArray())
        {
            Assert.NotEqual("", annotation.GetProperty("name").GetString());
            Assert.NotEqual("", annotation.GetProperty("iconColor").GetString());
            Only(annotation.GetProperty("datasource"), ["type", "uid"]);
        }

        foreach (JsonElement variable in dashboard.GetProperty("templating").GetProperty("list").EnumerateArray())
        {
            Only(variable, VariableFields);
            Assert.Contains(variable.GetProperty("type").GetString(), VariableTypes);
            Assert.Matches("^[a-z]+$", variable.GetProperty("name").GetString());
            Assert.InRange(variable.GetProperty("hide").GetInt32(), 0, 2);
        }
    }

    [Fact]
    public void Every_panel_has_the_fields_of_the_schema_and_a_place_of_its_own()
    {
        JsonElement[] panels = [.. Dashboard.GetProperty("panels").EnumerateArray()];
        Assert.Equal(panels.Length, panels.Select(panel => panel.GetProperty("id").GetUInt32()).Distinct().Count());
        HashSet<(int, int)> taken = [];
        foreach (JsonElement panel in panels)
        {
            JsonElement grid = panel.GetProperty("gridPos");
            Only(grid, ["x", "y", "w", "h"]);
            (int x, int y, int w, int h) = (grid.GetProperty("x").GetInt32(), grid.GetProperty("y").GetInt32(), grid.GetProperty("w").GetInt32(), grid.GetProperty("h").GetInt32());
            Assert.InRange(w, 1, 24 - x);
            Assert.InRange(x, 0, 23);
            Assert.True(h > 0 && y >= 0);
            foreach (int column in Enumerable.Range(x, w))
            {
                Assert.All(Enumerable.Range(y, h), row => Assert.True(taken.Add((column, row)), $"two panels lie at {column}, {row}"));
            }

            Assert.NotEqual("", panel.GetProperty("title").GetString());
            if (panel.GetProperty("type").GetString() == "row")
            {
                Only(panel, RowFields);
                Assert.Empty(panel.GetProperty("panels").EnumerateArray());
                Assert.Equal(JsonValueKind.False, panel.GetProperty("collapsed").ValueKind);
                continue;
            }

            Only(panel, PanelFields);
            Assert.Contains(panel.GetProperty("type").GetString(), PanelTypes);
            Assert.NotEqual("", panel.GetProperty("description").GetString());
            Only(panel.GetProperty("fieldConfig"), ["defaults", "overrides"]);
            JsonElement defaults = panel.GetProperty("fieldConfig").GetProperty("defaults");
            Only(defaults, FieldFields);
            Assert.Equal(JsonValueKind.Array, panel.GetProperty("fieldConfig").GetProperty("overrides").ValueKind);
            if (defaults.TryGetProperty("unit", out JsonElement unit))
            {
                Assert.Contains(unit.GetString(), Units);
            }

            if (defaults.TryGetProperty("thresholds", out JsonElement thresholds))
            {
                Assert.Contains(thresholds.GetProperty("mode").GetString(), (string[])["absolute", "percentage"]);
                JsonElement[] steps = [.. thresholds.GetProperty("steps").EnumerateArray()];
                Assert.Equal(JsonValueKind.Null, steps[0].GetProperty("value").ValueKind);
                Assert.Equal(steps.Skip(1).Select(step => step.GetProperty("value").GetDouble()).Order(), steps.Skip(1).Select(step => step.GetProperty("value").GetDouble()));
                Assert.All(steps, step => Assert.NotEqual("", step.GetProperty("color").GetString()));
            }

            Assert.All(panel.GetProperty("transformations").EnumerateArray(), transformation => Assert.NotEqual("", transformation.GetProperty("id").GetString()));
            Assert.Equal(JsonValueKind.Object, panel.GetProperty("options").ValueKind);
            JsonElement[] targets = [.. panel.GetProperty("targets").EnumerateArray()];
            Assert.NotEmpty(targets);
            Assert.Equal(targets.Length, targets.Select(target => target.GetProperty("refId").GetString()).Distinct().Count());
            foreach (JsonElement source in targets.Select(target => target.GetProperty("datasource")).Append(panel.GetProperty("datasource")))
            {
                Assert.Equal(("prometheus", "${datasource}"), (source.GetProperty("type").GetString(), source.GetProperty("uid").GetString()));
            }
        }
    }

    [Fact]
    public async Task Every_query_is_PromQL_on_metrics_and_labels_that_the_daemon_has()
    {
        string[] queries = [.. Dashboard.GetProperty("panels").EnumerateArray()
            .Where(panel => panel.TryGetProperty("targets", out _))
            .SelectMany(panel => panel.GetProperty("targets").EnumerateArray())
            .Select(target => target.GetProperty("expr").GetString()!)];
        string[] names = [.. Dashboard.GetProperty("templating").GetProperty("list").EnumerateArray().Select(variable => variable.GetProperty("name").GetString()!)];
        StringBuilder rules = new("groups:\n- name: queries\n  rules:\n");
        foreach (string query in queries)
        {
            Assert.All(Regex.Matches(query, @"\$(\w+)").Select(match => match.Groups[1].Value), name => Assert.Contains(name, names.Append("__rate_interval")));
            string plain = Regex.Replace(query.Replace("$__rate_interval", "5m", StringComparison.Ordinal), @"\$\w+", ".*");
            rules.Append("  - record: a:b\n    expr: |-\n      ").Append(plain).Append('\n').Append("    labels: {number: \"").Append(rules.Length).Append("\"}\n");
            MetricNames.Check(plain, query);
        }

        Assert.True(queries.Length > 30);
        using TestKit.TemporaryDirectory folder = new();
        string path = Path.Combine(folder.Path, "queries.yaml");
        await File.WriteAllTextAsync(path, rules.ToString(), TestContext.Current.CancellationToken);
        (int exitCode, string said) = await WatchedDaemon.PromtoolAsync("", "check", "rules", path);
        Assert.True(exitCode == 0, said);

        foreach (JsonElement variable in Dashboard.GetProperty("templating").GetProperty("list").EnumerateArray().Where(variable => variable.GetProperty("type").GetString() == "query"))
        {
            Match definition = Regex.Match(variable.GetProperty("definition").GetString()!, @"^label_values\((.*), (\w+)\)$");
            Assert.True(definition.Success);
            MetricNames.Check(Regex.Replace(definition.Groups[1].Value, @"\$\w+", ".*"), definition.Value);
        }
    }

    private static void Only(JsonElement element, string[] fields) =>
        Assert.All(element.EnumerateObject(), field => Assert.Contains(field.Name, fields));
}
