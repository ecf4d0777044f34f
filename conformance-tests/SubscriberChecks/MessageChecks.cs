using System.Diagnostics;
using CuFrames.Conformance.Examples;
using CuFrames.Conformance.PublisherChecks;
using CuFrames.Conformance.Spec;
using CuFrames.Conformance.Suite;
using CuFrames.Conformance.Wire;
using CuFrames.Interop;
using RawMessages = CuFrames.Conformance.PublisherChecks.MessageChecks;

namespace CuFrames.Conformance.SubscriberChecks;

/// <summary>Sections 2, 3 and 13.2: malformed, unexpected and refusing messages in both states.</summary>
internal static class MessageChecks
{
    private const byte UnknownType = 200;

    public static IEnumerable<Check<SubscriberContext>> All() =>
    [
        .. AwaitWelcome(),
        .. BadWelcomes(),
        new("3.5-refused", "tells code and text of a REFUSE and hangs up", context => Refused(context, 9, Limits.Version)),
        new("12-refused-unknown-code", "tells a code that it does not know", context => Refused(context, 250, Limits.Version)),
        new("2.9-refused-other-version", "accepts a REFUSE with another version in its header", context => Refused(context, 2, 7)),
        new("13.2-welcome-timeout", "gives up after five seconds without WELCOME", WelcomeTimeout, Background: true),
        .. Active(),
        new("2.4-descriptors-closed", "closes the descriptors of a message that it does not accept", DescriptorsClosed),
        new("2.3-descriptors-truncated", "leaves at a message with more than 16 descriptors", TooManyDescriptors),
        new("9.2-bye", "hangs up without an answer when the publisher says BYE", Bye),
        new("9.1-shutting-down", "leaves when the publisher says that it ends", ShuttingDown),
        new("6.9-evicted", "tells that it was evicted, and why", Evicted),
        new("9.3-last-message", "reads the last message of a publisher that hung up without having read everything", LastMessage),
        new("9.3-hang-up", "notices a hang-up and connects again", HangUp),
        new("9.3-new-epoch", "begins with the first sequences of a new epoch", NewEpoch),
    ];

    private static IEnumerable<Check<SubscriberContext>> AwaitWelcome() =>
        new (string Name, byte[] Packet)[]
        {
            ("hello", new HelloOptions().Build()),
            ("segment-ready", SegmentMessage(MessageType.SEGMENT_READY, 1)),
            ("retire", SegmentMessage(MessageType.RETIRE, 1)),
            ("retired", SegmentMessage(MessageType.RETIRED, 1)),
            ("notice", Message.Build(MessageType.NOTICE, 0, Tlv.U32(TlvType.NOTICE_KIND, 1))),
            ("doorbell", Message.Build(MessageType.DOORBELL, 0)),
            ("noise", Noise(500)),
        }.Select(sample => new Check<SubscriberContext>($"13.2-await-welcome-{sample.Name}", "says BYE PROTOCOL_ERROR to it before WELCOME", context =>
        {
            using StageSession session = StageSession.Accept(context.Stage);
            session.Connection.Send(sample.Packet);
            session.ExpectBye(ErrorCode.PROTOCOL_ERROR);
        })).Append(new("13.2-await-welcome-segment", "says BYE PROTOCOL_ERROR to SEGMENT before WELCOME", context =>
        {
            using StageSession session = StageSession.Accept(context.Stage);
            using var segment = new RingSegment(1, 1, PictureShape.Small, [0]);
            session.Connection.Send(segment.Announce(0), segment.Descriptor);
            session.ExpectBye(ErrorCode.PROTOCOL_ERROR);
        })).Append(new("13.2-await-welcome-bye", "hangs up without an answer at BYE before WELCOME", context =>
        {
            using StageSession session = StageSession.Accept(context.Stage);
            session.Connection.Send(Message.Build(MessageType.BYE, 0));
            session.ExpectQuietHangUp();
        }));

