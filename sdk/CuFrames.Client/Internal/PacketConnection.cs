using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.Protocol.Messages;

namespace CuFrames.Client.Internal;

/// <summary>
/// The subscriber's side of one connection for packets: handshake, mapping, reading by the rules of docs/protocol.md 14.11 to 14.13. Used by one
/// thread, the taking thread, but for <see cref="IsThere"/> and <see cref="TryCopy"/>.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "Close disposes what is owned; nobody uses the connection afterwards.")]
internal sealed class PacketConnection : SubscriberConnection
{
    // A take follows a publisher that is faster than itself this often before it gives up for now.
    private const int MaxTakeRounds = 64;

    private readonly MemoryMapping _blockMapping;
    private readonly MemoryMapping _pageMapping;
    private readonly PacketBlock _block;

    // For each track; null while the track is not known.
    private readonly PacketTrack?[] _tracks = new PacketTrack?[PacketBlockLayout.TrackCapacity];

    // Parameter sets that were read, at the places that they have in the block.
    private readonly (uint Number, TrackParameters? Parameters)[] _sets =
        new (uint, TrackParameters?)[PacketBlockLayout.TrackCapacity * PacketBlockLayout.ParametersCapacity];

    private readonly byte[] _set = new byte[TrackParametersLayout.Size];
    private readonly ulong[] _missedOn;

    // The descriptor from which losses are counted: the packet taken last, or the one before the start.
    private ulong _base;
    private PacketDescriptor.TrackCounts _baseCounts;

    // False when reading began behind a packet that was gone already.
    private bool _hasBaseCounts;

    // Whether what comes before the next packet where a subscriber may start is passed over: after a loss, or at the start.
    private bool _awaitsKey;

    // Whether what is passed over has never been asked for, and is not lost.
    private bool _isStarting;

    private int _trackCount;
    private int _videoTrack = -1;
    private ulong _seenOldest;

    // Written once by the taking thread, before the mapping goes; read by those who check packets.
    private bool _isClosed;

    // The packet that was found overwritten last; 0: none. Written by whoever reads packets (release), read by the taking thread (acquire). One word
    // is enough: only the packet that was taken last matters.
    private ulong _overwritten;

    private PacketConnection(
        UnixSocket socket, PacketWelcomeMessage welcome, MemoryMapping blockMapping, MemoryMapping pageMapping, PacketBlock block, ulong[] missedOn)
        : base(socket, PageOf(pageMapping), welcome.Epoch, welcome.Wakes)
    {
        Welcome = welcome;
        _blockMapping = blockMapping;
        _pageMapping = pageMapping;
        _block = block;
        _missedOn = missedOn;
    }

    public PacketWelcomeMessage Welcome { get; }

    public long ByteCapacity => _block.ByteCapacity;

    /// <summary>Whether <see cref="Close"/> was called: packets are not to be trusted any more. Any thread.</summary>
    public bool IsClosed => Volatile.Read(ref _isClosed);

    public override StreamState StreamState => _block.State;

    public override ulong Head => _block.Head;

    /// <summary>Whether the packet that was taken last was overwritten while it was read: what follows it cannot be decoded without it (14.13). Taking thread.</summary>
    private bool HasLostTaken => Volatile.Read(ref _overwritten) is > 0 and var sequence && sequence == _base;

    private protected override uint ControlMessages => _block.ControlMessages;

    private protected override unsafe uint* FutexWord => _block.FutexWord;

