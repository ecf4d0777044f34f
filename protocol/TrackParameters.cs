using System.Buffers.Binary;

namespace CuFrames.Protocol;

/// <summary>What a decoder and a container need to know of a track besides its packets (docs/protocol.md 14.7). Never changes: a change of
/// parameters is another object.</summary>
public sealed record TrackParameters
{
    /// <summary>The codec; <see cref="Codec.Other"/>: <see cref="CodecName"/> says which.</summary>
    public Codec Codec { get; init; }

    /// <summary>libavcodec's name of the codec, at most 32 characters of printable ASCII.</summary>
    public string CodecName { get; init; } = "";

    /// <summary>Numerator of the unit of times, in seconds; at least 1.</summary>
    public int TimeBaseNumerator { get; init; } = 1;

    /// <summary>Denominator of the unit of times, in seconds; at least 1. 90,000 is usual for video.</summary>
    public int TimeBaseDenominator { get; init; } = 90_000;

    /// <summary>Visible columns; 0 for other tracks than video, and while not known.</summary>
    public int Width { get; init; }

    /// <summary>Visible rows; 0 for other tracks than video, and while not known.</summary>
    public int Height { get; init; }

    /// <summary>Pictures per second as announced by the source: numerator; 0 while not known.</summary>
    public int FrameRateNumerator { get; init; }

    /// <summary>Pictures per second as announced by the source: denominator.</summary>
    public int FrameRateDenominator { get; init; }

    /// <summary>Width of a sample by its height: numerator; 0 while not known.</summary>
    public int SampleAspectNumerator { get; init; }

    /// <summary>Width of a sample by its height: denominator.</summary>
    public int SampleAspectDenominator { get; init; }

    /// <summary>Samples per second and channel; 0 for other tracks than audio.</summary>
    public int SampleRate { get; init; }

    /// <summary>Channels of sound, at most 255.</summary>
    public int Channels { get; init; }

    /// <summary>Speakers as in WAVEFORMATEXTENSIBLE, one bit each; 0: not known.</summary>
    public ulong ChannelLayout { get; init; }

    /// <summary>Samples per channel in each packet; 0: it changes, or is not known.</summary>
    public int SamplesPerPacket { get; init; }

    /// <summary>Bits per coded sample; 0 where that says nothing.</summary>
    public int BitsPerSample { get; init; }

    /// <summary>Bytes of a block of coded samples; 0 where that says nothing.</summary>
    public int BlockAlign { get; init; }

    /// <summary>Samples to drop at the beginning of the sound.</summary>
    public int InitialPadding { get; init; }

    /// <summary>Samples to decode and drop after a jump.</summary>
    public int SeekPreroll { get; init; }

    /// <summary>Pictures by which output may lag behind input.</summary>
    public int ReorderDelay { get; init; }

    /// <summary>Matrix coefficients of ITU-T H.273.</summary>
    public byte ColourMatrix { get; init; }

    /// <summary>Range of the samples.</summary>
    public ColourRange ColourRange { get; init; }

    /// <summary>Colour primaries of ITU-T H.273.</summary>
    public byte ColourPrimaries { get; init; }

    /// <summary>Transfer characteristics of ITU-T H.273.</summary>
    public byte ColourTransfer { get; init; }

    /// <summary>Chroma sample location type of ITU-T H.273 plus 1; 0: not known.</summary>
    public byte ChromaLocation { get; init; }

    /// <summary>0 not known, 1 progressive, 2 top field first, 3 bottom field first.</summary>
    public byte FieldOrder { get; init; }

    /// <summary>Clockwise quarter turns to apply for display, 0 to 3.</summary>
    public byte Rotation { get; init; }

    /// <summary>What libavcodec calls extradata, such as SPS and PPS, byte for byte as the source gave it; at most
    /// <see cref="TrackParametersLayout.MaxExtradataSize"/> bytes.</summary>
    public ReadOnlyMemory<byte> Extradata { get; init; }

