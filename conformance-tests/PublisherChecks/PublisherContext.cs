namespace CuFrames.Conformance.PublisherChecks;

/// <summary>The publisher under test.</summary>
/// <param name="SocketPath">Its socket.</param>
/// <param name="FormatChangeComes">It was announced that the publisher changes the format within ten seconds.</param>
internal sealed record PublisherContext(string SocketPath, bool FormatChangeComes);
