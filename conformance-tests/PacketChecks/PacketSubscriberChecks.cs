using System.Buffers.Binary;
using System.Diagnostics;
using CuFrames.Conformance.Spec;
using CuFrames.Conformance.SubscriberChecks;
using CuFrames.Conformance.Suite;
using CuFrames.Conformance.Wire;
using CuFrames.Interop;

namespace CuFrames.Conformance.PacketChecks;

/// <summary>Section 14, as a subscriber of packets keeps it.</summary>
internal static class PacketSubscriberChecks
{
    private const int WrapPackets = 300;
    private const int StormMilliseconds = 1_500;
    private const int StormPackets = 100;
    private const int Bursts = 5;
    private const int MostWithoutKey = 20_000;

    private static readonly MemoryFileSeals[] ReadOnlySeals =
        [MemoryFileSeals.Seal, MemoryFileSeals.Grow, MemoryFileSeals.Shrink, MemoryFileSeals.FutureWrite];

    public static IReadOnlyList<Check<SubscriberContext>> All { get; } =
    [
        new("14.2-hello", "says HELLO with PACKETS, with must-understand", Hello),
        new("14.11-reads", "reads every packet, over several rounds of the ring, and its bytes only", Reads),
        new("14.11-whole", "gives no packet that was overwritten while it was read", Whole),
        new("14.12-last-key", "starts at last_key", LastKey),
        new("14.12-no-key", "waits for the next key frame when there is none", context => AwaitsKey(context, ring => Fill(ring, 20, 0))),
        new("14.12-key-gone", "waits for the next key frame when last_key is gone", context => AwaitsKey(context, ring =>
        {
            Fill(ring, 1, 1);
            Fill(ring, 20, 0);
            ring.MoveOldest(10);
        })),
        new("14.12-without-video", "starts at any packet of a stream without video", WithoutVideo),
        new("14.13-lapped", "counts what it has lost and goes on at a key frame", Lapped),
        new("14.13-lapped-no-key", "goes on at the next key frame that comes when none is there", LappedNoKey),
        new("14.13-first-start", "counts nothing as lost that it never asked for", FirstStart),
        new("14.7-new-sets", "follows changes of parameters, also more than are kept", NewSets),
        new("14.6-new-track", "follows a track that is added", NewTrack),
        new("5.1-counters", "keeps cursor and counters of its page right", Counters),
        new("14.4-no-leases", "sets no lease word", NoLeases),
        .. BadWelcomes(),
        .. BadBlocks(),
        .. BadPages(),
        .. BadPackets(),
        .. BadSets(),
        .. BadWords(),
        .. BadMessages(),
        new("14.4-notices", "accepts notices and doorbells", Notices),
        new("2.6-additions", "accepts unknown TLVs", Additions),
        new("11.1-reserved", "ignores reserved bytes", ReservedBytes),
        new("3.5-refused", "tells code and text of a REFUSE and hangs up", Refused),
        new("9.2-bye", "hangs up without an answer when the publisher says BYE", Bye),
        new("9.1-shutting-down", "leaves when the publisher says that it ends", ShuttingDown),
        new("14.4-evicted", "tells that it was evicted, and why", Evicted),
        new("9.3-new-epoch", "begins with the first sequences of a new epoch", NewEpoch),
    ];

    private static void Hello(SubscriberContext context)
    {
        using PacketStageSession session = PacketStageSession.Accept(context.Stage);
        Tlv packets = session.Hello.FirstOrDefault(tlv => tlv.Type == (ushort)TlvType.PACKETS);
        Expect.That(packets.Type != 0 && packets.MustUnderstand, "PACKETS with must-understand", packets.Type != 0 ? "it without" : "none");
        Tlv range = session.Hello.FirstOrDefault(tlv => tlv.Type == (ushort)TlvType.VERSION_RANGE);
        Expect.That(range.Type != 0 && range.Value[0] <= 1 && range.Value[2] >= 1, "a VERSION_RANGE with 1 in it", range.Type != 0 ? "another" : "none");
        HashSet<ushort> known = [.. new[]
        {
            TlvType.VERSION_RANGE, TlvType.PACKETS, TlvType.FEATURES, TlvType.PROGRAM, TlvType.WAKES, TlvType.DELIVERY, TlvType.LEASES, TlvType.DOMAIN, TlvType.FENCES,
        }.Select(type => (ushort)type)];
        Expect.That(session.Hello.All(tlv => known.Contains(tlv.Type) || !tlv.MustUnderstand), "no other TLV with must-understand", "one");
    }

