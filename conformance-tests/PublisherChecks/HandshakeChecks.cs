using System.Buffers.Binary;
using System.Diagnostics;
using System.Text.RegularExpressions;
using CuFrames.Conformance.Spec;
using CuFrames.Conformance.Suite;
using CuFrames.Conformance.Wire;

namespace CuFrames.Conformance.PublisherChecks;

/// <summary>Section 3: HELLO, WELCOME and every refusal that can be provoked.</summary>
internal static partial class HandshakeChecks
{
    private const int HalfOpenConnections = 100;
    private const int HalfOpenRounds = 4;
    private const int MostSubscribers = 300;

    // The document says two seconds. A clock may be coarse at the lower end; at the upper end a busy machine may be late.
    private const int HandshakeEarliest = 1_900;
    private const int HandshakeLatest = 15_000;

    public static IEnumerable<Check<PublisherContext>> All() =>
    [
        new("2.5-correlation", "repeats the correlation_id of HELLO in WELCOME and REFUSE", Correlation),
        new("3.3-welcome", "welcomes a subscriber with everything that 3.3 names", Welcome),
        new("3.3-defaults", "grants CPU and FUTEX to a HELLO that names neither fences nor wakes", Defaults),
        new("3.3-leases", "grants at least one lease and not more than were asked for", Leases),
        new("3.3-probe", "answers a probe without descriptors and grants", Probe),
        new("3.7-probes-not-counted", "does not count probes as subscribers", ProbesNotCounted),
        new("3.7-description", "describes the stream as the control block does", Description),
        new("3.6-segments-first", "sends every live segment right after WELCOME", SegmentsFirst),
        new("2.9-version-mismatch", "refuses newer versions and names its own range", VersionMismatch),
        new("2.9-version-chosen", "chooses version 1 from a wider range", VersionChosen),
        new("3.5-delivery", "grants LOSSLESS or refuses with DELIVERY_NOT_GRANTED", LosslessGrantedOrRefused),
        new("3.5-order", "names the first reason of the list when there are several", RefusalOrder),
        new("3.1-handshake-timeout", "refuses a silent connection after two seconds", HandshakeTimeout, Background: true),
        new("3.1-half-open", $"serves others while {HalfOpenConnections} connections are half open", HalfOpen),
        new("3.5-too-many", "refuses more subscribers than it has room for", TooMany),
    ];

    [GeneratedRegex("^[a-z0-9][a-z0-9._-]{0,63}(@[a-z0-9][a-z0-9._-]{0,63})?$")]
    private static partial Regex KeyPattern();

    private static void Welcome(PublisherContext context)
    {
        using Reader reader = Reader.Open(context, new HelloOptions { Wakes = Limits.WakeFutex | Limits.WakeDoorbell });
        Message welcome = reader.Welcome;
        Expect.Equal(Limits.Version, welcome.Version, "in the header version");
        Expect.Equal(1u, welcome.UInt32(TlvType.VERSION), "VERSION");
        Expect.Equal(0UL, welcome.UInt64(TlvType.FEATURES), "FEATURES");
        Expect.That(welcome.UInt64(TlvType.EPOCH) != 0, "an EPOCH other than zero (2.8)", "0");
        Expect.That(welcome.UInt64(TlvType.SUBSCRIBER_ID) != 0, "a SUBSCRIBER_ID other than zero (2.8)", "0");
        string key = welcome.Text(TlvType.STREAM_KEY);
        Expect.That(KeyPattern().IsMatch(key), "a STREAM_KEY as 1.1 says", $"'{key}'");
        Expect.Equal((uint)Delivery.NEWEST, welcome.UInt32(TlvType.DELIVERY), "DELIVERY as asked for:");
        Expect.Equal(Limits.FenceCpu, welcome.UInt32(TlvType.FENCES), "FENCES in host memory (7.1):");
        uint wakes = welcome.UInt32(TlvType.WAKES);
        Expect.That((wakes & Limits.WakeFutex) != 0 && (wakes & ~(Limits.WakeFutex | Limits.WakeDoorbell)) == 0,
            "WAKES with FUTEX and nothing that was not offered", $"0x{wakes:x}");
        using Reader second = Reader.Open(context);
        Expect.Equal(reader.Epoch, second.Epoch, "the same EPOCH for all,");
        Expect.That(reader.Welcome.UInt64(TlvType.SUBSCRIBER_ID) != second.Welcome.UInt64(TlvType.SUBSCRIBER_ID),
            "a SUBSCRIBER_ID of its own for each subscriber", "the same twice");
    }

