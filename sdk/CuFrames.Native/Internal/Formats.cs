using CuFrames.Client;
using CuFrames.Protocol;

namespace CuFrames.Native.Internal;

/// <summary>cuframes_format and what it stands for.</summary>
internal static unsafe class Formats
{
    // ITU-T H.273: unspecified.
    private const byte Unspecified = 2;

    /// <summary>A format that came in. Whether there is such a picture is the publisher's to say.</summary>
    /// <exception cref="LibraryException">INVALID_ARGUMENT: the colour range is none.</exception>
    public static StreamFormat Read(in NativeFormat format) => format.ColourRange <= (byte)ColourRange.Full
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

    public static NativeFormat Write(in StreamFormat format) => new()
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

    public static NativeFormat Write(StreamDescription description) => new()
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

    /// <summary>What is too large stays too large.</summary>
    private static int ToCount(uint value) => (int)Math.Min(value, int.MaxValue);

    private static byte OrUnspecified(byte value) => value == 0 ? Unspecified : value;
}