    private static void Reads(SubscriberContext context)
    {
        using PacketStageSession session = PacketStageSession.StartWithPacket(context.Stage);
        for (int i = 0; i < WrapPackets; i++)
        {
            // Empty ones too, and some that would go around the end of the ring.
            SubjectLine line = session.TakeOne(i % 3 == 2 ? StagedRing.Audio : StagedRing.Video, i % 10 == 0, i * 97 % 5_000);
            Expect.Equal(0UL, line.Missed, $"of packet {line.Sequence} missed");
        }
    }

    private static void Whole(SubscriberContext context)
    {
        // Two such packets fill the ring: reading one takes several times as long as overwriting it, so that who reads is overtaken, whatever else the
        // machine does.
        const int size = 8 << 20;
        using PacketStageSession session = PacketStageSession.StartWithPacket(context.Stage, new PacketWelcomeOptions { ByteCapacity = 3UL * size });
        ulong previous = session.Ring.Head;
        (byte[], string)[] contents = new (byte[], string)[3];
        for (int i = 0; i < contents.Length; i++)
        {
            byte[] bytes = new byte[size + i];
            new Random(i).NextBytes(bytes);
            contents[i] = (bytes, StagedRing.HashOf(bytes));
        }

        var watch = Stopwatch.StartNew();
        for (int i = 0; i < StormPackets || watch.ElapsedMilliseconds < StormMilliseconds; i++)
        {
            session.Ring.Publish(StagedRing.Video, isKey: true, content: contents[i % contents.Length]);
            session.Wake();
        }

        session.Publish(isKey: true);
        while (previous < session.Ring.Head)
        {
            SubjectLine line = session.ExpectPacketLine();
            Expect.That(line.Sequence > previous, $"a sequence above {previous}", line.Text);
            previous = line.Sequence;
        }

        session.CheckAlive();
    }

    private static void LastKey(SubscriberContext context)
    {
        using PacketStageSession session = PacketStageSession.Start(context.Stage, new PacketWelcomeOptions { AlterRing = ring => Fill(ring, 45, 10) });
        for (ulong sequence = 41; sequence <= 45; sequence++)
        {
            Expect.Equal(sequence, session.ExpectPacketLine().Sequence, "a line for sequence");
        }
    }

    private static void AwaitsKey(SubscriberContext context, Action<StagedRing> fill)
    {
        using PacketStageSession session = PacketStageSession.Start(context.Stage, new PacketWelcomeOptions { AlterRing = fill });
        session.Publish();
        session.Publish(StagedRing.Audio, isKey: true);
        session.ExpectNoPacketLine(200, "no packet before a key frame of the video track");
        session.CheckAlive();
        SubjectLine line = session.TakeOne(isKey: true);
        Expect.Equal(0UL, line.Missed, "of the first packet missed");
        session.TakeOne(StagedRing.Audio);
    }

    private static void WithoutVideo(SubscriberContext context)
    {
        using PacketStageSession session = PacketStageSession.Start(context.Stage, new PacketWelcomeOptions { HasVideo = false, AlterRing = ring => Fill(ring, 7, 0) });
        Expect.Equal(7UL, session.ExpectPacketLine().Sequence, "a line for sequence");
        session.TakeOne(StagedRing.Audio);
    }

    private static void Lapped(SubscriberContext context)
    {
        using PacketStageSession session = PacketStageSession.StartWithPacket(context.Stage);
        bool hasLost = false;
        ulong previous = session.Ring.Head;
        for (int burst = 0; burst < Bursts; burst++)
        {
            // Several times what the ring holds, in less time than waking up takes.
            for (int i = 0; i < 250; i++)
            {
                session.Ring.Publish(i % 3 == 2 ? StagedRing.Audio : StagedRing.Video, i % 10 == 9, 400);
            }

            session.Publish(isKey: true);
            while (previous < session.Ring.Head)
            {
                SubjectLine line = session.ExpectPacketLine();
                Expect.Equal(line.Sequence - previous - 1, line.Missed, $"of packet {line.Sequence}, after {previous}, missed");
                Expect.That(line.Missed == 0 || session.Ring.IsStart(line.Sequence), "that reading goes on at a key frame of the video track", $"packet {line.Sequence} after {previous}");
                hasLost |= line.Missed > 0;
                previous = line.Sequence;
            }
        }

        if (!hasLost)
        {
            throw Expect.NotProvoked("the subscriber was never lapped");
        }
    }

