using CuFrames.Interop;

namespace CuFrames.Conformance.Wire;

/// <summary>What was received: bytes and the descriptors that came with them. It owns the descriptors.</summary>
internal sealed record Packet(PacketKind Kind, byte[] Bytes, FileDescriptor[] Descriptors) : IDisposable
{
    public static readonly Packet Nothing = new(PacketKind.Nothing, [], []);

    public static readonly Packet HangUp = new(PacketKind.HangUp, [], []);

    /// <summary>Reads the packet strictly.</summary>
    /// <exception cref="WireException">It breaks the document.</exception>
    public Message Parse() => Message.Parse(Bytes, Descriptors.Length);

    public void Dispose()
    {
        foreach (FileDescriptor descriptor in Descriptors)
        {
            descriptor.Dispose();
        }
    }
}
