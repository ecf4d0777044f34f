using CuFrames.TestKit;

namespace CuFrames.Client.Tests;

/// <summary>Starts processes ahead of their use, because starting takes longer than the test of one.</summary>
internal sealed class PeerQueue : IDisposable
{
    private readonly Func<PeerProcess> _start;
    private readonly Queue<PeerProcess> _ready = new();

    public PeerQueue(int ahead, Func<PeerProcess> start)
    {
        _start = start;
        for (int i = 0; i < ahead; i++)
        {
            _ready.Enqueue(start());
        }
    }

    public PeerProcess Take()
    {
        _ready.Enqueue(_start());
        return _ready.Dequeue();
    }

    public void Dispose()
    {
        foreach (PeerProcess peer in _ready)
        {
            peer.Dispose();
        }
    }
}
