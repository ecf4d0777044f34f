namespace CuFrames.Protocol.Tests.Messages;

/// <summary>A sound payload that has every TLV of its message, and what the message does with it.</summary>
/// <param name="Name">The message.</param>
/// <param name="Read">Reads a payload and gives all that was read as text, so that two results can be compared.</param>
/// <param name="Rewrite">Reads a payload and writes the message again.</param>
/// <param name="Required">TLVs without which the payload is refused.</param>
/// <param name="Tlvs">The payload.</param>
public sealed record Sample(string Name, Func<byte[], string> Read, Func<byte[], byte[]> Rewrite, TlvType[] Required, byte[][] Tlvs)
{
    public byte[] Payload => [.. Tlvs.SelectMany(tlv => tlv)];

    public override string ToString() => Name;
}
