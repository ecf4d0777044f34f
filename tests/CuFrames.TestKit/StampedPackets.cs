using System.Globalization;
using System.Runtime.InteropServices;
using CuFrames.Client;
using CuFrames.Protocol;

namespace CuFrames.TestKit;

/// <summary>Packets of which every byte and every field follows from their sequence: two tracks, key frames, changes of parameters.</summary>
public static class StampedPackets
{
    /// <summary>Every so many packets one is a key frame of the video track.</summary>
    public const int KeyEvery = 30;

    /// <summary>After so many packets the video track gets a new parameter set.</summary>
    public const int ParametersEvery = 997;

    public static TrackParameters Audio { get; } = new()
    {
        Codec = Codec.Aac,
        CodecName = "aac",
        TimeBaseDenominator = 48_000,
        SampleRate = 48_000,
        Channels = 2,
        SamplesPerPacket = 1024,
        Extradata = new byte[] { 0x11, 0x90 },
    };

    /// <summary>The video track's parameters: every set has another size and other extradata.</summary>
    public static TrackParameters Video(uint number) => new()
    {
        Codec = Codec.H264,
        CodecName = "h264",
        TimeBaseDenominator = 90_000,
        Width = 640 + (int)(number % 1000),
        Height = 360,
        FrameRateNumerator = 25,
        FrameRateDenominator = 1,
        Extradata = Enumerable.Range(0, 20 + (int)(number % 50)).Select(i => (byte)(i + number)).ToArray(),
    };

    public static int TrackOf(ulong sequence) => sequence % 3 == 2 ? 1 : 0;

    public static bool IsKey(ulong sequence) => sequence % KeyEvery == 1;

    public static uint ParametersOf(ulong sequence) => TrackOf(sequence) == 1 ? 1 : 1 + (uint)((sequence - 1) / ParametersEvery);

    public static int SizeOf(ulong sequence, int largest) => (int)(Mix(sequence) % ((ulong)largest + 1));

    /// <summary>Packets of a track up to a sequence, it included.</summary>
    public static ulong CountOf(int track, ulong sequence)
    {
        ulong audio = (sequence + 1) / 3;
        return track == 1 ? audio : sequence - audio;
    }

    /// <summary>Adds the two tracks to a new publisher.</summary>
    public static void AddTracks(PacketPublisher publisher)
    {
        publisher.AddTrack(TrackKind.Video, Video(1));
        publisher.AddTrack(TrackKind.Audio, Audio, "deu");
    }

    /// <summary>Publishes the next packet.</summary>
    /// <param name="publisher">A publisher with the two tracks that publishes nothing else.</param>
    /// <param name="buffer">Room for the largest packet, as many bytes as that has.</param>
    public static ulong Publish(PacketPublisher publisher, byte[] buffer)
    {
        ulong sequence = publisher.Head + 1;
        PacketTrack track = publisher.Tracks[TrackOf(sequence)];
        uint number = 1 + (uint)((sequence - 1) / ParametersEvery);
        if ((sequence - 1) % ParametersEvery == 0 && number > 1)
        {
            publisher.SetParameters(publisher.Tracks[0], Video(number));
        }

        Span<byte> data = buffer.AsSpan(0, SizeOf(sequence, buffer.Length));
        Fill(data, sequence);
        ulong published = publisher.Publish(track, data, MetadataOf(sequence));
        return published == sequence || published == 0
            ? published
            : throw new InvalidOperationException($"Packet {sequence} was published as {published}.");
    }

    public static PacketMetadata MetadataOf(ulong sequence) => new()
    {
        Pts = (long)Mix(sequence + 1),
        Dts = sequence % 5 == 0 ? FrameMetadata.UnknownPts : (long)Mix(sequence + 2),
        Duration = (long)(Mix(sequence + 3) >> 8),
        Flags = (IsKey(sequence) ? PacketFlags.Key : 0) | (sequence % 7 == 0 ? PacketFlags.Discontinuity : 0) |
            (sequence % 11 == 0 ? PacketFlags.Corrupt : 0) | (sequence % 13 == 0 ? PacketFlags.Disposable : 0),
        ArrivalTime = 1000 * (long)sequence,
        CaptureTime = (long)(Mix(sequence + 4) >> 4),
    };

    /// <summary>Checks a packet's bytes, all of them, and the 64 zeros behind them.</summary>
    public static unsafe bool HasRightBytes(ReadOnlySpan<byte> data, ulong sequence, int largest)
    {
        if (data.Length != SizeOf(sequence, largest))
        {
            return false;
        }

        ulong state = Mix(sequence);
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(data);
        foreach (ulong word in words)
        {
            if (word != state)
            {
                return false;
            }

            state = (state * 6364136223846793005) + 1442695040888963407;
        }

        for (int i = words.Length * 8; i < data.Length; i++)
        {
            if (data[i] != (byte)(state >> (8 * (i & 7))))
            {
                return false;
            }
        }

        // The zeros lie in the ring behind the span that a packet gives.
        fixed (byte* bytes = &MemoryMarshal.GetReference(data))
        {
            return !new ReadOnlySpan<byte>(bytes + data.Length, PacketBlockLayout.PacketPadding).ContainsAnyExcept((byte)0);
        }
    }

    /// <summary>Checks every field of a packet.</summary>
    /// <returns>Null when all are right.</returns>
    public static string? FindFault(in Packet packet)
    {
        ulong sequence = packet.Sequence;
        PacketMetadata expected = MetadataOf(sequence);
        int track = TrackOf(sequence);
        uint number = ParametersOf(sequence);
        bool changed = track == 0 && number > 1 && PreviousVideo(sequence) is var before && ParametersOf(before) != number;
        PacketFlags flags = expected.Flags | (changed ? PacketFlags.ParametersChanged : 0);
        bool isRight = packet.Track.Number == track && packet.TrackSequence == CountOf(track, sequence) && packet.ParametersNumber == number &&
            packet.Parameters.Equals(track == 1 ? Audio : Video(number)) && packet.Flags == flags && packet.IsKey == IsKey(sequence) &&
            (packet.Pts, packet.Dts, packet.Duration) == (expected.Pts, expected.Dts, expected.Duration) &&
            (packet.ArrivalTime, packet.CaptureTime) == (expected.ArrivalTime, expected.CaptureTime) && packet.PublishTime > 0;
        return isRight
            ? null
            : string.Create(CultureInfo.InvariantCulture,
                $"packet {sequence}: track {packet.Track.Number} number {packet.TrackSequence} set {packet.ParametersNumber} flags {packet.Flags} instead of {flags}, pts {packet.Pts}, dts {packet.Dts}");
    }

    private static ulong PreviousVideo(ulong sequence) => TrackOf(sequence - 1) == 0 ? sequence - 1 : sequence - 2;

    private static void Fill(Span<byte> data, ulong sequence)
    {
        ulong state = Mix(sequence);
        Span<ulong> words = MemoryMarshal.Cast<byte, ulong>(data);
        foreach (ref ulong word in words)
        {
            word = state;
            state = (state * 6364136223846793005) + 1442695040888963407;
        }

        for (int i = words.Length * 8; i < data.Length; i++)
        {
            data[i] = (byte)(state >> (8 * (i & 7)));
        }
    }

    /// <summary>The finaliser of splitmix64: neighbours have nothing in common.</summary>
    private static ulong Mix(ulong value)
    {
        value += 0x9E3779B97F4A7C15;
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }
}
