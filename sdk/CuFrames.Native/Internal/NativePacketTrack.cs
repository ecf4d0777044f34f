using System.Runtime.InteropServices;

namespace CuFrames.Native.Internal;

/// <summary>cuframes_packet_track.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativePacketTrack
{
    public const int LanguageBytes = 16;
    public const int CodecNameBytes = 40;
    public const int ExtradataBytes = 16128;

    public uint Size;
    public uint Track;
    public uint Kind;
    public uint Parameters;
    public uint Codec;
    public int TimeBaseNumerator;
    public int TimeBaseDenominator;
    public int Width;
    public int Height;
    public int FrameRateNumerator;
    public int FrameRateDenominator;
    public int SampleAspectNumerator;
    public int SampleAspectDenominator;
    public int SampleRate;
    public int Channels;
    public int SamplesPerPacket;
    public ulong ChannelLayout;
    public int BitsPerSample;
    public int BlockAlign;
    public int InitialPadding;
    public int SeekPreroll;
    public int ReorderDelay;
    public uint ExtradataSize;
    public byte ColourMatrix;
    public byte ColourRange;
    public byte ColourPrimaries;
    public byte ColourTransfer;
    public byte ChromaLocation;
    public byte Rotation;
    public byte FieldOrder;
    public byte Reserved;
    public fixed byte Language[LanguageBytes];
    public fixed byte CodecName[CodecNameBytes];
    public fixed byte Extradata[ExtradataBytes];
}
