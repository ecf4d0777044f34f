using CuFrames.Client;

namespace CuFrames.Daemon.Internal;

/// <summary>A stream of packets at one moment. Immutable.</summary>
/// <param name="Key">Key of the stream.</param>
/// <param name="Statistics">Figures and readers.</param>
internal sealed record PacketFacts(string Key, PacketPublisherStatistics Statistics);
