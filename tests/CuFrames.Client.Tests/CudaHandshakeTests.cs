using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Client.Tests;

/// <summary>Who may read a stream in device memory, and what somebody who may not, or for whom there is no room, is told.</summary>
public partial class CudaHandshakeTests
{
    private const string FirstDevice = "GPU-fa4ecada-0000-4000-8000-000000000000";
    private const string SecondDevice = "GPU-fa4ecada-0000-4000-8000-000000000001";

    [Fact]
    public void A_reader_that_cannot_see_the_device_is_told_both_UUIDs()
    {
        using TemporaryDirectory directory = new();
        using PeerProcess publisher = Start(
            directory, [("FAKECUDA_DEVICES", "2"), ("CUDA_VISIBLE_DEVICES", "0")], "publish", "--memory", "cuda", "--format", "gray8:64x48", "--fps", "50");
        using PeerProcess reader = Start(directory, [("FAKECUDA_DEVICES", "2"), ("CUDA_VISIBLE_DEVICES", "1")], "device");
        JsonElement failed = reader.Ask("connect", "failed");
        Assert.Equal(nameof(ErrorCode.DomainNotMappable), failed.GetProperty("code").GetString());
        Assert.Contains(FirstDevice, failed.GetProperty("text").GetString(), StringComparison.Ordinal);
        Assert.Contains(SecondDevice, failed.GetProperty("text").GetString(), StringComparison.Ordinal);

        // The second HELLO is refused for good; the first one, which offered main memory only, was a question.
        JsonElement statistics = publisher.Ask("stats", "stats").GetProperty("statistics");
        Assert.Equal((1L, 0), (StressReader.Get(statistics, "Refused"), statistics.GetProperty("Subscribers").GetArrayLength()));
    }

    [Theory]
    [InlineData("1,0")]
    [InlineData(SecondDevice + "," + FirstDevice)]
    [InlineData(FirstDevice)]
    public void Devices_are_told_apart_by_UUID_whatever_their_numbers_are(string visible)
    {
        using TemporaryDirectory directory = new();
        using PeerProcess publisher = Start(
            directory, [("FAKECUDA_DEVICES", "2"), ("CUDA_VISIBLE_DEVICES", "0")], "publish", "--memory", "cuda", "--format", "gray8:64x48", "--fps", "50");
        using PeerProcess reader = Start(directory, [("FAKECUDA_DEVICES", "2"), ("CUDA_VISIBLE_DEVICES", visible)], "device");
        reader.Ask("connect", "connect");
        reader.Ask("take 2", "take");
        reader.Ask("copy", "copy");
        Assert.True(reader.Ask("settle", "settle").GetProperty("isClean").GetBoolean());
    }

    [Fact]
    public void A_reader_without_a_driver_is_told_what_is_missing_and_where_the_stream_lies()
    {
        using TestStream stream = new(TestStream.Small, new PublisherOptions { Memory = FrameMemory.Cuda });

        // An empty file is no library, wherever a driver may be.
        using TemporaryDirectory empty = new();
        File.WriteAllText(Path.Combine(empty.Path, "libcuda.so.1"), "");
        using PeerProcess reader = Start(stream.Directory, [("LD_LIBRARY_PATH", empty.Path)], "device");
        JsonElement failed = reader.Ask("connect", "failed");
        Assert.Equal(nameof(ErrorCode.DomainNotMappable), failed.GetProperty("code").GetString());
        Assert.Contains(FirstDevice, failed.GetProperty("text").GetString(), StringComparison.Ordinal);
        Assert.Contains("libcuda.so.1", failed.GetProperty("text").GetString(), StringComparison.Ordinal);
        Assert.DoesNotContain(stream.Events, happened => happened.Kind == PublisherEventKind.SubscriberJoined);
    }

