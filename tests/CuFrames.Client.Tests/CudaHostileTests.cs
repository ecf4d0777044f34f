using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.Protocol.Messages;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Client.Tests;

/// <summary>Peers that break the protocol of frames in device memory.</summary>
[Trait("needs", "gpu")]
public class CudaHostileTests
{
    private const int TwoMebibytes = 2 << 20;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    /// <summary>What a hostile publisher sends for a segment. All are answered with SEGMENT_INVALID.</summary>
    internal static Dictionary<string, Action<RawPublisher, UnixSocket>> Segments { get; } = new()
    {
        ["an ordinary file for a VMM descriptor"] = (raw, socket) => Send(raw, socket, Vmm(), raw.MakeOrdinaryFile(TwoMebibytes)),
        ["a memfd for a VMM descriptor"] = (raw, socket) => Send(raw, socket, Vmm(), raw.MakeFile(TwoMebibytes, MemoryFileSeals.None)),
        ["a sealed host segment for a VMM descriptor"] = (raw, socket) => Send(raw, socket, Vmm(), raw.Segment.File),
        ["a socket for a VMM descriptor"] = (raw, socket) => Send(raw, socket, Vmm(), raw.Own(UnixSocket.CreatePair().First.Descriptor)),
        ["a segment that is larger than its allocation"] = (raw, socket) => Send(raw, socket, Vmm() with { Size = 8 * TwoMebibytes }, Allocation(raw)),
        ["a segment whose size is no multiple of the granularity"] = (raw, socket) => Send(raw, socket, Vmm() with { Size = 5000 }, Allocation(raw)),
        ["a segment of a tebibyte"] = (raw, socket) => Send(raw, socket, Vmm() with { Size = 1UL << 40 }, Allocation(raw)),
        ["a segment of another device"] = (raw, socket) => Send(raw, socket, Vmm() with { Device = Guid.NewGuid() }, Allocation(raw)),
        ["a host segment in a stream of a device"] = (raw, socket) => raw.SendSegment(socket),
        ["noise for a legacy handle"] = (_, socket) => SendHandle(socket, Enumerable.Range(0, 64).Select(i => (byte)(i * 37)).ToArray()),
        ["zeros for a legacy handle"] = (_, socket) => SendHandle(socket, new byte[64]),
    };

    public static TheoryData<string> SegmentNames() => [.. Segments.Keys];

    [Theory]
    [MemberData(nameof(SegmentNames))]
    public async Task A_segment_that_the_driver_does_not_take_is_answered_with_a_code_and_nothing_stays_open(string attack)
    {
        // The driver's own descriptors are there before the count.
        using CudaContext context = TestCuda.Device.OpenContext();
        await Attack(attack);
        int descriptors = OwnProcess.Descriptors();
        int mappings = OwnProcess.Mappings();
        ulong live = Live();
        await Attack(attack);
        Assert.True(OwnProcess.Descriptors() <= descriptors);
        Assert.True(OwnProcess.Mappings() <= mappings);
        Assert.True(Live() <= live, $"{Live()} objects of the driver instead of {live}");
    }

    [Fact]
    public async Task A_stream_that_is_said_to_lie_on_a_device_that_was_not_offered_is_left()
    {
        using CudaContext context = TestCuda.Device.OpenContext();
        using RawPublisher raw = new();
        raw.Welcome = raw.Welcome with { Description = new StreamDescription { Domain = MemoryDomain.Cuda, Device = Guid.NewGuid() } };
        Task serving = raw.Serve();
        Assert.Equal(ErrorCode.SegmentInvalid, Assert.Throws<ProtocolException>(() => raw.Connect().Dispose()).Code);
        await serving.WaitAsync(Patience, TestContext.Current.CancellationToken);
        Assert.Equal(ErrorCode.SegmentInvalid, raw.Bye);
    }

    [Fact]
    public void An_EVENT_of_noise_is_answered_with_an_eviction() => RunAgainst(raw =>
    {
        Join(raw, Fence.Event);
        raw.Send(new EventMessage(1, Enumerable.Range(0, 64).Select(i => (byte)(i * 91)).ToArray()).Write(new byte[256]));
        Assert.Equal(ErrorCode.SegmentInvalid, raw.ReadVerdict());
    });

    [Fact]
    public void An_EVENT_for_a_slot_beyond_the_table_is_answered_with_an_eviction() => RunAgainst(raw =>
    {
        Join(raw, Fence.Event);
        raw.Send(new EventMessage(64, new byte[64]).Write(new byte[256]));
        Assert.Equal(ErrorCode.ProtocolError, raw.ReadVerdict());
    });

    [Fact]
    public void An_EVENT_that_was_not_granted_is_answered_with_an_eviction() => RunAgainst(raw =>
    {
        Join(raw, Fence.Cpu);
        raw.Send(new EventMessage(1, new byte[64]).Write(new byte[256]));
        Assert.Equal(ErrorCode.ProtocolError, raw.ReadVerdict());
    });

    [Fact]
    public void A_second_EVENT_for_a_slot_is_answered_with_an_eviction() => RunAgainst(raw =>
    {
        using TemporaryDirectory unused = new();
        using PeerProcess peer = PeerProcess.StartWith(TestCuda.ChildEnvironment, [], "device", "--key", "none", "--dir", unused.Path);
        peer.Expect("ready");
        byte[] handle = Convert.FromHexString(peer.Ask("event", "event").GetProperty("text").GetString()!);
        Join(raw, Fence.Event);
        byte[] message = new EventMessage(1, handle).Write(new byte[256]).ToArray();
        raw.Send(message);
        raw.Send(message);
        Assert.Equal(ErrorCode.ProtocolError, raw.ReadVerdict());
    });

