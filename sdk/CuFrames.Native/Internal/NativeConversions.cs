using CuFrames.Client;
using CuFrames.Protocol;

namespace CuFrames.Native.Internal;

/// <summary>What subscribers, publishers and the directory write into structures alike.</summary>
internal static unsafe class NativeConversions
{
    /// <summary>A device's UUID in the order of bytes that CUDA has it: of text, not of <see cref="Guid"/>'s own layout.</summary>
    public static void Write(Guid uuid, byte* bytes16) => _ = uuid.TryWriteBytes(new Span<byte>(bytes16, 16), bigEndian: true, out _);

    /// <summary>The format of a stream as its publisher describes it.</summary>
    public static NativeFormat FormatOf(StreamDescription description) => new()
    {
        Size = (uint)sizeof(NativeFormat),
        PixelFormat = (uint)description.PixelFormat,
        Width = (uint)description.Width,
        Height = (uint)description.Height,
        RateNumerator = description.FrameRateNumerator,
        RateDenominator = description.FrameRateDenominator,
        ColourMatrix = description.ColourMatrix,
        ColourRange = (byte)description.ColourRange,
        ColourPrimaries = description.ColourPrimaries,
        ColourTransfer = description.ColourTransfer,
    };

    /// <summary>A publisher's format.</summary>
    public static NativeFormat FormatOf(in StreamFormat format) => new()
    {
        Size = (uint)sizeof(NativeFormat),
        PixelFormat = (uint)format.PixelFormat,
        Width = (uint)format.Width,
        Height = (uint)format.Height,
        RateNumerator = format.FrameRateNumerator,
        RateDenominator = format.FrameRateDenominator,
        ColourMatrix = format.ColourMatrix,
        ColourRange = (byte)format.ColourRange,
        ColourPrimaries = format.ColourPrimaries,
        ColourTransfer = format.ColourTransfer,
    };

    /// <summary>A format that came in. Whether there is such a picture is the publisher's to say.</summary>
    /// <exception cref="LibraryException">INVALID_ARGUMENT: the colour range is none.</exception>
    public static StreamFormat FormatOf(in NativeFormat format) => format.ColourRange <= (byte)ColourRange.Full
        ? new StreamFormat((PixelFormat)format.PixelFormat, ToCount(format.Width), ToCount(format.Height))
        {
            FrameRateNumerator = format.RateNumerator,
            FrameRateDenominator = format.RateDenominator,
            ColourMatrix = OrUnspecified(format.ColourMatrix),
            ColourRange = (ColourRange)format.ColourRange,
            ColourPrimaries = OrUnspecified(format.ColourPrimaries),
            ColourTransfer = OrUnspecified(format.ColourTransfer),
        }
        : throw new LibraryException(LibraryError.InvalidArgument,
            $"colour_range of the format is {format.ColourRange}; it is one of enum cuframes_colour_range: 0 unknown, 1 limited, 2 full.");

    /// <summary>A state that a publisher tells.</summary>
    /// <exception cref="LibraryException">INVALID_ARGUMENT: no publisher can tell it.</exception>
    public static StreamState StateOf(uint state) => (StreamState)state is StreamState.Starting or StreamState.Live or StreamState.SourceLost
        ? (StreamState)state
        : throw new LibraryException(LibraryError.InvalidArgument,
            $"A publisher cannot tell state {state}: it is one of 0 starting, 1 live, 2 source lost. A stream ends when its publisher is closed.");

    /// <summary>What is too large stays too large.</summary>
    private static int ToCount(uint value) => (int)Math.Min(value, int.MaxValue);

    /// <summary>In ITU-T H.273 2 is unspecified, and a structure that was not filled in has 0.</summary>
    private static byte OrUnspecified(byte value) => value == 0 ? (byte)2 : value;
}