    [Fact]
    [Trait("needs", "gpu")]
    public void A_reader_that_learns_of_the_device_by_a_refusal_is_not_counted_as_refused()
    {
        using TestStream stream = new(TestStream.Small, new PublisherOptions { Memory = FrameMemory.Cuda });
        stream.Publish();
        using PeerProcess reader = Start(stream.Directory, [], "device");
        reader.Ask("connect", "connect");
        reader.Ask("take 1", "take");
        Assert.Single(stream.Publisher.GetStatistics().Subscribers);
        Assert.Equal(0UL, stream.Publisher.GetStatistics().Refused);
        Assert.DoesNotContain(stream.Events, happened => happened.Kind == PublisherEventKind.SubscriberRefused);
    }

    [Fact]
    public void A_host_stream_needs_no_driver_of_its_readers()
    {
        using TestStream stream = new(TestStream.Small);
        stream.Publish();
        using TemporaryDirectory empty = new();
        File.WriteAllText(Path.Combine(empty.Path, "libcuda.so.1"), "");
        using StressReader reader = new("plain", "newest", stream.Directory.Path, "--leases", "1")
        { Key = TestStream.Key, Environment = new Dictionary<string, string> { ["LD_LIBRARY_PATH"] = empty.Path } };
        reader.Start();
        reader.WaitUntilReady();
        reader.Peer.Expect("connected");
        Assert.Equal(1, StressReader.Get(reader.Finish(), "frames"));
    }

    [Fact]
    [Trait("needs", "gpu")]
    public void A_shared_budget_is_kept_and_its_refusal_names_four_numbers()
    {
        MemoryBudget budget = new(6L << 20, "GPU memory");
        PublisherOptions options = new() { Memory = FrameMemory.Cuda, Slots = 2, MaxSlots = 8, Budget = budget };
        using (TestStream first = new(TestStream.Small, options))
        {
            Assert.Equal(2L << 20, budget.InUse);
            CuFramesException error = Assert.Throws<CuFramesException>(() => FramePublisher.Create(
                "large", new StreamFormat(PixelFormat.Nv12, 1920, 1080), options with { Directory = first.Directory.Path }));
            Assert.Equal(ErrorCode.OutOfResources, error.Code);
            Assert.Equal(["6.0", "6.0", "2.0", "8.0"], Mebibytes().Matches(error.Message).Select(match => match.Groups[1].Value));
            Assert.Equal(2L << 20, budget.InUse);
            using TestStream second = new(TestStream.Small, options);
            Assert.Equal(4L << 20, budget.InUse);
            first.Publish(20);
            second.Publish(20);
        }

        Assert.Equal(0, budget.InUse);
    }

    [Fact]
    [Trait("needs", "gpu")]
    public void The_streams_own_limit_names_its_numbers_and_the_stream_goes_on()
    {
        using TestStream stream = new(TestStream.Small, new PublisherOptions { Memory = FrameMemory.Cuda, Slots = 2, MaxSlots = 8, MemoryLimit = 3L << 20 });
        CuFramesException error = Assert.Throws<CuFramesException>(() => stream.Publisher.Configure(TestStream.Small with { Width = 128 }));
        Assert.Equal(ErrorCode.OutOfResources, error.Code);
        Assert.Equal(["2.0", "3.0", "2.0", "0.0", "4.0"], Mebibytes().Matches(error.Message).Select(match => match.Groups[1].Value));
        stream.Publish(20);
        Assert.Equal(TestStream.Small, stream.Publisher.Format);
    }

    [Fact]
    public void A_ring_that_cannot_grow_for_want_of_device_memory_drops_and_goes_on()
    {
        using TemporaryDirectory directory = new();
        using PeerProcess publisher = Start(
            directory, [("FAKECUDA_MEMORY_MIB", "4")],
            "publish", "--memory", "cuda", "--format", "gray8:64x48", "--slots", "2", "--max-slots", "12", "--fps", "200", "--lease-timeout-ms", "60000");
        using PeerProcess holder = Start(directory, [], "device", "--leases", "8");
        holder.Ask("connect", "connect");
        JsonElement statistics = default;
        holder.Ask("take 3", "take");
        TestStream.Until(
            () =>
            {
                // Two segments of two mebibytes are what there is room for: four slots, of which the holder has all but the newest one.
                if (holder.Ask("try", "try").GetProperty("text").GetString() == "none")
                {
                    statistics = publisher.Ask("stats", "stats").GetProperty("statistics");
                    return StressReader.Get(statistics, "Dropped") > 20;
                }

                return false;
            },
            "frames are dropped");
        Assert.Equal(4L << 20, StressReader.Get(statistics, "SegmentBytes"));
        Assert.Equal(0, StressReader.Get(statistics, "Evicted"));
        holder.Ask("copy", "copy");
        RequireClean(holder.Ask("settle", "settle"));
        holder.Ask("drop", "drop");
        for (int i = 0; i < 20; i++)
        {
            holder.Ask("take 1", "take");
            holder.Ask("copy", "copy");
            holder.Ask("release", "release");
        }

        RequireClean(holder.Ask("settle", "settle"));
        Assert.Equal(0, publisher.Exit());
    }

