using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace CuFrames.Media.Internal;

/// <summary>The functions and structs of media/shim/cuframes_av.h, which documents them.</summary>
internal static unsafe partial class AvNative
{
    internal const uint Abi = 5;
    internal const long NoTime = long.MinValue;
    internal const uint LowDelay = 1;
    internal const uint AllTracks = 2;

    internal const uint TrackVideo = 1;
    internal const uint TrackAudio = 2;

    internal const uint PacketKey = 1;
    internal const uint PacketCorrupt = 2;
    internal const uint PacketDisposable = 4;
    internal const uint PacketNewParameters = 8;

    internal const uint FrameKey = 1;
    internal const uint FrameCorrupt = 2;
    internal const uint FrameInterlaced = 4;
    internal const uint FrameTopFieldFirst = 8;
    internal const uint FrameConverted = 16;
    internal const uint FrameCuda = 32;

    internal const uint DecodeSoftware = 0;
    internal const uint DecodeNvdec = 1;

    internal const int Ok = 0;
    internal const int End = 1;
    internal const int Again = 2;
    internal const int NoMemory = -2;
    internal const int InvalidData = -19;
    internal const int NvdecUnsupported = -25;
    internal const int NvdecBusy = -26;

    private const string Library = "cuframes_av";

    [LibraryImport(Library, EntryPoint = "cuframes_av_get_versions")]
    internal static partial int GetVersions(Versions* versions);

