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
}