    /// <summary>Connects.</summary>
    /// <param name="key">The key.</param>
    /// <param name="options">How to read.</param>
    /// <param name="program">What the publisher is told.</param>
    /// <param name="before">The connection before, of the same subscriber; null: none.</param>
    /// <param name="missedOn">For each track, packets lost so far; written by the taking thread.</param>
    /// <exception cref="StreamUnavailableException">Nobody publishes the stream, or the publisher refuses.</exception>
    /// <exception cref="ProtocolException">The publisher breaks the protocol.</exception>
    public static PacketConnection Open(string key, PacketSubscriberOptions options, string program, PacketConnection? before, ulong[] missedOn)
    {
        UnixSocket socket = Handshake.Connect(key, options.Directory ?? StreamDirectory.RuntimeDirectory, StreamFiles.PacketName(key));
        try
        {
            HelloMessage hello = new() { Program = program, IsForPackets = true, Wakes = Wake.Futex | Wake.Doorbell };
            using DescriptorSet descriptors = new();
            PacketWelcomeMessage welcome = Greet(socket, key, hello, descriptors, options.IsInterrupted);
            PacketConnection connection;
            try
            {
                connection = Map(socket, welcome, descriptors, missedOn);
            }
            catch (CuFramesException error)
            {
                Handshake.SayBye(socket, error.Code, error.Message);
                throw;
            }

            try
            {
                connection.Begin(options, before);
                return connection;
            }
            catch
            {
                connection.Unmap();
                throw;
            }
        }
        catch
        {
            Handshake.HangUp(socket);
            throw;
        }
    }

    /// <summary>Asks for a stream's description only.</summary>
    /// <inheritdoc cref="Open" path="/exception"/>
    public static PacketWelcomeMessage Probe(string key, string directory, string program)
    {
        using UnixSocket socket = Handshake.Connect(key, directory, StreamFiles.PacketName(key));
        using DescriptorSet descriptors = new();
        return Greet(socket, key, new HelloMessage { Program = program, IsForPackets = true, IsProbe = true }, descriptors, isInterrupted: null);
    }

    /// <summary>Takes the next packet if there is one. No system call unless the publisher sent a message.</summary>
    /// <exception cref="ProtocolException">The publisher breaks the protocol; the connection is over.</exception>
    public bool TryTake(out Packet packet)
    {
        packet = default;
        if (_block.ControlMessages != _seenControlMessages)
        {
            ReadSocket();
        }

        // What is in the ring is there also when the publisher is gone: nothing that we read depends on it.
        if (State != ConnectionState.Active && EndCode is not (ErrorCode.ShuttingDown or ErrorCode.Disconnected))
        {
            return false;
        }

        _awaitsKey |= HasLostTaken;
        for (int round = 0; round < MaxTakeRounds; round++)
        {
            ReadBounds(out ulong oldest, out ulong head);
            if (head == _cursor)
            {
                return false;
            }

            ulong sequence = _cursor + 1;
            if (sequence < oldest)
            {
                // Lapped (14.13): the first packet from here on at which we may start is the next one.
                _awaitsKey = true;
                sequence = oldest;
                _cursor = oldest - 1;
            }

            if (_awaitsKey)
            {
                sequence = FindStart(sequence, head);
                if (sequence == 0)
                {
                    continue;
                }
            }

            if (TryRead(sequence, out PacketDescriptor descriptor) && TryGetParameters(descriptor, out TrackParameters? parameters))
            {
                packet = Accept(descriptor, parameters);
                return true;
            }
        }

        return false;
    }

    /// <summary>Reads the packet with a given number, wherever the cursor is.</summary>
    /// <returns>False when it is not there yet, or not any more.</returns>
    /// <exception cref="ProtocolException">The publisher breaks the protocol; the connection is over.</exception>
    public bool TryFind(ulong sequence, out Packet packet)
    {
        ReadBounds(out ulong oldest, out ulong head);
        if (sequence >= oldest && sequence <= head && TryRead(sequence, out PacketDescriptor descriptor) &&
            TryGetParameters(descriptor, out TrackParameters? parameters))
        {
            packet = new Packet(this, descriptor, _tracks[descriptor.Track]!, parameters, 0);
            return true;
        }

        packet = default;
        return false;
    }

    /// <summary>The tracks that there are now, with their newest parameters if they were not known.</summary>
    /// <exception cref="ProtocolException">The publisher breaks the protocol; the connection is over.</exception>
    public PacketTrack[] ReadTracks()
    {
        RefreshTracks();
        return Array.ConvertAll(_tracks[.._trackCount], track => track!);
    }