    private static IEnumerable<Check<SubscriberContext>> BadWelcomes()
    {
        Check<SubscriberContext> Bad(string id, ErrorCode code, Func<StageSession, WelcomeOptions> options) =>
            new(id, $"refuses such a WELCOME with BYE {code}", context =>
            {
                using StageSession session = StageSession.Accept(context.Stage);
                session.Welcome(options(session));
                session.ExpectBye(code);
            });

        foreach (TlvType type in new[]
        {
            TlvType.VERSION, TlvType.FEATURES, TlvType.EPOCH, TlvType.STREAM_KEY, TlvType.STREAM_DESCRIPTION, TlvType.SUBSCRIBER_ID,
            TlvType.DELIVERY, TlvType.LEASES, TlvType.FENCES, TlvType.WAKES,
        })
        {
            yield return Bad($"3.3-welcome-without-{type.ToString().ToLowerInvariant().Replace('_', '-')}", ErrorCode.PROTOCOL_ERROR,
                _ => new WelcomeOptions { Instead = new() { [type] = [] } });
        }

        WelcomeOptions Other(TlvType type, byte[] tlv) => new() { Instead = new() { [type] = tlv } };
        yield return Bad("3.3-welcome-more-leases", ErrorCode.PROTOCOL_ERROR,
            session => new WelcomeOptions { Leases = session.Hello.UInt32(TlvType.LEASES) + 1 });
        yield return Bad("3.3-welcome-no-leases", ErrorCode.PROTOCOL_ERROR, _ => new WelcomeOptions { Leases = 0 });
        yield return Bad("3.3-welcome-other-delivery", ErrorCode.PROTOCOL_ERROR, session => Other(TlvType.DELIVERY,
            Tlv.U32(TlvType.DELIVERY, (uint)(session.Delivery == Delivery.NEWEST ? Delivery.IN_ORDER : Delivery.NEWEST))));
        yield return Bad("3.3-welcome-other-version", ErrorCode.PROTOCOL_ERROR, _ => Other(TlvType.VERSION, Tlv.U32(TlvType.VERSION, 9)));
        yield return Bad("2.9-welcome-header-version", ErrorCode.PROTOCOL_ERROR, _ => new WelcomeOptions { HeaderVersion = 9 });
        yield return Bad("2.8-welcome-epoch-zero", ErrorCode.PROTOCOL_ERROR, _ => Other(TlvType.EPOCH, Tlv.U64(TlvType.EPOCH, 0)));
        yield return Bad("2.8-welcome-subscriber-zero", ErrorCode.PROTOCOL_ERROR,
            _ => Other(TlvType.SUBSCRIBER_ID, Tlv.U64(TlvType.SUBSCRIBER_ID, 0)));
        yield return Bad("2.6-welcome-tlv-twice", ErrorCode.PROTOCOL_ERROR,
            _ => new WelcomeOptions { More = [Tlv.U32(TlvType.VERSION, 1)] });
        yield return Bad("2.6-welcome-too-short", ErrorCode.PROTOCOL_ERROR,
            _ => Other(TlvType.STREAM_DESCRIPTION, Tlv.Bytes(TlvType.STREAM_DESCRIPTION, new byte[Layout.StreamDescription.Size - 1])));
        yield return Bad("2.6-welcome-past-the-end", ErrorCode.PROTOCOL_ERROR,
            _ => new WelcomeOptions { More = [[0x77, 0x77, 0, 0, 9, 0, 0, 0]] });
        yield return Bad("2.6-welcome-invalid-utf8", ErrorCode.PROTOCOL_ERROR,
            _ => new WelcomeOptions { More = [Tlv.Bytes(TlvType.SOURCE, [0xC3])] });
        yield return Bad("2.6-welcome-must-understand", ErrorCode.UNSUPPORTED_TLV,
            _ => new WelcomeOptions { More = [Tlv.Bytes(0x7777, [], Limits.MustUnderstand)] });
        yield return Bad("3.3-welcome-start-above-head", ErrorCode.PROTOCOL_ERROR, _ => new WelcomeOptions { More = [Tlv.Start(1)] });
        yield return Bad("3.3-welcome-start-largest", ErrorCode.PROTOCOL_ERROR, _ => new WelcomeOptions { More = [Tlv.Start(ulong.MaxValue)] });
        yield return Bad("2.6-welcome-start-twice", ErrorCode.PROTOCOL_ERROR, _ => new WelcomeOptions { More = [Tlv.Start(0), Tlv.Start(0)] });
        yield return Bad("2.6-welcome-start-too-short", ErrorCode.PROTOCOL_ERROR,
            _ => new WelcomeOptions { More = [Tlv.Bytes(TlvType.START, [0, 0, 0, 0], Limits.MustUnderstand)] });
        yield return Bad("3.3-welcome-no-descriptors", ErrorCode.DESCRIPTOR_COUNT, _ => new WelcomeOptions { Descriptors = (_, _) => [] });
        yield return Bad("3.3-welcome-one-descriptor", ErrorCode.DESCRIPTOR_COUNT,
            _ => new WelcomeOptions { Descriptors = (control, _) => [control] });
        yield return Bad("3.3-welcome-three-descriptors", ErrorCode.DESCRIPTOR_COUNT,
            _ => new WelcomeOptions { Descriptors = (control, page) => [control, page, page] });
    }

