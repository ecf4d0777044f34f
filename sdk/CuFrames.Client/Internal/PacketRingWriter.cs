using System.Text;
using CuFrames.Protocol;

namespace CuFrames.Client.Internal;

/// <summary>The publisher's side of a packet ring: where a packet goes, what has to go for it, in which order words are written
/// (docs/protocol.md 14.10). Used by the publishing thread; reading a counter is safe for any thread.</summary>
internal sealed class PacketRingWriter
{
    private readonly PacketBlock _block;
    private readonly long _maxAge;

    // For each set of each track the newest packet that names it; entries as in the block.
    private readonly ulong[] _newestOfSet = new ulong[PacketBlockLayout.TrackCapacity * PacketBlockLayout.ParametersCapacity];
    private readonly uint[] _setOfLastPacket = new uint[PacketBlockLayout.TrackCapacity];
    private readonly ulong[] _counts = new ulong[PacketBlockLayout.TrackCapacity];
    private ulong _head;
    private ulong _oldest = 1;
    private ulong _refused;

    // Where the packet before ends, with its zeros.
    private ulong _end;
    private int _videoTrack = -1;
    private int _tracks;

    // Written by the publishing thread, read by descriptions.
    private long _oldestArrival;
    private long _newestArrival;

    /// <param name="block">The block.</param>
    /// <param name="maxAge">Packets that arrived longer ago are let go, in nanoseconds; 0: no bound.</param>
    public PacketRingWriter(PacketBlock block, long maxAge)
    {
        _block = block;
        _maxAge = maxAge;
    }

    public ulong Head => Volatile.Read(ref _head);

    public ulong Oldest => Volatile.Read(ref _oldest);

    public ulong Refused => Volatile.Read(ref _refused);

    public int Tracks => _tracks;

    /// <summary>Largest packet that is published.</summary>
    public long MaxPacketSize => _block.ByteCapacity / 2;

    /// <summary>Nanoseconds between the arrivals of the oldest and the newest packet. Any thread; a moment's figure.</summary>
    public long BufferedTime => Math.Max(0, Volatile.Read(ref _newestArrival) - Volatile.Read(ref _oldestArrival));

    /// <summary>Packets of a track so far. Any thread.</summary>
    public ulong CountOf(int track) => Volatile.Read(ref _counts[track]);

    /// <summary>Adds a track with its first parameter set.</summary>
    /// <exception cref="CuFramesException">CONFIGURATION_INVALID: there are 8 tracks already, or a value is out of range.</exception>
    public int AddTrack(TrackKind kind, string language, TrackParameters parameters)
    {
        int track = _tracks;
        if (track == PacketBlockLayout.TrackCapacity)
        {
            throw new CuFramesException(ErrorCode.ConfigurationInvalid, $"A stream has {PacketBlockLayout.TrackCapacity} tracks at most.");
        }

        if (!Enum.IsDefined(kind) || language.Length > 8 || language.Any(c => !char.IsAsciiLetter(c)))
        {
            throw new CuFramesException(ErrorCode.ConfigurationInvalid,
                $"A track of kind {kind} with the language '{language}' is not possible: a language is an ISO 639-2 code of up to 8 letters.");
        }

        parameters.Write(_block.ParameterSet(track, 1), 1);
        _block.WriteTrack(track, kind, Encoding.ASCII.GetBytes(language));
        _block.SetOldestParameters(track, 1);
        _block.SetCurrentParameters(track, 1);
        if (_videoTrack < 0 && kind == TrackKind.Video)
        {
            // From now on readers start at key frames of this track.
            _videoTrack = track;
            _block.LastKey = 0;
        }

        _tracks++;
        _block.Tracks = (uint)_tracks;
        return track;
    }

    /// <summary>Makes a new parameter set the track's current one.</summary>
    /// <exception cref="CuFramesException">CONFIGURATION_INVALID: a value is out of range; the old set stays.</exception>
    public void SetParameters(int track, TrackParameters parameters)
    {
        uint number = _block.CurrentParameters(track) + 1;
        int entry = EntryOf(track, number);

        // Written to a place of its own first: the block's entry is not touched when a value is out of range.
        byte[] checkedSet = new byte[TrackParametersLayout.Size];
        parameters.Write(checkedSet, number);
        if (number > PacketBlockLayout.ParametersCapacity)
        {
            if (_newestOfSet[entry] >= _oldest)
            {
                MoveOldest(_newestOfSet[entry] + 1);
            }

            _block.SetOldestParameters(track, number - PacketBlockLayout.ParametersCapacity + 1);
            Interlocked.MemoryBarrier();
        }

        _newestOfSet[entry] = 0;
        checkedSet.AsSpan(0, TrackParametersLayout.ExtradataOffset + parameters.Extradata.Length).CopyTo(_block.ParameterSet(track, number));
        _block.SetCurrentParameters(track, number);
    }

