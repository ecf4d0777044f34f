using System.Buffers.Binary;

namespace CuFrames.Protocol;

/// <summary>A track as its publisher describes it (docs/protocol.md 14.3).</summary>
public sealed record TrackDescription
{
    /// <summary>Number of the track, from 0.</summary>
    public int Track { get; init; }

    /// <summary>What it carries.</summary>
    public TrackKind Kind { get; init; }

    /// <summary>How it is coded now.</summary>
    public Codec Codec { get; init; }

    /// <summary>libavcodec's name of the codec.</summary>
    public string CodecName { get; init; } = "";

    /// <summary>ISO 639-2 code of the language; empty: not known.</summary>
    public string Language { get; init; } = "";

    /// <summary>Visible columns; 0 for other tracks than video, and while not known.</summary>
    public int Width { get; init; }

    /// <summary>Visible rows; 0 for other tracks than video, and while not known.</summary>
    public int Height { get; init; }

    /// <summary>Samples per second and channel; 0 for other tracks than audio.</summary>
    public int SampleRate { get; init; }

    /// <summary>Channels; 0 for other tracks than audio.</summary>
    public int Channels { get; init; }

    /// <summary>Pictures per second as announced by the source: numerator; 0 while not known.</summary>
    public int FrameRateNumerator { get; init; }

    /// <summary>Pictures per second as announced by the source: denominator.</summary>
    public int FrameRateDenominator { get; init; }

    /// <summary>Packets of this track so far.</summary>
    public ulong Packets { get; init; }

    internal static TrackDescription Read(ReadOnlySpan<byte> value)
    {
        string? codecName = FixedText.Read(value.Slice(TrackDescriptionLayout.CodecNameOffset, 32));
        string? language = FixedText.Read(value.Slice(TrackDescriptionLayout.LanguageOffset, 8));
        TrackDescription description = new()
        {
            Track = I32(value, TrackDescriptionLayout.TrackOffset),
            Kind = (TrackKind)I32(value, TrackDescriptionLayout.KindOffset),
            Codec = (Codec)I32(value, TrackDescriptionLayout.CodecOffset),
            CodecName = codecName ?? "",
            Language = language ?? "",
            Width = I32(value, TrackDescriptionLayout.WidthOffset),
            Height = I32(value, TrackDescriptionLayout.HeightOffset),
            SampleRate = I32(value, TrackDescriptionLayout.SampleRateOffset),
            Channels = I32(value, TrackDescriptionLayout.ChannelsOffset),
            FrameRateNumerator = I32(value, TrackDescriptionLayout.FrameRateNumeratorOffset),
            FrameRateDenominator = I32(value, TrackDescriptionLayout.FrameRateDenominatorOffset),
            Packets = BinaryPrimitives.ReadUInt64LittleEndian(value[TrackDescriptionLayout.PacketsOffset..]),
        };
        if (codecName is null || language is null || description.Track is < 0 or >= PacketBlockLayout.TrackCapacity ||
            description.Width is < 0 or > Wire.MaxDimension || description.Height is < 0 or > Wire.MaxDimension || description.Channels is < 0 or > 255 ||
            (description.SampleRate | description.FrameRateNumerator | description.FrameRateDenominator) < 0)
        {
            throw new ProtocolException(ErrorCode.ProtocolError, $"TRACK has a value above its limit, or a name that is no text: {description}.");
        }

        return description;
    }

    internal void Write(Span<byte> value)
    {
        Set(value, TrackDescriptionLayout.TrackOffset, Track);
        Set(value, TrackDescriptionLayout.KindOffset, (int)Kind);
        Set(value, TrackDescriptionLayout.CodecOffset, (int)Codec);
        Set(value, TrackDescriptionLayout.WidthOffset, Width);
        Set(value, TrackDescriptionLayout.HeightOffset, Height);
        Set(value, TrackDescriptionLayout.SampleRateOffset, SampleRate);
        Set(value, TrackDescriptionLayout.ChannelsOffset, Channels);
        Set(value, TrackDescriptionLayout.FrameRateNumeratorOffset, FrameRateNumerator);
        Set(value, TrackDescriptionLayout.FrameRateDenominatorOffset, FrameRateDenominator);
        BinaryPrimitives.WriteUInt64LittleEndian(value[TrackDescriptionLayout.PacketsOffset..], Packets);
        FixedText.Write(value.Slice(TrackDescriptionLayout.LanguageOffset, 8), Language);
        FixedText.Write(value.Slice(TrackDescriptionLayout.CodecNameOffset, 32), CodecName);
    }

    private static int I32(ReadOnlySpan<byte> value, int offset) => BinaryPrimitives.ReadInt32LittleEndian(value[offset..]);

    private static void Set(Span<byte> value, int offset, int number) => BinaryPrimitives.WriteInt32LittleEndian(value[offset..], number);
}