    private static void LappedNoKey(SubscriberContext context)
    {
        using PacketStageSession session = PacketStageSession.StartWithPacket(context.Stage);
        ulong previous = session.Ring.Head;

        // Until it is behind by more than the packet that it may be about to give: it may read along while this thread does not run.
        for (int i = 0; i < 250 || (i < MostWithoutKey && session.Ring.Oldest <= session.Page.Cursor + 2); i++)
        {
            session.Ring.Publish(i % 3 == 2 ? StagedRing.Audio : StagedRing.Video, isKey: false, 400);
        }

        // What it had seen before it was lapped may be given: it lay one behind the other.
        session.Wake();
        while (session.Subject.Next(200) is { } line)
        {
            if (line.Event is null && line.Epoch == session.Ring.Epoch)
            {
                Expect.Equal((previous + 1, 0UL), (line.Sequence, line.Missed), "sequence and missed");
                previous = line.Sequence;
            }
        }

        ulong key = session.Publish(isKey: true);
        SubjectLine first = session.ExpectPacketLine();
        while (first.Sequence != key)
        {
            // A line of before that was late.
            Expect.Equal((previous + 1, 0UL), (first.Sequence, first.Missed), "sequence and missed");
            previous = first.Sequence;
            first = session.ExpectPacketLine();
        }

        if (previous + 1 == key)
        {
            throw Expect.NotProvoked("the subscriber was not lapped");
        }

        Expect.Equal(first.Sequence - previous - 1, first.Missed, $"of packet {first.Sequence}, after {previous}, missed");
        Expect.Equal(0UL, session.TakeOne(StagedRing.Audio).Missed, "of the next packet missed");
        Expect.Equal(first.Missed, session.Page.Missed, "in the page missed");
    }

    private static void FirstStart(SubscriberContext context)
    {
        using PacketStageSession session = PacketStageSession.Start(context.Stage, new PacketWelcomeOptions { AlterRing = ring => Fill(ring, 200, 20) });
        Expect.Equal((181UL, 0UL), (session.ExpectPacketLine() is var line ? line.Sequence : 0, line.Missed), "the first sequence and missed");
        while (session.ExpectPacketLine().Sequence != 200)
        {
            session.CheckAlive();
        }

        Expect.Equal((200UL, 0UL), (session.Page.Cursor, session.Page.Missed), "in the page cursor and missed");
    }

    private static void NewSets(SubscriberContext context)
    {
        using PacketStageSession session = PacketStageSession.StartWithPacket(context.Stage);
        for (int i = 0; i < 30; i++)
        {
            session.Ring.NewSet(i % 4 == 3 ? StagedRing.Audio : StagedRing.Video);
            session.TakeOne(i % 4 == 3 ? StagedRing.Audio : StagedRing.Video, isKey: true);
            session.TakeOne(StagedRing.Audio);
        }
    }

    private static void NewTrack(SubscriberContext context)
    {
        using PacketStageSession session = PacketStageSession.StartWithPacket(context.Stage);
        for (uint track = 2; track < PacketLayout.Tracks; track++)
        {
            session.Ring.AddTrack(3);
            session.TakeOne(track);
            session.TakeOne(isKey: true);
        }
    }

    private static void Counters(SubscriberContext context)
    {
        using PacketStageSession session = PacketStageSession.Start(context.Stage);
        for (ulong i = 1; i <= 20; i++)
        {
            session.TakeOne(isKey: i == 1);
            Expect.Equal((i, i, 0UL), (session.Page.Cursor, session.Page.Taken, session.Page.Missed), "cursor, taken and missed");
        }
    }

    private static void NoLeases(SubscriberContext context)
    {
        using PacketStageSession session = PacketStageSession.StartWithPacket(context.Stage);
        for (int i = 0; i < 50; i++)
        {
            session.TakeOne(size: 20_000);
            Expect.Equal(0, session.Page.CountLeases(), "lease words that are not zero:");
        }
    }

