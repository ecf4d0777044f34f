using System.Buffers.Binary;
using CuFrames.Conformance.PublisherChecks;
using CuFrames.Conformance.Spec;
using CuFrames.Conformance.Suite;
using CuFrames.Conformance.Wire;
using CuFrames.Interop;

namespace CuFrames.Conformance.PacketChecks;

/// <summary>Section 14, as a publisher of packets keeps it.</summary>
internal static class PacketPublisherChecks
{
    private const int Observed = 60;

    /// <summary>How often the publisher may overtake whoever looks at it: one that always does cannot be judged.</summary>
    private const int MaxLaps = 20;

    private const MemoryFileSeals ReadOnlySeals =
        MemoryFileSeals.Seal | MemoryFileSeals.Grow | MemoryFileSeals.Shrink | MemoryFileSeals.FutureWrite;

    public static IReadOnlyList<Check<PacketContext>> All { get; } =
    [
        new("14.2-frames-refused", "refuses a HELLO for frames", FramesRefused),
        new("14.3-probe", "describes stream and tracks to a probe, without descriptors", Probe),
        new("14.3-welcome", "says PACKETS with must-understand, and describes each track once", WelcomeOfPackets),
        new("14.4-messages", "evicts who sends what packets do not have", WrongMessage),
        new("14.4-page", "evicts who sets a lease word", LeaseWord),
        new("14.4-cursor", "evicts who says that it has read what is to come", Cursor),
        new("14.5-seals", "seals the packet block", Seals),
        new("14.5-read-only", "gives nobody a way to write the packet block", ReadOnly),
        new("14.5-header", "fills in the packet block's header", Header),
        new("14.6-tracks", "has in the block the tracks of WELCOME", TrackTable),
        new("14.7-parameters", "has the current parameter set of each track", Parameters),
        new("14.8-descriptors", "describes every packet by the rules of step 4", Descriptors),
        new("14.8-counts", "counts the packets of each track", Counts),
        new("14.9-parameters-changed", "marks the packets whose parameter set is another one", ParametersChanged),
        new("14.10-zeros", "lets 64 zero bytes follow each packet", Zeros),
        new("14.10-places", "lays packets one behind the other", Places),
        new("14.10-oldest", "moves oldest before it overwrites", Oldest),
        new("14.12-last-key", "names a packet at which a subscriber may start", LastKey),
        new("8.2-futex-wake", "wakes a subscriber that sleeps", FutexWake),
    ];

    private static void FramesRefused(PacketContext context) =>
        RawExchange.ExpectRefusal(new PublisherContext(context.SocketPath, false), new HelloOptions().Build(), ErrorCode.PROTOCOL_ERROR);

    private static void Probe(PacketContext context)
    {
        using Connection connection = Connection.Open(context.SocketPath);
        connection.Send(PacketReader.Hello(isProbe: true));
        using Packet answer = connection.Receive(15_000);
        PacketWelcome welcome = PacketWelcome.Read(answer);
        Expect.Equal(0, answer.Descriptors.Length, "descriptors for a probe:");
        Expect.That(!welcome.Has(TlvType.SUBSCRIBER_ID), "no SUBSCRIBER_ID for a probe", "one");
        CheckDescription(welcome);
    }

    private static void WelcomeOfPackets(PacketContext context)
    {
        using PacketReader reader = PacketReader.Open(context);
        Expect.That(reader.Welcome.Get(TlvType.PACKETS).MustUnderstand, "PACKETS with must-understand", "it without");
        Expect.That(reader.Welcome.Epoch != 0 && reader.Welcome.Get(TlvType.SUBSCRIBER_ID).UInt64 != 0, "EPOCH and SUBSCRIBER_ID that are not zero", "zero");
        Expect.That((reader.Welcome.Get(TlvType.WAKES).UInt32 & Limits.WakeFutex) != 0, "FUTEX among the WAKES", $"{reader.Welcome.Get(TlvType.WAKES).UInt32}");
        CheckDescription(reader.Welcome);
    }

