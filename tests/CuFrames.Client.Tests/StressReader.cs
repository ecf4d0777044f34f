using System.Globalization;
using System.Text.Json;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Client.Tests;

/// <summary>A reader process of a stress run.</summary>
internal sealed class StressReader(string name, string delivery, string directory, params string[] options) : IDisposable
{
    private PeerProcess? _peer;

    /// <summary>The stream that is read.</summary>
    public string Key { get; init; } = "stress";

    /// <summary>What the reader's environment has beside the rest.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    public string Name { get; } = name;

    public PeerProcess Peer => _peer!;

    public void Start(string? fault = null)
    {
        string[] arguments = ["read", "--key", Key, "--dir", directory, "--program", Name, "--delivery", delivery, .. options];
        _peer = PeerProcess.StartWith(
            fault is null ? Environment : [.. Environment, new KeyValuePair<string, string>("CUFRAMES_FAULT", fault)], [], arguments);
    }

    public void WaitUntilReady() => Peer.Expect("ready");

    /// <summary>SIGSTOP, a pause, SIGCONT.</summary>
    public void StopFor(TimeSpan pause)
    {
        Peer.Signal(PeerProcess.SigStop);

        // The pause is what is tested.
        Thread.Sleep(pause);
        Peer.Signal(PeerProcess.SigContinue);
    }

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
        Assert.True(Get(summary, "frames") > 0, $"{Name} read nothing. {Peer.Errors()}");
        return summary;
    }

    /// <summary>Checks that nothing was wrong, and that the publisher counts as the reader does.</summary>
    public void RequireClean(JsonElement summary, JsonElement statistics)
    {
        string text = $"{Name}: {summary}";
        Assert.True(Get(summary, "torn") == 0, text);
        Assert.True(Get(summary, "lost") == 0, text);
        Assert.True(Get(summary, "repeated") == 0, text);
        Assert.True(Get(summary, "outOfOrder") == 0, text);
        Assert.True(Get(summary, "missedWrong") == 0, text);
        Assert.True(Get(summary, "evictions") == 0, text);
        Assert.True(Get(summary, "epochs") == 1, text);
        Assert.True(summary.GetProperty("violations").GetArrayLength() == 0, text);
        Assert.Equal(Get(statistics, "Published"), Get(summary, "last"));
        Assert.Equal(Get(summary, "frames"), Get(summary, "taken"));
        Assert.Equal(Get(summary, "missed"), Get(summary, "ownMissed"));
        foreach (JsonElement subscriber in statistics.GetProperty("Subscribers").EnumerateArray())
        {
            if (subscriber.GetProperty("Program").GetString() == Name)
            {
                Assert.Equal(Get(summary, "frames"), Get(subscriber, "Taken"));
                Assert.Equal(Get(summary, "missed"), Get(subscriber, "Missed"));
                Assert.Equal(0, Get(subscriber, "HeldLeases"));
                return;
            }
        }

        Assert.Fail(string.Create(CultureInfo.InvariantCulture, $"The publisher does not know {Name}: {statistics}"));
    }

    public void Dispose() => _peer?.Dispose();

    internal static long Get(JsonElement element, string name) => element.GetProperty(name).GetInt64();
}
