using System.Collections.Concurrent;
using CuFrames.TestKit;

namespace CuFrames.Client.Tests;

/// <summary>A publisher of stamped packets in this process, in a directory of its own.</summary>
internal sealed class PacketStream : IDisposable
{
    public const string Key = "test";
    public const int Largest = 2000;

    private readonly byte[] _buffer = new byte[Largest];

    public PacketStream(PacketPublisherOptions? options = null, bool hasTracks = true)
    {
        Publisher = Open(options);
        if (hasTracks)
        {
            StampedPackets.AddTracks(Publisher);
        }
    }

    /// <summary>The smallest ring: about sixty packets.</summary>
    public static PacketPublisherOptions Small { get; } = new() { ByteCapacity = 65536, MaxPackets = 1024 };

    public TemporaryDirectory Directory { get; } = new();

    public PacketPublisher Publisher { get; private set; }

    public ConcurrentQueue<PublisherEvent> Events { get; } = new();

    public PacketSubscriber Connect(PacketSubscriberOptions? options = null) =>
        PacketSubscriber.Connect(Key, (options ?? new PacketSubscriberOptions()) with { Directory = Directory.Path });

    public void Publish(int count = 1)
    {
        for (int i = 0; i < count; i++)
        {
            StampedPackets.Publish(Publisher, _buffer);
        }
    }

    /// <summary>Ends the publisher and starts another one.</summary>
    public void Restart(PacketPublisherOptions? options = null)
    {
        Publisher.Dispose();
        Publisher = Open(options);
        StampedPackets.AddTracks(Publisher);
    }

    public void Dispose()
    {
        Publisher.Dispose();
        Directory.Dispose();
    }

    private PacketPublisher Open(PacketPublisherOptions? options) =>
        PacketPublisher.Create(Key, (options ?? Small) with { Directory = Directory.Path, OnEvent = Events.Enqueue });
}
