using CuFrames.Protocol;

namespace CuFrames.Client;

/// <summary>A track of a stream of packets.</summary>
public sealed class PacketTrack
{
    private TrackParameters _parameters;

    internal PacketTrack(int number, TrackKind kind, string language, TrackParameters parameters)
    {
        Number = number;
        Kind = kind;
        Language = language;
        _parameters = parameters;
    }

    /// <summary>Number of the track in its stream, from 0.</summary>
    public int Number { get; }

    /// <summary>What it carries.</summary>
    public TrackKind Kind { get; }

    /// <summary>ISO 639-2 code of the language; empty: not known.</summary>
    public string Language { get; }

    /// <summary>Number of the parameter set that <see cref="Parameters"/> are, from 1. Taking thread, or publishing thread.</summary>
    internal uint ParametersNumber { get; set; } = 1;

    /// <summary>Its parameters: to a publisher those that new packets are published with, to a subscriber those of the newest packet that it has
    /// taken, and before that those that the publisher had when the connection was made. Any thread.</summary>
    public TrackParameters Parameters
    {
        get => Volatile.Read(ref _parameters);
        internal set => Volatile.Write(ref _parameters, value);
    }
}