    private static IEnumerable<Check<SubscriberContext>> Active()
    {
        Check<SubscriberContext> Bad(string id, ErrorCode code, Action<StageSession> send) =>
            new(id, $"leaves with BYE {code}", context =>
            {
                using StageSession session = StageSession.StartWithFrame(context.Stage);
                send(session);
                session.ExpectBye(code);
            });
        Check<SubscriberContext> BadPacket(string id, byte[] packet, ErrorCode code = ErrorCode.PROTOCOL_ERROR) =>
            Bad(id, code, session => session.Connection.Send(packet));

        byte[] notice = Message.Build(MessageType.NOTICE, 0, Tlv.U32(TlvType.NOTICE_KIND, 1));
        byte[] wrongMagic = [.. notice];
        wrongMagic[0] ^= 0xFF;
        yield return BadPacket("2.5-magic", wrongMagic);
        yield return BadPacket("2.5-truncated", notice[..^8]);
        yield return BadPacket("2.5-short", notice[..7]);
        yield return BadPacket("2.5-longer-than-announced", [.. notice, .. new byte[8]]);
        yield return BadPacket("2.2-noise", Noise(65_536));
        yield return BadPacket("2.2-too-long", Message.Build(MessageType.DOORBELL, 0, Tlv.Bytes(0x7777, new byte[65_520])));
        yield return BadPacket("2.7-unknown-type", Message.Build(Limits.Version, UnknownType, 0));
        yield return BadPacket("2.9-header-version", Message.Build(2, (byte)MessageType.DOORBELL, 0));
        yield return BadPacket("2.6-must-understand", Message.Build(MessageType.DOORBELL, 0, Tlv.Bytes(0x7777, [], Limits.MustUnderstand)),
            ErrorCode.UNSUPPORTED_TLV);
        yield return BadPacket("2.6-tlv-twice", Message.Build(MessageType.NOTICE, 0, Tlv.U32(TlvType.NOTICE_KIND, 1), Tlv.U32(TlvType.NOTICE_KIND, 1)));
        yield return BadPacket("2.6-too-short", Message.Build(MessageType.NOTICE, 0, Tlv.Bytes(TlvType.NOTICE_KIND, [1, 0])));
        yield return BadPacket("2.6-past-the-end", Message.Build(MessageType.DOORBELL, 0, [[0x77, 0x77, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]]));
        yield return BadPacket("9.1-notice-empty", Message.Build(MessageType.NOTICE, 0));
        yield return BadPacket("13.2-active-hello", new HelloOptions().Build());
        yield return BadPacket("13.2-active-refuse", Message.Build(MessageType.REFUSE, 0, Tlv.U32(TlvType.ERROR_CODE, 20), Tlv.Text(TlvType.ERROR_TEXT, "no")));
        yield return BadPacket("13.2-active-segment-ready", SegmentMessage(MessageType.SEGMENT_READY, 1));
        yield return BadPacket("13.2-active-retired", SegmentMessage(MessageType.RETIRED, 1));
        yield return BadPacket("13.2-active-retire-unknown", SegmentMessage(MessageType.RETIRE, 4_000_000_000));
        yield return Bad("13.2-active-welcome", ErrorCode.PROTOCOL_ERROR, session =>
        {
            // The descriptors that a WELCOME has, so that it is only out of place.
            session.Connection.Send(WelcomeCopy(session), session.Ring.ControlDescriptor, session.Ring.ControlDescriptor);
        });
        yield return Bad("13.2-active-segment-known", ErrorCode.PROTOCOL_ERROR,
            session => session.Connection.Send(session.Ring.Segments[0].Announce(0), session.Ring.Segments[0].Descriptor));
        yield return Bad("6.3-segment-without-descriptor", ErrorCode.DESCRIPTOR_COUNT, session =>
        {
            using RingSegment added = session.Ring.AddSegment(1);
            session.Connection.Send(added.Announce(0));
        });
        yield return Bad("6.3-segment-two-descriptors", ErrorCode.DESCRIPTOR_COUNT, session =>
        {
            RingSegment added = session.Ring.AddSegment(1);
            session.Connection.Send(added.Announce(0), added.Descriptor, added.Descriptor);
        });
        yield return Bad("2.4-notice-with-descriptor", ErrorCode.DESCRIPTOR_COUNT,
            session => session.Connection.Send(notice, session.Ring.ControlDescriptor));
    }

