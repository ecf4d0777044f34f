using System.Buffers.Binary;
using System.Reflection;

namespace CuFrames.Protocol.Tests;

/// <summary>Parameter sets (docs/protocol.md 14.7).</summary>
public sealed class TrackParametersTests
{
    /// <summary>Every property holds a number of its own.</summary>
    private static TrackParameters Full { get; } = new()
    {
        Codec = Codec.Hevc,
        CodecName = "hevc",
        TimeBaseNumerator = 3,
        TimeBaseDenominator = 90_001,
        Width = 1921,
        Height = 1081,
        FrameRateNumerator = 30_000,
        FrameRateDenominator = 1_001,
        SampleAspectNumerator = 4,
        SampleAspectDenominator = 5,
        SampleRate = 48_000,
        Channels = 6,
        ChannelLayout = 0x8000_0000_0000_060F,
        SamplesPerPacket = 1_024,
        BitsPerSample = 7,
        BlockAlign = 8,
        InitialPadding = 312,
        SeekPreroll = 3_840,
        ReorderDelay = 2,
        ColourMatrix = 9,
        ColourRange = ColourRange.Full,
        ColourPrimaries = 10,
        ColourTransfer = 16,
        ChromaLocation = 11,
        FieldOrder = 12,
        Rotation = 13,
        Extradata = new byte[] { 0, 0, 0, 1, 0x67, 0xFF },
    };

    [Fact]
    public void Every_value_lies_where_the_layout_says_and_comes_back()
    {
        byte[] entry = new byte[TrackParametersLayout.Size];
        Array.Fill(entry, (byte)0xEE);
        Full.Write(entry, 77);
        Assert.Equal(77u, BinaryPrimitives.ReadUInt32LittleEndian(entry.AsSpan(TrackParametersLayout.NumberOffset)));
        int compared = 1;
        foreach (FieldInfo field in typeof(TrackParametersLayout).GetFields().Where(field => field.IsDefined(typeof(WireFieldAttribute))))
        {
            string name = field.Name[..^"Offset".Length];
            WireFieldAttribute mark = field.GetCustomAttribute<WireFieldAttribute>()!;
            if (mark.Type == "bytes" || name is "Number" or "ExtradataSize")
            {
                continue;
            }

            byte[] bytes = new byte[8];
            entry.AsSpan((int)field.GetRawConstantValue()!, mark.Size).CopyTo(bytes);
            object value = typeof(TrackParameters).GetProperty(name)!.GetValue(Full)!;
            Assert.Equal(Convert.ToUInt64(value, System.Globalization.CultureInfo.InvariantCulture), BitConverter.ToUInt64(bytes));
            compared++;
        }

        Assert.Equal(26, compared);
        Assert.Equal("hevc\0"u8, entry.AsSpan(TrackParametersLayout.CodecNameOffset, 5));
        Assert.Equal(6u, BinaryPrimitives.ReadUInt32LittleEndian(entry.AsSpan(TrackParametersLayout.ExtradataSizeOffset)));
        Assert.Equal(Full.Extradata.Span, entry.AsSpan(TrackParametersLayout.ExtradataOffset, 6));
        TrackParameters read = TrackParameters.Read(entry, 77);
        Assert.Equal(Full, read);
        Assert.Equal(Full.GetHashCode(), read.GetHashCode());
        Assert.NotEqual(Full, Full with { Extradata = new byte[] { 0, 0, 0, 1, 0x67, 0xFE } });
    }

    /// <summary>A change of any property makes another set.</summary>
    [Fact]
    public void Sets_differ_when_a_property_does()
    {
        byte[] entry = new byte[TrackParametersLayout.Size];
        foreach (FieldInfo field in typeof(TrackParametersLayout).GetFields().Where(field => field.IsDefined(typeof(WireFieldAttribute))))
        {
            if (field.Name is nameof(TrackParametersLayout.NumberOffset) or nameof(TrackParametersLayout.ExtradataSizeOffset))
            {
                continue;
            }

            Full.Write(entry, 1);
            entry[(int)field.GetRawConstantValue()!] ^= 1;
            Assert.NotEqual(Full, TrackParameters.Read(entry, 1));
        }
    }

    public static TheoryData<string, uint> Faults => new()
    {
        { nameof(TrackParametersLayout.NumberOffset), 2 },
        { nameof(TrackParametersLayout.TimeBaseNumeratorOffset), 0 },
        { nameof(TrackParametersLayout.TimeBaseDenominatorOffset), 0 },
        { nameof(TrackParametersLayout.TimeBaseDenominatorOffset), 1u << 31 },
        { nameof(TrackParametersLayout.WidthOffset), Wire.MaxDimension + 1 },
        { nameof(TrackParametersLayout.HeightOffset), uint.MaxValue },
        { nameof(TrackParametersLayout.ChannelsOffset), 256 },
        { nameof(TrackParametersLayout.SampleRateOffset), 1u << 31 },
        { nameof(TrackParametersLayout.FrameRateDenominatorOffset), 1u << 31 },
        { nameof(TrackParametersLayout.ExtradataSizeOffset), TrackParametersLayout.MaxExtradataSize + 1 },
        { nameof(TrackParametersLayout.ExtradataSizeOffset), uint.MaxValue },
        { nameof(TrackParametersLayout.CodecNameOffset), 0x80 },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public void Faults_are_found(string offset, uint value)
    {
        byte[] entry = new byte[TrackParametersLayout.Size];
        Full.Write(entry, 1);
        BinaryPrimitives.WriteUInt32LittleEndian(entry.AsSpan((int)typeof(TrackParametersLayout).GetField(offset)!.GetRawConstantValue()!), value);
        Assert.Equal(ErrorCode.PacketInvalid, Refusal.Of(() => TrackParameters.Read(entry, 1)).Code);
    }

    [Fact]
    public void What_cannot_be_read_is_not_written()
    {
        byte[] entry = new byte[TrackParametersLayout.Size];
        TrackParameters[] faulty =
        [
            Full with { TimeBaseDenominator = 0 }, Full with { CodecName = new string('a', 33) }, Full with { CodecName = "größe" },
            Full with { Extradata = new byte[TrackParametersLayout.MaxExtradataSize + 1] }, Full with { Channels = -1 },
        ];
        Assert.All(faulty, set => Assert.Equal(ErrorCode.ConfigurationInvalid, Assert.Throws<CuFramesException>(() => set.Write(entry, 1)).Code));
        Assert.All(entry, value => Assert.Equal(0, value));
        TrackParameters largest = Full with { Extradata = Enumerable.Range(0, TrackParametersLayout.MaxExtradataSize).Select(i => (byte)i).ToArray(), CodecName = new string('a', 32) };
        largest.Write(entry, 1);
        Assert.Equal(largest, TrackParameters.Read(entry, 1));
    }
}
