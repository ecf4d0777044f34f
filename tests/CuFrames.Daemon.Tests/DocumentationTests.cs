using CuFrames.Daemon.Internal;
using CuFrames.Daemon.Internal.Access;
using CuFrames.Daemon.Internal.Limits;
using CuFrames.Daemon.Internal.Metrics;
using CuFrames.Daemon.Internal.Taps;
using CuFrames.Daemon.Internal.Web;
using Xunit;

namespace CuFrames.Daemon.Tests;

/// <summary>docs/configuration.md and docs/operations.md say what the code does.</summary>
public sealed class DocumentationTests
{
    private static readonly string OperationsText = File.ReadAllText(Path.Combine(Repository.Root, "docs", "operations.md"));
    private static readonly string Text = File.ReadAllText(Path.Combine(Repository.Root, "docs", "configuration.md"));

    [Theory]
    [InlineData("key")]
    [InlineData("key of gpu")]
    [InlineData("key of a rendition")]
    [InlineData("key of packets")]
    [InlineData("key of taps")]
    [InlineData("key of web")]
    [InlineData("key of control")]
    [InlineData("key of permissions")]
    [InlineData("key of quotas")]
    [InlineData("key of a token")]
    [InlineData("key of a tensor")]
    [InlineData("key of log")]
    [InlineData("key of metrics")]
    [InlineData("key of limits")]
    public void The_table_of_keys_is_the_daemons_own(string name)
    {
        string[][] rows = Rows($"| {name} | default | accepted | what it does |");
        Assert.Equal(
            (name switch { "key" => CameraKey.All, "key of gpu" => GpuKey.All, "key of a tensor" => TensorKey.All, "key of packets" => PacketKey.All, "key of taps" => TapKey.All, "key of log" => LogKey.All, "key of metrics" => MetricsKey.All, "key of web" => WebKey.All, "key of limits" => LimitsKey.All, "key of control" => ControlKey.All, "key of permissions" => PermissionKey.All, "key of quotas" => QuotaKey.All, "key of a token" => TokenKey.All, _ => RenditionKey.All })
                .Select(key => $"{key.Name} / {key.Default} / {key.Accepted}"),
            rows.Select(row => $"{row[0].Trim('`')} / {row[1]} / {row[2]}"));
    }

    [Fact]
    public void The_table_of_events_is_the_daemons_own()
    {
        string[][] rows = Rows("| id | name | level | meaning |", OperationsText);
        Assert.Equal(
            LogEvents.All.Select(kind => $"{kind.Id} / {kind.Name} / {LevelOf(kind)} / {kind.Meaning}"),
            rows.Select(row => string.Join(" / ", row)));

        static string LevelOf(LogEvent kind) => kind.Level switch
        {
            LogLevel.Error => "error",
            LogLevel.Warning => "warning",
            _ => "info",
        };
    }

    [Fact]
    public void Every_event_is_listed_once()
    {
        IEnumerable<object?> fields = typeof(LogEvents)
            .GetFields(System.Reflection.BindingFlags.Static | System.Reflection.BindingFlags.NonPublic)
            .Where(field => field.FieldType == typeof(LogEvent))
            .Select(field => field.GetValue(null));
        Assert.Equal(fields, LogEvents.All);
        Assert.Equal(LogEvents.All.Count, LogEvents.All.Select(kind => kind.Id).Distinct().Count());
        Assert.Equal(LogEvents.All.Count, LogEvents.All.Select(kind => kind.Name).Distinct().Count());
    }

    [Fact]
    public void The_example_is_the_one_beside_the_daemon()
    {
        string example = File.ReadAllText(Path.Combine(Repository.Root, "daemon", "cuframes.example.yaml")).TrimEnd();
        Assert.Contains($"```yaml\n{example}\n```", Text, StringComparison.Ordinal);
    }

    private static string[][] Rows(string header, string? text = null)
    {
        string[] lines = (text ?? Text).Split('\n');
        int start = Array.IndexOf(lines, header);
        Assert.True(start > 0, header);
        return [.. lines[(start + 2)..].TakeWhile(line => line.StartsWith('|')).Select(line => line.Trim('|', ' ').Split(" | ").Select(cell => cell.Trim()).ToArray())];
    }
}