    [Theory]
    [InlineData("cuDevicePrimaryCtxRetain", "cuda", "connect")]
    [InlineData("cuStreamCreate", "cuda", "connect")]
    [InlineData("cuEventCreate", "cuda", "connect")]
    [InlineData("cuMemImportFromShareableHandle", "cuda", "take 1")]
    [InlineData("cuMemAddressReserve", "cuda", "take 1")]
    [InlineData("cuMemMap", "cuda", "take 1")]
    [InlineData("cuMemSetAccess", "cuda", "take 1")]
    [InlineData("cuMemRelease", "cuda", "take 1")]
    [InlineData("cuIpcOpenMemHandle_v2", "cuda-ipc", "take 1")]
    public void A_call_that_fails_once_in_a_reader_is_named_and_the_next_attempt_works_and_nothing_leaks(string call, string memory, string step)
    {
        using TestStream stream = new(TestStream.Small, new PublisherOptions { Memory = memory == "cuda" ? FrameMemory.Cuda : FrameMemory.CudaIpc });
        stream.Publish();
        (long live, long descriptors) = ReadOnce(stream, "", "");
        (long liveAfter, long descriptorsAfter) = ReadOnce(stream, call, step);
        Assert.True(liveAfter <= live, $"{liveAfter} objects of the driver instead of {live}");
        Assert.True(descriptorsAfter <= descriptors, $"{descriptorsAfter} sockets and memory files instead of {descriptors}");
    }

    [Theory]
    [InlineData("cuMemHostRegister_v2")]
    [InlineData("cuMemHostGetDevicePointer_v2")]
    public void A_page_that_cannot_be_registered_leads_to_the_next_fence_and_says_why(string call)
    {
        using TestStream stream = new(TestStream.Small, new PublisherOptions { Memory = FrameMemory.Cuda });
        stream.Publish();
        using PeerProcess reader = Start(stream.Directory, [("FAKECUDA_FAIL", $"{call}:1:801")], "device");
        string text = reader.Ask("connect", "connect").GetProperty("text").GetString()!;
        Assert.StartsWith("Event ", text, StringComparison.Ordinal);
        Assert.Contains(call, text, StringComparison.Ordinal);
        reader.Ask("take 1", "take");
        reader.Ask("copy", "copy");
        reader.Ask("release", "release");
        Assert.True(reader.Ask("settle", "settle").GetProperty("isClean").GetBoolean());
        stream.Publish(20);
        Assert.Equal(0UL, stream.Publisher.GetStatistics().Evicted);
    }

    [Theory]
    [InlineData("cuDevicePrimaryCtxRetain", "cuda")]
    [InlineData("cuMemGetAllocationGranularity", "cuda")]
    [InlineData("cuMemCreate", "cuda")]
    [InlineData("cuMemAddressReserve", "cuda")]
    [InlineData("cuMemMap", "cuda")]
    [InlineData("cuMemSetAccess", "cuda")]
    [InlineData("cuMemExportToShareableHandle", "cuda")]
    [InlineData("cuMemAlloc_v2", "cuda-ipc")]
    [InlineData("cuIpcGetMemHandle", "cuda-ipc")]
    public void A_call_that_fails_once_in_a_publisher_is_named_and_the_next_attempt_works_and_nothing_leaks(string call, string memory)
    {
        (long live, long descriptors) = PublishOnce("", memory);
        (long liveAfter, long descriptorsAfter) = PublishOnce(call, memory);
        Assert.True(liveAfter <= live, $"{liveAfter} objects of the driver instead of {live}");
        Assert.True(descriptorsAfter <= descriptors, $"{descriptorsAfter} sockets and memory files instead of {descriptors}");
    }

