using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using CuFrames.Protocol;

namespace CuFrames.Client.Internal;

/// <summary>The words and entries of a mapped packet block (docs/protocol.md 14.5). The publisher writes them, subscribers read.</summary>
/// <remarks>
/// Who orders what: <c>oldest</c> is written by the publisher before it overwrites anything below it, with a fence between
/// (<see cref="PacketRingWriter"/>); readers read it after what they have read, with a fence between (<see cref="PacketConnection"/>).
/// <c>head</c>, <c>last_key</c>, <c>tracks</c> and a track's <c>current</c> are written with release and read with acquire, so that whoever sees
/// one of them sees what it names.
/// </remarks>
internal readonly unsafe struct PacketBlock(byte* address, int indexCapacity, long byteCapacity)
{
    private readonly byte* _address = address;
    private readonly byte* _bytes = address + PacketBlockLayout.BytesStart(indexCapacity);

    public int IndexCapacity { get; } = indexCapacity;

    public long ByteCapacity { get; } = byteCapacity;

    public uint* FutexWord => (uint*)(_address + PacketBlockLayout.FutexWordOffset);

    public ulong Head
    {
        get => Volatile.Read(ref U64(PacketBlockLayout.HeadOffset));
        set => Volatile.Write(ref U64(PacketBlockLayout.HeadOffset), value);
    }

    public ulong Oldest
    {
        get => Volatile.Read(ref U64(PacketBlockLayout.OldestOffset));
        set => Volatile.Write(ref U64(PacketBlockLayout.OldestOffset), value);
    }

    public ulong LastKey
    {
        get => Volatile.Read(ref U64(PacketBlockLayout.LastKeyOffset));
        set => Volatile.Write(ref U64(PacketBlockLayout.LastKeyOffset), value);
    }

    public uint ControlMessages
    {
        get => Volatile.Read(ref U32(PacketBlockLayout.ControlMessagesOffset));
        set => Volatile.Write(ref U32(PacketBlockLayout.ControlMessagesOffset), value);
    }

    public StreamState State
    {
        get => (StreamState)Volatile.Read(ref U32(PacketBlockLayout.StateOffset));
        set => Volatile.Write(ref U32(PacketBlockLayout.StateOffset), (uint)value);
    }

    /// <summary>Tracks that there are: a peer's number, not yet checked.</summary>
    public uint Tracks
    {
        get => Volatile.Read(ref U32(PacketBlockLayout.TracksOffset));
        set => Volatile.Write(ref U32(PacketBlockLayout.TracksOffset), value);
    }

    public ulong Refused
    {
        get => Volatile.Read(ref U64(PacketBlockLayout.RefusedOffset));
        set => Volatile.Write(ref U64(PacketBlockLayout.RefusedOffset), value);
    }

    /// <summary>Size of a block.</summary>
    public static long SizeOf(int indexCapacity, long byteCapacity) => PacketBlockLayout.BytesStart(indexCapacity) + byteCapacity;

    /// <summary>A copy of a descriptor. Whether it is whole is known after a fence and another look at <see cref="Oldest"/>.</summary>
    public void ReadDescriptor(ulong sequence, out PacketDescriptor descriptor) =>
        descriptor = *(PacketDescriptor*)(_address + PacketDescriptorLayout.EntryOffset(sequence, IndexCapacity));

    public void WriteDescriptor(in PacketDescriptor descriptor) =>
        *(PacketDescriptor*)(_address + PacketDescriptorLayout.EntryOffset(descriptor.Sequence, IndexCapacity)) = descriptor;

    /// <summary>Address of a byte of the ring. The caller has checked what it reads there.</summary>
    public byte* BytesAt(ulong position) => _bytes + (long)(position % (ulong)ByteCapacity);

    public TrackKind TrackKind(int track) => (TrackKind)U32(PacketBlockLayout.TrackOffset(track) + TrackLayout.KindOffset);

    public ReadOnlySpan<byte> TrackEntry(int track) => new(_address + PacketBlockLayout.TrackOffset(track), TrackLayout.Size);

    public uint CurrentParameters(int track) => Volatile.Read(ref U32(PacketBlockLayout.TrackOffset(track) + TrackLayout.CurrentOffset));

    public void SetCurrentParameters(int track, uint number) =>
        Volatile.Write(ref U32(PacketBlockLayout.TrackOffset(track) + TrackLayout.CurrentOffset), number);

    public uint OldestParameters(int track) => Volatile.Read(ref U32(PacketBlockLayout.TrackOffset(track) + TrackLayout.OldestOffset));

    public void SetOldestParameters(int track, uint number) =>
        Volatile.Write(ref U32(PacketBlockLayout.TrackOffset(track) + TrackLayout.OldestOffset), number);

    public Span<byte> ParameterSet(int track, uint number) =>
        new(_address + PacketBlockLayout.ParameterSetOffset(track, number), TrackParametersLayout.Size);

    /// <summary>Writes a track's entry, which readers do not see before <see cref="Tracks"/> counts it.</summary>
    public void WriteTrack(int track, TrackKind kind, ReadOnlySpan<byte> language)
    {
        U32(PacketBlockLayout.TrackOffset(track) + TrackLayout.KindOffset) = (uint)kind;
        language.CopyTo(new Span<byte>(_address + PacketBlockLayout.TrackOffset(track) + TrackLayout.LanguageOffset, 8));
    }

    public void Initialise(ulong epoch)
    {
        U64(PacketBlockLayout.MagicOffset) = Wire.PacketBlockMagic;
        U32(PacketBlockLayout.LayoutVersionOffset) = PacketBlockLayout.LayoutVersion;
        U32(PacketBlockLayout.TrackSizeOffset) = TrackLayout.Size;
        U32(PacketBlockLayout.ParametersSizeOffset) = TrackParametersLayout.Size;
        U32(PacketBlockLayout.PacketSizeOffset) = PacketDescriptorLayout.Size;
        U32(PacketBlockLayout.TrackCapacityOffset) = PacketBlockLayout.TrackCapacity;
        U32(PacketBlockLayout.ParametersCapacityOffset) = PacketBlockLayout.ParametersCapacity;
        U32(PacketBlockLayout.IndexCapacityOffset) = (uint)IndexCapacity;
        U32(PacketBlockLayout.TracksOffsetOffset) = PacketBlockLayout.TrackTableOffset;
        U64(PacketBlockLayout.EpochOffset) = epoch;
        U32(PacketBlockLayout.ParametersOffsetOffset) = PacketBlockLayout.ParametersOffset;
        U32(PacketBlockLayout.IndexOffsetOffset) = PacketBlockLayout.IndexStart;
        U64(PacketBlockLayout.BytesOffsetOffset) = (ulong)PacketBlockLayout.BytesStart(IndexCapacity);
        U64(PacketBlockLayout.ByteCapacityOffset) = (ulong)ByteCapacity;
        U64(PacketBlockLayout.TotalSizeOffset) = (ulong)SizeOf(IndexCapacity, ByteCapacity);
        Oldest = 1;
    }

    /// <summary>Checks a copy of the header of a peer's block.</summary>
    /// <param name="header">The copy, from <c>magic</c> to <c>total_size</c>.</param>
    /// <param name="epoch">WELCOME's.</param>
    /// <param name="indexCapacity">Entries of the index.</param>
    /// <param name="byteCapacity">Bytes of the byte ring.</param>
    /// <returns>Null when it is sound, else what is wrong.</returns>
    public static string? FindFault(ReadOnlySpan<byte> header, ulong epoch, out int indexCapacity, out long byteCapacity)
    {
        indexCapacity = 0;
        byteCapacity = 0;
        if (MemoryMarshal.Read<ulong>(header[PacketBlockLayout.MagicOffset..]) != Wire.PacketBlockMagic)
        {
            return "its magic is wrong";
        }

        ReadOnlySpan<(int Offset, uint Expected, string Name)> words =
        [
            (PacketBlockLayout.LayoutVersionOffset, PacketBlockLayout.LayoutVersion, "layout_version"),
            (PacketBlockLayout.TrackSizeOffset, TrackLayout.Size, "track_size"),
            (PacketBlockLayout.ParametersSizeOffset, TrackParametersLayout.Size, "parameters_size"),
            (PacketBlockLayout.PacketSizeOffset, PacketDescriptorLayout.Size, "packet_size"),
            (PacketBlockLayout.TrackCapacityOffset, PacketBlockLayout.TrackCapacity, "track_capacity"),
            (PacketBlockLayout.ParametersCapacityOffset, PacketBlockLayout.ParametersCapacity, "parameters_capacity"),
            (PacketBlockLayout.TracksOffsetOffset, PacketBlockLayout.TrackTableOffset, "tracks_offset"),
            (PacketBlockLayout.ParametersOffsetOffset, PacketBlockLayout.ParametersOffset, "parameters_offset"),
            (PacketBlockLayout.IndexOffsetOffset, PacketBlockLayout.IndexStart, "index_offset"),
        ];
        foreach ((int offset, uint expected, string name) in words)
        {
            uint found = MemoryMarshal.Read<uint>(header[offset..]);
            if (found != expected)
            {
                return $"{name} is {found} instead of {expected}";
            }
        }

        ulong foundEpoch = MemoryMarshal.Read<ulong>(header[PacketBlockLayout.EpochOffset..]);
        if (foundEpoch != epoch)
        {
            return $"its epoch is {foundEpoch:x16} and WELCOME's {epoch:x16}";
        }

        uint entries = MemoryMarshal.Read<uint>(header[PacketBlockLayout.IndexCapacityOffset..]);
        ulong bytes = MemoryMarshal.Read<ulong>(header[PacketBlockLayout.ByteCapacityOffset..]);
        if (FindCapacityFault(entries, bytes) is { } fault)
        {
            return fault;
        }

        indexCapacity = (int)entries;
        byteCapacity = (long)bytes;
        ulong start = MemoryMarshal.Read<ulong>(header[PacketBlockLayout.BytesOffsetOffset..]);
        ulong total = MemoryMarshal.Read<ulong>(header[PacketBlockLayout.TotalSizeOffset..]);
        return start != (ulong)PacketBlockLayout.BytesStart(indexCapacity) || total != (ulong)SizeOf(indexCapacity, byteCapacity)
            ? $"bytes_offset is {start} and total_size {total}, which does not fit {entries} entries and {bytes} bytes"
            : null;
    }

    /// <returns>Null when an index and a byte ring may be this large, else what is wrong.</returns>
    public static string? FindCapacityFault(ulong indexCapacity, ulong byteCapacity)
    {
        if (indexCapacity is < PacketBlockLayout.MinIndexCapacity or > PacketBlockLayout.MaxIndexCapacity || !ulong.IsPow2(indexCapacity))
        {
            return $"an index of {indexCapacity} entries is not possible; a power of two from {PacketBlockLayout.MinIndexCapacity} to {PacketBlockLayout.MaxIndexCapacity} is";
        }

        return byteCapacity is < (ulong)PacketBlockLayout.MinByteCapacity or > (ulong)PacketBlockLayout.MaxByteCapacity || byteCapacity % PacketBlockLayout.ByteAlignment != 0
            ? $"a ring of {byteCapacity} bytes is not possible; a multiple of {PacketBlockLayout.ByteAlignment} from {PacketBlockLayout.MinByteCapacity} to {PacketBlockLayout.MaxByteCapacity} is"
            : null;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref ulong U64(int offset) => ref *(ulong*)(_address + offset);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref uint U32(int offset) => ref *(uint*)(_address + offset);
}
