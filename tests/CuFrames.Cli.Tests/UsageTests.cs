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
        foreach (string command in (string[])["ls", "watch", "stat", "snapshot", "publish", "daemon", "camera", "top", "readers", "evict", "events", "log-level", "doctor", "bench"])
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
    [InlineData("snapshot", "a", "b", "--format", "gif")]
    [InlineData("snapshot", "a", "b", "--max-width", "0")]
    [InlineData("camera")]
    [InlineData("camera", "paint")]
    [InlineData("camera", "add", "a")]
    [InlineData("evict", "a", "everybody")]
    [InlineData("evict", "a", "-1")]
    [InlineData("top", "--interval", "0.00000001")]
    [InlineData("top", "--interval", "99999999")]
    [InlineData("events", "--past", "1001")]
    [InlineData("log-level", "loud")]
    public void A_mistake_on_the_command_line_is_said_in_one_line(params string[] arguments) =>
        CliProcess.Run(_directory.Path, arguments).RequireFailure(2, "USAGE");

    [Theory]
    [InlineData("LEVEL is one of info, warning, error, found 'loud'. See 'cuframes log-level --help'.", "log-level", "loud")]
    [InlineData("--delivery is one of newest, in-order, lossless, found 'express'. See 'cuframes watch --help'.", "watch", "a", "--delivery", "express")]
    [InlineData("ID is a reader's number, as 'cuframes readers' lists it, found 'x'. See 'cuframes evict --help'.", "evict", "a", "x")]
    [InlineData("A SOURCE or --settings FILE is needed. See 'cuframes camera add --help'.", "camera", "add", "a")]
    [InlineData("--interval needs a number of seconds from 0.1 to 86400, found '0'. See 'cuframes top --help'.", "top", "--interval", "0")]
    public void What_is_accepted_is_said_and_where_there_is_more(string text, params string[] arguments) =>
        Assert.Equal($"cuframes: USAGE: {text}\n", CliProcess.Run(_directory.Path, arguments).Errors);

    [Theory]
    [InlineData("readers")]
    [InlineData("daemon")]
    [InlineData("camera", "list")]
    [InlineData("top")]
    [InlineData("events")]
    [InlineData("dashboard", "--json")]
    [InlineData("log-level")]
    public void Where_no_daemon_is_that_is_said(params string[] arguments)
    {
        CliResult result = CliProcess.Run(_directory.Path, arguments);
        result.RequireFailure(3, "UNAVAILABLE");
        Assert.Contains($"No daemon answers at {_directory.Path}/cuframesd.control: there is no such socket.", result.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("readers", "--control", "nonsense")]
    [InlineData("readers", "--control", "localhost:8477")]
    [InlineData("readers", "--control", "localhost:8477", "--token-file", "/nonexistent/token")]
    [InlineData("readers", "--control", "localhost:8477", "--token-file", "/dev/null")]
    [InlineData("camera", "add", "a", "--settings", "/nonexistent/settings")]
    [InlineData("camera", "add", "a", "test", "--settings", "/dev/null")]
    public void What_cannot_be_used_is_told_before_anything_is_called(params string[] arguments) =>
        CliProcess.Run(_directory.Path, arguments).RequireFailure(2, "CONFIGURATION_INVALID");

    [Theory]
    [InlineData(0, "0 s")]
    [InlineData(59.9, "59 s")]
    [InlineData(61, "1 min 1 s")]
    [InlineData(3_600, "1 h 0 min")]
    [InlineData(86_399, "23 h 59 min")]
    [InlineData(8_640_000, "100 d 0 h")]
    public void Times_that_have_passed_are_easy_to_read(double seconds, string text) => Assert.Equal(text, Internal.Words.Duration(seconds));

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