    /// <summary>Whether a packet is still in the ring, and all that was read of it before this call was whole (14.11, step 6). Any thread.</summary>
    public bool IsThere(ulong sequence)
    {
        bool isMapped = false;
        try
        {
            if (Volatile.Read(ref _isClosed))
            {
                return false;
            }

            _blockMapping.DangerousAddRef(ref isMapped);

            // What was read of the packet was read before this. The publisher has the other fence, between its word and its first byte.
            return IsStillThere(sequence);
        }
        catch (ObjectDisposedException)
        {
            // The taking thread has closed the connection between our look and our reference.
            return false;
        }
        finally
        {
            if (isMapped)
            {
                _blockMapping.DangerousRelease();
            }
        }
    }

    /// <summary>Copies a packet's bytes. Any thread.</summary>
    /// <returns>False when the copy is not whole.</returns>
    public unsafe bool TryCopy(ulong sequence, ulong position, Span<byte> destination)
    {
        bool isMapped = false;
        try
        {
            if (Volatile.Read(ref _isClosed))
            {
                return false;
            }

            _blockMapping.DangerousAddRef(ref isMapped);
            new ReadOnlySpan<byte>(_block.BytesAt(position), destination.Length).CopyTo(destination);
            return IsStillThere(sequence);
        }
        catch (ObjectDisposedException)
        {
            // As above.
            return false;
        }
        finally
        {
            if (isMapped)
            {
                _blockMapping.DangerousRelease();
            }
        }
    }

    /// <summary>A packet's bytes in place. Taking thread.</summary>
    /// <exception cref="PacketLostException">The connection is closed.</exception>
    public unsafe ReadOnlySpan<byte> DataAt(ulong sequence, ulong position, int size) => Volatile.Read(ref _isClosed)
        ? throw Packet.Lost(sequence)
        : new ReadOnlySpan<byte>(_block.BytesAt(position), size);

    /// <summary>Keeps the bytes mapped, also when the connection is closed, until <see cref="LetGoOfMemory"/>. Taking thread, or who holds them already.</summary>
    public void HoldMemory()
    {
        bool isHeld = false;
        _blockMapping.DangerousAddRef(ref isHeld);
    }

    /// <summary>Ends one <see cref="HoldMemory"/>. Any thread.</summary>
    public void LetGoOfMemory() => _blockMapping.DangerousRelease();

    public override void Close(bool sayBye)
    {
        CloseSocket(sayBye);
        Unmap();
    }

    private protected override void HandleOther(MessageHeader header, ReadOnlySpan<byte> payload) =>
        throw new ProtocolException(ErrorCode.ProtocolError, $"A publisher of packets does not send {header.Type} here.");

    private static PacketWelcomeMessage Greet(UnixSocket socket, string key, HelloMessage hello, DescriptorSet descriptors, Func<bool>? isInterrupted)
    {
        ReadOnlySpan<byte> payload = Handshake.Greet(socket, key, hello, descriptors, isInterrupted);
        try
        {
            PacketWelcomeMessage welcome = PacketWelcomeMessage.Read(payload);
            Handshake.RequireVersion(welcome.Version);
            if (!hello.IsProbe)
            {
                welcome.RequireSubscription();
            }

            return welcome;
        }
        catch (ProtocolException error)
        {
            Handshake.SayBye(socket, error.Code, error.Message);
            throw;
        }
    }

