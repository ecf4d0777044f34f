using CuFrames.Client;
using CuFrames.TestKit;

namespace CuFrames.TestPeer.Commands;

/// <summary>Publishes and takes packets by turns on one thread and says how many bytes that thread allocated; every byte is checked.</summary>
internal static class PacketAllocationsCommand
{
    public static int Run(PeerArguments arguments)
    {
        int packets = arguments.Number("packets", 10_000);
        using TemporaryDirectory directory = new();
        using PacketPublisher publisher = PacketPublisher.Create("allocations", new PacketPublisherOptions { Directory = directory.Path, ByteCapacity = 65536 });
        StampedPackets.AddTracks(publisher);
        using PacketSubscriber subscriber = PacketSubscriber.Connect("allocations", new PacketSubscriberOptions { Directory = directory.Path });
        byte[] buffer = new byte[500];

        // Parameters stay as they are, so everything is published as one track's packets.
        long torn = Turn(publisher, subscriber, buffer, 20_000);
        long bytes = long.MaxValue;
        for (int round = 0; round < 5; round++)
        {
            // The runtime itself allocates a little now and then: what a packet costs shows in each round.
            long before = GC.GetAllocatedBytesForCurrentThread();
            torn += Turn(publisher, subscriber, buffer, packets);
            bytes = Math.Min(bytes, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        PeerArguments.Say(new { kind = "allocated", bytes, packets, torn });
        return 0;
    }

    private static long Turn(PacketPublisher publisher, PacketSubscriber subscriber, byte[] buffer, int packets)
    {
        PacketTrack track = publisher.Tracks[0];
        PacketMetadata metadata = new() { Flags = Protocol.PacketFlags.Key };
        long torn = 0;
        for (int i = 0; i < packets; i++)
        {
            buffer.AsSpan().Fill((byte)i);
            ulong sequence = publisher.Publish(track, buffer, metadata);
            bool isRight = subscriber.TryTake(out Packet packet) && packet.Sequence == sequence && packet.Data.SequenceEqual(buffer) && packet.IsValid;
            torn += isRight ? 0 : 1;
        }

        return torn;
    }
}
