using System.Runtime.InteropServices;

namespace CuFrames.Native.Internal;

/// <summary>cuframes_packet.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NativePacket
{
    public uint Size;
    public uint Track;
    public ulong Owner;
    public ulong Position;
    public nuint Data;
    public ulong DataSize;
    public ulong Sequence;
    public ulong Epoch;
    public ulong Missed;
    public ulong TrackSequence;
    public uint Kind;
    public uint Parameters;
    public uint Flags;
    public int TimeBaseNumerator;
    public int TimeBaseDenominator;
    public uint Reserved;
    public long Pts;
    public long Dts;
    public long Duration;
    public long ArrivalTime;
    public long CaptureTime;
    public long PublishTime;
}
