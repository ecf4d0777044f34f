using System.Text;
using CuFrames.Client;
using CuFrames.Protocol;

namespace CuFrames.Native.Internal;

/// <summary>cuframes_packet_track and what it stands for.</summary>
internal static unsafe class PacketTracks
{
    /// <summary>Fills in a caller's structure.</summary>
    /// <exception cref="LibraryException">INVALID_ARGUMENT: null, or its size is not set.</exception>
    public static void Write(NativePacketTrack* destination, PacketTrack track, uint number, TrackParameters parameters)
    {
        NativePacketTrack filled = new()
        {
            Track = (uint)track.Number,
            Kind = (uint)track.Kind,
            Parameters = number,
            Codec = (uint)parameters.Codec,
            TimeBaseNumerator = parameters.TimeBaseNumerator,
            TimeBaseDenominator = parameters.TimeBaseDenominator,
            Width = parameters.Width,
            Height = parameters.Height,
            FrameRateNumerator = parameters.FrameRateNumerator,
            FrameRateDenominator = parameters.FrameRateDenominator,
            SampleAspectNumerator = parameters.SampleAspectNumerator,
            SampleAspectDenominator = parameters.SampleAspectDenominator,
            SampleRate = parameters.SampleRate,
            Channels = parameters.Channels,
            SamplesPerPacket = parameters.SamplesPerPacket,
            ChannelLayout = parameters.ChannelLayout,
            BitsPerSample = parameters.BitsPerSample,
            BlockAlign = parameters.BlockAlign,
            InitialPadding = parameters.InitialPadding,
            SeekPreroll = parameters.SeekPreroll,
            ReorderDelay = parameters.ReorderDelay,
            ExtradataSize = (uint)parameters.Extradata.Length,
            ColourMatrix = parameters.ColourMatrix,
            ColourRange = (byte)parameters.ColourRange,
            ColourPrimaries = parameters.ColourPrimaries,
            ColourTransfer = parameters.ColourTransfer,
            ChromaLocation = parameters.ChromaLocation,
            Rotation = parameters.Rotation,
            FieldOrder = parameters.FieldOrder,
        };
        NativeText.Copy(track.Language, filled.Language, NativePacketTrack.LanguageBytes);
        NativeText.Copy(parameters.CodecName, filled.CodecName, NativePacketTrack.CodecNameBytes);
        parameters.Extradata.Span.CopyTo(new Span<byte>(filled.Extradata, NativePacketTrack.ExtradataBytes));
        SizedStructure.Write(destination, filled, "cuframes_packet_track");
    }

    /// <summary>The parameters that came in. Whether they are possible is the publisher's to say.</summary>
    /// <exception cref="CuFramesException">CONFIGURATION_INVALID: extradata is too long.</exception>
    public static TrackParameters ParametersOf(in NativePacketTrack track)
    {
        if (track.ExtradataSize > NativePacketTrack.ExtradataBytes)
        {
            throw new CuFramesException(ErrorCode.ConfigurationInvalid,
                $"extradata_size of the track is {track.ExtradataSize}; {NativePacketTrack.ExtradataBytes} bytes are possible.");
        }

        fixed (NativePacketTrack* pinned = &track)
        {
            // Of codec and name either may be left out, where the table of codecs has the other.
            string name = TextOf(pinned->CodecName, NativePacketTrack.CodecNameBytes);
            Codec codec = track.Codec == 0 ? Codecs.FromName(name) : (Codec)track.Codec;
            return new TrackParameters
            {
                Codec = codec,
                CodecName = name.Length == 0 ? Codecs.NameOf(codec) : name,
                TimeBaseNumerator = track.TimeBaseNumerator,
                TimeBaseDenominator = track.TimeBaseDenominator,
                Width = track.Width,
                Height = track.Height,
                FrameRateNumerator = track.FrameRateNumerator,
                FrameRateDenominator = track.FrameRateDenominator,
                SampleAspectNumerator = track.SampleAspectNumerator,
                SampleAspectDenominator = track.SampleAspectDenominator,
                SampleRate = track.SampleRate,
                Channels = track.Channels,
                ChannelLayout = track.ChannelLayout,
                SamplesPerPacket = track.SamplesPerPacket,
                BitsPerSample = track.BitsPerSample,
                BlockAlign = track.BlockAlign,
                InitialPadding = track.InitialPadding,
                SeekPreroll = track.SeekPreroll,
                ReorderDelay = track.ReorderDelay,
                ColourMatrix = track.ColourMatrix,
                ColourRange = (ColourRange)track.ColourRange,
                ColourPrimaries = track.ColourPrimaries,
                ColourTransfer = track.ColourTransfer,
                ChromaLocation = track.ChromaLocation,
                FieldOrder = track.FieldOrder,
                Rotation = track.Rotation,
                Extradata = new ReadOnlySpan<byte>(pinned->Extradata, (int)track.ExtradataSize).ToArray(),
            };
        }
    }

    /// <summary>The language that came in.</summary>
    public static string LanguageOf(in NativePacketTrack track)
    {
        fixed (NativePacketTrack* pinned = &track)
        {
            return TextOf(pinned->Language, NativePacketTrack.LanguageBytes);
        }
    }

    /// <summary>A field that need not have a zero byte at its end.</summary>
    private static string TextOf(byte* field, int size)
    {
        ReadOnlySpan<byte> bytes = new(field, size);
        int end = bytes.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? bytes : bytes[..end]);
    }
}
