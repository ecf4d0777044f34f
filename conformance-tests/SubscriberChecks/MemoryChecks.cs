using System.Buffers.Binary;
using System.Text.Json;
using CuFrames.Conformance.Examples;
using CuFrames.Conformance.Spec;
using CuFrames.Conformance.Suite;
using CuFrames.Conformance.Wire;
using CuFrames.Interop;

namespace CuFrames.Conformance.SubscriberChecks;

/// <summary>Sections 4, 5.1, 6.3 and 6.4: control blocks, pages, segments and frames that a subscriber must not trust.</summary>
internal static class MemoryChecks
{
    private static readonly MemoryFileSeals[] ReadOnlySeals =
        [MemoryFileSeals.Seal, MemoryFileSeals.Grow, MemoryFileSeals.Shrink, MemoryFileSeals.FutureWrite];

    public static IEnumerable<Check<SubscriberContext>> All() =>
    [
        .. ControlBlocks(),
        .. Pages(),
        .. Segments(),
        new("6.4-unknown-segment", "leaves with FRAME_INVALID at a frame in a segment that was never sent", UnknownSegment, Background: true),
        .. Pictures(),
    ];

    private static IEnumerable<Check<SubscriberContext>> ControlBlocks()
    {
        Check<SubscriberContext> Bad(string name, WelcomeOptions options) => BadWelcome($"4.1-control-block-{name}", _ => options);
        foreach (MemoryFileSeals seal in ReadOnlySeals)
        {
            // Without F_SEAL_SEAL the others could not be taken away, but more could be added; the document wants it all the same.
            yield return Bad($"without-{seal.ToString().ToLowerInvariant()}", new WelcomeOptions { ControlWithout = seal });
        }

        foreach ((string name, int offset, uint value) in new (string, int, uint)[]
        {
            ("magic", Layout.ControlBlock.Magic, 0),
            ("layout-version", Layout.ControlBlock.LayoutVersion, 2),
            ("slot-size", Layout.ControlBlock.SlotSize, 192),
            ("index-entry-size", Layout.ControlBlock.IndexEntrySize, 16),
            ("slot-capacity", Layout.ControlBlock.SlotCapacity, 1_000_000),
            ("index-capacity", Layout.ControlBlock.IndexCapacity, 0x80000000),
            ("total-size", Layout.ControlBlock.TotalSize, 17_663),
            ("index-offset", Layout.ControlBlock.IndexOffset, 0xFFFFFF00),
            ("slots-offset", Layout.ControlBlock.SlotsOffset, 0xFFFFFF00),
            ("epoch", Layout.ControlBlock.Epoch, 3),
        })
        {
            yield return Bad(name, new WelcomeOptions { AlterControl = ring => ring.Set(offset, value) });
        }

        yield return BadWelcome("4.1-control-block-too-short", session => new WelcomeOptions
        {
            Descriptors = (_, page) => [SealedFile(Layout.ControlBlock.Size - 1), page],
        });
        yield return BadWelcome("4.1-control-block-no-memfd", session => new WelcomeOptions
        {
            Descriptors = (_, page) => [session.Connection.Socket.Descriptor, page],
        });
        yield return BadWelcome("4.1-control-block-is-a-file", session => new WelcomeOptions { Descriptors = (_, page) => [OrdinaryFile(), page] });
    }

    private static IEnumerable<Check<SubscriberContext>> Pages()
    {
        foreach (MemoryFileSeals seal in new[] { MemoryFileSeals.Seal, MemoryFileSeals.Grow, MemoryFileSeals.Shrink })
        {
            yield return BadWelcome($"5.1-page-without-{seal.ToString().ToLowerInvariant()}", _ => new WelcomeOptions { PageWithout = seal });
        }

        yield return BadWelcome("5.1-page-magic", _ => new WelcomeOptions { AlterPage = page => page.Bytes[0] ^= 1 });
        yield return BadWelcome("5.1-page-subscriber-id", _ => new WelcomeOptions { AlterPage = page => page.Bytes[8] ^= 1 });
        yield return BadWelcome("5.1-page-too-short", _ => new WelcomeOptions
        {
            Descriptors = (control, _) => [control, SealedFile(640)],
        });
        yield return BadWelcome("5.1-page-no-memfd", session => new WelcomeOptions
        {
            Descriptors = (control, _) => [control, session.Connection.Socket.Descriptor],
        });
    }

    private static Check<SubscriberContext> BadWelcome(string id, Func<StageSession, WelcomeOptions> options) =>
        new(id, $"refuses it with BYE {ErrorCode.CONTROL_BLOCK_INVALID}", context =>
        {
            using StageSession session = StageSession.Accept(context.Stage);
            session.Welcome(options(session));
            session.ExpectBye(ErrorCode.CONTROL_BLOCK_INVALID);
        });