    /// <summary>Reads a copy of a set that a peer wrote.</summary>
    /// <param name="entry">The entry, <see cref="TrackParametersLayout.Size"/> bytes.</param>
    /// <param name="number">The number that the set should have.</param>
    /// <exception cref="ProtocolException">PACKET_INVALID: the set breaks the protocol.</exception>
    public static TrackParameters Read(ReadOnlySpan<byte> entry, uint number)
    {
        uint found = U32(entry, TrackParametersLayout.NumberOffset);
        uint extradata = U32(entry, TrackParametersLayout.ExtradataSizeOffset);
        string? name = FixedText.Read(entry.Slice(TrackParametersLayout.CodecNameOffset, MaxCodecNameLength));
        if (found != number || extradata > TrackParametersLayout.MaxExtradataSize || name is null)
        {
            throw new ProtocolException(ErrorCode.PacketInvalid,
                $"Parameter set {number} cannot be used: its number is {found}, its extradata has {extradata} bytes, its codec's name is {name ?? "no text"}.");
        }

        TrackParameters parameters = new()
        {
            Codec = (Codec)U32(entry, TrackParametersLayout.CodecOffset),
            CodecName = name,
            TimeBaseNumerator = I32(entry, TrackParametersLayout.TimeBaseNumeratorOffset),
            TimeBaseDenominator = I32(entry, TrackParametersLayout.TimeBaseDenominatorOffset),
            Width = I32(entry, TrackParametersLayout.WidthOffset),
            Height = I32(entry, TrackParametersLayout.HeightOffset),
            FrameRateNumerator = I32(entry, TrackParametersLayout.FrameRateNumeratorOffset),
            FrameRateDenominator = I32(entry, TrackParametersLayout.FrameRateDenominatorOffset),
            SampleAspectNumerator = I32(entry, TrackParametersLayout.SampleAspectNumeratorOffset),
            SampleAspectDenominator = I32(entry, TrackParametersLayout.SampleAspectDenominatorOffset),
            SampleRate = I32(entry, TrackParametersLayout.SampleRateOffset),
            Channels = I32(entry, TrackParametersLayout.ChannelsOffset),
            ChannelLayout = BinaryPrimitives.ReadUInt64LittleEndian(entry[TrackParametersLayout.ChannelLayoutOffset..]),
            SamplesPerPacket = I32(entry, TrackParametersLayout.SamplesPerPacketOffset),
            BitsPerSample = I32(entry, TrackParametersLayout.BitsPerSampleOffset),
            BlockAlign = I32(entry, TrackParametersLayout.BlockAlignOffset),
            InitialPadding = I32(entry, TrackParametersLayout.InitialPaddingOffset),
            SeekPreroll = I32(entry, TrackParametersLayout.SeekPrerollOffset),
            ReorderDelay = I32(entry, TrackParametersLayout.ReorderDelayOffset),
            ColourMatrix = entry[TrackParametersLayout.ColourMatrixOffset],
            ColourRange = (ColourRange)entry[TrackParametersLayout.ColourRangeOffset],
            ColourPrimaries = entry[TrackParametersLayout.ColourPrimariesOffset],
            ColourTransfer = entry[TrackParametersLayout.ColourTransferOffset],
            ChromaLocation = entry[TrackParametersLayout.ChromaLocationOffset],
            FieldOrder = entry[TrackParametersLayout.FieldOrderOffset],
            Rotation = entry[TrackParametersLayout.RotationOffset],
            Extradata = entry.Slice(TrackParametersLayout.ExtradataOffset, (int)extradata).ToArray(),
        };
        return parameters.FindFault() is { } fault
            ? throw new ProtocolException(ErrorCode.PacketInvalid, $"Parameter set {number} cannot be used: {fault}.")
            : parameters;
    }

    /// <summary>Writes an entry.</summary>
    /// <param name="entry">Room for it, <see cref="TrackParametersLayout.Size"/> bytes.</param>
    /// <param name="number">The set's number.</param>
    /// <exception cref="CuFramesException">CONFIGURATION_INVALID: a value is out of range.</exception>
    public void Write(Span<byte> entry, uint number)
    {
        if (FindFault() is { } fault)
        {
            throw new CuFramesException(ErrorCode.ConfigurationInvalid, $"A track's parameters cannot be published: {fault}.");
        }

        Span<byte> head = entry[..TrackParametersLayout.ExtradataOffset];
        head.Clear();
        Set(head, TrackParametersLayout.NumberOffset, (int)number);
        Set(head, TrackParametersLayout.CodecOffset, (int)Codec);
        Set(head, TrackParametersLayout.TimeBaseNumeratorOffset, TimeBaseNumerator);
        Set(head, TrackParametersLayout.TimeBaseDenominatorOffset, TimeBaseDenominator);
        Set(head, TrackParametersLayout.WidthOffset, Width);
        Set(head, TrackParametersLayout.HeightOffset, Height);
        Set(head, TrackParametersLayout.FrameRateNumeratorOffset, FrameRateNumerator);
        Set(head, TrackParametersLayout.FrameRateDenominatorOffset, FrameRateDenominator);
        Set(head, TrackParametersLayout.SampleAspectNumeratorOffset, SampleAspectNumerator);
        Set(head, TrackParametersLayout.SampleAspectDenominatorOffset, SampleAspectDenominator);
        Set(head, TrackParametersLayout.SampleRateOffset, SampleRate);
        Set(head, TrackParametersLayout.ChannelsOffset, Channels);
        BinaryPrimitives.WriteUInt64LittleEndian(head[TrackParametersLayout.ChannelLayoutOffset..], ChannelLayout);
        Set(head, TrackParametersLayout.SamplesPerPacketOffset, SamplesPerPacket);
        Set(head, TrackParametersLayout.BitsPerSampleOffset, BitsPerSample);
        Set(head, TrackParametersLayout.BlockAlignOffset, BlockAlign);
        Set(head, TrackParametersLayout.InitialPaddingOffset, InitialPadding);
        Set(head, TrackParametersLayout.SeekPrerollOffset, SeekPreroll);
        Set(head, TrackParametersLayout.ReorderDelayOffset, ReorderDelay);
        head[TrackParametersLayout.ColourMatrixOffset] = ColourMatrix;
        head[TrackParametersLayout.ColourRangeOffset] = (byte)ColourRange;
        head[TrackParametersLayout.ColourPrimariesOffset] = ColourPrimaries;
        head[TrackParametersLayout.ColourTransferOffset] = ColourTransfer;
        head[TrackParametersLayout.ChromaLocationOffset] = ChromaLocation;
        head[TrackParametersLayout.FieldOrderOffset] = FieldOrder;
        head[TrackParametersLayout.RotationOffset] = Rotation;
        FixedText.Write(head.Slice(TrackParametersLayout.CodecNameOffset, MaxCodecNameLength), CodecName);
        Set(head, TrackParametersLayout.ExtradataSizeOffset, Extradata.Length);
        Extradata.Span.CopyTo(entry[TrackParametersLayout.ExtradataOffset..]);
    }