    private static PacketConnection Map(UnixSocket socket, PacketWelcomeMessage welcome, DescriptorSet descriptors, ulong[] missedOn)
    {
        const string what = "The packet block";
        using FileDescriptor blockFile = descriptors.Take(0);
        using FileDescriptor pageFile = descriptors.Take(1);
        Handshake.RequireMemfd(blockFile, Handshake.ReadOnlySeals, PacketBlockLayout.Size, ErrorCode.ControlBlockInvalid, what);
        byte[] header = new byte[PacketBlockLayout.StateOffset];
        using (MemoryMapping first = MemoryMapping.Map(blockFile, PacketBlockLayout.ByteAlignment, MappingAccess.ReadOnly))
        {
            first.ReadOnlySlice(0, header.Length).CopyTo(header);
        }

        if (PacketBlock.FindFault(header, welcome.Epoch, out int indexCapacity, out long byteCapacity) is { } fault)
        {
            throw new ProtocolException(ErrorCode.ControlBlockInvalid, $"The packet block cannot be used: {fault}.");
        }

        long size = PacketBlock.SizeOf(indexCapacity, byteCapacity);
        Handshake.RequireMemfd(blockFile, Handshake.ReadOnlySeals, size, ErrorCode.ControlBlockInvalid, what);
        MemoryMapping mapping = MemoryMapping.Map(blockFile, size, MappingAccess.ReadOnly);
        try
        {
            MemoryMapping page = Handshake.MapPage(pageFile, welcome.SubscriberId);
            unsafe
            {
                return new PacketConnection(socket, welcome, mapping, page, new PacketBlock(mapping.Pointer, indexCapacity, byteCapacity), missedOn);
            }
        }
        catch
        {
            mapping.Dispose();
            throw;
        }
    }

    /// <summary>Step 6 of 14.11. Any thread.</summary>
    private bool IsStillThere(ulong sequence)
    {
        Interlocked.MemoryBarrier();
        bool isThere = _block.Oldest <= sequence;
        if (!isThere)
        {
            Volatile.Write(ref _overwritten, sequence);
        }

        return isThere;
    }

    private static unsafe SubscriberPage PageOf(MemoryMapping mapping) => new(mapping.Pointer);

    private static int EntryOf(int track, uint number) =>
        (track * PacketBlockLayout.ParametersCapacity) + (int)(number & (PacketBlockLayout.ParametersCapacity - 1));

    /// <summary>Chooses where to start (14.12).</summary>
    private void Begin(PacketSubscriberOptions options, PacketConnection? before)
    {
        RefreshTracks();
        ReadBounds(out ulong oldest, out ulong head);
        if (before is { _isStarting: false } && before.Epoch == Epoch && before._base <= head)
        {
            (_cursor, _base, _baseCounts, _hasBaseCounts, _awaitsKey) =
                (before._base, before._base, before._baseCounts, before._hasBaseCounts, before._awaitsKey || before.HasLostTaken);
        }
        else if (options.StartAfter is { } position && position.Epoch == Epoch && position.Sequence <= head)
        {
            StartBehind(position.Sequence);
        }
        else if (options.Start == PacketStart.Next)
        {
            StartBehind(head);
        }
        else
        {
            ulong key = options.Start == PacketStart.NewestKey ? _block.LastKey : FirstStart(oldest, head);
            if (key == 0 || key > head || !MayStartAt(key))
            {
                _awaitsKey = true;
                StartBehind(head);
            }
            else
            {
                StartBehind(key - 1);
            }
        }

        _page.Cursor = _cursor;
    }

    /// <summary>Begins behind a packet; what came before is not lost.</summary>
    private void StartBehind(ulong sequence)
    {
        _cursor = sequence;
        _base = sequence;
        _isStarting = _awaitsKey;
        if (sequence == 0)
        {
            _hasBaseCounts = true;
        }
        else if (TryRead(sequence, out PacketDescriptor descriptor))
        {
            _baseCounts = descriptor.Counts;
            _hasBaseCounts = true;
        }
        else if (sequence < _block.Head && TryRead(sequence + 1, out descriptor))
        {
            _baseCounts = descriptor.Counts;
            _baseCounts[(int)descriptor.Track]--;
            _hasBaseCounts = true;
        }
    }

    private ulong FirstStart(ulong oldest, ulong head)
    {
        for (ulong sequence = oldest; sequence <= head; sequence++)
        {
            if (MayStartAt(sequence))
            {
                return sequence;
            }
        }

        return 0;
    }

