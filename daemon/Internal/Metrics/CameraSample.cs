using System.Runtime.InteropServices;

namespace CuFrames.Daemon.Internal.Metrics;

/// <summary>A camera during ten seconds of the past, in 16 bytes.</summary>
/// <param name="FramesPerSecond">Frames that its own stream published per second.</param>
/// <param name="LatencyP99">Milliseconds from arrival to publication that 99 % of the minute's frames did not exceed; NaN: there were none.</param>
/// <param name="Dropped">Frames that its streams dropped in these ten seconds; at most 65535 are told.</param>
/// <param name="Readers">Readers at the end of them.</param>
/// <param name="RingOccupancy">Percent of the slots of its own stream that readers held at the end of them.</param>
/// <param name="State">Its state at the end of them, as control.proto numbers it; 0: there was no such camera.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct CameraSample(float FramesPerSecond, float LatencyP99, ushort Dropped, ushort Readers, byte RingOccupancy, byte State);