    private static void CheckDescription(PacketWelcome welcome)
    {
        byte[] stream = welcome.Get(TlvType.PACKET_STREAM).Value;
        Expect.That(stream.Length >= 64, "a PACKET_STREAM of 64 bytes", $"{stream.Length}");
        uint tracks = BinaryPrimitives.ReadUInt32LittleEndian(stream.AsSpan(4));
        ulong head = BinaryPrimitives.ReadUInt64LittleEndian(stream.AsSpan(16));
        ulong oldest = BinaryPrimitives.ReadUInt64LittleEndian(stream.AsSpan(24));
        Expect.That(oldest >= 1 && oldest <= head + 1, "an oldest sequence from 1 to head plus 1", $"{oldest} with head {head}");
        uint[] numbers = [.. welcome.All(TlvType.TRACK).Select(tlv => BinaryPrimitives.ReadUInt32LittleEndian(tlv.Value)).Order()];
        Expect.That(numbers.SequenceEqual(Enumerable.Range(0, (int)Math.Min(tracks, 99)).Select(number => (uint)number)),
            $"a TRACK for each of {tracks} tracks", string.Join(", ", numbers));
    }

    private static void WrongMessage(PacketContext context)
    {
        using PacketReader reader = PacketReader.Open(context);
        reader.Connection.Send(Message.Build(MessageType.SEGMENT_READY, 0, Tlv.U32(TlvType.SEGMENT_ID, 1)));
        reader.ExpectEviction(ErrorCode.PROTOCOL_ERROR);
    }

    private static void LeaseWord(PacketContext context)
    {
        using PacketReader reader = PacketReader.Open(context);
        reader.Await(1);
        reader.SetPage(Layout.SubscriberPage.Leases, 1UL);
        reader.ExpectEviction(ErrorCode.LEASE_QUOTA_EXCEEDED);
    }

    private static void Cursor(PacketContext context)
    {
        using PacketReader reader = PacketReader.Open(context);
        reader.SetPage(Layout.SubscriberPage.Cursor, reader.Head + 1_000_000);
        reader.ExpectEviction(ErrorCode.PAGE_INVALID);
    }

    private static void Seals(PacketContext context)
    {
        using PacketReader reader = PacketReader.Open(context);
        MemoryFileSeals seals = reader.BlockDescriptor.GetSeals();
        Expect.That((seals & ReadOnlySeals) == ReadOnlySeals, $"the seals {ReadOnlySeals}", seals.ToString());
    }

    private static void ReadOnly(PacketContext context)
    {
        using PacketReader reader = PacketReader.Open(context);
        try
        {
            using MemoryMapping mapping = MemoryMapping.Map(reader.BlockDescriptor, PacketLayout.PageSize, MappingAccess.ReadWrite);
        }
        catch (LinuxException)
        {
            return;
        }

        throw Expect.Failure("that the kernel refuses a writable mapping", "a mapping");
    }

    private static void Header(PacketContext context)
    {
        using PacketReader reader = PacketReader.Open(context);
        Expect.Equal(PacketLayout.BlockMagic, reader.U64(PacketLayout.PacketBlock.Magic), "magic");
        foreach ((int offset, uint value, string name) in new[]
        {
            (PacketLayout.PacketBlock.LayoutVersion, 1u, "layout_version"),
            (PacketLayout.PacketBlock.TrackSize, 64u, "track_size"),
            (PacketLayout.PacketBlock.ParametersSize, 16_384u, "parameters_size"),
            (PacketLayout.PacketBlock.PacketSize, 192u, "packet_size"),
            (PacketLayout.PacketBlock.TrackCapacity, 8u, "track_capacity"),
            (PacketLayout.PacketBlock.ParametersCapacity, 8u, "parameters_capacity"),
            (PacketLayout.PacketBlock.TracksOffset, 256u, "tracks_offset"),
            (PacketLayout.PacketBlock.ParametersOffset, 4_096u, "parameters_offset"),
            (PacketLayout.PacketBlock.IndexOffset, 1_052_672u, "index_offset"),
        })
        {
            Expect.Equal(value, reader.U32(offset), name);
        }

        Expect.Equal(reader.Welcome.Epoch, reader.U64(PacketLayout.PacketBlock.Epoch), "epoch");
        Expect.That(reader.IndexCapacity is >= 16 and <= 65_536 && uint.IsPow2(reader.IndexCapacity), "an index_capacity that is a power of two from 16 to 65,536", $"{reader.IndexCapacity}");
        Expect.That(reader.ByteCapacity is >= 65_536 and <= 1UL << 32 && reader.ByteCapacity % 4096 == 0, "a byte_capacity in pages from 65,536 to 2^32", $"{reader.ByteCapacity}");
        Expect.Equal((ulong)PacketLayout.BytesOffset(reader.IndexCapacity), reader.U64(PacketLayout.PacketBlock.BytesOffset), "bytes_offset");
        Expect.Equal((ulong)PacketLayout.BytesOffset(reader.IndexCapacity) + reader.ByteCapacity, reader.U64(PacketLayout.PacketBlock.TotalSize), "total_size");
        reader.Await(1);
        Expect.Equal(Limits.StateLive, reader.U32(PacketLayout.PacketBlock.State), "with packets coming, a state of");
    }

