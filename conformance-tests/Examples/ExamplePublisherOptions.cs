namespace CuFrames.Conformance.Examples;

/// <summary>How an example publisher behaves.</summary>
internal sealed record ExamplePublisherOptions
{
    public required string SocketPath { get; init; }

    public PublisherFault Fault { get; init; }

    /// <summary>Milliseconds between two frames.</summary>
    public int FrameMilliseconds { get; init; } = 10;

    /// <summary>Whether it rests while it has no subscriber (6.11).</summary>
    public bool Rests { get; init; }

    /// <summary>Changes the format so long after the first subscriber came; null for never.</summary>
    public int? FormatChangeMilliseconds { get; init; }
}