    private static byte[] WelcomeCopy(StageSession session) => Message.Build(MessageType.WELCOME, 1, Tlv.U32(TlvType.VERSION, 1),
        Tlv.U64(TlvType.FEATURES, 0), Tlv.U64(TlvType.EPOCH, session.Ring.Epoch), Tlv.Text(TlvType.STREAM_KEY, "conformance"),
        Tlv.Bytes(TlvType.STREAM_DESCRIPTION, new byte[Layout.StreamDescription.Size]), Tlv.U64(TlvType.SUBSCRIBER_ID, 17),
        Tlv.U32(TlvType.DELIVERY, (uint)session.Delivery), Tlv.U32(TlvType.LEASES, 1), Tlv.U32(TlvType.FENCES, 1), Tlv.U32(TlvType.WAKES, 1));

    private static byte[] SegmentMessage(MessageType type, uint segment) => Message.Build(type, 0, Tlv.U32(TlvType.SEGMENT_ID, segment));

    private static byte[] Noise(int length)
    {
        byte[] noise = new byte[length];
        new Random(13).NextBytes(noise);
        return noise;
    }

    private static void Refused(SubscriberContext context, uint code, byte version)
    {
        using StageSession session = StageSession.Accept(context.Stage);
        session.Subject.Forget();
        session.Connection.Send(Message.Build(version, (byte)MessageType.REFUSE, session.Hello.Correlation,
            Tlv.U32(TlvType.ERROR_CODE, code), Tlv.Text(TlvType.ERROR_TEXT, "for a reason")));
        session.ExpectQuietHangUp();
        while (true)
        {
            // An event of the connection before may come first.
            SubjectLine? line = session.Subject.Next(StageSession.AnswerMilliseconds);
            Expect.That(line is not null, $"the event 'refused' with code {code}", "none");
            if (line.Event == "refused")
            {
                Expect.Equal(code, line.Code, "the code");
                return;
            }
        }
    }

    private static void WelcomeTimeout(SubscriberContext context)
    {
        Stage stage = context.OpenStage();
        using StageSession session = StageSession.Accept(stage);
        using (Packet early = session.Connection.Receive(Limits.WelcomeMilliseconds - 500))
        {
            // It waits from when it connected, which may be some time before this thread came to look.
            bool isLate = Stopwatch.GetElapsedTime(stage.LastAlone).TotalMilliseconds >= Limits.WelcomeMilliseconds - 500;
            Expect.That(early.Kind == PacketKind.Nothing || isLate, "that it waits for five seconds", early.Kind.ToString());
        }

        using Packet late = session.Connection.Receive(30_000);
        Expect.That(late.Kind == PacketKind.HangUp || (late.Kind == PacketKind.Packet && late.Parse().Type == MessageType.BYE),
            "a hang-up, or BYE and a hang-up, after five seconds", late.Kind.ToString());
    }

    private static void DescriptorsClosed(SubscriberContext context)
    {
        using StageSession session = StageSession.StartWithFrame(context.Stage);
        (UnixSocket mine, UnixSocket theirs) = UnixSocket.CreatePair();
        using (mine)
        {
            session.Connection.Send(Message.Build(MessageType.NOTICE, 0, Tlv.U32(TlvType.NOTICE_KIND, 1)), theirs.Descriptor);
            theirs.Dispose();
            Expect.That((mine.Poll(IoEvents.Readable, StageSession.AnswerMilliseconds) & IoEvents.HangUp) != 0,
                "that the descriptor is closed", "one that is still open");
        }
    }

