using System.Buffers.Binary;
using System.Security.Cryptography;
using CuFrames.Conformance.Spec;
using CuFrames.Interop;

namespace CuFrames.Conformance.PacketChecks;

/// <summary>A packet block (14.5) with a video and an audio track, written packet by packet, also wrongly. For one thread.</summary>
internal sealed unsafe class StagedRing : IDisposable
{
    public const uint IndexCapacity = 64;
    public const ulong SmallCapacity = 65_536;
    public const uint Video = 0;
    public const uint Audio = 1;

    private readonly MemoryMapping _block;
    private readonly Dictionary<ulong, (ulong Position, string Hash, bool IsStart)> _packets = [];
    private readonly ulong[] _counts = new ulong[PacketLayout.Tracks];
    private readonly uint[] _lastSet = new uint[PacketLayout.Tracks];
    private readonly bool _hasVideo;
    private ulong _oldest = 1;
    private ulong _end;
    private uint _futex;

    /// <param name="without">Seals that the block does not get.</param>
    /// <param name="hasVideo">Whether track 0 is of kind VIDEO; else it is DATA.</param>
    /// <param name="byteCapacity">Bytes of the byte ring.</param>
    public StagedRing(MemoryFileSeals without = MemoryFileSeals.None, bool hasVideo = true, ulong byteCapacity = SmallCapacity)
    {
        ByteCapacity = byteCapacity;
        _hasVideo = hasVideo;
        long size = PacketLayout.BytesOffset(IndexCapacity) + (long)ByteCapacity;
        Descriptor = MemoryFile.Create("conformance-packets", size);
        _block = MemoryMapping.Map(Descriptor, size, MappingAccess.ReadWrite);
        Set(PacketLayout.PacketBlock.Magic, PacketLayout.BlockMagic);
        Set(PacketLayout.PacketBlock.LayoutVersion, 1u);
        Set(PacketLayout.PacketBlock.TrackSize, (uint)PacketLayout.TrackSize);
        Set(PacketLayout.PacketBlock.ParametersSize, (uint)PacketLayout.ParametersSize);
        Set(PacketLayout.PacketBlock.PacketSize, (uint)PacketLayout.DescriptorSize);
        Set(PacketLayout.PacketBlock.TrackCapacity, (uint)PacketLayout.Tracks);
        Set(PacketLayout.PacketBlock.ParametersCapacity, (uint)PacketLayout.Sets);
        Set(PacketLayout.PacketBlock.IndexCapacity, IndexCapacity);
        Set(PacketLayout.PacketBlock.TracksOffset, (uint)PacketLayout.TracksOffset);
        Set(PacketLayout.PacketBlock.Epoch, Epoch);
        Set(PacketLayout.PacketBlock.ParametersOffset, (uint)PacketLayout.ParametersOffset);
        Set(PacketLayout.PacketBlock.IndexOffset, (uint)PacketLayout.IndexOffset);
        Set(PacketLayout.PacketBlock.BytesOffset, (ulong)PacketLayout.BytesOffset(IndexCapacity));
        Set(PacketLayout.PacketBlock.ByteCapacity, ByteCapacity);
        Set(PacketLayout.PacketBlock.TotalSize, (ulong)size);
        Set(PacketLayout.PacketBlock.State, Limits.StateLive);
        Set(PacketLayout.PacketBlock.Oldest, 1UL);
        AddTrack(hasVideo ? PacketLayout.KindVideo : 3);
        AddTrack(2);
        MemoryFileSeals seals = (MemoryFileSeals.Seal | MemoryFileSeals.Grow | MemoryFileSeals.Shrink | MemoryFileSeals.FutureWrite) & ~without;
        if (seals != MemoryFileSeals.None)
        {
            MemoryFile.AddSeals(Descriptor, seals);
        }
    }

    public FileDescriptor Descriptor { get; }

    public ulong ByteCapacity { get; }

    public ulong Epoch { get; } = (ulong)Random.Shared.NextInt64(1, long.MaxValue);

    public ulong Head { get; private set; }

    public ulong Oldest => _oldest;

    public uint Tracks { get; private set; }

