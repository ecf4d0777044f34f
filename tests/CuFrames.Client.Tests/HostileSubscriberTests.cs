using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.Protocol.Messages;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Client.Tests;

/// <summary>Subscribers that break the protocol get a clear code, and nobody else notices.</summary>
public class HostileSubscriberTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly Random Noise = new(20260101);

    /// <summary>What a hostile subscriber does, and the code that it is sent away with.</summary>
    internal static Dictionary<string, (ErrorCode Code, Action<RawSubscriber> Act)> Attacks { get; } = new()
    {
        ["noise in the page"] = (ErrorCode.PageInvalid, raw => Noise.NextBytes(raw.Join().PageBytes)),
        ["all bits of the page set"] = (ErrorCode.PageInvalid, raw => raw.Join().PageBytes.Fill(0xFF)),
        ["a cursor of the future"] = (ErrorCode.PageInvalid, raw => raw.Join().SetCursor(ulong.MaxValue)),
        ["all leases taken"] = (ErrorCode.LeaseQuotaExceeded, raw => Hold(raw.Join(), ControlBlockLayout.SlotCapacity)),
        ["one lease too many"] = (ErrorCode.LeaseQuotaExceeded, raw => Hold(raw.Join(leases: 2), 3)),
        ["64 KiB of noise"] = (ErrorCode.ProtocolError, raw => SendNoise(raw, Wire.MaxMessageSize)),
        ["noise after the handshake"] = (ErrorCode.ProtocolError, raw => SendNoise(raw.Join(), Wire.MaxMessageSize)),
        ["more than a message may have"] = (ErrorCode.ProtocolError, raw => SendNoise(raw.Join(), Wire.MaxMessageSize + 1)),
        ["one byte"] = (ErrorCode.ProtocolError, raw => SendNoise(raw, 1)),
        ["descriptors with HELLO"] = (ErrorCode.DescriptorCount, raw => raw.Send(Hello(), raw.Socket.Descriptor, raw.Socket.Descriptor)),
        ["HELLO twice"] = (ErrorCode.ProtocolError, raw => raw.Join().Send(Hello())),
        ["a segment that is not there"] = (ErrorCode.ProtocolError, raw => raw.Join().Send(SegmentIdMessage.Write(new byte[64], MessageType.SegmentReady, 999))),
        ["a segment given back that was not taken"] = (ErrorCode.ProtocolError, raw => raw.Join().Send(SegmentIdMessage.Write(new byte[64], MessageType.Retired, 999))),
        ["the publisher's own message"] = (ErrorCode.ProtocolError, raw => raw.Join().Send(new NoticeMessage(NoticeKind.SourceLost, ErrorCode.None, "").Write(new byte[64]))),
        ["another version"] = (ErrorCode.VersionMismatch, raw => raw.Send(new HelloMessage { LowestVersion = 7, HighestVersion = 9, Leases = 1, Domains = [DomainOffer.Host] }.Write(new byte[512]))),
        ["silence"] = (ErrorCode.HandshakeTimeout, _ => { }
        ),
        ["a cursor that goes back"] = (ErrorCode.PageInvalid, raw =>
        {
            raw.Join().SetCursor(3);
            Thread.Sleep(3000); // The publisher looks at the page four times a second, if the machine lets it.
            raw.SetCursor(1);
        }
        ),
    };

    public static TheoryData<string> Names() => [.. Attacks.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void It_is_sent_away_with_a_code_and_nobody_else_notices(string attack)
    {
        (ErrorCode code, Action<RawSubscriber> act) = Attacks[attack];
        Run((stream, _) =>
        {
            using RawSubscriber raw = new(stream.Directory.Path, TestStream.Key);
            act(raw);
            Assert.Equal(code, raw.ReadVerdict());
        });
    }

    [Fact]
    public void A_thousand_connections_keep_nobody_out()
    {
        Run((stream, _) =>
        {
            List<RawSubscriber> flood = [];
            for (int i = 0; i < 1000; i++)
            {
                flood.Add(new RawSubscriber(stream.Directory.Path, TestStream.Key));
                if (i % 100 == 50)
                {
                    using FrameSubscriber late = stream.Connect(Delivery.Newest);
                    using Frame frame = late.Next(Patience);
                    Assert.Null(StampedFrames.FindFault(frame));
                }
            }

            flood.ForEach(raw => raw.Dispose());
        });
    }

    [Fact]
    public void Closing_in_the_middle_of_the_handshake_leaves_nothing()
    {
        Run((stream, _) =>
        {
            for (int i = 0; i < 200; i++)
            {
                using RawSubscriber raw = new(stream.Directory.Path, TestStream.Key);
                if (i % 2 == 0)
                {
                    raw.Send(Hello());
                }
            }

            TestStream.Until(() => stream.Publisher.GetStatistics().Subscribers.Count == 1, "all are gone");
        });
    }

    [Fact]
    public void A_flood_of_good_messages_is_not_good()
    {
        Run((stream, _) =>
        {
            using RawSubscriber raw = new RawSubscriber(stream.Directory.Path, TestStream.Key).Join().TakeSegment();
            byte[] ready = SegmentIdMessage.Write(new byte[64], MessageType.SegmentReady, 1).ToArray();
            for (int i = 0; i < 1000 && raw.Socket.Send(ready, [], 5000) == SendStatus.Sent; i++)
            {
            }

            Assert.Equal(ErrorCode.ProtocolError, raw.ReadVerdict());
        });
    }

    [Fact]
    public void Who_does_not_read_the_socket_is_evicted_when_that_matters()
    {
        Run((stream, publishing) =>
        {
            using RawSubscriber raw = new RawSubscriber(stream.Directory.Path, TestStream.Key).Join(Delivery.Newest);
            int width = 64;
            TestStream.Until(
                () =>
                {
                    lock (publishing)
                    {
                        try
                        {
                            stream.Publisher.Configure(TestStream.Small with { Width = width ^= 1 });
                        }
                        catch (CuFramesException error) when (error.Code == ErrorCode.OutOfResources)
                        {
                            // The lossless witness has yet to take the frames of the formats before.
                        }

                        StampedFrames.TryPublish(stream.Publisher);
                    }

                    return stream.Publisher.GetStatistics().Subscribers.Count == 1;
                },
                "the subscriber is evicted");

            Assert.Contains(stream.Wait(PublisherEventKind.SubscriberEvicted).Code, (ErrorCode[])[ErrorCode.SocketNotRead, ErrorCode.LeaseTimeout]);
        }, new PublisherOptions { Slots = 4, MaxSlots = 8, LosslessTimeout = Patience, MemoryLimit = 1L << 32 });
    }

    [Fact]
    public void Who_never_releases_is_evicted_when_others_starve()
    {
        Run(
            (stream, _) =>
            {
                using RawSubscriber raw = new RawSubscriber(stream.Directory.Path, TestStream.Key).Join(leases: 8);
                Hold(raw, 8);
                Assert.Contains(raw.ReadVerdict(), (ErrorCode[])[ErrorCode.LeaseTimeout, ErrorCode.LeaseQuotaExceeded]);
            },
            new PublisherOptions { Slots = 4, MaxSlots = 8, LosslessTimeout = Patience, LeaseTimeout = TimeSpan.FromMilliseconds(300) });
    }

    [Fact]
    public void A_stopped_reader_with_its_quota_hurts_nobody()
    {
        using TestStream stream = new(TestStream.Small, new PublisherOptions { Slots = 4, MaxSlots = 10 });
        using PeerProcess reader = PeerProcess.Start(
            "read", "--key", TestStream.Key, "--dir", stream.Directory.Path, "--delivery", "inorder", "--leases", "4", "--take-and-hold", "4");
        reader.Expect("ready");
        stream.Publish();
        for (int i = 1; i < 4; i++)
        {
            TestStream.Until(() => stream.Publisher.GetStatistics().Subscribers[0].Taken == (ulong)i, "the reader takes the frame");
            stream.Publish();
        }

        reader.Expect("holding");
        reader.Signal(PeerProcess.SigStop);
        using FrameSubscriber witness = stream.Connect(Delivery.InOrder);
        FrameChecker checker = new();
        for (int i = 0; i < 5000; i++)
        {
            stream.Publish();
            using Frame frame = witness.Next(Patience);
            checker.Take(frame);
        }

        Assert.True(checker.IsClean, string.Join('\n', checker.Faults));
        Assert.Equal((0L, 0UL), (checker.Missed, stream.Publisher.GetStatistics().Dropped));
        reader.Signal(PeerProcess.SigContinue);
        Assert.Equal(0, reader.Exit());
    }

    /// <summary>Runs an attack while a lossless reader takes every frame, and counts what is left behind.</summary>
    private static void Run(Action<TestStream, Lock> attack, PublisherOptions? options = null)
    {
        int descriptors = OwnProcess.Descriptors();
        int mappings = OwnProcess.Mappings();
        using (TestStream stream = new(TestStream.Small, options ?? new PublisherOptions { Slots = 4, MaxSlots = 8, LosslessTimeout = Patience }))
        {
            Lock publishing = new();
            using FrameSubscriber witness = stream.Connect(Delivery.Lossless);
            FrameChecker checker = new();
            bool isOver = false, isComplete = false;
            ulong published = 0;
            Thread publisher = new(() =>
            {
                while (!Volatile.Read(ref isOver))
                {
                    lock (publishing)
                    {
                        StampedFrames.TryPublish(stream.Publisher);
                    }

                    Thread.Sleep(1); // The frame rate of this stream.
                }

                published = stream.Publisher.Head;
                Volatile.Write(ref isComplete, true);
            });
            Thread reader = new(() =>
            {
                while (!Volatile.Read(ref isComplete) || checker.Last < published)
                {
                    if (witness.TryNext(TimeSpan.FromMilliseconds(50), out Frame frame))
                    {
                        checker.Take(frame);
                        frame.Dispose();
                    }
                }
            });
            publisher.Start();
            reader.Start();
            try
            {
                TestStream.Until(() => checker.Frames > 3, "frames come");
                attack(stream, publishing);
                long before = checker.Frames;
                TestStream.Until(() => checker.Frames > before + 20, "frames come as before");
            }
            finally
            {
                Volatile.Write(ref isOver, true);
                publisher.Join();
                reader.Join();
            }

            Assert.True(checker.IsClean, string.Join('\n', checker.Faults));
            Assert.Equal(0, checker.Missed);
            Assert.Equal((long)published, checker.Frames);
            Assert.Equal(0, witness.Evictions + witness.Reconnects);
            TestStream.Until(() => stream.Publisher.GetStatistics().Subscribers.Count == 1, "the attacker is gone");
            Assert.DoesNotContain(stream.Events, happened => happened.Kind == PublisherEventKind.InternalError);
        }

        TestStream.Until(() => OwnProcess.Descriptors() <= descriptors, "every descriptor is closed");
        TestStream.Until(() => OwnProcess.Mappings() <= mappings, "everything is unmapped");
    }

    private static byte[] Hello() => new HelloMessage { Leases = 1, Domains = [DomainOffer.Host] }.Write(new byte[512]).ToArray();

    private static void Hold(RawSubscriber raw, int slots)
    {
        for (int slot = 0; slot < slots; slot++)
        {
            raw.Page.Lease(slot, 1);
        }
    }

    private static void SendNoise(RawSubscriber raw, int length)
    {
        byte[] noise = new byte[length];
        Noise.NextBytes(noise);
        raw.Send(noise);
    }
}