    private static void Correlation(PublisherContext context)
    {
        var hello = new HelloOptions();
        using (Reader reader = Reader.Open(context, hello))
        {
            Expect.Equal(hello.Correlation, reader.Welcome.Correlation, "in WELCOME the correlation_id");
        }

        byte[] newer = Message.Build(2, (byte)MessageType.HELLO, 77, Tlv.VersionRange(2, 2), Tlv.Bytes(TlvType.PROBE, []));
        Expect.Equal(77u, RawExchange.ExpectRefusal(context, newer, ErrorCode.VERSION_MISMATCH).Correlation, "in REFUSE the correlation_id");
    }

    private static void Defaults(PublisherContext context)
    {
        using Reader reader = Reader.Open(context);
        Expect.Equal(Limits.FenceCpu, reader.Welcome.UInt32(TlvType.FENCES), "FENCES");
        Expect.Equal(Limits.WakeFutex, reader.Welcome.UInt32(TlvType.WAKES), "WAKES");
    }

    private static void Leases(PublisherContext context)
    {
        foreach (uint asked in new uint[] { 1, 2, 64 })
        {
            using Reader reader = Reader.Open(context, new HelloOptions { Leases = asked });
            Expect.That(reader.Granted >= 1 && reader.Granted <= asked, $"1 to {asked} leases", $"{reader.Granted}");
        }
    }

    private static void Probe(PublisherContext context)
    {
        var hello = new HelloOptions { Probe = true };
        Message welcome = RawExchange.ExpectWelcome(context, hello.Build(), 0);
        Expect.That(!welcome.Has(TlvType.SUBSCRIBER_ID), "no SUBSCRIBER_ID to a probe", "one");
        Expect.That(welcome.UInt64(TlvType.EPOCH) != 0, "an EPOCH other than zero (2.8)", "0");
    }

    private static void ProbesNotCounted(PublisherContext context)
    {
        var probe = new HelloOptions { Probe = true };
        uint Count() => CountSubscribers(context);

        // Connections of earlier checks may take a moment to go.
        uint before = Settle(Count);
        using (var open = Connection.Open(context.SocketPath))
        {
            open.Send(probe.Build());
            using Packet answer = open.Receive(15_000);
            Expect.Equal(before, Count(), "with a probe connected, subscribers");
        }

        using Reader reader = Reader.Open(context);
        Expect.Equal(before + 1, Count(), "with one more subscriber, subscribers");
    }

    private static uint Settle(Func<uint> read)
    {
        uint last = read();
        for (int same = 0; same < 3; same++)
        {
            Thread.Sleep(20); // Between two looks, so that they are not the same one.
            uint next = read();
            same = next == last ? same : -1;
            last = next;
        }

        return last;
    }

