using System.Text.Json;
using CuFrames.Client.Tests;
using CuFrames.TestKit;

namespace CuFrames.Native.Tests;

/// <summary>
/// The peers in C and C++ under the address, leak and undefined-behaviour sanitizers, with a driver and without: a finding ends a peer with another exit code
/// than 0. What the runtime inside of the library keeps is suppressed by the name of its function, for which the library's symbols are beside it.
/// </summary>
public sealed class SanitizerTests : IDisposable
{
    private const string Symbols = "CuFrames.Native.so.dbg";

    private readonly TemporaryDirectory _folder = new();
    private readonly TemporaryDirectory _streams = new();

    public SanitizerTests()
    {
        string symbols = Path.Combine(Repository.Root, "artifacts", "native-build", "publish", "CuFrames.Native", "release_linux-x64", Symbols);
        Assert.True(File.Exists(symbols), $"{symbols} is missing: scripts/build-native.sh makes it.");
        File.Copy(NativeArtifacts.Library, Path.Combine(_folder.Path, Path.GetFileName(NativeArtifacts.Library)));
        File.Copy(symbols, Path.Combine(_folder.Path, Symbols));
    }

    [Theory]
    [InlineData("c-peer-address", "host")]
    [InlineData("c-peer-address", "cuda")]
    [InlineData("c-peer-address", "cuda-ipc")]
    [InlineData("cpp-peer-address", "host")]
    [InlineData("cpp-peer-address", "cuda")]
    [InlineData("cpp-peer-address", "cuda-ipc")]
    public void The_sanitizers_find_nothing_in_publishers_and_readers(string name, string memory)
    {
        // The reader holds three frames, the other one two, which on a busy machine are others: there is always one more slot to write.
        using PeerProcess publisher = Start(name, memory, "publisher", "--format", "nv12:64x48", "--memory", memory, "--slots", "2", "--max-slots", "8");
        using PeerProcess reader = Start(name, memory, "subscriber", "--delivery", "inorder", "--leases", "4");
        using PeerProcess other = Start(name, memory, "read", "--delivery", "newest", "--leases", "2", "--hold", "2");
        Assert.Equal("error", Kind(reader, "open"));
        Assert.Equal("open", Kind(publisher, "open"));
        for (int round = 0; round < 3; round++)
        {
            publisher.Ask("publish 3", "publish");
            Assert.Equal("open", Kind(reader, "open"));
            List<ulong> taken = [];
            for (int i = 0; i < 3; i++)
            {
                JsonElement frame = reader.Ask("next 20000", "frame");
                Assert.Equal(JsonValueKind.Null, frame.GetProperty("fault").ValueKind);
                taken.Add(frame.GetProperty("sequence").GetUInt64());
                publisher.Ask("publish 1", "publish");
            }

            reader.Ask("verify", "verify");
            reader.Ask("info", "info");
            reader.Ask("events", "events");
            publisher.Ask("info", "info");
            publisher.Ask("events", "events");
            publisher.Ask(round % 2 == 0 ? "configure i420:65x33" : "configure nv12:64x48", "configure");
            publisher.Ask("abandon", "abandon");
            publisher.Ask("publish-described", "publish");
            foreach (ulong sequence in taken)
            {
                Assert.Equal("release", Kind(reader, $"release {sequence}"));
            }

            Assert.Equal("error", Kind(reader, "release 12345"));
            reader.Ask("settle", "settle");
            reader.Ask("close", "close");
        }

        Assert.Equal("error", Kind(publisher, "evict nobody"));
        Assert.Equal("error", Kind(publisher, "configure nv12:20000x20000"));
        JsonElement summary = other.Ask("finish", "summary");
        Assert.True(summary.Number("frames") > 0, summary.ToString());
        publisher.Ask("close", "close");
        foreach (PeerProcess peer in (PeerProcess[])[reader, other, publisher])
        {
            int code = peer.Exit();
            Assert.True(code == 0, $"{name} ended with {code}: {peer.WaitForEnd()}");
        }
    }

    public void Dispose()
    {
        _folder.Dispose();
        _streams.Dispose();
    }

    private static string? Kind(PeerProcess peer, string step) => peer.Ask(step).GetProperty("kind").GetString();

    private PeerProcess Start(string name, string memory, params string[] arguments)
    {
        Dictionary<string, string> environment = StepPeer.EnvironmentOf(Languages.C, memory);
        string path = _folder.Path;
        environment["LD_LIBRARY_PATH"] = environment.TryGetValue("LD_LIBRARY_PATH", out string? driver) ? $"{path}:{driver}" : path;
        environment["LSAN_OPTIONS"] = $"print_suppressions=0:suppressions={Path.Combine(Repository.Root, "tests", "native-peers", "lsan-suppressions.txt")}";
        PeerProcess peer = PeerProcess.StartCommand(
            [NativeArtifacts.Peer(name)], environment, [.. arguments, "--dir", _streams.Path, "--key", TestStream.Key]);
        peer.Expect("ready");
        return peer;
    }
}
