using CuFrames.Client;

namespace CuFrames.Benchmarks.OnDemand;

/// <summary>Takes every packet of a camera on a thread of its own, and counts those that it did not get.</summary>
internal sealed class PacketWatch : IDisposable
{
    private readonly PacketSubscriber _subscriber;
    private readonly Thread _thread;
    private volatile bool _isEnding;

    public PacketWatch(string key, string directory)
    {
        _subscriber = PacketSubscriber.Connect(key, new PacketSubscriberOptions { Directory = directory, WaitForStream = true });
        _thread = new Thread(Read);
        _thread.Start();
    }

    /// <summary>Packets taken; after <see cref="Dispose"/>.</summary>
    public ulong Taken { get; private set; }

    /// <summary>Packets that were published meanwhile and not taken; after <see cref="Dispose"/>.</summary>
    public ulong Missed { get; private set; }

    public void Dispose()
    {
        _isEnding = true;
        _thread.Join();
        (Taken, Missed) = (_subscriber.Taken, _subscriber.Missed);
        _subscriber.Dispose();
    }

    private void Read()
    {
        while (!_isEnding)
        {
            if (_subscriber.TryNext(TimeSpan.FromMilliseconds(200), out Packet packet))
            {
                packet.ThrowIfInvalid();
            }
        }
    }
}
