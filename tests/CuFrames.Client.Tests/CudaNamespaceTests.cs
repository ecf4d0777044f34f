using System.Text.Json;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Client.Tests;

/// <summary>Publisher and reader that are both PID 1, in PID, IPC and mount namespaces of their own, each with a fresh /proc: two containers.</summary>
[Trait("needs", "gpu")]
public class CudaNamespaceTests
{
    [Theory]
    [InlineData("stream")]
    [InlineData("cpu")]
    public void Two_processes_that_are_both_PID_1_share_frames_as_descriptors(string fence)
    {
        using TemporaryDirectory directory = new();
        using PeerProcess publisher = Publish(directory, "cuda");
        using PeerProcess reader = Read(directory, fence);
        reader.Ask("connect", "connect");
        for (int i = 0; i < 20; i++)
        {
            reader.Ask("take 2", "take");
            reader.Ask("copy", "copy");
            reader.Ask("release", "release");
        }

        JsonElement seen = reader.Ask("settle", "settle");
        Assert.True(seen.GetProperty("isClean").GetBoolean(), seen.ToString());
        Assert.Equal(40, StressReader.Get(seen, "frames"));
        Assert.Equal(0, reader.Exit());
        Assert.Equal(0, publisher.Exit());
    }

    [Fact]
    public void Over_legacy_handles_they_get_the_sentence_that_explains_it()
    {
        using TemporaryDirectory directory = new();
        using PeerProcess publisher = Publish(directory, "cuda-ipc");
        using PeerProcess reader = Read(directory, "cpu");
        reader.Ask("connect", "connect");
        JsonElement failed = reader.Ask("take 1", "failed");
        Assert.Equal(nameof(ErrorCode.CudaIpcNamespace), failed.GetProperty("code").GetString());
        Assert.Contains("both PID 1", failed.GetProperty("text").GetString(), StringComparison.Ordinal);
        Assert.Equal(0, reader.Exit());
        Assert.Equal(0, publisher.Exit());
    }

    [Fact]
    public void A_release_by_event_is_answered_with_an_eviction_that_names_the_namespaces()
    {
        using TemporaryDirectory directory = new();
        using PeerProcess publisher = Publish(directory, "cuda");
        using PeerProcess reader = Read(directory, "event");
        reader.Ask("connect", "connect");
        reader.Ask("take 1", "take");
        reader.Ask("copy", "copy");
        reader.Ask("release", "release");
        JsonElement answer = default;
        TestStream.Until(
            () =>
            {
                answer = reader.Ask("take 1", "take");
                reader.Ask("drop", "drop");
                return answer.GetProperty("events").EnumerateArray().Any(happened => happened.GetString() == "Evicted CudaIpcNamespace");
            },
            "the reader is evicted");
        Assert.True(answer.GetProperty("isClean").GetBoolean(), answer.ToString());
        Assert.Equal(0, reader.Exit());
        Assert.Equal(0, publisher.Exit());
    }

    private static PeerProcess Publish(TemporaryDirectory directory, string memory)
    {
        PeerProcess publisher = First(directory, "publish", "--memory", memory, "--format", "nv12:320x180", "--fps", "100", "--slots", "4");
        RequireFirst(publisher.Expect("ready"));
        return publisher;
    }

    private static PeerProcess Read(TemporaryDirectory directory, string fence)
    {
        PeerProcess reader = First(directory, "device", "--fence", fence, "--leases", "2");
        RequireFirst(reader.Expect("ready"));
        return reader;
    }

    private static PeerProcess First(TemporaryDirectory directory, string command, params string[] options)
    {
        Assert.True(Environment.IsPrivilegedProcess, "This test makes namespaces and has to run as root.");
        return PeerProcess.StartWith(
            TestCuda.ChildEnvironment,
            ["unshare", "--pid", "--ipc", "--mount", "--fork", "--kill-child", "--mount-proc"],
            [command, "--key", TestStream.Key, "--dir", directory.Path, .. options]);
    }

    private static void RequireFirst(JsonElement ready)
    {
        JsonElement facts = ready.GetProperty("facts");
        Assert.Equal("1", facts.GetProperty("pid").GetString());
        foreach (string name in (string[])["pid", "ipc", "mnt"])
        {
            Assert.NotEqual(new FileInfo($"/proc/self/ns/{name}").LinkTarget, facts.GetProperty("ns:" + name).GetString());
        }
    }
}