    private static void TrackTable(PacketContext context)
    {
        using PacketReader reader = PacketReader.Open(context);
        uint tracks = reader.U32(PacketLayout.PacketBlock.Tracks);
        Expect.That(tracks is >= 1 and <= 8, "1 to 8 tracks", $"{tracks}");
        foreach (Tlv tlv in reader.Welcome.All(TlvType.TRACK))
        {
            int track = (int)BinaryPrimitives.ReadUInt32LittleEndian(tlv.Value);
            long entry = PacketLayout.TracksOffset + (track * PacketLayout.TrackSize);
            Expect.Equal(BinaryPrimitives.ReadUInt32LittleEndian(tlv.Value.AsSpan(4)), reader.U32(entry + PacketLayout.Track.Kind), $"track {track} of kind");
            Expect.That(tlv.Value.AsSpan(48, 8).SequenceEqual(reader.Copy(entry + PacketLayout.Track.Language, 8)), $"track {track} with the language of WELCOME", "another");
        }
    }

    private static void Parameters(PacketContext context)
    {
        using PacketReader reader = PacketReader.Open(context);
        for (int track = 0; track < (int)reader.U32(PacketLayout.PacketBlock.Tracks); track++)
        {
            long entry = PacketLayout.TracksOffset + (track * PacketLayout.TrackSize);
            byte[]? set = null;
            uint current = 0;
            while (set is null)
            {
                current = reader.U32(entry + PacketLayout.Track.Current);
                set = reader.Copy(PacketLayout.ParametersOffset + ((long)((PacketLayout.Sets * track) + (int)(current & 7)) * PacketLayout.ParametersSize), PacketLayout.ParametersHeadSize);
                Interlocked.MemoryBarrier();
                set = reader.U32(entry + PacketLayout.Track.Oldest) > current ? null : set;
            }

            Expect.Equal(current, BinaryPrimitives.ReadUInt32LittleEndian(set.AsSpan(PacketLayout.TrackParameters.Number)), $"in track {track} a set of number");
            uint numerator = BinaryPrimitives.ReadUInt32LittleEndian(set.AsSpan(PacketLayout.TrackParameters.TimeBaseNumerator));
            uint denominator = BinaryPrimitives.ReadUInt32LittleEndian(set.AsSpan(PacketLayout.TrackParameters.TimeBaseDenominator));
            Expect.That(numerator is >= 1 and < 1u << 31 && denominator is >= 1 and < 1u << 31, "a time base of two numbers from 1 to 2^31 - 1", $"{numerator}/{denominator}");
            uint extradata = BinaryPrimitives.ReadUInt32LittleEndian(set.AsSpan(PacketLayout.TrackParameters.ExtradataSize));
            Expect.That(extradata <= 16_128, "extradata of at most 16,128 bytes", $"{extradata}");
        }
    }

    private static void Descriptors(PacketContext context) => Walk(context, () => (_, _, _) => { });

    private static void Counts(PacketContext context) => Walk(context, () =>
    {
        byte[]? before = null;
        return (_, _, descriptor) =>
        {
            uint own = BinaryPrimitives.ReadUInt32LittleEndian(descriptor.AsSpan(PacketLayout.PacketDescriptor.Track));
            for (uint track = 0; before is not null && track < PacketLayout.Tracks; track++)
            {
                Expect.Equal(Count(before, track) + (track == own ? 1UL : 0), Count(descriptor, track), $"after packet {U64(before, PacketLayout.PacketDescriptor.Sequence)} for track {track} a count of");
            }

            before = descriptor;
        };
    });

    private static void ParametersChanged(PacketContext context) => Walk(context, () =>
    {
        Dictionary<uint, uint> sets = [];
        return (_, sequence, descriptor) =>
        {
            uint track = U32(descriptor, PacketLayout.PacketDescriptor.Track);
            uint set = U32(descriptor, PacketLayout.PacketDescriptor.Parameters);
            if (sets.TryGetValue(track, out uint before))
            {
                Expect.Equal(before != set, (U32(descriptor, PacketLayout.PacketDescriptor.Flags) & PacketLayout.FlagParametersChanged) != 0, $"for packet {sequence} of set {set} behind set {before} PARAMETERS_CHANGED");
            }

            sets[track] = set;
        };
    });