    private bool MayStartAt(ulong sequence) => TryRead(sequence, out PacketDescriptor descriptor) && MayStartAt(descriptor);

    private bool MayStartAt(in PacketDescriptor descriptor) =>
        _videoTrack < 0 || (descriptor.Track == (uint)_videoTrack && (descriptor.Flags & PacketFlags.Key) != 0);

    /// <summary>Looks for a packet at which we may start; passes over the others.</summary>
    /// <returns>0 when there is none up to head, or when the publisher was faster than we.</returns>
    private ulong FindStart(ulong sequence, ulong head)
    {
        for (; sequence <= head; sequence++)
        {
            if (!TryRead(sequence, out PacketDescriptor descriptor))
            {
                return 0;
            }

            if (MayStartAt(descriptor))
            {
                return sequence;
            }

            _cursor = sequence;
        }

        _page.Cursor = _cursor;
        return 0;
    }

    /// <summary>The words that say what is there, checked. In this order: what is oldest only grows, and never beyond what comes next.</summary>
    private void ReadBounds(out ulong oldest, out ulong head)
    {
        oldest = _block.Oldest;
        head = _block.Head;
        if (head >= PacketBlockLayout.SequenceLimit || head < _cursor)
        {
            throw Violation(ErrorCode.ControlBlockInvalid, $"The newest sequence is {head}, and {_cursor} was there before; sequences grow and stay below 2^56.");
        }

        if (oldest == 0 || oldest < _seenOldest || oldest > head + 1)
        {
            throw Violation(ErrorCode.ControlBlockInvalid, $"The oldest sequence is {oldest}, the newest {head}, and the oldest was {_seenOldest} before.");
        }

        _seenOldest = oldest;
    }

    /// <summary>Steps 2 to 4 of 14.11.</summary>
    /// <returns>False when the packet is gone.</returns>
    private bool TryRead(ulong sequence, out PacketDescriptor descriptor)
    {
        _block.ReadDescriptor(sequence, out descriptor);
        Interlocked.MemoryBarrier();
        if (_block.Oldest > sequence)
        {
            return false;
        }

        if (descriptor.Track >= (uint)_trackCount)
        {
            RefreshTracks();
        }

        string? fault = descriptor.FindFault(sequence, _trackCount, _block.ByteCapacity);
        return fault is null
            ? true
            : throw Violation(ErrorCode.PacketInvalid, $"Packet {sequence} cannot be read: {fault}.");
    }

    /// <summary>The parameters that a packet names.</summary>
    /// <returns>False when the packet is gone, and its parameters may be too.</returns>
    private bool TryGetParameters(in PacketDescriptor descriptor, [NotNullWhen(true)] out TrackParameters? parameters)
    {
        int track = (int)descriptor.Track;
        parameters = CachedSet(track, descriptor.Parameters);
        if (parameters is null && !TryReadSet(track, descriptor.Parameters, out parameters))
        {
            Interlocked.MemoryBarrier();
            return _block.Oldest > descriptor.Sequence
                ? false
                : throw Violation(ErrorCode.PacketInvalid, $"Packet {descriptor.Sequence} names parameter set {descriptor.Parameters} of track {track}, which is not there.");
        }

        return true;
    }

    private TrackParameters? CachedSet(int track, uint number)
    {
        (uint cached, TrackParameters? parameters) = _sets[EntryOf(track, number)];
        return cached == number ? parameters : null;
    }

