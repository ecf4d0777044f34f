using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Client.Tests;

/// <summary>No allocation and no system call per frame.</summary>
public partial class CostTests(ITestOutputHelper output)
{
    [Fact]
    public void Publishing_and_taking_allocate_nothing()
    {
        using PeerProcess peer = PeerProcess.Start("allocations", "--mode", "sync", "--frames", "10000");
        JsonElement answer = peer.Expect("allocated");
        Assert.True(answer.GetProperty("IsClean").GetBoolean());
        Assert.Equal(0, answer.GetProperty("bytes").GetInt64());
    }

    [Fact]
    public void Waiting_asynchronously_allocates_nothing_in_the_whole_process()
    {
        // The measuring loop and the pool's threads allocate a little, not per frame but with time, of which a busy machine takes more: the least of a few rounds
        // counts. The smallest object has 24 bytes, the bound is one byte a frame.
        const int MostRounds = 4;
        long few = Allocated("2000");
        long many = long.MaxValue;
        for (int round = 0; round < MostRounds && many > few + 18_000; round++)
        {
            many = Math.Min(many, Allocated("20000"));
            output.WriteLine($"{few} bytes for 2,000 frames, {many} for 20,000");
        }

        Assert.True(many <= few + 18_000, $"{few} bytes for 2,000 frames, {many} for 20,000");

        static long Allocated(string frames)
        {
            using PeerProcess peer = PeerProcess.Start("allocations", "--mode", "async", "--frames", frames);
            JsonElement answer = peer.Expect("allocated");
            Assert.True(answer.GetProperty("IsClean").GetBoolean());
            return answer.GetProperty("bytes").GetInt64();
        }
    }

    [Theory]
    [Trait("needs", "gpu")]
    [InlineData("cpu")]
    [InlineData("stream")]
    public void Publishing_and_taking_in_device_memory_allocate_nothing(string fence)
    {
        using PeerProcess peer = PeerProcess.StartWith(
            TestCuda.ChildEnvironment, [], "allocations", "--mode", "sync", "--memory", "cuda", "--fence", fence, "--frames", "5000");
        RequireNothingAllocated(peer, fence);
    }

    [Fact]
    [Trait("needs", "gpu")]
    public void Releasing_by_event_allocates_nothing()
    {
        // An event cannot be shared within a process: publisher and reader are two.
        using TemporaryDirectory directory = new();
        using PeerProcess publisher = PeerProcess.StartWith(
            TestCuda.ChildEnvironment, [], "publish", "--key", "events", "--dir", directory.Path, "--memory", "cuda", "--format", "nv12:64x48", "--fps", "4000");
        publisher.Expect("ready");
        using PeerProcess peer = PeerProcess.StartWith(
            TestCuda.ChildEnvironment, [],
            "allocations", "--mode", "reader", "--memory", "cuda", "--key", "events", "--dir", directory.Path, "--fence", "event", "--frames", "5000", "--warm-up", "1000");
        RequireNothingAllocated(peer, "event");
    }

    private static void RequireNothingAllocated(PeerProcess peer, string fence)
    {
        JsonElement answer = peer.Expect("allocated");
        Assert.True(answer.GetProperty("IsClean").GetBoolean(), answer.ToString());
        Assert.Equal(fence, answer.GetProperty("fence").GetString()!.ToLowerInvariant());
        Assert.Equal(0, answer.GetProperty("bytes").GetInt64());
    }

    [Fact]
    public void A_publish_to_busy_readers_makes_no_system_call()
    {
        const int few = 50_000;
        const int many = 550_000;
        int fewCalls = CountCalls(few);
        int manyCalls = CountCalls(many);
        output.WriteLine($"{fewCalls} calls for {few} frames, {manyCalls} for {many}");

        // Half a million frames more: the difference is the runtime's own noise (its tiering and its collector), not one call in a thousand frames.
        Assert.True(manyCalls - fewCalls < (many - few) / 1000, $"{fewCalls} calls for {few} frames, {manyCalls} for {many}");
    }

    /// <summary>Publishes under strace, to a reader that holds a frame and does not wait, and counts the publishing thread's calls.</summary>
    private static int CountCalls(int frames)
    {
        using TemporaryDirectory directory = new();
        string trace = Path.Combine(directory.Path, "trace");
        using PeerProcess publisher = PeerProcess.StartUnder(
            ["strace", "-f", "-qq", "-o", trace],
            "publish", "--key", "quiet", "--dir", directory.Path, "--format", "gray8:64x48", "--start-on-go", "1",
            "--frames", frames.ToString(CultureInfo.InvariantCulture));
        publisher.Expect("ready");
        using FrameSubscriber busy = FrameSubscriber.Connect("quiet", new SubscriberOptions { Directory = directory.Path });
        publisher.Send("go");
        publisher.Expect("done");
        Assert.True(busy.TryTake(out Frame frame));
        Assert.Null(StampedFrames.FindFault(frame));
        frame.Dispose();
        Assert.Equal(0, publisher.Exit());

        // The publishing thread is the process's first.
        string[] lines = File.ReadAllLines(trace);
        string first = lines[0].Split(' ')[0];
        return lines.Count(line => line.StartsWith(first + " ", StringComparison.Ordinal) && Call().IsMatch(line));
    }

    [GeneratedRegex(@"^\d+ +[a-z_0-9]+\(")]
    private static partial Regex Call();
}
