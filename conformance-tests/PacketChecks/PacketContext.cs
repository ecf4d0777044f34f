namespace CuFrames.Conformance.PacketChecks;

/// <summary>The publisher of packets under test.</summary>
/// <param name="SocketPath">Its socket.</param>
internal sealed record PacketContext(string SocketPath);
