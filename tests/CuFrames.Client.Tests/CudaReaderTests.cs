using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Client.Tests;

/// <summary>Readers that keep the GPU busy, hang on it, write where they may not, leave or die in the middle of it: what others notice of it.</summary>
[Trait("needs", "gpu")]
public class CudaReaderTests(ITestOutputHelper output)
{
    private const int Quota = 2;

    // Goes round the ring: kernels are loaded, memory is pinned, and every slot has its event, all of which may wait for the GPU.
    private const int Rehearsals = 12;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData("stream")]
    [InlineData("event")]
    public void Long_kernels_keep_the_frame_and_the_publisher_does_not_wait_for_them(string fence)
    {
        const int kernelMicroseconds = 100_000;
        using TemporaryDirectory directory = new();
        using PeerProcess publisher = PeerProcess.StartWith(
            TestCuda.ChildEnvironment, [],
            "publish", "--key", "stress", "--dir", directory.Path, "--start-on-go", "1", "--memory", "cuda", "--format", "nv12:640x360",
            "--slots", "4", "--max-slots", "12", "--fps", "200", "--frames", "600");
        publisher.Expect("ready");
        using StressReader busy = new(
            "busy", "newest", directory.Path, "--fence", fence, "--leases", "3", "--busy-us", kernelMicroseconds.ToString(CultureInfo.InvariantCulture))
        { Environment = TestCuda.ChildEnvironment };
        using StressReader witness = new("witness", "inorder", directory.Path, "--leases", "2") { Environment = TestCuda.ChildEnvironment };
        StressReader[] readers = [busy, witness];
        foreach (StressReader reader in readers)
        {
            reader.Start();
            reader.WaitUntilReady();
        }

        publisher.Send("go");
        JsonElement done = publisher.Expect("done");
        output.WriteLine(done.ToString());
        JsonElement[] summaries = [.. readers.Select(reader => reader.Finish())];
        JsonElement statistics = publisher.Ask("stats", "stats").GetProperty("statistics");
        for (int i = 0; i < readers.Length; i++)
        {
            output.WriteLine(summaries[i].ToString());
            readers[i].RequireClean(summaries[i], statistics);
            Assert.Equal(0, readers[i].Peer.Exit());
        }

        // The kernels of three seconds: as many as fit one after the other, so the reader really waited for its GPU.
        Assert.InRange(StressReader.Get(summaries[0], "frames"), 5, 45);
        Assert.Equal(0, StressReader.Get(statistics, "Dropped"));
        Assert.Equal(StressReader.Get(done, "attempts"), StressReader.Get(done, "published"));

        // Half of a kernel: a publisher that waited for one would take longer for one frame in a few. A busy machine makes it take longer for one in a hundred.
        Assert.InRange(done.GetProperty("publishMicroseconds").GetProperty("p90").GetInt32(), 1, kernelMicroseconds / 2);
        Assert.Equal(0, publisher.Exit());
    }

    [Theory]
    [InlineData("stream")]
    [InlineData("event")]
    public void While_all_leases_are_in_the_GPU_a_take_waits_and_goes_on(string fence)
    {
        using TestStream stream = new(TestStream.Small, Options());
        using PeerProcess reader = Start(stream, fence);
        TakeQuota(stream, reader, fence, null);
        stream.Publish(3);
        reader.Ask("spin 2000", "spin");
        reader.Ask("copy", "copy");
        reader.Ask("release", "release");
        JsonElement none = reader.Ask("try", "try");
        Assert.Equal("none", none.GetProperty("text").GetString());
        Assert.Equal(Quota, StressReader.Get(none, "held"));
        JsonElement taken = reader.Ask("take 1", "take");
        Assert.True(taken.GetProperty("areValid").GetBoolean());
        Assert.True(StressReader.Get(taken, "held") <= Quota);
        reader.Ask("copy", "copy");
        RequireClean(reader.Ask("settle", "settle"), Rehearsals + 3);
        reader.Ask("drop", "drop");
        Assert.Equal(0, reader.Exit());
        Assert.Equal((0UL, 0UL), (stream.Publisher.GetStatistics().Dropped, stream.Publisher.GetStatistics().Evicted));
    }

    [Theory]
    [InlineData("stream")]
    [InlineData("event")]
    public void A_reader_that_hangs_on_the_GPU_costs_its_slots_until_it_is_killed(string fence)
    {
        using TestStream stream = new(TestStream.Small, Options());
        using PeerProcess reader = Start(stream, fence);
        using PeerProcess witness = Start(stream, "stream", "witness");
        TakeQuota(stream, reader, fence, witness);
        reader.Ask("hang", "hang");
        reader.Ask("copy", "copy");
        reader.Ask("release", "release");
        Read(stream, witness, 200);
        PublisherStatistics statistics = stream.Publisher.GetStatistics();
        Assert.Equal((0UL, 0UL), (statistics.Dropped, statistics.Evicted));
        Assert.Equal(Quota, statistics.Subscribers.Single(subscriber => subscriber.Program == "reader").HeldLeases);
        KillAndRequireSlotsBack(stream, reader);
        Read(stream, witness, 50);
        Assert.Equal(0, witness.Exit());
    }

    [Fact]
    public void A_reader_that_hangs_on_the_GPU_is_evicted_when_others_starve()
    {
        using TestStream stream = new(TestStream.Small, Options() with { Slots = 3, MaxSlots = 3, LeaseTimeout = TimeSpan.FromMilliseconds(300) });
        using PeerProcess reader = Start(stream, "stream");
        using PeerProcess witness = Start(stream, "stream", "witness");
        TakeQuota(stream, reader, "stream", witness);
        reader.Ask("hang", "hang");
        reader.Ask("release", "release");
        ulong dropped = 0;
        TestStream.Until(
            () =>
            {
                dropped += stream.TryPublish() ? 0u : 1u;
                return stream.Events.Any(happened => happened.Kind == PublisherEventKind.SubscriberEvicted);
            },
            "the reader is evicted");
        Assert.Equal(ErrorCode.LeaseTimeout, stream.Wait(PublisherEventKind.SubscriberEvicted).Code);
        Assert.Equal(dropped, stream.Publisher.GetStatistics().Dropped);
        Assert.Equal(1UL, stream.Publisher.GetStatistics().Evicted);
        Read(stream, witness, 50);
        reader.Kill();
        Read(stream, witness, 50);
        Assert.Equal(0, witness.Exit());
    }

    [Theory]
    [InlineData("stream")]
    [InlineData("event")]
    [InlineData("cpu")]
    public void A_reader_that_is_killed_in_mid_kernel_gives_its_slots_back(string fence)
    {
        using TestStream stream = new(TestStream.Small, Options());
        using PeerProcess witness = Start(stream, "stream", "witness");
        for (int kill = 0; kill < 3; kill++)
        {
            using PeerProcess reader = Start(stream, fence);
            TakeQuota(stream, reader, fence, kill == 0 ? witness : null);
            reader.Ask("spin 2000", "spin");
            reader.Ask("copy", "copy");
            if (fence != "cpu")
            {
                reader.Ask("release", "release");
            }

            KillAndRequireSlotsBack(stream, reader);
        }

        Read(stream, witness, 50);
        Assert.Equal(0, witness.Exit());
    }

    [Theory]
    [InlineData("kernel")]
    [InlineData("fill")]
    public void A_write_to_a_VMM_frame_is_refused_or_breaks_only_the_writers_context(string way)
    {
        using TestStream stream = new(TestStream.Small, Options());
        using PeerProcess writer = Start(stream, "stream");
        using PeerProcess witness = Start(stream, "stream", "witness");
        Connect(writer, "stream");
        Connect(witness, "stream");
        stream.Publish();
        writer.Ask("take 1", "take");
        witness.Ask("take 1", "take");
        JsonElement failed = writer.Ask($"write {way}", "failed");
        output.WriteLine(failed.ToString());
        Assert.NotEqual(0, StressReader.Get(failed, "result"));

        // The frame is as it was, for those who hold it and for those who come.
        witness.Ask("copy", "copy");
        RequireClean(witness.Ask("settle", "settle"), 1);
        witness.Ask("drop", "drop");
        Read(stream, witness, 100);
        using PeerProcess late = Start(stream, "stream", "late");
        Connect(late, "stream");
        Read(stream, late, 3);
        writer.Exit();
        Read(stream, witness, 20);
        Assert.Equal(0UL, stream.Publisher.GetStatistics().Evicted);
        Assert.DoesNotContain(stream.Events, happened => happened.Kind == PublisherEventKind.InternalError);
    }

    [Theory]
    [InlineData("kernel")]
    [InlineData("fill")]
    public void A_write_to_a_legacy_frame_succeeds_and_changes_it_for_all_readers(string way)
    {
        // What legacy handles cannot prevent, and docs/protocol.md 6.3 says: their mappings are writable.
        using TestStream stream = new(TestStream.Small, Options() with { Memory = FrameMemory.CudaIpc });
        using PeerProcess writer = Start(stream, "stream");
        using PeerProcess witness = Start(stream, "stream", "witness");
        Connect(writer, "stream");
        Connect(witness, "stream");
        stream.Publish();
        writer.Ask("take 1", "take");
        witness.Ask("take 1", "take");
        writer.Ask($"write {way}", "write");
        witness.Ask("copy", "copy");
        JsonElement seen = witness.Ask("settle", "settle");
        Assert.Equal(1, StressReader.Get(seen, "torn"));
        witness.Ask("drop", "drop");
        Assert.Equal(0, witness.Exit());

        // The next frame in that slot is whole: the publisher writes all of it.
        writer.Ask("drop", "drop");
        stream.Publish();
        using PeerProcess late = Start(stream, "stream", "late");
        Connect(late, "stream");
        Read(stream, late, 50);
        Assert.Equal(0, writer.Exit());
        Assert.Equal(0, late.Exit());
    }

    [Theory]
    [InlineData("cuda", true)]
    [InlineData("cuda", false)]
    [InlineData("cuda-ipc", true)]
    [InlineData("cuda-ipc", false)]
    public void When_the_publisher_dies_or_ends_its_frames_stay_as_they_are_and_readers_come_to_the_next(string memory, bool isKilled)
    {
        using TemporaryDirectory directory = new();
        string[] options =
        [
            "publish", "--key", TestStream.Key, "--dir", directory.Path, "--memory", memory, "--format", "nv12:640x360", "--fps", "200", "--slots", "4",
        ];
        using PeerProcess first = PeerProcess.StartWith(TestCuda.ChildEnvironment, [], options);
        first.Expect("ready");
        using PeerProcess reader = Start(directory.Path, "stream", leases: 5);
        Connect(reader, "stream");
        reader.Ask("take 4", "take");
        reader.Ask("copy", "copy");
        if (isKilled)
        {
            first.Kill();
        }
        else
        {
            Assert.Equal(0, first.Exit());
        }

        using PeerProcess second = PeerProcess.StartWith(TestCuda.ChildEnvironment, [], options);
        second.Expect("ready");
        using PeerProcess other = Start(directory.Path, "stream", leases: 1);
        Connect(other, "stream");
        for (int i = 0; i < 20; i++)
        {
            // The second publisher's memory is in use now, and the first's is still what it was.
            other.Ask("take 1", "take");
            other.Ask("copy", "copy");
            other.Ask("release", "release");
        }

        RequireClean(other.Ask("settle", "settle"), 20);
        reader.Ask("copy", "copy");
        RequireClean(reader.Ask("settle", "settle"), 4);
        Assert.Equal(2, StressReader.Get(reader.Ask("next-epoch", "next-epoch"), "epochs"));
        reader.Ask("copy", "copy");
        JsonElement last = reader.Ask("settle", "settle");
        Assert.True(last.GetProperty("isClean").GetBoolean(), last.ToString());
        Assert.True(last.GetProperty("areValid").GetBoolean());
        reader.Ask("drop", "drop");
        Assert.Equal(0, reader.Exit());
    }

    [Theory]
    [InlineData("stream", "cuda")]
    [InlineData("event", "cuda")]
    [InlineData("stream", "cuda-ipc")]
    public void A_subscriber_that_leaves_while_its_releases_are_in_the_GPU_unmaps_nothing_early_and_everything_later(string fence, string memory)
    {
        using TestStream stream = new(TestStream.Small, Options() with { Memory = memory == "cuda" ? FrameMemory.Cuda : FrameMemory.CudaIpc });
        using PeerProcess reader = Start(stream, fence);

        // What a first connection leaves for good is there before it is counted.
        TakeQuota(stream, reader, fence, null);
        reader.Ask("release", "release");
        reader.Ask("settle", "settle");
        reader.Ask("leave", "leave");
        long live = 0;
        TestStream.Until(() => live == (live = StressReader.Get(reader.Ask("live", "live"), "live")) && stream.Publisher.GetStatistics().Subscribers.Count == 0, "the reader has left");
        for (int round = 0; round < 3; round++)
        {
            TakeQuota(stream, reader, fence, null);
            reader.Ask("spin 300", "spin");
            reader.Ask("copy", "copy");
            reader.Ask("release", "release");
            reader.Ask("leave", "leave");
            TestStream.Until(() => stream.Publisher.GetStatistics().Subscribers.Count == 0, "the publisher sees it leave");
            RequireClean(reader.Ask("settle", "settle"), (Rehearsals + Quota) * (round + 2));
        }

        // The control loop looks several times a second.
        TestStream.Until(() => StressReader.Get(reader.Ask("live", "live"), "live") <= live, "everything is unmapped");
        Assert.Equal(0, reader.Exit());
        stream.Publish(20);
    }

    private static PublisherOptions Options() => new() { Memory = FrameMemory.Cuda, Slots = 4, MaxSlots = 10, MaxLeases = 4 };

    private static PeerProcess Start(TestStream stream, string fence, string name = "reader") => Start(stream.Directory.Path, fence, Quota, name);

    private static PeerProcess Start(string directory, string fence, int leases, string name = "reader")
    {
        PeerProcess reader = PeerProcess.StartWith(
            TestCuda.ChildEnvironment, [],
            "device", "--key", TestStream.Key, "--dir", directory, "--fence", fence, "--program", name,
            "--leases", leases.ToString(CultureInfo.InvariantCulture));
        reader.Expect("ready");
        return reader;
    }

    private static void Connect(PeerProcess reader, string fence) =>
        Assert.Equal(fence, reader.Ask("connect", "connect").GetProperty("text").GetString()!.ToLowerInvariant());

    /// <summary>Connects a reader, lets it do everything once, and then take as many frames as it may.</summary>
    private static void TakeQuota(TestStream stream, PeerProcess reader, string fence, PeerProcess? witness)
    {
        Connect(reader, fence);
        if (witness is not null)
        {
            Connect(witness, "stream");
        }

        PeerProcess[] readers = witness is null ? [reader] : [reader, witness];
        for (int i = 0; i < Rehearsals; i++)
        {
            stream.Publish();
            foreach (PeerProcess each in readers)
            {
                each.Ask("spin 1", "spin");
                ReadOne(each);
            }
        }

        for (int i = 0; i < Quota; i++)
        {
            stream.Publish();
            reader.Ask("take 1", "take");
            if (witness is not null)
            {
                ReadOne(witness);
            }
        }
    }

    /// <summary>Publishes frames and lets a reader take and check each.</summary>
    private static void Read(TestStream stream, PeerProcess witness, int frames)
    {
        for (int i = 0; i < frames; i++)
        {
            stream.Publish();
            ReadOne(witness);
        }
    }

    private static void ReadOne(PeerProcess witness)
    {
        witness.Ask("take 1", "take");
        witness.Ask("copy", "copy");
        witness.Ask("release", "release");
        Assert.True(witness.Ask("settle", "settle").GetProperty("isClean").GetBoolean());
    }

    private static void RequireClean(JsonElement answer, long frames)
    {
        Assert.True(answer.GetProperty("isClean").GetBoolean(), answer.ToString());
        Assert.Equal(frames, StressReader.Get(answer, "frames"));
    }

    private void KillAndRequireSlotsBack(TestStream stream, PeerProcess reader)
    {
        ulong before = stream.Publisher.GetStatistics().HungUp;
        Stopwatch watch = Stopwatch.StartNew();
        reader.KillNow();
        TestStream.Until(() => stream.Publisher.GetStatistics().HungUp == before + 1, "the reader's leases are gone");
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"slots back after {watch.Elapsed.TotalMilliseconds:F2} ms"));
        Assert.DoesNotContain(stream.Publisher.GetStatistics().Subscribers, subscriber => subscriber.Program == "reader" && subscriber.HeldLeases > 0 && subscriber.ProcessId == reader.Id);
        for (int i = 0; i < 20; i++)
        {
            stream.Publish();
        }
    }
}
