using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace CuFrames.Media.Internal;

/// <summary>The functions and structs of media/shim/cuframes_av_mux.h, which documents them.</summary>
internal static unsafe partial class AvMuxNative
{
    internal const uint Seekable = 1;
    internal const uint Discontinuity = 2;
    internal const uint Key = 1;
    internal const uint Corrupt = 2;
    internal const uint Disposable = 4;

    private const string Library = "cuframes_av";

    [LibraryImport(Library, EntryPoint = "cuframes_av_mux_can_carry", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int CanCarry(uint container, string codec);

    [LibraryImport(Library, EntryPoint = "cuframes_av_mux_create")]
    internal static partial AvMuxerHandle Create();

    [LibraryImport(Library, EntryPoint = "cuframes_av_mux_free")]
    internal static partial void Free(nint muxer);

    [LibraryImport(Library, EntryPoint = "cuframes_av_mux_open")]
    internal static partial int Open(AvMuxerHandle muxer, Options* options, Track* tracks, uint count, uint* failedTrack);

    [LibraryImport(Library, EntryPoint = "cuframes_av_mux_packet_buffer")]
    internal static partial byte* PacketBuffer(AvMuxerHandle muxer, nuint bytes);

    [LibraryImport(Library, EntryPoint = "cuframes_av_mux_write")]
    internal static partial int Write(AvMuxerHandle muxer, PacketInfo* packet);

    [LibraryImport(Library, EntryPoint = "cuframes_av_mux_flush")]
    internal static partial int Flush(AvMuxerHandle muxer);

    [LibraryImport(Library, EntryPoint = "cuframes_av_mux_finish")]
    internal static partial int Finish(AvMuxerHandle muxer);

    [LibraryImport(Library, EntryPoint = "cuframes_av_mux_take_output")]
    internal static partial int TakeOutput(AvMuxerHandle muxer, long* position, byte** data, nuint* bytes);

    [LibraryImport(Library, EntryPoint = "cuframes_av_mux_get_counts")]
    internal static partial int GetCounts(AvMuxerHandle muxer, Counts* counts);

    [LibraryImport(Library, EntryPoint = "cuframes_av_mux_error_text")]
    internal static partial nuint ErrorText(AvMuxerHandle muxer, byte* text, nuint capacity);

    [StructLayout(LayoutKind.Sequential)]
    internal struct Options
    {
        public uint Size;
        public uint Container;
        public uint Flags;
        public uint Reserved;
        public long Shift;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct Track
    {
        public uint Size;
        public uint Kind;
        public Text40 Codec;
        public Text16 Language;
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
        public ulong ChannelLayout;
        public int SamplesPerPacket;
        public int BitsPerSample;
        public int BlockAlign;
        public int InitialPadding;
        public int SeekPreroll;
        public int ReorderDelay;
        public byte Matrix;
        public byte Range;
        public byte Primaries;
        public byte Transfer;
        public byte ChromaLocation;
        public byte FieldOrder;
        public byte Rotation;
        public byte Reserved;
        public uint ExtradataSize;
        public byte* Extradata;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct PacketInfo
    {
        public uint Size;
        public uint Track;
        public long Pts;
        public long Dts;
        public long Duration;
        public uint Flags;
        public uint Reserved;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct Counts
    {
        public uint Size;
        public uint IsStarted;
        public ulong Written;
        public ulong Refused;
        public ulong Held;
        public long Shift;
    }

    [InlineArray(40)]
    internal struct Text40
    {
        private byte _first;
    }

    [InlineArray(16)]
    internal struct Text16
    {
        private byte _first;
    }
}
