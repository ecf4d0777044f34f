namespace CuFrames.Conformance.Examples;

/// <summary>How an example publisher behaves.</summary>
internal sealed record ExamplePublisherOptions
{
    public required string SocketPath { get; init; }

    public PublisherFault Fault { get; init; }

    /// <summary>Milliseconds between two frames.</summary>
    public int FrameMilliseconds { get; init; } = 10;

    /// <summary>Changes the format so long after the first subscriber came; null for never.</summary>
    public int? FormatChangeMilliseconds { get; init; }
}
