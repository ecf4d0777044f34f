using System.Text.Json;
using CuFrames.Client;
using CuFrames.TestKit;

namespace CuFrames.Cli.Tests;

public sealed class DoctorTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void What_the_tests_need_is_found_to_work()
    {
        using FramePublisher publisher = FramePublisher.Create("front", new PublisherOptions { Directory = _directory.Path });
        CliResult result = CliProcess.Run(_directory.Path, "doctor", "--json");
        result.RequireSuccess();
        Assert.True(result.Json.GetProperty("ok").GetBoolean());
        foreach (string name in (string[])
            ["kernel", "sealed memory files", "passing descriptors", "futex on read-only memory", "runtime directory", "publishing", "streams", "libav"])
        {
            Assert.Equal("ok", Find(result, name).GetProperty("status").GetString());
        }

        Assert.Contains("1 published, 0 live", Find(result, "streams").GetProperty("found").GetString(), StringComparison.Ordinal);
        Assert.Contains("libavcodec", Find(result, "libav").GetProperty("found").GetString(), StringComparison.Ordinal);
        // What it made to try things out is gone.
        Assert.DoesNotContain(Directory.GetFiles(_directory.Path), path => path.Contains("doctor", StringComparison.Ordinal));
    }

    [Fact]
    public void Every_line_has_a_status_and_those_that_are_not_ok_say_what_to_do()
    {
        CliResult text = CliProcess.Run(_directory.Path, "doctor");
        text.RequireSuccess();
        CliResult json = CliProcess.Run(_directory.Path, "doctor", "--json");
        JsonElement[] checks = [.. json.Json.GetProperty("checks").EnumerateArray()];
        Assert.Equal(checks.Length, text.Lines.Length);
        Assert.All(text.Lines, line => Assert.Matches("^(ok|warn|fail) +[a-z0-9 -]+: .", line));
        Assert.All(checks, check => Assert.Equal(
            check.GetProperty("status").GetString() == "ok", check.GetProperty("advice").GetString()!.Length == 0));
    }

    [Fact]
    public void A_missing_directory_is_a_warning()
    {
        CliResult result = CliProcess.Run(Path.Combine(_directory.Path, "missing"), "doctor", "--json");
        result.RequireSuccess();
        JsonElement check = Find(result, "runtime directory");
        Assert.Equal("warn", check.GetProperty("status").GetString());
        Assert.Contains(_directory.Path, check.GetProperty("found").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(500, "warn", 0)]
    [InlineData(200, "fail", 1)]
    public void Too_few_open_files_are_said_and_far_too_few_make_it_fail(int limit, string status, int exitCode)
    {
        using CliProcess process = CliProcess.StartOther(_directory.Path, "prlimit", $"--nofile={limit}:{limit}", CliProcess.Program, "doctor", "--json");
        CliResult result = process.WaitForEnd();
        Assert.Equal(exitCode, result.ExitCode);
        Assert.Equal(exitCode == 0, result.Json.GetProperty("ok").GetBoolean());
        Assert.Equal(status, Find(result, "open files").GetProperty("status").GetString());
        Assert.Contains($"RLIMIT_NOFILE is {limit}", Find(result, "open files").GetProperty("found").GetString(), StringComparison.Ordinal);
    }

    private static JsonElement Find(CliResult result, string name) =>
        Assert.Single(result.Json.GetProperty("checks").EnumerateArray(), check => check.GetProperty("name").GetString() == name);
}