    private static IEnumerable<Check<SubscriberContext>> BadWelcomes()
    {
        Check<SubscriberContext> Bad(string id, ErrorCode code, Func<PacketStageSession, PacketWelcomeOptions> options) =>
            new(id, $"refuses such a WELCOME with BYE {code}", context =>
            {
                using PacketStageSession session = PacketStageSession.Accept(context.Stage);
                session.Welcome(options(session));
                session.ExpectBye(code);
            });
        PacketWelcomeOptions Other(TlvType type, byte[] tlv) => new() { Instead = new() { [type] = tlv } };
        foreach (TlvType type in new[]
        {
            TlvType.PACKETS, TlvType.VERSION, TlvType.FEATURES, TlvType.EPOCH, TlvType.STREAM_KEY, TlvType.PACKET_STREAM, TlvType.SUBSCRIBER_ID, TlvType.WAKES,
        })
        {
            yield return Bad($"14.3-welcome-without-{type.ToString().ToLowerInvariant().Replace('_', '-')}", ErrorCode.PROTOCOL_ERROR, _ => Other(type, []));
        }

        yield return Bad("14.3-welcome-other-version", ErrorCode.PROTOCOL_ERROR, _ => Other(TlvType.VERSION, Tlv.U32(TlvType.VERSION, 9)));
        yield return Bad("2.9-welcome-header-version", ErrorCode.PROTOCOL_ERROR, _ => new PacketWelcomeOptions { HeaderVersion = 9 });
        yield return Bad("2.8-welcome-epoch-zero", ErrorCode.PROTOCOL_ERROR, _ => Other(TlvType.EPOCH, Tlv.U64(TlvType.EPOCH, 0)));
        yield return Bad("14.3-welcome-nine-tracks", ErrorCode.PROTOCOL_ERROR, _ => Other(TlvType.PACKET_STREAM, PacketStageSession.Stream(9, 1, 0, 1)));
        yield return Bad("14.3-welcome-subscribers", ErrorCode.PROTOCOL_ERROR, _ => Other(TlvType.PACKET_STREAM, PacketStageSession.Stream(2, 1u << 31, 0, 1)));
        yield return Bad("14.3-welcome-stream-too-short", ErrorCode.PROTOCOL_ERROR, _ => Other(TlvType.PACKET_STREAM, Tlv.Bytes(TlvType.PACKET_STREAM, new byte[63])));
        yield return Bad("14.3-welcome-track-twice", ErrorCode.PROTOCOL_ERROR,
            _ => new PacketWelcomeOptions { Tracks = [PacketStageSession.Track(0, 1), PacketStageSession.Track(0, 1)] });
        yield return Bad("14.3-welcome-track-left-out", ErrorCode.PROTOCOL_ERROR, _ => new PacketWelcomeOptions { Tracks = [PacketStageSession.Track(0, 1)] });
        yield return Bad("14.3-welcome-track-beyond", ErrorCode.PROTOCOL_ERROR,
            _ => new PacketWelcomeOptions { Tracks = [PacketStageSession.Track(0, 1), PacketStageSession.Track(2, 2)] });
        yield return Bad("14.3-welcome-track-too-wide", ErrorCode.PROTOCOL_ERROR,
            _ => new PacketWelcomeOptions { Tracks = [PacketStageSession.Track(0, 1, 16_385), PacketStageSession.Track(1, 2)] });
        yield return Bad("2.6-welcome-must-understand", ErrorCode.UNSUPPORTED_TLV,
            _ => new PacketWelcomeOptions { More = [Tlv.Bytes(0x7777, [], Limits.MustUnderstand)] });
        yield return Bad("14.3-welcome-no-descriptors", ErrorCode.DESCRIPTOR_COUNT, _ => new PacketWelcomeOptions { Descriptors = (_, _) => [] });
        yield return Bad("14.3-welcome-one-descriptor", ErrorCode.DESCRIPTOR_COUNT, _ => new PacketWelcomeOptions { Descriptors = (block, _) => [block] });
        yield return Bad("14.3-welcome-three-descriptors", ErrorCode.DESCRIPTOR_COUNT,
            _ => new PacketWelcomeOptions { Descriptors = (block, page) => [block, page, page] });
    }