    private static void RequireClean(JsonElement answer) => Assert.True(answer.GetProperty("isClean").GetBoolean(), answer.ToString());

    private static (long Live, long Descriptors) ReadOnce(TestStream stream, string call, string step)
    {
        using PeerProcess reader = Start(stream.Directory, call.Length == 0 ? [] : [("FAKECUDA_FAIL", $"{call}:1:999")], "device");
        if (step == "connect")
        {
            Assert.Contains(call, reader.Ask("connect", "failed").GetProperty("text").GetString(), StringComparison.Ordinal);
        }

        reader.Ask("connect", "connect");
        if (step == "take 1")
        {
            JsonElement failed = reader.Ask(step, "failed");
            Assert.Equal(nameof(ErrorCode.SegmentInvalid), failed.GetProperty("code").GetString());
            Assert.Contains(call, failed.GetProperty("text").GetString(), StringComparison.Ordinal);
        }

        reader.Ask("take 1", "take");
        reader.Ask("copy", "copy");
        Assert.True(reader.Ask("settle", "settle").GetProperty("isClean").GetBoolean());
        reader.Ask("drop", "drop");
        reader.Ask("leave", "leave");
        reader.Ask("end", "end");
        JsonElement left = reader.Ask("live", "live");
        Assert.Equal(0, reader.Exit());
        TestStream.Until(() => stream.Publisher.GetStatistics().Subscribers.Count == 0, "the reader has left");
        return (StressReader.Get(left, "live"), StressReader.Get(left, "descriptors"));
    }

    private static (long Live, long Descriptors) PublishOnce(string call, string memory)
    {
        using TemporaryDirectory directory = new();
        using PeerProcess publisher = Start(
            directory, call.Length == 0 ? [] : [("FAKECUDA_FAIL", $"{call}:1:999")], "device", "--memory", memory, "--format", "gray8:64x48");
        if (call.Length > 0)
        {
            JsonElement failed = publisher.Ask("create", "failed");
            Assert.Contains(call, failed.GetProperty("text").GetString(), StringComparison.Ordinal);
            Assert.DoesNotContain(".sock", string.Join(' ', Directory.GetFileSystemEntries(directory.Path)), StringComparison.Ordinal);
        }

        publisher.Ask("create", "create");
        publisher.Ask("publish 20", "publish");
        using PeerProcess reader = Start(directory, [], "device");
        reader.Ask("connect", "connect");
        reader.Ask("take 1", "take");
        reader.Ask("copy", "copy");
        Assert.True(reader.Ask("settle", "settle").GetProperty("isClean").GetBoolean());
        Assert.Equal(0, reader.Exit());
        publisher.Ask("close", "close");
        JsonElement left = publisher.Ask("live", "live");
        Assert.Equal(0, publisher.Exit());
        return (StressReader.Get(left, "live"), StressReader.Get(left, "descriptors"));
    }

    private static PeerProcess Start(TemporaryDirectory directory, (string Name, string Value)[] environment, string command, params string[] options)
    {
        Dictionary<string, string> variables = new(TestCuda.ChildEnvironment);
        foreach ((string name, string value) in environment)
        {
            variables[name] = value;
        }

        PeerProcess peer = PeerProcess.StartWith(variables, [], [command, "--key", TestStream.Key, "--dir", directory.Path, .. options]);
        Assert.True(peer.Expect("ready").ValueKind == JsonValueKind.Object, string.Create(CultureInfo.InvariantCulture, $"{command} is ready"));
        return peer;
    }

    [GeneratedRegex(@"([0-9]+\.[0-9]) MiB")]
    private static partial Regex Mebibytes();
}