    /// <summary>SHA-256 of a packet's bytes; null when there was none.</summary>
    public string? HashOf(ulong sequence) => _packets.TryGetValue(sequence, out (ulong, string Hash, bool) packet) ? packet.Hash : null;

    /// <summary>SHA-256 in hexadecimal.</summary>
    public static string HashOf(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    /// <summary>Whether a subscriber may start at a packet (14.12).</summary>
    public bool IsStart(ulong sequence) => _packets.TryGetValue(sequence, out (ulong, string, bool IsStart) packet) && packet.IsStart;

    public uint U32(long offset) => Volatile.Read(ref *(uint*)(_block.Pointer + offset));

    public void Set(long offset, uint value) => Volatile.Write(ref *(uint*)(_block.Pointer + offset), value);

    public void Set(long offset, ulong value) => Volatile.Write(ref *(ulong*)(_block.Pointer + offset), value);

    public Span<byte> Bytes(long offset, int length) => _block.Slice(offset, length);

    public void CountControlMessage() => Set(PacketLayout.PacketBlock.ControlMessages, U32(PacketLayout.PacketBlock.ControlMessages) + 1);

    /// <summary>Adds a track with a first parameter set (14.6).</summary>
    public void AddTrack(uint kind)
    {
        long entry = PacketLayout.TracksOffset + (Tracks * PacketLayout.TrackSize);
        Set(entry + PacketLayout.Track.Kind, kind);
        Set(entry + PacketLayout.Track.Oldest, 1u);
        NewSet(Tracks);
        Set(PacketLayout.PacketBlock.Tracks, ++Tracks);
    }

    /// <summary>Makes a new parameter set the current one (14.10).</summary>
    public void NewSet(uint track, Action<byte[]>? alter = null)
    {
        long entry = PacketLayout.TracksOffset + (track * PacketLayout.TrackSize);
        uint number = U32(entry + PacketLayout.Track.Current) + 1;
        if (number > PacketLayout.Sets)
        {
            // Whatever may name the set that goes; a publisher may let go of more than it must.
            MoveOldest(Head + 1);
            Set(entry + PacketLayout.Track.Oldest, number - PacketLayout.Sets + 1);
            Interlocked.MemoryBarrier();
        }

        byte[] set = new byte[PacketLayout.ParametersHeadSize];
        BinaryPrimitives.WriteUInt32LittleEndian(set.AsSpan(PacketLayout.TrackParameters.Number), number);
        BinaryPrimitives.WriteUInt32LittleEndian(set.AsSpan(PacketLayout.TrackParameters.TimeBaseNumerator), 1);
        BinaryPrimitives.WriteUInt32LittleEndian(set.AsSpan(PacketLayout.TrackParameters.TimeBaseDenominator), 90_000);
        BinaryPrimitives.WriteUInt32LittleEndian(set.AsSpan(PacketLayout.TrackParameters.Width), track == Video && _hasVideo ? 640 + number : 0);
        alter?.Invoke(set);
        set.CopyTo(_block.Slice(PacketLayout.ParametersOffset + ((long)((PacketLayout.Sets * track) + (number & 7)) * PacketLayout.ParametersSize), set.Length));
        Set(entry + PacketLayout.Track.Current, number);
    }

    /// <summary>Publishes a packet by the steps of 14.10, apart from waking.</summary>
    /// <param name="track">Its track.</param>
    /// <param name="isKey">Whether it has the flag KEY.</param>
    /// <param name="size">Bytes.</param>
    /// <param name="alter">Changes the descriptor before it is written.</param>
    /// <param name="content">Bytes that were made before, with their SHA-256, to publish faster than a subscriber reads; null: random ones.</param>
    public ulong Publish(uint track = Video, bool isKey = false, int size = 300, Action<byte[]>? alter = null, (byte[] Bytes, string Hash)? content = null)
    {
        size = content?.Bytes.Length ?? size;
        ulong sequence = Head + 1;
        ulong occupied = ((ulong)size + PacketLayout.Zeros + 63) / 64 * 64;
        ulong position = _end;
        if ((position % ByteCapacity) + occupied > ByteCapacity)
        {
            position = (position + ByteCapacity - 1) / ByteCapacity * ByteCapacity;
        }

        ulong oldest = _oldest;
        while (oldest < sequence && (oldest + IndexCapacity <= sequence || _packets[oldest].Position + ByteCapacity < position + occupied))
        {
            oldest++;
        }

        MoveOldest(oldest);
        Span<byte> bytes = _block.Slice(PacketLayout.BytesOffset(IndexCapacity) + (long)(position % ByteCapacity), (int)occupied);
        if (content is { } made)
        {
            made.Bytes.CopyTo(bytes);
        }
        else
        {
            new Random((int)(sequence ^ Epoch)).NextBytes(bytes[..size]);
        }

        bytes[size..].Clear();
        uint set = U32(PacketLayout.TracksOffset + (track * PacketLayout.TrackSize) + PacketLayout.Track.Current);
        bool hasChanged = _lastSet[track] != 0 && _lastSet[track] != set;
        _lastSet[track] = set;
        _counts[track]++;
        byte[] descriptor = new byte[PacketLayout.DescriptorSize];
        BinaryPrimitives.WriteUInt64LittleEndian(descriptor.AsSpan(PacketLayout.PacketDescriptor.Sequence), sequence);
        BinaryPrimitives.WriteUInt64LittleEndian(descriptor.AsSpan(PacketLayout.PacketDescriptor.Position), position);
        BinaryPrimitives.WriteUInt32LittleEndian(descriptor.AsSpan(PacketLayout.PacketDescriptor.Size), (uint)size);
        BinaryPrimitives.WriteUInt32LittleEndian(descriptor.AsSpan(PacketLayout.PacketDescriptor.Track), track);
        BinaryPrimitives.WriteUInt32LittleEndian(descriptor.AsSpan(PacketLayout.PacketDescriptor.Parameters), set);
        BinaryPrimitives.WriteUInt32LittleEndian(descriptor.AsSpan(PacketLayout.PacketDescriptor.Flags),
            (isKey ? PacketLayout.FlagKey : 0) | (hasChanged ? PacketLayout.FlagParametersChanged : 0));
        BinaryPrimitives.WriteInt64LittleEndian(descriptor.AsSpan(PacketLayout.PacketDescriptor.ArrivalTime), MonotonicClock.NowNanoseconds);
        BinaryPrimitives.WriteInt64LittleEndian(descriptor.AsSpan(PacketLayout.PacketDescriptor.PublishTime), MonotonicClock.NowNanoseconds);
        for (int i = 0; i < PacketLayout.Tracks; i++)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(descriptor.AsSpan(PacketLayout.PacketDescriptor.Counts + (8 * i)), _counts[i]);
        }

        alter?.Invoke(descriptor);
        descriptor.CopyTo(_block.Slice(PacketLayout.IndexOffset + ((long)(sequence & (IndexCapacity - 1)) * PacketLayout.DescriptorSize), descriptor.Length));
        bool isStart = !_hasVideo || (track == Video && isKey);
        _packets[sequence] = (position, content?.Hash ?? HashOf(bytes[..size]), isStart);
        _end = position + occupied;
        Head = sequence;
        Set(PacketLayout.PacketBlock.Head, sequence);
        if (isStart)
        {
            Set(PacketLayout.PacketBlock.LastKey, sequence);
        }

        Set(PacketLayout.PacketBlock.FutexWord, ++_futex);
        Interlocked.MemoryBarrier();
        return sequence;
    }

    /// <summary>Lets go of what is older (14.10, steps 3 and 4).</summary>
    public void MoveOldest(ulong oldest)
    {
        if (oldest != _oldest)
        {
            _oldest = oldest;
            Set(PacketLayout.PacketBlock.Oldest, oldest);
            Interlocked.MemoryBarrier();
        }
    }

    public void WakeFutex()
    {
        Set(PacketLayout.PacketBlock.FutexWord, ++_futex);
        Interlocked.MemoryBarrier();
        Futex.Wake((uint*)(_block.Pointer + PacketLayout.PacketBlock.FutexWord), int.MaxValue);
    }

    public void Dispose()
    {
        _block.Dispose();
        Descriptor.Dispose();
    }
}
