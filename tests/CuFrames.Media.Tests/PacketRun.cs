using CuFrames.Client;
using CuFrames.TestKit;

namespace CuFrames.Media.Tests;

/// <summary>A file's packets in a ring, and a subscriber that reads them from the first on.</summary>
internal sealed class PacketRun : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    internal PacketRun(DemuxedFile? file = null)
    {
        Publisher = PacketPublisher.Create("muxed", new PacketPublisherOptions { Directory = _directory.Path, ByteCapacity = 64 << 20 });
        if (file is not null)
        {
            file.Publish(Publisher, file.AddTracks(Publisher));
        }
    }

    internal PacketPublisher Publisher { get; }

    internal PacketSubscriber Subscriber => field ??=
        PacketSubscriber.Connect("muxed", new PacketSubscriberOptions { Directory = _directory.Path, Start = PacketStart.OldestKey });

    internal void WriteAll(PacketMuxer muxer)
    {
        while (Subscriber.TryTake(out Packet packet))
        {
            muxer.Write(packet);
        }
    }

    public void Dispose()
    {
        Subscriber.Dispose();
        Publisher.Dispose();
        _directory.Dispose();
    }
}