    private static void Zeros(PacketContext context) => Walk(context, () => (reader, sequence, descriptor) =>
    {
        int size = (int)U32(descriptor, PacketLayout.PacketDescriptor.Size);
        byte[]? bytes = reader.Bytes(sequence, U64(descriptor, PacketLayout.PacketDescriptor.Position) + (ulong)size, PacketLayout.Zeros);
        Expect.That(bytes is null || !bytes.AsSpan().ContainsAnyExcept((byte)0), $"64 zero bytes behind packet {sequence}", "others");
    });

    private static void Places(PacketContext context) => Walk(context, () =>
    {
        ulong end = 0;
        return (reader, sequence, descriptor) =>
        {
            ulong position = U64(descriptor, PacketLayout.PacketDescriptor.Position);
            ulong expected = (end + 63) / 64 * 64;
            ulong occupied = U32(descriptor, PacketLayout.PacketDescriptor.Size) + (ulong)PacketLayout.Zeros;
            if ((expected % reader.ByteCapacity) + occupied > reader.ByteCapacity)
            {
                expected = (expected + reader.ByteCapacity - 1) / reader.ByteCapacity * reader.ByteCapacity;
            }

            Expect.That(end == 0 || position == expected, $"packet {sequence} at {expected}", $"{position}");
            end = position + occupied;
        };
    });

    /// <summary>What is there is the same whenever it is looked at, until oldest says that it is gone; and it goes.</summary>
    private static void Oldest(PacketContext context)
    {
        using PacketReader reader = PacketReader.Open(context);
        Dictionary<ulong, (byte[] Descriptor, byte[] Bytes)> seen = [];
        reader.Await(1);
        var watch = System.Diagnostics.Stopwatch.StartNew();
        ulong first = 0;
        while (watch.ElapsedMilliseconds < 60_000)
        {
            foreach ((ulong sequence, (byte[] descriptor, byte[] bytes)) in seen)
            {
                byte[]? again = reader.Descriptor(sequence);
                byte[]? bytesAgain = reader.Bytes(sequence, U64(descriptor, PacketLayout.PacketDescriptor.Position), bytes.Length);
                if (again is null || bytesAgain is null)
                {
                    return;
                }

                Expect.That(again.AsSpan().SequenceEqual(descriptor) && bytesAgain.AsSpan().SequenceEqual(bytes),
                    $"packet {sequence} as it was while oldest is {reader.Oldest}", "other bytes");
            }

            ulong next = reader.Head;
            first = first == 0 ? next : first;
            if (!seen.ContainsKey(next) && seen.Count < 20 && reader.Descriptor(next) is { } entry &&
                reader.Bytes(next, U64(entry, PacketLayout.PacketDescriptor.Position), (int)U32(entry, PacketLayout.PacketDescriptor.Size)) is { } content)
            {
                seen.Add(next, (entry, content));
            }

            Thread.Sleep(1); // The publisher's pace is what it is.
        }

        throw Expect.NotProvoked($"the ring did not come round between packet {first} and {reader.Head}; publish more, or make the ring smaller");
    }

    private static void LastKey(PacketContext context)
    {
        using PacketReader reader = PacketReader.Open(context);
        reader.Await(reader.Head + Observed);
        for (int round = 0; round < Observed; round++)
        {
            // Rounds that come between two packets all see the same one, which may be a key packet by chance.
            reader.Await(reader.Head + 1);
            ulong key = reader.U64(PacketLayout.PacketBlock.LastKey);
            Expect.That(key != 0 && key <= reader.Head, "a last_key from 1 to head", $"{key}");
            if (reader.Descriptor(key) is { } descriptor)
            {
                uint kind = reader.U32(PacketLayout.TracksOffset + (U32(descriptor, PacketLayout.PacketDescriptor.Track) * PacketLayout.TrackSize));
                bool isKey = (U32(descriptor, PacketLayout.PacketDescriptor.Flags) & PacketLayout.FlagKey) != 0;
                bool hasVideo = Enumerable.Range(0, (int)reader.U32(PacketLayout.PacketBlock.Tracks))
                    .Any(track => reader.U32(PacketLayout.TracksOffset + (track * PacketLayout.TrackSize)) == PacketLayout.KindVideo);
                Expect.That(!hasVideo || (isKey && kind == PacketLayout.KindVideo), $"a key packet of the video track as last_key {key}", $"a packet of kind {kind}, key: {isKey}");
            }
        }
    }

