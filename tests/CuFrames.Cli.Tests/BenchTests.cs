using System.Text.Json;
using CuFrames.TestKit;

namespace CuFrames.Cli.Tests;

public sealed class BenchTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void It_measures_every_reader_and_the_publisher_and_leaves_nothing_behind(int readers)
    {
        // Its own directories go here: so it can be seen that they are gone.
        using CliProcess process = CliProcess.StartOther(
            "/nowhere", "env", $"TMPDIR={_directory.Path}", CliProcess.Program, "bench", "--readers", $"{readers}", "--seconds", "1", "--fps", "200", "--json");
        CliResult result = process.WaitForEnd();
        result.RequireSuccess();
        JsonElement report = result.Json;
        Assert.Equal("nv12 1920x1080", report.GetProperty("format").GetString());
        Assert.Equal(200, report.GetProperty("frames").GetInt32());
        Assert.Equal(readers, report.GetProperty("readers").GetInt32());
        Assert.Equal(readers, report.GetProperty("reader_latency_us").GetArrayLength());
        Assert.Equal(0, report.GetProperty("allocated_bytes_per_frame").GetDouble());
        Assert.True(report.GetProperty("publish_ns").GetProperty("p50").GetInt64() > 0);
        if (readers > 0)
        {
            JsonElement latency = report.GetProperty("latency_us");
            Assert.True(latency.GetProperty("p50").GetDouble() > 0);
            Assert.True(latency.GetProperty("max").GetDouble() >= latency.GetProperty("p999").GetDouble());
        }
        else
        {
            Assert.Equal(JsonValueKind.Null, report.GetProperty("latency_us").ValueKind);
        }

        Assert.DoesNotContain(Directory.GetFileSystemEntries(_directory.Path), path => path.Contains("cuframes-bench", StringComparison.Ordinal));
    }

    [Fact]
    public void An_interruption_ends_its_processes_too()
    {
        using CliProcess process = CliProcess.StartOther(
            "/nowhere", "env", "--default-signal=INT", $"TMPDIR={_directory.Path}", CliProcess.Program, "bench", "--seconds", "600");
        while (!Directory.GetDirectories(_directory.Path).Any(directory => Directory.EnumerateFiles(directory, "*.sock").Any()))
        {
            Thread.Sleep(20); // Until the publisher is there; nothing announces it to us.
        }

        process.Signal("INT");
        CliResult result = process.WaitForEnd();
        Assert.Equal(130, result.ExitCode);
        Assert.DoesNotContain(Directory.GetFileSystemEntries(_directory.Path), path => path.Contains("cuframes-bench", StringComparison.Ordinal));
    }
}
