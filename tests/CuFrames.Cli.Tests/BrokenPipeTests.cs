using CuFrames.TestKit;

namespace CuFrames.Cli.Tests;

/// <summary>Whoever reads the output may go.</summary>
public sealed class BrokenPipeTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("watch front")]
    [InlineData("watch front --json")]
    [InlineData("publish back test:nv12@64x48@25 --json")]
    public void A_command_that_would_go_on_for_ever_ends(string command)
    {
        using PacedPublisher publisher = new(_directory.Path, "front");
        using CliProcess shell = CliProcess.StartOther(
            _directory.Path, "bash", "-c", $"env --default-signal=INT {CliProcess.Program} {command} | head --lines=1 >/dev/null; echo ${{PIPESTATUS[0]}}");
        CliResult result = shell.WaitForEnd();
        Assert.Equal("141\n", result.Output);
        Assert.Equal("", result.Errors);
    }

    [Fact]
    public void A_full_disk_is_an_error()
    {
        using PacedPublisher publisher = new(_directory.Path, "front");
        using CliProcess shell = CliProcess.StartOther(_directory.Path, "bash", "-c", $"exec {CliProcess.Program} stat --json >/dev/full");
        shell.WaitForEnd().RequireFailure(1, "SYSTEM_CALL_FAILED");
    }

    [Fact]
    public void Lines_for_a_file_come_behind_those_of_others()
    {
        using PacedPublisher publisher = new(_directory.Path, "front");
        string path = Path.Combine(_directory.Path, "output.txt");
        using CliProcess shell = CliProcess.StartOther(
            _directory.Path, "bash", "-c", $"exec >{path} 2>&1; echo before; {CliProcess.Program} stat front --json; {CliProcess.Program} stat other; echo after");
        Assert.Equal(0, shell.WaitForEnd().ExitCode);
        string[] lines = File.ReadAllLines(path);
        Assert.Equal(4, lines.Length);
        Assert.Equal(("before", "after"), (lines[0], lines[3]));
        Assert.StartsWith("{\"streams\"", lines[1], StringComparison.Ordinal);
        Assert.StartsWith("cuframes: STREAM_NOT_FOUND: ", lines[2], StringComparison.Ordinal);
    }
}