    [LibraryImport(Library, EntryPoint = "cuframes_av_has_decoder", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int HasDecoder(string name);

    [LibraryImport(Library, EntryPoint = "cuframes_av_create")]
    internal static partial AvSourceHandle Create();

    [LibraryImport(Library, EntryPoint = "cuframes_av_free")]
    internal static partial void Free(nint source);

    [LibraryImport(Library, EntryPoint = "cuframes_av_open", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int Open(AvSourceHandle source, string url, string? secrets, Options* options);

    [LibraryImport(Library, EntryPoint = "cuframes_av_open_decoder")]
    internal static partial int OpenDecoder(AvSourceHandle source, Decoder* decoder);

    [LibraryImport(Library, EntryPoint = "cuframes_av_close_decoder")]
    internal static partial void CloseDecoder(AvSourceHandle source);

    [LibraryImport(Library, EntryPoint = "cuframes_av_nvdec_codecs")]
    internal static partial nuint NvdecCodecs(byte* text, nuint capacity);

    [LibraryImport(Library, EntryPoint = "cuframes_av_get_nvdec_caps", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int GetNvdecCaps(nint context, string codec, uint bitDepth, uint chroma, NvdecCaps* caps, byte* error, nuint errorCapacity);

    [LibraryImport(Library, EntryPoint = "cuframes_av_abort")]
    internal static partial void Abort(AvSourceHandle source);

    [LibraryImport(Library, EntryPoint = "cuframes_av_get_stream_info")]
    internal static partial int GetStreamInfo(AvSourceHandle source, StreamInfo* info);

    [LibraryImport(Library, EntryPoint = "cuframes_av_read_packet")]
    internal static partial int ReadPacket(AvSourceHandle source, PacketInfo* info);

    [LibraryImport(Library, EntryPoint = "cuframes_av_send_packet")]
    internal static partial int SendPacket(AvSourceHandle source, ulong number);

    [LibraryImport(Library, EntryPoint = "cuframes_av_send_coded")]
    internal static partial int SendCoded(AvSourceHandle source, Coded* coded);

    [LibraryImport(Library, EntryPoint = "cuframes_av_flush")]
    internal static partial int Flush(AvSourceHandle source);

    [LibraryImport(Library, EntryPoint = "cuframes_av_get_track")]
    internal static partial int GetTrack(AvSourceHandle source, uint index, Track* track);

    [LibraryImport(Library, EntryPoint = "cuframes_av_send_end")]
    internal static partial int SendEnd(AvSourceHandle source);

    [LibraryImport(Library, EntryPoint = "cuframes_av_receive_frame")]
    internal static partial int ReceiveFrame(AvSourceHandle source, FrameInfo* info);

    [LibraryImport(Library, EntryPoint = "cuframes_av_decoder_messages")]
    internal static partial ulong DecoderMessages(AvSourceHandle source);

    [LibraryImport(Library, EntryPoint = "cuframes_av_frame_copy")]
    internal static partial int FrameCopy(AvSourceHandle source, PicturePlane* planes, uint planeCount);

    [LibraryImport(Library, EntryPoint = "cuframes_av_scaler_create")]
    internal static partial AvScalerHandle CreateScaler();

    [LibraryImport(Library, EntryPoint = "cuframes_av_scaler_free")]
    internal static partial void FreeScaler(nint scaler);

    [LibraryImport(Library, EntryPoint = "cuframes_av_frame_scale")]
    internal static partial int FrameScale(AvSourceHandle source, AvScalerHandle scaler, Scaling* scaling, PicturePlane* planes, uint planeCount);

    [LibraryImport(Library, EntryPoint = "cuframes_av_picture_scale")]
    internal static partial int PictureScale(
        AvScalerHandle scaler, Picture* picture, Scaling* scaling, PicturePlane* planes, uint planeCount, byte* error, nuint errorCapacity);

    [LibraryImport(Library, EntryPoint = "cuframes_av_error_text")]
    internal static partial nuint ErrorText(AvSourceHandle source, byte* text, nuint capacity);

    [LibraryImport(Library, EntryPoint = "cuframes_av_take_log")]
    internal static partial nuint TakeLog(AvSourceHandle source, byte* text, nuint capacity);

    [LibraryImport(Library, EntryPoint = "cuframes_av_to_rgb24")]
    internal static partial int ToRgb24(
        uint format, uint width, uint height, PicturePlane* planes, uint planeCount, uint matrix, uint range, byte* rgb, nuint rgbPitch,
        byte* error, nuint errorCapacity);

    [LibraryImport(Library, EntryPoint = "cuframes_av_encode_png")]
    internal static partial int EncodePng(
        byte* rgb, nuint pitch, uint width, uint height, byte** png, nuint* pngSize, byte* error, nuint errorCapacity);

    [LibraryImport(Library, EntryPoint = "cuframes_av_buffer_free")]
    internal static partial void BufferFree(byte* buffer);

    [LibraryImport(Library, EntryPoint = "cuframes_av_jpeg_encoder_create")]
    internal static partial AvJpegEncoderHandle CreateJpegEncoder();

    [LibraryImport(Library, EntryPoint = "cuframes_av_jpeg_encoder_free")]
    internal static partial void FreeJpegEncoder(nint encoder);

    [LibraryImport(Library, EntryPoint = "cuframes_av_encode_jpeg")]
    internal static partial int EncodeJpeg(
        AvJpegEncoderHandle encoder, Picture* picture, byte** jpeg, nuint* jpegSize, byte* error, nuint errorCapacity);

    [LibraryImport(Library, EntryPoint = "cuframes_av_redact", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial nuint Redact(string text, string? secrets, byte* result, nuint capacity);

    /// <summary>The text in a fixed field, up to its terminator.</summary>
    internal static string TextOf(ReadOnlySpan<byte> field)
    {
        int end = field.IndexOf((byte)0);
        return System.Text.Encoding.UTF8.GetString(end < 0 ? field : field[..end]);
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct Options
    {
        public uint Size;
        public uint Transport;
        public long OpenTimeout;
        public long StallTimeout;
        public int DecodeThreads;
        public uint Flags;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct Decoder
    {
        public uint Size;
        public uint Mode;
        public nint CudaContext;
        public nint CudaStream;
        public uint ExtraSurfaces;
        public uint Reserved;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct NvdecCaps
    {
        public uint Size;
        public uint IsSupported;
        public uint Engines;
        public uint MinWidth;
        public uint MinHeight;
        public uint MaxWidth;
        public uint MaxHeight;
        public uint MaxMacroblocks;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct StreamInfo
    {
        public uint Size;
        public uint Width;
        public uint Height;
        public uint IsLive;
        public int FrameRateNumerator;
        public int FrameRateDenominator;
        public long Duration;
        public long Start;
        public Text32 Container;
        public Text32 Codec;
        public Text64 Profile;
        public Text32 PixelFormat;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct PacketInfo
    {
        public uint Size;
        public uint Bytes;
        public uint Track;
        public uint Flags;
        public long Pts;
        public long Dts;
        public long Duration;
        public long Arrival;
        public long CaptureWall;
        public nint Data;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct Coded
    {
        public uint Size;
        public uint Bytes;
        public uint Flags;
        public uint Reserved;
        public long Pts;
        public long Dts;
        public long Duration;
        public long Arrival;
        public ulong Number;
        public nint Data;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct Track
    {
        public uint Size;
        public uint Kind;
        public int TimeBaseNumerator;
        public int TimeBaseDenominator;
        public uint Width;
        public uint Height;
        public int FrameRateNumerator;
        public int FrameRateDenominator;
        public int SampleAspectNumerator;
        public int SampleAspectDenominator;
        public uint SampleRate;
        public uint Channels;
        public ulong ChannelLayout;
        public uint SamplesPerPacket;
        public uint BitsPerSample;
        public uint BlockAlign;
        public uint InitialPadding;
        public uint SeekPreroll;
        public uint ReorderDelay;
        public byte Matrix;
        public byte Primaries;
        public byte Transfer;
        public byte Range;
        public byte ChromaLocation;
        public byte FieldOrder;
        public byte Rotation;
        public byte Reserved;
        public uint ExtradataBytes;
        public uint Reserved2;
        public nint Extradata;
        public Text32 Codec;
        public Text8 Language;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct FrameInfo
    {
        public uint Size;
        public uint Format;
        public uint Width;
        public uint Height;
        public long Pts;
        public long Duration;
        public long Arrival;
        public long CaptureWall;
        public ulong PacketNumber;
        public uint Flags;
        public uint Rotation;
        public byte PictureType;
        public byte Matrix;
        public byte Primaries;
        public byte Transfer;
        public byte Range;
        public byte ChromaLocation;
        public byte CropShiftX;
        public byte CropShiftY;
        public Pointers4 Planes;
        public Strides4 Strides;
        public Text32 SourceFormat;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct Picture
    {
        public uint Size;
        public uint Format;
        public uint Width;
        public uint Height;
        public uint Matrix;
        public uint Range;
        public Planes3 Planes;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct Scaling
    {
        public uint Size;
        public uint Format;
        public uint Width;
        public uint Height;
        public uint SourceX;
        public uint SourceY;
        public uint SourceWidth;
        public uint SourceHeight;
        public uint TargetX;
        public uint TargetY;
        public uint TargetWidth;
        public uint TargetHeight;
        public uint Filter;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct Versions
    {
        public uint Size;
        public uint Abi;
        public uint AvformatBuilt;
        public uint AvformatLoaded;
        public uint AvcodecBuilt;
        public uint AvcodecLoaded;
        public uint AvutilBuilt;
        public uint AvutilLoaded;
        public uint SwscaleBuilt;
        public uint SwscaleLoaded;
        public Text64 Release;
        public Text256 HardwareDevices;
    }

    [InlineArray(3)]
    internal struct Planes3
    {
        private PicturePlane _first;
    }

    [InlineArray(4)]
    internal struct Pointers4
    {
        private nint _first;
    }

    [InlineArray(4)]
    internal struct Strides4
    {
        private int _first;
    }

    [InlineArray(8)]
    internal struct Text8
    {
        private byte _first;
    }

    [InlineArray(32)]
    internal struct Text32
    {
        private byte _first;
    }

    [InlineArray(64)]
    internal struct Text64
    {
        private byte _first;
    }

    [InlineArray(256)]
    internal struct Text256
    {
        private byte _first;
    }
}