    [Fact]
    public void An_EVENT_of_the_publishers_own_process_is_answered_as_two_PID_1_are() => RunAgainst(raw =>
    {
        using CudaContext context = TestCuda.Device.OpenContext();
        using CudaEvent own = CudaEvent.Create(context, interprocess: true);
        byte[] handle = new byte[64];
        own.CopyHandleTo(handle);
        Join(raw, Fence.Event);
        raw.Send(new EventMessage(1, handle).Write(new byte[256]));
        Assert.Equal(ErrorCode.CudaIpcNamespace, raw.ReadVerdict());
    });

    [Fact]
    public void Lease_words_that_say_event_without_one_count_as_held_until_others_starve() => RunAgainst(
        raw =>
        {
            Join(raw, Fence.Event, leases: 2);
            raw.Page.SetEventPending(0, 1);
            raw.Page.SetEventPending(1, 2);
            Assert.Equal(ErrorCode.LeaseTimeout, raw.ReadVerdict());
        },
        new PublisherOptions { Memory = FrameMemory.Cuda, Slots = 3, MaxSlots = 3, LeaseTimeout = TimeSpan.FromSeconds(3) });

    private static async Task Attack(string attack)
    {
        using RawPublisher raw = new();
        raw.Welcome = raw.Welcome with { Description = new StreamDescription { Domain = MemoryDomain.Cuda, Device = TestCuda.Device.Uuid } };
        raw.AfterWelcome = socket => Segments[attack](raw, socket);
        Task serving = raw.Serve();
        ProtocolException error = Assert.Throws<ProtocolException>(() =>
        {
            using FrameSubscriber subscriber = raw.Connect();
            subscriber.TryNext(Patience, out _);
        });
        Assert.Equal(ErrorCode.SegmentInvalid, error.Code);
        await serving.WaitAsync(Patience, TestContext.Current.CancellationToken);
        Assert.Equal(ErrorCode.SegmentInvalid, raw.Bye);
    }

    private static void Join(RawSubscriber raw, Fence fences, uint leases = 2)
    {
        raw.Join(leases: leases, domain: new DomainOffer(MemoryDomain.Cuda, 1u << (int)HandleKind.CudaVmm, TestCuda.Device.Uuid), fences: fences | Fence.Cpu);
        Assert.Equal(fences | Fence.Cpu, raw.Welcome!.Fences);
    }

    /// <summary>Runs an attack while another process reads all frames.</summary>
    private static void RunAgainst(Action<RawSubscriber> attack, PublisherOptions? options = null)
    {
        using TestStream stream = new(TestStream.Small, options ?? new PublisherOptions { Memory = FrameMemory.Cuda, Slots = 4, MaxSlots = 8 });
        stream.Publish(3);
        using StressReader witness = new("witness", "inorder", stream.Directory.Path, "--leases", "1") { Key = TestStream.Key, Environment = TestCuda.ChildEnvironment };
        witness.Start();
        witness.WaitUntilReady();
        bool isOver = false;
        Thread publishing = new(() =>
        {
            while (!Volatile.Read(ref isOver))
            {
                stream.TryPublish();
                Thread.Sleep(2); // The frame rate of this stream.
            }
        });
        publishing.Start();
        try
        {
            witness.Peer.Expect("connected");
            using RawSubscriber raw = new(stream.Directory.Path, TestStream.Key);
            attack(raw);
            TestStream.Until(() => stream.Publisher.GetStatistics().Subscribers.Count == 1, "the attacker is gone");
            ulong before = stream.Publisher.Head;
            TestStream.Until(() => stream.Publisher.Head > before + 20, "frames come as before");
        }
        finally
        {
            Volatile.Write(ref isOver, true);
            publishing.Join();
        }

        System.Text.Json.JsonElement summary = witness.Finish();
        Assert.Equal(0, StressReader.Get(summary, "torn") + StressReader.Get(summary, "lost") + StressReader.Get(summary, "missedWrong") + StressReader.Get(summary, "reconnects"));
        Assert.Equal((long)stream.Publisher.Head, StressReader.Get(summary, "last"));
        Assert.Equal(1UL, stream.Publisher.GetStatistics().Evicted);
        Assert.DoesNotContain(stream.Events, happened => happened.Kind == PublisherEventKind.InternalError);
        Assert.Equal(0, witness.Peer.Exit());
    }

    private static SegmentDescription Vmm() => new(1, MemoryDomain.Cuda, HandleKind.CudaVmm, 1, TwoMebibytes, TestCuda.Device.Uuid, 4);

    private static FileDescriptor Allocation(RawPublisher raw)
    {
        CudaContext context = raw.Own(TestCuda.Device.OpenContext());
        return raw.Own(raw.Own(CudaMemory.CreateShareable(context, TwoMebibytes)).ExportDescriptor());
    }

    private static void Send(RawPublisher raw, UnixSocket socket, SegmentDescription description, FileDescriptor file) =>
        raw.SendSegment(socket, description, file);

    private static void SendHandle(UnixSocket socket, byte[] handle) =>
        socket.Send(new SegmentMessage(Vmm() with { HandleKind = HandleKind.CudaIpc }, handle).Write(new byte[512]), [], 90_000);

    private static unsafe ulong Live() =>
        TestCuda.IsReal ? 0 : ((delegate* unmanaged<ulong>)TestCuda.DoubleExport("fakecuda_live_objects"))();
}