    /// <summary>Publishes a packet, steps 1 to 6 of 14.10.</summary>
    /// <returns>Its sequence; 0 when it is too large, which is counted.</returns>
    public unsafe ulong Write(int track, ReadOnlySpan<byte> data, in PacketMetadata metadata, long now)
    {
        if (data.Length > MaxPacketSize)
        {
            Volatile.Write(ref _refused, _refused + 1);
            _block.Refused = _refused;
            return 0;
        }

        ulong capacity = (ulong)_block.ByteCapacity;
        ulong sequence = _head + 1;
        ulong occupied = ((ulong)data.Length + PacketBlockLayout.PacketPadding + PacketBlockLayout.PacketAlignment - 1) & ~(ulong)(PacketBlockLayout.PacketAlignment - 1);
        ulong position = _end;
        if ((position % capacity) + occupied > capacity)
        {
            position += capacity - (position % capacity);
        }

        ulong end = position + occupied;
        long arrival = metadata.ArrivalTime != 0 ? metadata.ArrivalTime : now;
        ulong oldest = FindOldest(sequence, end, arrival);
        if (oldest != _oldest && !FaultInjection.SkipOldest)
        {
            MoveOldest(oldest);
        }
        else
        {
            Volatile.Write(ref _oldest, oldest);
        }

        byte* bytes = _block.BytesAt(position);
        data.CopyTo(new Span<byte>(bytes, data.Length));
        new Span<byte>(bytes + data.Length, (int)(occupied - (ulong)data.Length)).Clear();
        uint set = _block.CurrentParameters(track);
        Volatile.Write(ref _counts[track], _counts[track] + 1);
        PacketDescriptor descriptor = new()
        {
            Sequence = sequence,
            Position = position,
            Size = (uint)data.Length,
            Track = (uint)track,
            Parameters = set,
            Flags = FlagsOf(track, set, metadata.Flags),
            Pts = metadata.Pts,
            Dts = metadata.Dts,
            Duration = metadata.Duration,
            ArrivalTime = arrival,
            CaptureTime = metadata.CaptureTime,
            PublishTime = now,
        };
        for (int i = 0; i < PacketBlockLayout.TrackCapacity; i++)
        {
            descriptor.Counts[i] = _counts[i];
        }

        _block.WriteDescriptor(descriptor);
        _end = end;
        _newestOfSet[EntryOf(track, set)] = sequence;
        _setOfLastPacket[track] = set;
        Volatile.Write(ref _newestArrival, arrival);
        if (_oldest == sequence)
        {
            Volatile.Write(ref _oldestArrival, arrival);
        }

        Volatile.Write(ref _head, sequence);
        _block.Head = sequence;
        if (_videoTrack < 0 || (track == _videoTrack && (metadata.Flags & PacketFlags.Key) != 0))
        {
            _block.LastKey = sequence;
        }

        return sequence;
    }

    private static int EntryOf(int track, uint number) =>
        (track * PacketBlockLayout.ParametersCapacity) + (int)(number & (PacketBlockLayout.ParametersCapacity - 1));

    private PacketFlags FlagsOf(int track, uint set, PacketFlags wanted)
    {
        bool hasChanged = _setOfLastPacket[track] != 0 && _setOfLastPacket[track] != set;
        return (wanted & ~PacketFlags.ParametersChanged) | (hasChanged ? PacketFlags.ParametersChanged : 0);
    }

    /// <summary>Step 3 of 14.10: the smallest sequence that can stay, and none that is too old.</summary>
    private ulong FindOldest(ulong sequence, ulong end, long arrival)
    {
        ulong oldest = _oldest;
        long arrivalOfOldest = _oldestArrival;
        while (oldest < sequence)
        {
            _block.ReadDescriptor(oldest, out PacketDescriptor descriptor);
            arrivalOfOldest = descriptor.ArrivalTime;
            bool isInTheWay = oldest + (ulong)_block.IndexCapacity <= sequence || descriptor.Position + (ulong)_block.ByteCapacity < end;
            bool isTooOld = _maxAge != 0 && arrival - arrivalOfOldest > _maxAge;
            if (!isInTheWay && !isTooOld)
            {
                break;
            }

            oldest++;
        }

        Volatile.Write(ref _oldestArrival, arrivalOfOldest);
        return oldest;
    }

    /// <summary>Step 4 of 14.10: whoever sees a byte that is written from now on sees this too.</summary>
    private void MoveOldest(ulong oldest)
    {
        Volatile.Write(ref _oldest, oldest);
        _block.Oldest = oldest;
        Interlocked.MemoryBarrier();
    }
}
