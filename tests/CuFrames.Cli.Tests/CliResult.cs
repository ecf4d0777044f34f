using System.Text.Json;

namespace CuFrames.Cli.Tests;

/// <summary>What a run of cuframes left.</summary>
internal sealed record CliResult(int ExitCode, string Output, string Errors)
{
    public string[] Lines => Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    public JsonElement[] Objects => [.. Lines.Select(line => JsonDocument.Parse(line).RootElement)];

    /// <summary>The one object that a command wrote.</summary>
    public JsonElement Json => Assert.Single(Objects);

    /// <summary>Checks that the run failed with one line that begins with the code's name.</summary>
    public void RequireFailure(int exitCode, string codeName)
    {
        Assert.Equal(exitCode, ExitCode);
        Assert.StartsWith($"cuframes: {codeName}: ", Errors, StringComparison.Ordinal);
        Assert.Single(Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal("", Output);
    }

    public void RequireSuccess()
    {
        Assert.Equal("", Errors);
        Assert.Equal(0, ExitCode);
    }
}
