using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using CuFrames.Client.Tests;
using CuFrames.Interop;
using CuFrames.TestKit;

namespace CuFrames.Native.Tests;

/// <summary>Publishers and subscribers in each language pass every check of cuframes-conformance: none may fail, be skipped or stay unprovoked.</summary>
public sealed class ConformanceTests
{
    private const string Key = "conformance";

    // What tests/CuFrames.Conformance.Tests demands of the SDK itself.
    private const int LeastPublisherChecks = 100;
    private const int LeastSubscriberChecks = 150;
    private const int LeastPacketSubscriberChecks = 100;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(600);

    [Theory]
    [MemberData(nameof(Languages.Each), MemberType = typeof(Languages))]
    public void The_publisher_passes(string language)
    {
        using TemporaryDirectory directory = new();
        IReadOnlyList<string> command = Languages.Command(language);

        // From the first reader on: it has to have looked at the format before, and waits ten seconds.
        ProcessStartInfo start = new(command[0], [.. command.Skip(1), "conform-publisher", Key, "--format-change-ms", "3000"])
        {
            RedirectStandardInput = true,
        };
        AddEnvironment(start, language);
        start.Environment["CUFRAMES_DIR"] = directory.Path;
        using Process publisher = Process.Start(start)!;
        try
        {
            string socket = Path.Combine(directory.Path, Key + ".sock");
            TestStream.Until(() => publisher.HasExited || Listens(socket), "the publisher listens");
            Assert.False(publisher.HasExited);
            RequirePassed(language, LeastPublisherChecks, "publisher", "--json", "--socket", socket, "--format-change");
            publisher.StandardInput.Close();
            Assert.True(publisher.WaitForExit(Patience));
            Assert.Equal(0, publisher.ExitCode);
            Assert.Empty(Directory.GetFileSystemEntries(directory.Path));
        }
        finally
        {
            if (!publisher.HasExited)
            {
                publisher.Kill();
                publisher.WaitForExit();
            }
        }
    }

    [Theory]
    [MemberData(nameof(Languages.Each), MemberType = typeof(Languages))]
    public void The_subscriber_passes(string language) =>
        RequirePassed(language, LeastSubscriberChecks, ["subscriber", "--json", "--", .. Languages.Command(language), "conform-subscriber", Key]);

    [Theory]
    [MemberData(nameof(Languages.Each), MemberType = typeof(Languages))]
    public void The_subscriber_of_packets_passes(string language) =>
        RequirePassed(language, LeastPacketSubscriberChecks, ["packet-subscriber", "--json", "--", .. Languages.Command(language), "conform-packet-subscriber", Key]);

    private static bool Listens(string socket)
    {
        try
        {
            // The path is there a moment before somebody listens.
            using UnixSocket connection = UnixSocket.Connect(socket, 1_000);
            return true;
        }
        catch (LinuxException)
        {
            return false;
        }
    }

    private static void RequirePassed(string language, int least, params string[] arguments)
    {
        ProcessStartInfo start = new(Path.Combine(AppContext.BaseDirectory, "cuframes-conformance"), arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        AddEnvironment(start, language);
        using Process suite = Process.Start(start)!;
        Task<string> errors = suite.StandardError.ReadToEndAsync();
        Task<string> output = suite.StandardOutput.ReadToEndAsync();
        if (!suite.WaitForExit(Patience))
        {
            suite.Kill(entireProcessTree: true);
            Assert.Fail($"{language}: the suite did not end. {output.Result} {errors.Result}");
        }

        List<JsonElement> lines = [.. output.Result.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement)];
        string[] others = [.. lines.Where(line => line.TryGetProperty("result", out JsonElement result) && result.GetString() != "ok" && !IsAboutRest(line)).Select(line => line.ToString())];
        Assert.True(others.Length == 0, $"{language}: {string.Join(Environment.NewLine, others)}");
        Assert.Equal(0, suite.ExitCode);
        Assert.True(lines[^1].Number("passed") > least, string.Create(CultureInfo.InvariantCulture, $"{language}: {lines[^1]}, {errors.Result}"));
    }

    /// <summary>C has no call to rest, so its publishers are asked for START in vain.</summary>
    private static bool IsAboutRest(JsonElement line) => line.GetProperty("check").GetString() == "6.11-start" && line.GetProperty("result").GetString() == "skipped";

    private static void AddEnvironment(ProcessStartInfo start, string language)
    {
        // The diagnostics port is a socket in /tmp that a killed process leaves behind.
        start.Environment["DOTNET_EnableDiagnostics"] = "0";
        foreach ((string name, string value) in Languages.Environment(language))
        {
            start.Environment[name] = value;
        }
    }
}