    private static void Description(PublisherContext context)
    {
        using Reader reader = Reader.Open(context);
        reader.AwaitFirstFrame();
        Message probe = RawExchange.ExpectWelcome(context, new HelloOptions { Probe = true }.Build(), 0);
        byte[] value = probe.Get(TlvType.STREAM_DESCRIPTION).Value;
        uint Word(int offset) => BinaryPrimitives.ReadUInt32LittleEndian(value.AsSpan(offset));
        ulong head = BinaryPrimitives.ReadUInt64LittleEndian(value.AsSpan(Layout.StreamDescription.Head));
        Expect.Equal(reader.Epoch, probe.UInt64(TlvType.EPOCH), "EPOCH");
        Expect.That(head > 0 && head <= reader.Control.Head, "a head up to the control block's", $"{head}");
        Expect.Equal(Limits.DomainHost, Word(Layout.StreamDescription.Domain), "domain");
        uint slots = Word(Layout.StreamDescription.Slots);
        uint maxSlots = Word(Layout.StreamDescription.MaxSlots);
        Expect.That(slots >= 2 && slots <= maxSlots && maxSlots <= 64, "2 <= slots <= max_slots <= 64", $"{slots} and {maxSlots}");
        Expect.That(Word(Layout.StreamDescription.State) <= Limits.StateEnded, "a state of table 4.4", $"{Word(Layout.StreamDescription.State)}");
        Expect.That(Word(Layout.StreamDescription.LeaseTimeoutMs) > 0, "a lease_timeout_ms", "0");
        ulong memory = BinaryPrimitives.ReadUInt64LittleEndian(value.AsSpan(Layout.StreamDescription.MemoryBytes));
        ulong segments = (ulong)reader.Segments.Values.Sum(segment => (long)segment.Size);
        Expect.That(memory >= segments, $"memory_bytes of at least the segments' {segments}", $"{memory}");
        Frame frame = reader.TakeNewest();
        reader.Release(frame);
        if (reader.Control.SegmentGeneration == 1)
        {
            Expect.Equal(frame.Picture.Format.FourCc, Word(Layout.StreamDescription.PixelFormat), "pixel_format");
            Expect.Equal((frame.Picture.Width, frame.Picture.Height),
                (Word(Layout.StreamDescription.Width), Word(Layout.StreamDescription.Height)), "width and height");
        }

        Expect.That(!value.AsSpan(Layout.StreamDescription.DeviceUuid, 16).ContainsAnyExcept((byte)0), "a device_uuid of zeros for host", "others");
    }

    private static void SegmentsFirst(PublisherContext context)
    {
        using Reader reader = Reader.Open(context);

        // Segments were queued together with WELCOME, so the newest frame must be in one of them now.
        reader.Drain(30_000);
        Expect.That(reader.Others.Count == 0, "SEGMENT before any other message", string.Join(", ", reader.Others));
        Expect.That(reader.Segments.Count > 0 || reader.Control.Head == 0, "a SEGMENT", "none");
        reader.AwaitFirstFrame();
        reader.Release(reader.TakeNewest());
    }

    private static void VersionMismatch(PublisherContext context)
    {
        foreach ((ushort lowest, ushort highest) in new (ushort, ushort)[] { (2, 3), (200, 255), (0, 0) })
        {
            byte[] hello = Message.Build((byte)lowest, (byte)MessageType.HELLO, 77, Tlv.VersionRange(lowest, highest),
                Tlv.U32(TlvType.DELIVERY, 1), Tlv.U32(TlvType.LEASES, 1), Tlv.Domain(Limits.DomainHost, 2));
            Message refusal = RawExchange.ExpectRefusal(context, hello, ErrorCode.VERSION_MISMATCH);
            Expect.Equal((byte)lowest, refusal.Version, "in the header of REFUSE the lowest version of HELLO,");
            byte[] range = refusal.Get(TlvType.VERSION_RANGE).Value;
            Expect.That(range[0] <= 1 && range[2] >= 1, "the publisher's own VERSION_RANGE, with 1 in it", Convert.ToHexString(range));
        }
    }

    private static void VersionChosen(PublisherContext context)
    {
        foreach ((ushort lowest, ushort highest) in new (ushort, ushort)[] { (1, 9), (0, 1), (0, 65_535) })
        {
            byte[] hello = Message.Build((byte)lowest, (byte)MessageType.HELLO, 78, Tlv.VersionRange(lowest, highest),
                Tlv.Bytes(TlvType.PROBE, []));
            Expect.Equal(1u, RawExchange.ExpectWelcome(context, hello, 0).UInt32(TlvType.VERSION), "VERSION");
        }
    }

    private static void LosslessGrantedOrRefused(PublisherContext context)
    {
        using Reader? reader = Reader.TryOpen(context, new HelloOptions { Delivery = Delivery.LOSSLESS }, out Message? refusal);
        if (reader is not null)
        {
            Expect.Equal((uint)Delivery.LOSSLESS, reader.Welcome.UInt32(TlvType.DELIVERY), "DELIVERY");
        }
        else
        {
            Expect.Equal(ErrorCode.DELIVERY_NOT_GRANTED, refusal!.Error, "the code");
        }
    }