    private static unsafe void FutexWake(PacketContext context)
    {
        using PacketReader reader = PacketReader.Open(context);
        reader.Await(1);
        for (uint round = 1; round <= 5; round++)
        {
            uint word = Volatile.Read(ref *reader.FutexWord);
            ulong head = reader.Head;
            reader.SetPage(Layout.SubscriberPage.Waiting, (round << 2) | Limits.WakeFutex);
            Interlocked.MemoryBarrier();
            if (reader.Head == head)
            {
                FutexWaitResult result = Futex.Wait(reader.FutexWord, word, 10_000_000_000);
                Expect.That(result != FutexWaitResult.TimedOut, "to be woken by the next packet", $"10 s of sleep, and head went from {head} to {reader.Head}");
            }

            reader.SetPage(Layout.SubscriberPage.Waiting, 0u);
        }
    }

    /// <summary>Looks at the packets that come, one after the other; each descriptor is checked as 14.11, step 4, says.</summary>
    /// <param name="context">The publisher.</param>
    /// <param name="begin">Gives what looks at the packets of an unbroken row. A row that is broken begins anew, with nothing remembered.</param>
    private static void Walk(PacketContext context, Func<Action<PacketReader, ulong, byte[]>> begin)
    {
        using PacketReader reader = PacketReader.Open(context);
        Action<PacketReader, ulong, byte[]> look = begin();
        ulong sequence = reader.Head;
        int laps = 0;
        for (int seen = 0; seen < Observed;)
        {
            reader.Await(++sequence);
            byte[]? descriptor = reader.Descriptor(sequence);
            if (descriptor is null)
            {
                // Lapped: this machine was too busy for the publisher's pace. What it shows from now on is as good.
                if (++laps > MaxLaps)
                {
                    throw Expect.NotProvoked("the publisher goes round its ring faster than it can be looked at");
                }

                look = begin();
                seen = 0;
                sequence = reader.Head;
                continue;
            }

            Judge(reader, sequence, descriptor);
            look(reader, sequence, descriptor);
            seen++;
        }
    }

    private static void Judge(PacketReader reader, ulong sequence, byte[] descriptor)
    {
        Expect.Equal(sequence, U64(descriptor, PacketLayout.PacketDescriptor.Sequence), "in the entry sequence");
        ulong position = U64(descriptor, PacketLayout.PacketDescriptor.Position);
        uint size = U32(descriptor, PacketLayout.PacketDescriptor.Size);
        Expect.That(position % PacketLayout.Alignment == 0, $"packet {sequence} at a multiple of 64", $"{position}");
        Expect.That(size <= reader.ByteCapacity / 2 && (position % reader.ByteCapacity) + size + PacketLayout.Zeros <= reader.ByteCapacity,
            $"packet {sequence} and its zeros inside the ring", $"{size} bytes at {position}");
        uint track = U32(descriptor, PacketLayout.PacketDescriptor.Track);
        Expect.That(track < reader.U32(PacketLayout.PacketBlock.Tracks), $"packet {sequence} of a track that is there", $"{track}");
        long entry = PacketLayout.TracksOffset + (track * PacketLayout.TrackSize);
        uint set = U32(descriptor, PacketLayout.PacketDescriptor.Parameters);
        Expect.That(set >= 1 && set <= reader.U32(entry + PacketLayout.Track.Current), $"packet {sequence} of a parameter set that is there", $"{set}");
        ulong sum = 0;
        for (uint i = 0; i < PacketLayout.Tracks; i++)
        {
            sum += Count(descriptor, i);
        }

        Expect.Equal(sequence, sum, $"in packet {sequence} counts that add up to");
        Expect.That(Count(descriptor, track) > 0, $"packet {sequence} counted on its track", "zero");
    }

    private static ulong Count(byte[] descriptor, uint track) => U64(descriptor, PacketLayout.PacketDescriptor.Counts + (int)(8 * track));

    private static uint U32(byte[] bytes, int offset) => BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(offset));

    private static ulong U64(byte[] bytes, int offset) => BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(offset));
}
