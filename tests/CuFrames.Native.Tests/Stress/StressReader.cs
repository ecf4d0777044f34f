using System.Globalization;
using System.Text.Json;
using CuFrames.TestKit;

namespace CuFrames.Native.Tests.Stress;

/// <summary>A reader process of a stress run, in one of the languages.</summary>
internal sealed class StressReader(string name, string language, string memory, string directory, params string[] options) : IDisposable
{
    public const string Key = "stress";

    private PeerProcess? _peer;

    public string Name { get; } = name;

    /// <summary>Time that an operation of the double takes, in microseconds.</summary>
    public required string Delay { get; init; }

    public PeerProcess Peer => _peer!;

    public void Start() => _peer = PeerProcess.StartCommand(
        Languages.Command(language),
        new Dictionary<string, string>(StepPeer.EnvironmentOf(language, memory)) { ["FAKECUDA_DELAY_US"] = Delay },
        ["read", "--key", Key, "--dir", directory, "--program", Name, .. options]);

    /// <summary>SIGKILL in the middle of its work, and a new process in its place.</summary>
    public void KillAndRestart()
    {
        string rest = Peer.KillAndReadRest();
        Assert.DoesNotContain("\"fault\"", rest, StringComparison.Ordinal);
        Peer.Dispose();
        Start();
        Peer.Expect("connected");
    }

    /// <summary>Lets the reader come to the end of the stream and returns its figures.</summary>
    public JsonElement Finish()
    {
        JsonElement summary = Peer.Ask("finish", "summary");
        Assert.True(summary.Long("frames") > 0, $"{Name} read nothing. {Peer.Errors()}");
        return summary;
    }

    /// <summary>Checks that nothing was wrong, and that the publisher counts as the reader does.</summary>
    public void RequireClean(JsonElement summary, JsonElement statistics)
    {
        string text = $"{Name}: {summary}";
        foreach (string fault in (string[])["torn", "lost", "repeated", "outOfOrder", "missedWrong", "evictions", "reconnects"])
        {
            Assert.True(summary.Long(fault) == 0, text);
        }

        Assert.True(summary.Long("epochs") == 1, text);
        Assert.True(summary.GetProperty("violations").GetArrayLength() == 0, text);
        Assert.Equal(statistics.Long("Published"), summary.Long("last"));
        Assert.Equal(summary.Long("frames"), summary.Long("taken"));
        Assert.Equal(summary.Long("missed"), summary.Long("ownMissed"));
        foreach (JsonElement subscriber in statistics.GetProperty("Subscribers").EnumerateArray())
        {
            if (subscriber.GetProperty("Program").GetString() == Name)
            {
                Assert.Equal(summary.Long("frames"), subscriber.Long("Taken"));
                Assert.Equal(summary.Long("missed"), subscriber.Long("Missed"));
                Assert.Equal(0, subscriber.Long("HeldLeases"));
                return;
            }
        }

        Assert.Fail(string.Create(CultureInfo.InvariantCulture, $"The publisher does not know {Name}: {statistics}"));
    }

    public void Dispose() => _peer?.Dispose();
}
