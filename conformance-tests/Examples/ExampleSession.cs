using CuFrames.Conformance.Memory;
using CuFrames.Conformance.Spec;
using CuFrames.Conformance.Wire;
using CuFrames.Interop;

namespace CuFrames.Conformance.Examples;

/// <summary>One connection of an example publisher.</summary>
internal sealed class ExampleSession(Connection connection, long acceptedAt) : IDisposable
{
    public Connection Connection { get; } = connection;

    /// <summary>Milliseconds of the publisher's clock.</summary>
    public long AcceptedAt { get; } = acceptedAt;

    public bool Probing { get; set; }

    /// <summary>The page; null until the subscriber is active.</summary>
    public SubscriberPage? Page { get; set; }

    public FileDescriptor? PageDescriptor { get; set; }

    public Delivery Delivery { get; set; }

    public uint Granted { get; set; }

    public uint Wakes { get; set; }

    public ulong LastCursor { get; set; }

    public uint LastRung { get; set; }

    /// <summary>Since when its leases are in the way of new frames; null if they are not.</summary>
    public long? InTheWaySince { get; set; }

    public HashSet<uint> KnownSegments { get; } = [];

    public HashSet<uint> ReadySegments { get; } = [];

    public bool Closed { get; private set; }

    public void Dispose()
    {
        Closed = true;
        Page?.Dispose();
        PageDescriptor?.Dispose();
        Connection.Dispose();
    }
}