    private static void RefusalOrder(PublisherContext context)
    {
        byte[] cuda = Tlv.Domain(Limits.DomainCuda, 12);
        byte[] wrongVersion = Message.Build(2, (byte)MessageType.HELLO, 1, Tlv.VersionRange(2, 2), Tlv.U32(TlvType.DELIVERY, 1),
            Tlv.U32(TlvType.LEASES, 1), cuda);
        RawExchange.ExpectRefusal(context, wrongVersion, ErrorCode.VERSION_MISMATCH);
        byte[] malformed = Message.Build(2, (byte)MessageType.HELLO, 1, Tlv.VersionRange(2, 2), Tlv.U32(TlvType.DELIVERY, 1), cuda);
        RawExchange.ExpectRefusal(context, malformed, ErrorCode.PROTOCOL_ERROR);
        byte[] onlyCuda = Message.Build(MessageType.HELLO, 1, Tlv.VersionRange(1, 1), Tlv.U32(TlvType.DELIVERY, 1),
            Tlv.U32(TlvType.LEASES, 1), cuda);
        RawExchange.ExpectRefusal(context, onlyCuda, ErrorCode.DOMAIN_NOT_MAPPABLE);
    }

    private static void HandshakeTimeout(PublisherContext context)
    {
        var watch = Stopwatch.StartNew();
        using var connection = Connection.Open(context.SocketPath);
        RawExchange.ExpectRefusal(connection, ErrorCode.HANDSHAKE_TIMEOUT, HandshakeLatest);
        Expect.That(watch.ElapsedMilliseconds >= HandshakeEarliest, "REFUSE after two seconds", $"after {watch.ElapsedMilliseconds} ms");
    }

    private static void HalfOpen(PublisherContext context)
    {
        // Half-open connections live for two seconds; who is served only after that has waited for them. The machine may make one of them wait, not each.
        long fastest = long.MaxValue;
        for (int round = 0; round < HalfOpenRounds && fastest >= HandshakeEarliest; round++)
        {
            fastest = Math.Min(fastest, ServeAmongHalfOpen(context));
        }

        Expect.That(fastest < HandshakeEarliest, "a frame while the others still wait", $"{fastest} ms at best");
    }

    /// <returns>Milliseconds until a frame was there.</returns>
    private static long ServeAmongHalfOpen(PublisherContext context)
    {
        var connections = new List<Connection>();
        try
        {
            for (int i = 0; i < HalfOpenConnections; i++)
            {
                connections.Add(Connection.Open(context.SocketPath));
            }

            var watch = Stopwatch.StartNew();
            using Reader reader = Reader.Open(context);
            reader.AwaitFirstFrame();
            reader.Release(reader.TakeNewest());
            return watch.ElapsedMilliseconds;
        }
        finally
        {
            connections.ForEach(connection => connection.Dispose());
        }
    }

    private static void TooMany(PublisherContext context)
    {
        var readers = new List<Reader>();
        try
        {
            while (readers.Count < MostSubscribers)
            {
                if (Reader.TryOpen(context, new HelloOptions { Leases = 1 }, out Message? refusal) is { } reader)
                {
                    readers.Add(reader);
                    continue;
                }

                Expect.Equal(ErrorCode.TOO_MANY_SUBSCRIBERS, refusal!.Error, "the code");
                readers.ForEach(other => other.CheckAlive());
                return;
            }

            throw Expect.NotProvoked($"{MostSubscribers} subscribers are served at once");
        }
        finally
        {
            readers.ForEach(reader => reader.Dispose());
            _ = Settle(() => CountSubscribers(context));
        }
    }

    private static uint CountSubscribers(PublisherContext context) => BinaryPrimitives.ReadUInt32LittleEndian(
        RawExchange.ExpectWelcome(context, new HelloOptions { Probe = true }.Build(), 0)
            .Get(TlvType.STREAM_DESCRIPTION).Value.AsSpan(Layout.StreamDescription.Subscribers));
}
