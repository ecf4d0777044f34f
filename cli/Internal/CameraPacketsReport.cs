using CuFrames.Control.V1;

namespace CuFrames.Cli.Internal;

/// <summary>A ring of packets of the daemon as it goes to JSON.</summary>
internal sealed record CameraPacketsReport(ulong Published, ulong Oldest, double BufferedSeconds, ulong ByteCapacity, ulong Evicted, ulong Refused, uint Readers)
{
    public static CameraPacketsReport From(Packets packets) => new(
        packets.Published, packets.Oldest, packets.BufferedMs / 1000.0, packets.CapacityBytes, packets.Evicted, packets.Refused, packets.Readers);
}