    private static IEnumerable<Check<SubscriberContext>> Segments()
    {
        Check<SubscriberContext> Bad(string name, Action<StageSession> send) =>
            new($"6.3-segment-{name}", $"leaves with BYE {ErrorCode.SEGMENT_INVALID}", context =>
            {
                using StageSession session = StageSession.StartWithFrame(context.Stage);
                send(session);
                session.ExpectBye(ErrorCode.SEGMENT_INVALID);
            });

        foreach (MemoryFileSeals seal in ReadOnlySeals)
        {
            yield return Bad($"without-{seal.ToString().ToLowerInvariant()}", session =>
            {
                RingSegment segment = session.Ring.AddSegment(1, without: seal);
                session.Connection.Send(segment.Announce(0), segment.Descriptor);
            });
        }

        Check<SubscriberContext> Claim(string name, Func<ulong, ulong> size, uint domain = Limits.DomainHost, uint kind = Limits.HandleHostMemfd) =>
            Bad(name, session =>
            {
                RingSegment segment = session.Ring.AddSegment(1);
                session.Connection.Send(segment.Announce(0, size((ulong)segment.Size), domain, kind), segment.Descriptor);
            });
        yield return Claim("file-too-short", size => size + 1);
        yield return Claim("size-zero", _ => 0);
        yield return Claim("size-above-2-to-the-40", _ => Limits.MaxSegmentSize + 4096);
        yield return Claim("size-negative-when-signed", _ => ulong.MaxValue);
        yield return Claim("unknown-domain", size => size, domain: 77);
        yield return Claim("unknown-handle-kind", size => size, kind: 77);
        yield return Bad("no-memfd", session =>
        {
            RingSegment segment = session.Ring.AddSegment(1);
            session.Connection.Send(segment.Announce(0), session.Connection.Socket.Descriptor);
        });
        yield return Bad("is-a-file", session =>
        {
            RingSegment segment = session.Ring.AddSegment(1);
            using FileDescriptor file = OrdinaryFile();
            session.Connection.Send(segment.Announce(0), file);
        });
    }

    private static void UnknownSegment(SubscriberContext context)
    {
        // For five seconds after WELCOME a subscriber may take it that the segment is still on its way (3.6).
        using StageSession session = StageSession.StartWithFrame(context.OpenStage());
        session.Publish(slot => BinaryPrimitives.WriteUInt32LittleEndian(slot.AsSpan(Layout.Slot.SegmentId), 999));
        session.ExpectBye(ErrorCode.FRAME_INVALID, Limits.WelcomeMilliseconds + StageSession.AnswerMilliseconds);
    }

    /// <summary>The bad vectors of protocol/test-vectors/pictures.json, each in a segment of the size that it names.</summary>
    private static IEnumerable<Check<SubscriberContext>> Pictures()
    {
        using JsonDocument document = JsonDocument.Parse(Document.ReadResource("pictures.json"));
        foreach (JsonElement vector in document.RootElement.GetProperty("vectors").EnumerateArray())
        {
            long size = long.Parse(vector.GetProperty("segment_size").GetString()!, System.Globalization.CultureInfo.InvariantCulture);
            if (!vector.TryGetProperty("error", out _) || size == 0)
            {
                continue;
            }

            byte[] picture = Convert.FromHexString(vector.GetProperty("hex").GetString()!);
            yield return new($"{vector.GetProperty("paragraph").GetString()}-{vector.GetProperty("name").GetString()}",
                $"leaves with BYE {ErrorCode.FRAME_INVALID}", context => BadPicture(context, picture, size));
        }
    }

    private static void BadPicture(SubscriberContext context, byte[] picture, long size)
    {
        const uint id = 40;
        using StageSession session = StageSession.StartWithFrame(context.Stage);
        using FileDescriptor file = SealedFile(size);
        byte[] value = new byte[Layout.SegmentDescription.Size];
        BinaryPrimitives.WriteUInt32LittleEndian(value.AsSpan(Layout.SegmentDescription.SegmentId), id);
        BinaryPrimitives.WriteUInt32LittleEndian(value.AsSpan(Layout.SegmentDescription.Domain), Limits.DomainHost);
        BinaryPrimitives.WriteUInt32LittleEndian(value.AsSpan(Layout.SegmentDescription.HandleKind), Limits.HandleHostMemfd);
        BinaryPrimitives.WriteUInt32LittleEndian(value.AsSpan(Layout.SegmentDescription.SegmentGeneration), 1);
        BinaryPrimitives.WriteInt64LittleEndian(value.AsSpan(Layout.SegmentDescription.Bytes), size);
        session.Broadcast(Message.Build(MessageType.SEGMENT, 0, Tlv.Bytes(TlvType.SEGMENT, value)), file);
        ulong sequence = session.Publish(slot =>
        {
            BinaryPrimitives.WriteUInt32LittleEndian(slot.AsSpan(Layout.Slot.SegmentId), id);
            picture.CopyTo(slot, Layout.Slot.Picture);
        });
        session.ExpectBye(ErrorCode.FRAME_INVALID);
        Expect.That(session.Page.Cursor < sequence || session.Subject.Next(50) is null, "that the frame is not reported", "a line");
    }

    private static FileDescriptor SealedFile(long size)
    {
        FileDescriptor file = MemoryFile.Create("conformance-file", size, allocate: false);
        MemoryFile.AddSeals(file, MemoryFileSeals.Seal | MemoryFileSeals.Grow | MemoryFileSeals.Shrink | MemoryFileSeals.FutureWrite);
        return file;
    }

    private static FileDescriptor OrdinaryFile()
    {
        FileDescriptor file = Interop.Internal.LibC.Open("/proc/self/exe", Interop.Internal.LibC.O_RDONLY | Interop.Internal.LibC.O_CLOEXEC, 0);
        return file.IsInvalid ? throw LinuxException.FromLastError("open", "open an ordinary file") : file;
    }
}
