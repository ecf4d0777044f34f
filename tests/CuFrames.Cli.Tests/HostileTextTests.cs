using CuFrames.Cli.Internal;
using CuFrames.Client;
using CuFrames.Protocol;
using CuFrames.TestKit;

namespace CuFrames.Cli.Tests;

/// <summary>Texts of other programs that would do something to a terminal.</summary>
public sealed class HostileTextTests : IDisposable
{
    /// <summary>Sets the title of a terminal's window, and then begins a line of its own.</summary>
    private const string Attack = "\u001b]0;owned\u0007\nback  live";

    private const string Shown = @"\x1b]0;owned\x07\nback  live";

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("", "")]
    [InlineData("rtsp://camera/1 is live.", "rtsp://camera/1 is live.")]
    [InlineData("Küche 🎥 ▮▯ 25 µs", "Küche 🎥 ▮▯ 25 µs")]
    [InlineData("a\tb\r\nc", @"a\tb\r\nc")]
    [InlineData("\u001b[2J", @"\x1b[2J")]
    [InlineData("\u009b2J\u007f\0", @"\x9b2J\x7f\x00")]
    [InlineData("gpj.\u202eexe\u2066", @"gpj.\u202eexe\u2066")]
    [InlineData("a\u2028b\ufeff", @"a\u2028b\ufeff")]
    public void What_does_something_becomes_visible_and_the_rest_stays(string text, string safe) => Assert.Equal(safe, PlainText.Of(text));

    [Theory]
    [InlineData("ls", false)]
    [InlineData("ls", true)]
    [InlineData("stat", false)]
    [InlineData("stat", true)]
    public void A_publisher_cannot_write_on_the_screen(string command, bool isTerminal)
    {
        using FramePublisher publisher = FramePublisher.Create(
            "front", new StreamFormat(PixelFormat.Nv12, 64, 48), new PublisherOptions { Directory = _directory.Path, Program = Attack, Source = Attack });
        publisher.SetState(StreamState.SourceLost, Attack);

        // script(1) gives the program a terminal of its own.
        using CliProcess process = isTerminal
            ? CliProcess.StartOther(_directory.Path, "env", "TERM=xterm-256color", "script", "-qec", $"stty cols 250 rows 40; exec {CliProcess.Program} {command}", "/dev/null")
            : CliProcess.Start(_directory.Path, command);
        RequireHarmless(process.WaitForEnd());
    }

    [Fact]
    public void A_reason_stays_in_its_line_while_changes_are_watched()
    {
        using CliProcess process = CliProcess.Start(_directory.Path, "ls", "--watch");
        using FramePublisher publisher = FramePublisher.Create(
            "front", new StreamFormat(PixelFormat.Nv12, 64, 48), new PublisherOptions { Directory = _directory.Path });
        process.WaitForLine(line => line.Contains(" added front", StringComparison.Ordinal));
        publisher.SetState(StreamState.SourceLost, Attack);
        process.WaitForLine(line => line.Contains(Shown, StringComparison.Ordinal));
        process.Signal("INT");
        RequireHarmless(process.WaitForEnd());
    }

    [Fact]
    public void Programs_get_what_was_said_in_one_line()
    {
        using FramePublisher publisher = FramePublisher.Create(
            "front", new StreamFormat(PixelFormat.Nv12, 64, 48), new PublisherOptions { Directory = _directory.Path, Program = Attack });
        CliResult result = CliProcess.Run(_directory.Path, "ls", "--json");
        Assert.Equal(Attack, result.Json.GetProperty("streams")[0].GetProperty("publisher").GetString());
        Assert.DoesNotContain('\u001b', result.Output);
    }

    private static void RequireHarmless(CliResult result)
    {
        Assert.Equal(0, result.ExitCode);
        Assert.Contains(Shown, result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("\u001b]0;", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain('\u0007', result.Output);
        Assert.DoesNotContain(result.Lines, line => line.StartsWith("back", StringComparison.Ordinal));
    }
}
