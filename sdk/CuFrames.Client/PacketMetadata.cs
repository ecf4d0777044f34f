using CuFrames.Protocol;

namespace CuFrames.Client;

/// <summary>What a publisher knows of a packet besides its bytes. Times of the source are in units of the track's time base.</summary>
public struct PacketMetadata
{
    /// <summary>Nothing is known: times are unknown, no flag is set.</summary>
    public static readonly PacketMetadata Unknown = new() { Pts = FrameMetadata.UnknownPts, Dts = FrameMetadata.UnknownPts };

    /// <summary>Presentation time in units of the time base, or <see cref="FrameMetadata.UnknownPts"/>.</summary>
    public long Pts { get; set; }

    /// <summary>Decoding time in units of the time base, or <see cref="FrameMetadata.UnknownPts"/>.</summary>
    public long Dts { get; set; }

    /// <summary>Duration in units of the time base; 0: not known.</summary>
    public long Duration { get; set; }

    /// <summary>Flags. <see cref="PacketFlags.ParametersChanged"/> is set by the publisher itself.</summary>
    public PacketFlags Flags { get; set; }

    /// <summary>CLOCK_MONOTONIC in nanoseconds when the packet had arrived; 0: the time of the call.</summary>
    public long ArrivalTime { get; set; }

    /// <summary>Wall clock at the camera in nanoseconds since 1970-01-01 UTC; 0: not known.</summary>
    public long CaptureTime { get; set; }
}
