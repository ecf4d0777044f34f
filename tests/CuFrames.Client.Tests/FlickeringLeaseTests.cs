using System.Buffers.Binary;
using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.Protocol.Messages;
using Xunit;

namespace CuFrames.Client.Tests;

/// <summary>A hostile subscriber that stays within its leases and changes its lease words all the time, so that no two looks at them agree.</summary>
public sealed class FlickeringLeaseTests
{
    [Fact]
    public void Lease_words_that_never_stand_still_do_not_escape_the_lease_timeout()
    {
        string folder = Directory.CreateTempSubdirectory("cuframes-flicker-").FullName;
        try
        {
            using FramePublisher publisher = FramePublisher.Create("flicker", new StreamFormat(PixelFormat.Gray8, 16, 16),
                new PublisherOptions { Directory = folder, Slots = 3, MaxSlots = 3, LeaseTimeout = TimeSpan.FromMilliseconds(300) });
            using UnixSocket socket = UnixSocket.Connect(publisher.SocketPath, 90_000);
            HelloMessage hello = new() { Leases = 2, Domains = [DomainOffer.Host] };
            Assert.Equal(SendStatus.Sent, socket.Send(hello.Write(new byte[1024]), [], 90_000));
            using DescriptorSet descriptors = new();
            Assert.Equal(ReceiveStatus.Received, socket.Receive(new byte[Wire.MaxMessageSize], descriptors, 90_000).Status);
            using FileDescriptor file = descriptors.Take(1);
            using MemoryMapping page = MemoryMapping.Map(file, SubscriberPageLayout.FileSize, MappingAccess.ReadWrite);
            for (int frame = 0; frame < 3; frame++)
            {
                Assert.True(Publish(publisher));
            }

            // The third slot holds the newest frame: with the two others leased there is none to write into.
            // Far above the lease time-out and the interval of audits; the loop ends as soon as the subscriber is out.
            long limit = MonotonicClock.NowNanoseconds + 90_000_000_000;
            for (ulong look = 0; publisher.GetStatistics().Evicted == 0 && MonotonicClock.NowNanoseconds < limit; look++)
            {
                for (int slot = 0; slot < (int)hello.Leases; slot++)
                {
                    BinaryPrimitives.WriteUInt64LittleEndian(page.Slice(SubscriberPageLayout.LeaseOffset(slot), 8), 1 + (look & 1));
                }

                Assert.True(!Publish(publisher) || publisher.GetStatistics().Evicted == 1, "A slot was written while it was leased.");
            }

            Assert.Equal(1ul, publisher.GetStatistics().Evicted);
            Assert.True(Publish(publisher));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static bool Publish(FramePublisher publisher)
    {
        if (!publisher.TryBeginFrame(out FrameWriter frame))
        {
            return false;
        }

        frame.Publish();
        return true;
    }
}
