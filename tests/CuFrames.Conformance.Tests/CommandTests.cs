using System.Diagnostics;
using System.Text.Json;

namespace CuFrames.Conformance.Tests;

/// <summary>The executable itself: its lines, its last line, its exit code.</summary>
public sealed class CommandTests
{
    [Fact]
    public void A_passing_check_prints_ok_and_ends_with_0()
    {
        using PublisherProcess publisher = Example("None");
        (int code, string[] lines) = Run("publisher", "--socket", publisher.SocketPath, "--only", "4.1-*");
        Assert.Equal(0, code);
        Assert.All(lines[..^1], line => Assert.StartsWith("ok 4.1-", line, StringComparison.Ordinal));
        Assert.Equal("4 passed, 0 failed, 0 skipped", lines[^1]);
    }

    [Fact]
    public void A_failing_check_prints_what_was_found_and_the_paragraph()
    {
        using PublisherProcess publisher = Example("UnsealedControlBlock");
        (int code, string[] lines) = Run("publisher", "--socket", publisher.SocketPath, "--only", "4.1-seals");
        Assert.Equal(1, code);
        Assert.StartsWith("FAILED 4.1-seals", lines[0], StringComparison.Ordinal);
        Assert.Contains("expected", lines[0], StringComparison.Ordinal);
        Assert.Contains("found", lines[0], StringComparison.Ordinal);
        Assert.Contains("docs/protocol.md 4.1:", lines[1], StringComparison.Ordinal);
        Assert.Contains("The publisher MUST seal it", string.Join(' ', lines), StringComparison.Ordinal);
        Assert.Equal("0 passed, 1 failed, 0 skipped", lines[^1]);
    }

    [Fact]
    public void With_json_every_line_is_an_object()
    {
        using PublisherProcess publisher = Example("UnsealedControlBlock");
        (int code, string[] lines) = Run("publisher", "--json", "--socket", publisher.SocketPath, "--only", "4.1-*");
        Assert.Equal(1, code);
        List<JsonElement> objects = lines.Select(line => JsonDocument.Parse(line).RootElement).ToList();
        Assert.Equal("failed", objects.Single(check => check.TryGetProperty("check", out JsonElement id) && id.GetString() == "4.1-seals").GetProperty("result").GetString());
        Assert.Equal((2, 2, 0), (objects[^1].GetProperty("passed").GetInt32(), objects[^1].GetProperty("failed").GetInt32(), objects[^1].GetProperty("skipped").GetInt32()));
    }

    [Fact]
    public void A_subscriber_that_never_connects_fails_and_is_ended()
    {
        (int code, string[] lines) = Run("subscriber", "--only", "3.2-hello", "--", "/bin/cat");
        Assert.Equal(1, code);
        Assert.Contains("the command to connect", lines[0], StringComparison.Ordinal);
    }

    [Fact]
    public void Nobody_at_the_socket_is_a_failure_not_a_crash()
    {
        (int code, string[] lines) = Run("publisher", "--socket", "/nonexistent/conformance.sock", "--only", "3.3-welcome");
        Assert.Equal(1, code);
        Assert.Contains("No publisher has created this socket", lines[0], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("publisher")]
    [InlineData("publisher", "--socket")]
    [InlineData("publisher", "--socket", "a", "--wrong")]
    [InlineData("subscriber")]
    [InlineData("subscriber", "--")]
    [InlineData("list", "everything")]
    [InlineData("example-publisher", "--socket", "a", "--break", "list")]
    [InlineData("nonsense")]
    [InlineData]
    public void Wrong_usage_is_said_and_ends_with_64(params string[] arguments) => Assert.Equal(64, Run(arguments).Code);

    [Fact]
    public void A_pattern_that_fits_nothing_is_no_success()
    {
        using PublisherProcess publisher = Example("None");
        Assert.Equal(1, Run("publisher", "--socket", publisher.SocketPath, "--only", "99*").Code);
    }

    private static PublisherProcess Example(string fault) =>
        new(Executables.Conformance, socket => ["example-publisher", "--socket", socket, "--until-input-ends", "--break", fault]);

    private static (int Code, string[] Lines) Run(params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(Executables.Conformance, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        })!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        _ = errors.GetAwaiter().GetResult();
        process.WaitForExit();
        return (process.ExitCode, output.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }
}
