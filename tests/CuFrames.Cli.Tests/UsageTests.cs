using CuFrames.TestKit;

namespace CuFrames.Cli.Tests;

public sealed class UsageTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Without_arguments_the_help_is_shown_and_the_exit_code_says_that_nothing_was_done()
    {
        CliResult result = CliProcess.Run(_directory.Path);
        Assert.Equal(2, result.ExitCode);
        foreach (string command in (string[])["ls", "watch", "stat", "snapshot", "publish", "doctor", "bench"])
        {
            Assert.Contains($"  {command} ", result.Output, StringComparison.Ordinal);
        }

        Assert.DoesNotContain("bench-reader", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("doctor-", result.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--help")]
    [InlineData("watch", "--help")]
    [InlineData("--version")]
    public void Help_and_version_succeed(params string[] arguments)
    {
        CliResult result = CliProcess.Run(_directory.Path, arguments);
        result.RequireSuccess();
        Assert.NotEmpty(result.Output);
    }

    [Theory]
    [InlineData("bogus")]
    [InlineData("watch")]
    [InlineData("watch", "a", "b")]
    [InlineData("ls", "--bogus")]
    [InlineData("watch", "a", "--seconds", "-1")]
    [InlineData("watch", "a", "--seconds", "soon")]
    [InlineData("watch", "a", "--seconds", "NaN")]
    [InlineData("watch", "a", "--delivery", "express")]
    [InlineData("bench", "--readers", "33")]
    [InlineData("snapshot", "a", "b", "--timeout", "0")]
    [InlineData("publish", "a", "test", "--memory", "vram")]
    [InlineData("publish", "a", "test", "--decode", "cuvid")]
    public void A_mistake_on_the_command_line_is_said_in_one_line(params string[] arguments) =>
        CliProcess.Run(_directory.Path, arguments).RequireFailure(2, "USAGE");

    [Theory]
    [InlineData("watch", "Front")]
    [InlineData("stat", "a/b")]
    [InlineData("snapshot", "", "x.png")]
    [InlineData("publish", "a@", "test")]
    public void What_is_no_key_is_refused(params string[] arguments) =>
        CliProcess.Run(_directory.Path, arguments).RequireFailure(2, "INVALID_KEY");

    [Fact]
    public void A_password_in_the_wrong_place_is_not_repeated()
    {
        CliResult result = CliProcess.Run(_directory.Path, "publish", "rtsp://viewer:hunter2@camera/1", "front");
        result.RequireFailure(2, "INVALID_KEY");
        Assert.DoesNotContain("hunter2", result.Errors, StringComparison.Ordinal);
        Assert.Contains("rtsp://viewer:***@camera/1", result.Errors, StringComparison.Ordinal);
    }
}
