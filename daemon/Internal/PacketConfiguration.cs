using System.Numerics;
using CuFrames.Client;

namespace CuFrames.Daemon.Internal;

/// <summary>How a camera's packets are published. Immutable; defaults included.</summary>
internal sealed record PacketConfiguration
{
    /// <summary>Bytes of the ring, a multiple of 4,096.</summary>
    public required long Memory { get; init; }

    /// <summary>Packets that arrived longer ago are let go.</summary>
    public required TimeSpan Time { get; init; }

    /// <summary>Who may read; null: who may read the frames.</summary>
    public required ReaderAccess? Readers { get; init; }

    /// <summary>Packets in the ring at most. A camera with sound sends fewer than 128 each second; an entry costs memory once it has been used.</summary>
    public int MaxPackets => (int)BitOperations.RoundUpToPowerOf2((uint)Math.Clamp(Time.TotalSeconds * 128, 8192, 65_536));

    /// <summary>Whether the other says the same.</summary>
    /// <param name="other">The other.</param>
    public bool IsSameAs(PacketConfiguration other) =>
        (this with { Readers = null }) == (other with { Readers = null }) && IsSame(Readers, other.Readers);

    private static bool IsSame(ReaderAccess? one, ReaderAccess? other) =>
        one is null || other is null
            ? one is null && other is null
            : one.IsSameAs(other);
}