    /// <summary>Whether another set says the same, extradata compared byte by byte.</summary>
    /// <param name="other">The other set.</param>
    public bool Equals(TrackParameters? other) =>
        other is not null && Extradata.Span.SequenceEqual(other.Extradata.Span) &&
        (Codec, CodecName, TimeBaseNumerator, TimeBaseDenominator, Width, Height) ==
        (other.Codec, other.CodecName, other.TimeBaseNumerator, other.TimeBaseDenominator, other.Width, other.Height) &&
        (FrameRateNumerator, FrameRateDenominator, SampleAspectNumerator, SampleAspectDenominator) ==
        (other.FrameRateNumerator, other.FrameRateDenominator, other.SampleAspectNumerator, other.SampleAspectDenominator) &&
        (SampleRate, Channels, ChannelLayout, SamplesPerPacket, BitsPerSample, BlockAlign, InitialPadding, SeekPreroll, ReorderDelay) ==
        (other.SampleRate, other.Channels, other.ChannelLayout, other.SamplesPerPacket, other.BitsPerSample, other.BlockAlign, other.InitialPadding, other.SeekPreroll, other.ReorderDelay) &&
        (ColourMatrix, ColourRange, ColourPrimaries, ColourTransfer, ChromaLocation, FieldOrder, Rotation) ==
        (other.ColourMatrix, other.ColourRange, other.ColourPrimaries, other.ColourTransfer, other.ChromaLocation, other.FieldOrder, other.Rotation);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Codec, CodecName, TimeBaseDenominator, Width, Height, SampleRate, Channels, Extradata.Length);

    private const int MaxCodecNameLength = 32;

    private static uint U32(ReadOnlySpan<byte> entry, int offset) => BinaryPrimitives.ReadUInt32LittleEndian(entry[offset..]);

    private static int I32(ReadOnlySpan<byte> entry, int offset) => BinaryPrimitives.ReadInt32LittleEndian(entry[offset..]);

    private static void Set(Span<byte> entry, int offset, int value) => BinaryPrimitives.WriteInt32LittleEndian(entry[offset..], value);

    /// <returns>Null when every value is in its range, else which is not.</returns>
    private string? FindFault()
    {
        if (TimeBaseNumerator < 1 || TimeBaseDenominator < 1)
        {
            return $"the time base is {TimeBaseNumerator}/{TimeBaseDenominator}; both are at least 1";
        }

        if (Width is < 0 or > Wire.MaxDimension || Height is < 0 or > Wire.MaxDimension)
        {
            return $"a picture of {Width}x{Height} is not possible; {Wire.MaxDimension} columns and rows are";
        }

        if (Channels is < 0 or > 255)
        {
            return $"{Channels} channels are not possible; 255 are";
        }

        if ((SampleRate | SamplesPerPacket | BitsPerSample | BlockAlign | InitialPadding | SeekPreroll | ReorderDelay) < 0 ||
            (FrameRateNumerator | FrameRateDenominator | SampleAspectNumerator | SampleAspectDenominator) < 0)
        {
            return "a number is above 2^31 - 1";
        }

        if (!FixedText.Fits(CodecName, MaxCodecNameLength))
        {
            return $"the codec's name is not {MaxCodecNameLength} characters of printable ASCII or fewer";
        }

        return Extradata.Length > TrackParametersLayout.MaxExtradataSize
            ? $"extradata has {Extradata.Length} bytes; {TrackParametersLayout.MaxExtradataSize} are possible"
            : null;
    }
}