    private static IEnumerable<Check<SubscriberContext>> BadBlocks()
    {
        foreach (MemoryFileSeals seal in ReadOnlySeals)
        {
            yield return BadMemory($"14.5-block-without-{seal.ToString().ToLowerInvariant()}", _ => new PacketWelcomeOptions { BlockWithout = seal });
        }

        foreach ((string name, int offset, uint value) in new (string, int, uint)[]
        {
            ("magic", PacketLayout.PacketBlock.Magic, 0),
            ("layout-version", PacketLayout.PacketBlock.LayoutVersion, 2),
            ("track-size", PacketLayout.PacketBlock.TrackSize, 128),
            ("parameters-size", PacketLayout.PacketBlock.ParametersSize, 1),
            ("packet-size", PacketLayout.PacketBlock.PacketSize, 256),
            ("track-capacity", PacketLayout.PacketBlock.TrackCapacity, 0xFFFFFFFF),
            ("parameters-capacity", PacketLayout.PacketBlock.ParametersCapacity, 16),
            ("index-capacity", PacketLayout.PacketBlock.IndexCapacity, 65),
            ("index-capacity-huge", PacketLayout.PacketBlock.IndexCapacity, 0x80000000),
            ("tracks-offset", PacketLayout.PacketBlock.TracksOffset, 0xFFFFFF00),
            ("parameters-offset", PacketLayout.PacketBlock.ParametersOffset, 0),
            ("index-offset", PacketLayout.PacketBlock.IndexOffset, 0xFFFFFF00),
            ("bytes-offset", PacketLayout.PacketBlock.BytesOffset, 4096),
            ("byte-capacity", PacketLayout.PacketBlock.ByteCapacity, 65_535),
            ("byte-capacity-beyond", PacketLayout.PacketBlock.ByteCapacity, 0x40000000),
            ("total-size", PacketLayout.PacketBlock.TotalSize, 1),
            ("epoch", PacketLayout.PacketBlock.Epoch, 3),
        })
        {
            yield return BadMemory($"14.5-block-{name}", _ => new PacketWelcomeOptions { AlterRing = ring => ring.Set(offset, value) });
        }

        yield return BadMemory("14.5-block-larger-than-its-file", _ => new PacketWelcomeOptions
        {
            AlterRing = ring =>
            {
                ring.Set(PacketLayout.PacketBlock.ByteCapacity, 2 * StagedRing.SmallCapacity);
                ring.Set(PacketLayout.PacketBlock.TotalSize, (ulong)PacketLayout.BytesOffset(StagedRing.IndexCapacity) + (2 * StagedRing.SmallCapacity));
            },
        });
        yield return BadMemory("14.5-block-too-short", _ => new PacketWelcomeOptions { Descriptors = (_, page) => [SealedFile(4096), page] });
        yield return BadMemory("14.5-block-no-memfd", session => new PacketWelcomeOptions { Descriptors = (_, page) => [session.Connection.Socket.Descriptor, page] });
    }

    private static IEnumerable<Check<SubscriberContext>> BadPages()
    {
        yield return BadMemory("5.1-page-without-shrink", _ => new PacketWelcomeOptions { PageWithout = MemoryFileSeals.Shrink });
        yield return BadMemory("5.1-page-magic", _ => new PacketWelcomeOptions { AlterPage = page => page.Bytes[0] ^= 1 });
        yield return BadMemory("5.1-page-subscriber-id", _ => new PacketWelcomeOptions { AlterPage = page => page.Bytes[8] ^= 1 });
        yield return BadMemory("5.1-page-too-short", _ => new PacketWelcomeOptions { Descriptors = (block, _) => [block, SealedFile(640)] });
    }

    private static Check<SubscriberContext> BadMemory(string id, Func<PacketStageSession, PacketWelcomeOptions> options) =>
        new(id, $"refuses it with BYE {ErrorCode.CONTROL_BLOCK_INVALID}", context =>
        {
            using PacketStageSession session = PacketStageSession.Accept(context.Stage);
            session.Welcome(options(session));
            session.ExpectBye(ErrorCode.CONTROL_BLOCK_INVALID);
        });