    private static void TooManyDescriptors(SubscriberContext context)
    {
        using StageSession session = StageSession.StartWithFrame(context.Stage);
        (UnixSocket mine, UnixSocket theirs) = UnixSocket.CreatePair();
        using (mine)
        {
            RawMessages.SendRaw(session.Connection.Socket, Message.Build(MessageType.DOORBELL, 0), Enumerable.Repeat(theirs.Descriptor, 200).ToArray());
            theirs.Dispose();
            session.ExpectBye(ErrorCode.DESCRIPTOR_COUNT);
            Expect.That((mine.Poll(IoEvents.Readable, StageSession.AnswerMilliseconds) & IoEvents.HangUp) != 0,
                "that all 200 descriptors are closed", "one that is still open");
        }
    }

    private static void Bye(SubscriberContext context)
    {
        using StageSession session = StageSession.StartWithFrame(context.Stage);
        session.Connection.Send(Message.Build(MessageType.BYE, 0, Tlv.U32(TlvType.ERROR_CODE, 20), Tlv.Text(TlvType.ERROR_TEXT, "no memory")));
        session.ExpectQuietHangUp();
        session.ExpectEvent("disconnected", null);
    }

    private static void ShuttingDown(SubscriberContext context)
    {
        using StageSession session = StageSession.StartWithFrame(context.Stage);
        session.Broadcast(Message.Build(MessageType.NOTICE, 0, Tlv.U32(TlvType.NOTICE_KIND, (uint)NoticeKind.SHUTTING_DOWN)));
        session.Connection.Socket.Shutdown();
        session.ExpectEvent("disconnected", null);
    }

    private static void Evicted(SubscriberContext context)
    {
        using StageSession session = StageSession.StartWithFrame(context.Stage);
        session.Connection.Send(Message.Build(MessageType.NOTICE, 0, Tlv.U32(TlvType.NOTICE_KIND, (uint)NoticeKind.EVICTED),
            Tlv.U32(TlvType.ERROR_CODE, (uint)ErrorCode.LEASE_TIMEOUT), Tlv.Text(TlvType.ERROR_TEXT, "held too long")));
        session.Connection.Socket.Shutdown();
        session.ExpectEvent("evicted", ErrorCode.LEASE_TIMEOUT);
        using StageSession again = StageSession.Start(context.Stage);
        again.TakeOne();
    }

    private static void LastMessage(SubscriberContext context)
    {
        using StageSession session = StageSession.StartWithFrame(context.Stage);
        RingSegment added = session.Ring.AddSegment(1);
        session.Broadcast(added.Announce(0), added.Descriptor);
        Expect.That(session.Connection.Socket.Poll(IoEvents.Readable, StageSession.AnswerMilliseconds) != IoEvents.None, "SEGMENT_READY", "nothing");
        session.Connection.Send(Message.Build(MessageType.NOTICE, 0, Tlv.U32(TlvType.NOTICE_KIND, (uint)NoticeKind.EVICTED),
            Tlv.U32(TlvType.ERROR_CODE, (uint)ErrorCode.EVICTED_BY_OPERATOR), Tlv.Text(TlvType.ERROR_TEXT, "somebody asked for it")));

        // Closed with SEGMENT_READY unread, the kernel reports ECONNRESET to the other side before it hands out the NOTICE.
        session.Connection.Dispose();
        session.ExpectEvent("evicted", ErrorCode.EVICTED_BY_OPERATOR);
    }

    private static void HangUp(SubscriberContext context)
    {
        using (StageSession session = StageSession.StartWithFrame(context.Stage))
        {
            session.Connection.Socket.Shutdown();
            session.ExpectEvent("disconnected", null);
        }

        using StageSession again = StageSession.Start(context.Stage);
        again.TakeOne();
    }

    private static void NewEpoch(SubscriberContext context)
    {
        ulong epoch;
        using (StageSession session = StageSession.StartWithFrame(context.Stage))
        {
            for (int i = 0; i < 10; i++)
            {
                session.TakeOne();
            }

            epoch = session.Ring.Epoch;
        }

        using StageSession again = StageSession.Start(context.Stage);
        SubjectLine line = again.TakeOne();
        Expect.Equal(1UL, line.Sequence, "in the new epoch sequence");
        Expect.That(line.Epoch == again.Ring.Epoch && line.Epoch != epoch, "the new epoch", line.Text);
    }
}
