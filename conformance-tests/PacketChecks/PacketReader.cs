using System.Diagnostics;
using CuFrames.Conformance.Spec;
using CuFrames.Conformance.Suite;
using CuFrames.Conformance.Wire;
using CuFrames.Interop;

namespace CuFrames.Conformance.PacketChecks;

/// <summary>A well-behaved subscriber of packets, the hand with which a publisher is examined. For one thread.</summary>
internal sealed unsafe class PacketReader : IDisposable
{
    private const int AnswerMilliseconds = 15_000;
    private static uint _lastCorrelation;

    private readonly MemoryMapping _block;
    private readonly MemoryMapping _page;

    private PacketReader(Connection connection, PacketWelcome welcome, FileDescriptor block, FileDescriptor page)
    {
        Connection = connection;
        Welcome = welcome;
        BlockDescriptor = block;
        PageDescriptor = page;
        long size = block.Stat().Size;
        Expect.That(size >= PacketLayout.BlockSize, $"a packet block of at least {PacketLayout.BlockSize} bytes (14.5)", $"{size}");
        _block = MemoryMapping.Map(block, size, MappingAccess.ReadOnly);
        _page = MemoryMapping.Map(page, PacketLayout.PageSize, MappingAccess.ReadWrite);
        IndexCapacity = U32(PacketLayout.PacketBlock.IndexCapacity);
        ByteCapacity = U64(PacketLayout.PacketBlock.ByteCapacity);
        Expect.That(size >= PacketLayout.BytesOffset(IndexCapacity) + (long)ByteCapacity, "a block as large as its header says (14.5)", $"{size} bytes");
    }

    public Connection Connection { get; }

    public PacketWelcome Welcome { get; }

    public FileDescriptor BlockDescriptor { get; }

    public FileDescriptor PageDescriptor { get; }

    public uint IndexCapacity { get; }

    public ulong ByteCapacity { get; }

    public ulong Head => U64(PacketLayout.PacketBlock.Head);

    public ulong Oldest => U64(PacketLayout.PacketBlock.Oldest);

    public uint* FutexWord => (uint*)(_block.Pointer + PacketLayout.PacketBlock.FutexWord);

    public static byte[] Hello(bool isProbe = false)
    {
        List<byte[]> tlvs = [Tlv.VersionRange(Limits.Version, Limits.Version), Tlv.Text(TlvType.PROGRAM, "cuframes-conformance"), MustUnderstand(Tlv.Bytes(TlvType.PACKETS, []))];
        if (isProbe)
        {
            tlvs.Add(Tlv.Bytes(TlvType.PROBE, []));
        }

        return Message.Build(MessageType.HELLO, 0xBAC00000 + Interlocked.Increment(ref _lastCorrelation), [.. tlvs]);
    }

    public static PacketReader Open(PacketContext context)
    {
        Connection connection = Connection.Open(context.SocketPath);
        try
        {
            connection.Send(Hello());
            Packet answer = connection.Receive(AnswerMilliseconds);
            PacketWelcome welcome = PacketWelcome.Read(answer);
            Expect.That(answer.Descriptors.Length == 2, "two descriptors with WELCOME (14.3)", $"{answer.Descriptors.Length}");
            return new PacketReader(connection, welcome, answer.Descriptors[0], answer.Descriptors[1]);
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    public uint U32(long offset) => Volatile.Read(ref *(uint*)(_block.Pointer + offset));

    public ulong U64(long offset) => Volatile.Read(ref *(ulong*)(_block.Pointer + offset));

    public byte[] Copy(long offset, int length) => _block.ReadOnlySlice(offset, length).ToArray();

    /// <summary>A copy of a packet's entry, by the rules of 14.11; null when the packet is gone.</summary>
    public byte[]? Descriptor(ulong sequence)
    {
        byte[] copy = Copy(PacketLayout.IndexOffset + ((long)(sequence & (IndexCapacity - 1)) * PacketLayout.DescriptorSize), PacketLayout.DescriptorSize);
        Interlocked.MemoryBarrier();
        return Oldest > sequence ? null : copy;
    }

    /// <summary>A copy of a packet's bytes and of what follows; null when the packet is gone.</summary>
    public byte[]? Bytes(ulong sequence, ulong position, int length)
    {
        byte[] copy = Copy(PacketLayout.BytesOffset(IndexCapacity) + (long)(position % ByteCapacity), length);
        Interlocked.MemoryBarrier();
        return Oldest > sequence ? null : copy;
    }

    /// <summary>Waits for packets beyond one.</summary>
    public void Await(ulong sequence, int milliseconds = 30_000)
    {
        var watch = Stopwatch.StartNew();
        while (Head < sequence)
        {
            Expect.That(watch.ElapsedMilliseconds < milliseconds, $"packet {sequence} within {milliseconds} ms", $"{Head} is the newest");

            // The publisher's pace is what it is.
            Thread.Sleep(1);
        }
    }

    public void SetPage(int offset, ulong value) => Volatile.Write(ref *(ulong*)(_page.Pointer + offset), value);

    public void SetPage(int offset, uint value) => Volatile.Write(ref *(uint*)(_page.Pointer + offset), value);

    public void ExpectEviction(ErrorCode code)
    {
        using Packet packet = Connection.Receive(15_000);
        Expect.That(packet.Kind == PacketKind.Packet, $"NOTICE EVICTED with {code}", packet.Kind.ToString());
        Message message = packet.Parse();
        Expect.That(message.Type == MessageType.NOTICE && message.UInt32(TlvType.NOTICE_KIND) == (uint)NoticeKind.EVICTED && message.Error == code,
            $"NOTICE EVICTED with {code}", message.ToString());
        using Packet end = Connection.Receive(AnswerMilliseconds);
        Expect.That(end.Kind == PacketKind.HangUp, "a hang-up after the eviction", end.Kind.ToString());
    }

    public void Dispose()
    {
        _block.Dispose();
        _page.Dispose();
        BlockDescriptor.Dispose();
        PageDescriptor.Dispose();
        Connection.Dispose();
    }

    public static byte[] MustUnderstand(byte[] tlv)
    {
        tlv[3] |= 0x80;
        return tlv;
    }
}
