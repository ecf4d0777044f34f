using CuFrames.Daemon.Tests;
using Xunit;

namespace CuFrames.Operations.Tests;

/// <summary>The alert rules hold what they promise: promtool runs their own unit tests, and every metric in them exists.</summary>
public sealed class AlertTests
{
    private static readonly string Folder = Path.Combine(Repository.Root, "monitoring", "prometheus");

    [Fact]
    public async Task Promtool_accepts_the_rules_and_their_unit_tests_pass()
    {
        (int exitCode, string said) = await WatchedDaemon.PromtoolAsync("", "check", "rules", Path.Combine(Folder, "alerts.yaml"));
        Assert.True(exitCode == 0, said);
        (exitCode, said) = await WatchedDaemon.PromtoolAsync("", "test", "rules", Path.Combine(Folder, "alerts_test.yaml"));
        Assert.True(exitCode == 0, said);
    }

    [Fact]
    public void Every_metric_label_and_state_of_a_rule_exists() =>
        Assert.All(AlertRules.Read(), rule => MetricNames.Check(rule.Expression, rule.Name));

    /// <summary>A rule that never fires, and one that always does, must fail its unit test.</summary>
    [Fact]
    public async Task Every_rule_has_a_unit_test_that_would_notice_if_it_were_wrong()
    {
        string rules = await File.ReadAllTextAsync(Path.Combine(Folder, "alerts.yaml"), TestContext.Current.CancellationToken);
        using TestKit.TemporaryDirectory folder = new();
        File.Copy(Path.Combine(Folder, "alerts_test.yaml"), Path.Combine(folder.Path, "alerts_test.yaml"));
        foreach (AlertRule rule in AlertRules.Read())
        {
            foreach (string wrong in (string[])["vector(0) > 1", "vector(1)"])
            {
                await File.WriteAllTextAsync(
                    Path.Combine(folder.Path, "alerts.yaml"),
                    rules.Replace($"expr: {rule.Expression}\n", $"expr: {wrong}\n", StringComparison.Ordinal),
                    TestContext.Current.CancellationToken);
                (int exitCode, string said) = await WatchedDaemon.PromtoolAsync("", "test", "rules", Path.Combine(folder.Path, "alerts_test.yaml"));
                Assert.True(exitCode != 0 && said.Contains(rule.Name, StringComparison.Ordinal), $"{rule.Name} as {wrong}: {said}");
            }
        }
    }
}