    /// <summary>Step 4 of 14.11.</summary>
    private static IEnumerable<Check<SubscriberContext>> BadPackets()
    {
        Check<SubscriberContext> Bad(string name, Action<byte[]> alter, int size = 300) =>
            new($"14.11-packet-{name}", $"leaves with {ErrorCode.PACKET_INVALID} at such a descriptor", context =>
            {
                using PacketStageSession session = PacketStageSession.StartWithPacket(context.Stage);
                ulong sequence = session.Publish(isKey: true, size: size, alter: alter);
                session.ExpectNoPacketLine(100, $"no line for packet {sequence}");
                session.ExpectBye(ErrorCode.PACKET_INVALID);
            });
        static void Word(byte[] descriptor, int offset, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(descriptor.AsSpan(offset), value);
        static void Long(byte[] descriptor, int offset, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(descriptor.AsSpan(offset), value);
        yield return Bad("sequence", descriptor => Long(descriptor, PacketLayout.PacketDescriptor.Sequence, 1));
        yield return Bad("track", descriptor => Word(descriptor, PacketLayout.PacketDescriptor.Track, 2));
        yield return Bad("track-huge", descriptor => Word(descriptor, PacketLayout.PacketDescriptor.Track, 0xFFFFFFFF));
        yield return Bad("set-zero", descriptor => Word(descriptor, PacketLayout.PacketDescriptor.Parameters, 0));
        yield return Bad("set-to-come", descriptor => Word(descriptor, PacketLayout.PacketDescriptor.Parameters, 2));
        yield return Bad("position", descriptor => Long(descriptor, PacketLayout.PacketDescriptor.Position, 65));
        yield return Bad("around-the-end", descriptor => Long(descriptor, PacketLayout.PacketDescriptor.Position, StagedRing.SmallCapacity - 128));
        yield return Bad("zeros-beyond-the-end", descriptor =>
        {
            Long(descriptor, PacketLayout.PacketDescriptor.Position, StagedRing.SmallCapacity - 320);
            Word(descriptor, PacketLayout.PacketDescriptor.Size, 300);
        });
        yield return Bad("size", descriptor => Word(descriptor, PacketLayout.PacketDescriptor.Size, 32_769));
        yield return Bad("size-huge", descriptor => Word(descriptor, PacketLayout.PacketDescriptor.Size, 0xFFFFFFFF));
        yield return Bad("count-zero", descriptor =>
        {
            Long(descriptor, PacketLayout.PacketDescriptor.Counts, 0);
            Long(descriptor, PacketLayout.PacketDescriptor.Counts + 8, 2);
        });
        yield return Bad("count-above", descriptor =>
        {
            Long(descriptor, PacketLayout.PacketDescriptor.Counts, 3);
            Long(descriptor, PacketLayout.PacketDescriptor.Counts + 8, ulong.MaxValue);
        });
        yield return Bad("counts-sum", descriptor => Long(descriptor, PacketLayout.PacketDescriptor.Counts + 8, 1));
    }

    private static IEnumerable<Check<SubscriberContext>> BadSets()
    {
        Check<SubscriberContext> Bad(string name, int offset, uint value) =>
            new($"14.11-set-{name}", $"leaves with {ErrorCode.PACKET_INVALID} at such a parameter set", context =>
            {
                using PacketStageSession session = PacketStageSession.StartWithPacket(context.Stage);
                session.Ring.NewSet(StagedRing.Video, set => BinaryPrimitives.WriteUInt32LittleEndian(set.AsSpan(offset), value));
                session.Publish(isKey: true);
                session.ExpectBye(ErrorCode.PACKET_INVALID);
            });
        yield return Bad("number", PacketLayout.TrackParameters.Number, 7);
        yield return Bad("time-base-numerator", PacketLayout.TrackParameters.TimeBaseNumerator, 0);
        yield return Bad("time-base-denominator", PacketLayout.TrackParameters.TimeBaseDenominator, 0);
        yield return Bad("time-base-huge", PacketLayout.TrackParameters.TimeBaseDenominator, 1u << 31);
        yield return Bad("width", PacketLayout.TrackParameters.Width, 16_385);
        yield return Bad("extradata", PacketLayout.TrackParameters.ExtradataSize, 16_129);
    }

    /// <summary>The words of the block that 14.11 names at its end.</summary>
    private static IEnumerable<Check<SubscriberContext>> BadWords()
    {
        Check<SubscriberContext> Bad(string name, Action<PacketStageSession> alter) =>
            new($"14.11-{name}", $"leaves with {ErrorCode.CONTROL_BLOCK_INVALID} then", context =>
            {
                using PacketStageSession session = PacketStageSession.StartWithPacket(context.Stage);
                for (int i = 0; i < 10; i++)
                {
                    session.TakeOne();
                }

                alter(session);
                session.Wake();
                session.ExpectBye(ErrorCode.CONTROL_BLOCK_INVALID);
            });
        yield return Bad("head-goes-back", session => session.Ring.Set(PacketLayout.PacketBlock.Head, 5UL));
        yield return Bad("head-too-large", session => session.Ring.Set(PacketLayout.PacketBlock.Head, Limits.EndOfSequences));
        yield return Bad("oldest-above-head", session =>
        {
            session.Ring.Set(PacketLayout.PacketBlock.Oldest, session.Ring.Head + 3);
            session.Publish();
        });
        yield return Bad("oldest-goes-back", session =>
        {
            session.Ring.MoveOldest(8);
            session.TakeOne();
            session.Ring.Set(PacketLayout.PacketBlock.Oldest, 2UL);
            session.Publish();
        });
        yield return Bad("tracks-above-8", session =>
        {
            session.Ring.Set(PacketLayout.PacketBlock.Tracks, 9u);
            session.Publish(alter: descriptor => BinaryPrimitives.WriteUInt32LittleEndian(descriptor.AsSpan(PacketLayout.PacketDescriptor.Track), 2));
        });
    }

    private static IEnumerable<Check<SubscriberContext>> BadMessages()
    {
        Check<SubscriberContext> Bad(string id, byte[] packet, ErrorCode code = ErrorCode.PROTOCOL_ERROR) => new(id, $"leaves with BYE {code}", context =>
        {
            using PacketStageSession session = PacketStageSession.StartWithPacket(context.Stage);
            session.Connection.Send(packet);
            session.ExpectBye(code);
        });
        byte[] noise = new byte[500];
        new Random(13).NextBytes(noise);
        yield return Bad("14.4-retire", Message.Build(MessageType.RETIRE, 0, Tlv.U32(TlvType.SEGMENT_ID, 1)));
        yield return Bad("14.4-segment-ready", Message.Build(MessageType.SEGMENT_READY, 0, Tlv.U32(TlvType.SEGMENT_ID, 1)));
        yield return Bad("14.4-hello", new PublisherChecks.HelloOptions().Build());
        yield return Bad("14.4-noise", noise);
        yield return Bad("14.4-unknown-type", Message.Build(Limits.Version, 200, 0));
        yield return Bad("2.9-header-version", Message.Build(2, (byte)MessageType.DOORBELL, 0));
        yield return Bad("2.6-must-understand", Message.Build(MessageType.DOORBELL, 0, Tlv.Bytes(0x7777, [], Limits.MustUnderstand)), ErrorCode.UNSUPPORTED_TLV);
        foreach ((string name, byte[] packet) in new[]
        {
            ("notice", Message.Build(MessageType.NOTICE, 0, Tlv.U32(TlvType.NOTICE_KIND, 1))),
            ("doorbell", Message.Build(MessageType.DOORBELL, 0)),
            ("noise", noise),
        })
        {
            yield return new($"13.2-await-welcome-{name}", $"says BYE {ErrorCode.PROTOCOL_ERROR} to it before WELCOME", context =>
            {
                using PacketStageSession session = PacketStageSession.Accept(context.Stage);
                session.Connection.Send(packet);
                session.ExpectBye(ErrorCode.PROTOCOL_ERROR);
            });
        }
    }

    private static void Notices(SubscriberContext context)
    {
        using PacketStageSession session = PacketStageSession.StartWithPacket(context.Stage);
        foreach (uint kind in new[] { (uint)NoticeKind.SOURCE_LOST, (uint)NoticeKind.SOURCE_BACK, 99u })
        {
            session.Broadcast(Message.Build(MessageType.NOTICE, 0, Tlv.U32(TlvType.NOTICE_KIND, kind), Tlv.U32(TlvType.ERROR_CODE, 250), Tlv.Text(TlvType.ERROR_TEXT, "for a reason")));
            session.Connection.Send(Message.Build(MessageType.DOORBELL, 0));
            session.TakeOne();
        }

        session.CheckAlive();
    }

    private static void Additions(SubscriberContext context)
    {
        using PacketStageSession session = PacketStageSession.Start(context.Stage, new PacketWelcomeOptions
        {
            Instead = new() { [TlvType.PACKETS] = Tlv.Bytes(TlvType.PACKETS, [1, 2, 3], Limits.MustUnderstand) },
            More = [Tlv.Bytes(0x7777, [1, 2, 3]), Tlv.Bytes(0x7777, []), Tlv.Text(TlvType.SOURCE, "a test"), Tlv.Text(TlvType.STATE_TEXT, "all is well")],
        });
        session.TakeOne(isKey: true);
    }

    private static void ReservedBytes(SubscriberContext context)
    {
        using PacketStageSession session = PacketStageSession.Start(context.Stage, new PacketWelcomeOptions
        {
            AlterRing = ring =>
            {
                ring.Bytes(80, 48).Fill(0xFF);
                ring.Bytes(152, 40).Fill(0xFF);
                ring.Bytes(224, 32).Fill(0xFF);
                ring.Bytes(PacketLayout.TracksOffset + 24, 40).Fill(0xFF);
            },
            AlterPage = page => page.Bytes[640..].Fill(0xFF),
        });
        session.Publish(isKey: true, alter: descriptor => descriptor.AsSpan(80, 48).Fill(0xFF));
        Expect.Equal(1UL, session.ExpectPacketLine().Sequence, "a line for sequence");
    }

    private static void Refused(SubscriberContext context)
    {
        using PacketStageSession session = PacketStageSession.Accept(context.Stage);
        session.Subject.Forget();
        session.Connection.Send(Message.Build(MessageType.REFUSE, session.Correlation, Tlv.U32(TlvType.ERROR_CODE, 9), Tlv.Text(TlvType.ERROR_TEXT, "for a reason")));
        session.ExpectQuietHangUp();
        while (session.Subject.Next(StagedConnection.AnswerMilliseconds) is { } line)
        {
            // An event of the connection before may come first.
            if (line.Event == "refused")
            {
                Expect.Equal(9u, line.Code, "the code");
                return;
            }
        }

        throw Expect.Failure("the event 'refused' with code 9", "none");
    }

    private static void Bye(SubscriberContext context)
    {
        using PacketStageSession session = PacketStageSession.StartWithPacket(context.Stage);
        session.Broadcast(Message.Build(MessageType.BYE, 0));
        session.ExpectQuietHangUp();
        session.ExpectEvent("disconnected", ErrorCode.DISCONNECTED);
    }

    private static void ShuttingDown(SubscriberContext context)
    {
        using PacketStageSession session = PacketStageSession.StartWithPacket(context.Stage);

        // What is in the ring is given first.
        ulong sequence = session.Ring.Publish();
        session.Broadcast(Message.Build(MessageType.NOTICE, 0, Tlv.U32(TlvType.NOTICE_KIND, (uint)NoticeKind.SHUTTING_DOWN)));
        Expect.Equal(sequence, session.Subject.Next(StagedConnection.AnswerMilliseconds)?.Sequence ?? 0, "first a line for sequence");
        session.ExpectEvent("disconnected", ErrorCode.SHUTTING_DOWN);
        session.ExpectQuietHangUp();
    }

    private static void Evicted(SubscriberContext context)
    {
        using PacketStageSession session = PacketStageSession.StartWithPacket(context.Stage);
        session.Broadcast(Message.Build(MessageType.NOTICE, 0, Tlv.U32(TlvType.NOTICE_KIND, (uint)NoticeKind.EVICTED),
            Tlv.U32(TlvType.ERROR_CODE, (uint)ErrorCode.PAGE_INVALID), Tlv.Text(TlvType.ERROR_TEXT, "for a reason")));
        session.ExpectEvent("evicted", ErrorCode.PAGE_INVALID);
        session.ExpectQuietHangUp();
    }

    private static void NewEpoch(SubscriberContext context)
    {
        using (PacketStageSession first = PacketStageSession.StartWithPacket(context.Stage))
        {
            for (int i = 0; i < 20; i++)
            {
                first.TakeOne();
            }
        }

        using PacketStageSession second = PacketStageSession.Start(context.Stage);
        SubjectLine line = second.TakeOne(isKey: true);
        Expect.Equal((1UL, 0UL), (line.Sequence, line.Missed), "sequence and missed");
        Expect.Equal(2UL, second.TakeOne().Sequence, "a line for sequence");
    }

    /// <summary>Fills a ring before anybody connects.</summary>
    /// <param name="ring">The ring.</param>
    /// <param name="packets">How many packets, two of three of the video track.</param>
    /// <param name="keyEvery">Every so many packets one is a key frame, the first too; 0: none.</param>
    private static void Fill(StagedRing ring, int packets, int keyEvery)
    {
        for (int i = 0; i < packets; i++)
        {
            bool isKey = keyEvery > 0 && i % keyEvery == 0;
            ring.Publish(isKey || i % 3 != 2 ? StagedRing.Video : StagedRing.Audio, isKey);
        }
    }

    private static FileDescriptor SealedFile(long size)
    {
        FileDescriptor file = MemoryFile.Create("conformance-file", size, allocate: false);
        MemoryFile.AddSeals(file, MemoryFileSeals.Seal | MemoryFileSeals.Grow | MemoryFileSeals.Shrink | MemoryFileSeals.FutureWrite);
        return file;
    }
}
