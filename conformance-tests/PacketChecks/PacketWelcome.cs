using System.Buffers.Binary;
using CuFrames.Conformance.Spec;
using CuFrames.Conformance.Suite;
using CuFrames.Conformance.Wire;

namespace CuFrames.Conformance.PacketChecks;

/// <summary>WELCOME of a publisher of packets (14.3), its TLVs as they came.</summary>
internal sealed class PacketWelcome
{
    private PacketWelcome(IReadOnlyList<Tlv> tlvs) => Tlvs = tlvs;

    public IReadOnlyList<Tlv> Tlvs { get; }

    public ulong Epoch => Get(TlvType.EPOCH).UInt64;

    public static PacketWelcome Read(Packet packet)
    {
        Expect.That(packet.Kind == PacketKind.Packet, "WELCOME", packet.Kind.ToString());
        ReadOnlySpan<byte> bytes = packet.Bytes;
        Expect.That(bytes.Length >= Limits.HeaderSize && bytes[5] == (byte)MessageType.WELCOME,
            "WELCOME", bytes.Length > 5 ? packet.Bytes[5] == (byte)MessageType.REFUSE ? packet.Parse().ToString() : $"message type {bytes[5]}" : $"{bytes.Length} bytes");
        return new PacketWelcome(ReadTlvs(bytes));
    }

    /// <summary>The TLVs of a message whose header was looked at.</summary>
    public static IReadOnlyList<Tlv> ReadTlvs(ReadOnlySpan<byte> bytes)
    {
        List<Tlv> tlvs = [];
        for (int at = Limits.HeaderSize; at < bytes.Length;)
        {
            int length = (int)BinaryPrimitives.ReadUInt32LittleEndian(bytes[(at + 4)..]);
            Expect.That(at + Limits.TlvHeadSize + length <= bytes.Length, "TLVs that end with the payload", $"a TLV of {length} bytes");
            tlvs.Add(new Tlv(BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]), BinaryPrimitives.ReadUInt16LittleEndian(bytes[(at + 2)..]),
                bytes.Slice(at + Limits.TlvHeadSize, length).ToArray()));
            at += Limits.TlvHeadSize + ((length + 7) & ~7);
        }

        return tlvs;
    }

    public bool Has(TlvType type) => Tlvs.Any(tlv => tlv.Type == (ushort)type);

    public Tlv Get(TlvType type) => Has(type) ? All(type).First() : throw Expect.Failure($"{type} in WELCOME", "none");

    public IEnumerable<Tlv> All(TlvType type) => Tlvs.Where(tlv => tlv.Type == (ushort)type);
}