    /// <summary>Copies a parameter set, and makes sure that the copy is whole (14.11).</summary>
    private bool TryReadSet(int track, uint number, [NotNullWhen(true)] out TrackParameters? parameters)
    {
        parameters = null;
        if (number == 0 || number > _block.CurrentParameters(track) || number < _block.OldestParameters(track))
        {
            return false;
        }

        // The extradata as far as the copied head says: the rest of the entry may never have been written, and reading it would cost memory.
        ReadOnlySpan<byte> entry = _block.ParameterSet(track, number);
        entry[..TrackParametersLayout.ExtradataOffset].CopyTo(_set);
        uint extradata = Math.Min(MemoryMarshal.Read<uint>(_set.AsSpan(TrackParametersLayout.ExtradataSizeOffset)), TrackParametersLayout.MaxExtradataSize);
        entry.Slice(TrackParametersLayout.ExtradataOffset, (int)extradata).CopyTo(_set.AsSpan(TrackParametersLayout.ExtradataOffset));
        Interlocked.MemoryBarrier();
        if (_block.OldestParameters(track) > number)
        {
            return false;
        }

        try
        {
            parameters = TrackParameters.Read(_set, number);
        }
        catch (ProtocolException error)
        {
            throw Violation(error.Code, $"Track {track}: {error.Message}");
        }

        _sets[EntryOf(track, number)] = (number, parameters);
        return true;
    }

    /// <summary>Counts what was lost, and moves on (14.13).</summary>
    private Packet Accept(in PacketDescriptor descriptor, TrackParameters parameters)
    {
        ulong missed = 0;
        if (!_isStarting)
        {
            missed = descriptor.Sequence - _base - 1;
            for (int track = 0; _hasBaseCounts && track < PacketBlockLayout.TrackCapacity; track++)
            {
                ulong own = track == (int)descriptor.Track ? 1UL : 0;
                if (descriptor.Counts[track] < _baseCounts[track] + own)
                {
                    throw Violation(ErrorCode.PacketInvalid,
                        $"Packet {descriptor.Sequence} says that {descriptor.Counts[track]} packets of track {track} were published; packet {_base} said {_baseCounts[track]}.");
                }

                _missedOn[track] += descriptor.Counts[track] - _baseCounts[track] - own;
            }
        }

        _isStarting = false;
        _awaitsKey = false;
        _hasBaseCounts = true;
        _base = descriptor.Sequence;
        _baseCounts = descriptor.Counts;
        _cursor = descriptor.Sequence;
        _page.Cursor = _cursor;
        _page.Taken++;
        _page.Missed += missed;
        PacketTrack packetTrack = _tracks[descriptor.Track]!;
        if (!ReferenceEquals(packetTrack.Parameters, parameters))
        {
            packetTrack.Parameters = parameters;
            packetTrack.ParametersNumber = descriptor.Parameters;
        }

        return new Packet(this, descriptor, packetTrack, parameters, missed);
    }

    /// <summary>Gets to know the tracks that have been added.</summary>
    private void RefreshTracks()
    {
        uint tracks = _block.Tracks;
        if (tracks > PacketBlockLayout.TrackCapacity || tracks < (uint)_trackCount)
        {
            throw Violation(ErrorCode.ControlBlockInvalid, $"There are {tracks} tracks, and {_trackCount} were there before; they grow up to {PacketBlockLayout.TrackCapacity}.");
        }

        for (int track = _trackCount; track < (int)tracks; track++)
        {
            ReadOnlySpan<byte> entry = _block.TrackEntry(track);
            TrackKind kind = _block.TrackKind(track);
            TrackParameters? parameters = null;
            uint number = 0;
            for (int round = 0; parameters is null && round < MaxTakeRounds; round++)
            {
                number = _block.CurrentParameters(track);
                _ = TryReadSet(track, number, out parameters);
            }

            string? language = FixedText.Read(entry.Slice(TrackLayout.LanguageOffset, 8));
            if (parameters is null || language is null || !Enum.IsDefined(kind))
            {
                throw Violation(ErrorCode.PacketInvalid, $"Track {track} cannot be used: its kind is {(uint)kind}, its parameters or its language cannot be read.");
            }

            _tracks[track] = new PacketTrack(track, kind, language, parameters) { ParametersNumber = number };
            _trackCount = track + 1;
            if (_videoTrack < 0 && kind == TrackKind.Video)
            {
                _videoTrack = track;
            }
        }
    }

    private void Unmap()
    {
        Volatile.Write(ref _isClosed, true);
        _blockMapping.Dispose();
        _pageMapping.Dispose();
        _descriptors.Dispose();
    }
}
