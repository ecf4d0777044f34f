using System.Buffers.Binary;
using System.Text;
using CuFrames.Conformance.Spec;

namespace CuFrames.Conformance.Wire;

/// <summary>One TLV (2.6).</summary>
internal readonly record struct Tlv(ushort Type, ushort Flags, byte[] Value)
{
    public bool MustUnderstand => (Flags & Limits.MustUnderstand) != 0;

    public uint UInt32 => BinaryPrimitives.ReadUInt32LittleEndian(Value);

    public ulong UInt64 => BinaryPrimitives.ReadUInt64LittleEndian(Value);

    public static byte[] Bytes(TlvType type, ReadOnlySpan<byte> value, ushort flags = 0) => Bytes((ushort)type, value, flags);

    public static byte[] Bytes(ushort type, ReadOnlySpan<byte> value, ushort flags = 0)
    {
        byte[] result = new byte[Limits.TlvHeadSize + ((value.Length + 7) & ~7)];
        BinaryPrimitives.WriteUInt16LittleEndian(result, type);
        BinaryPrimitives.WriteUInt16LittleEndian(result.AsSpan(2), flags);
        BinaryPrimitives.WriteUInt32LittleEndian(result.AsSpan(4), (uint)value.Length);
        value.CopyTo(result.AsSpan(Limits.TlvHeadSize));
        return result;
    }

    public static byte[] U32(TlvType type, uint value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        return Bytes(type, bytes);
    }

    public static byte[] U64(TlvType type, ulong value)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        return Bytes(type, bytes);
    }

    public static byte[] Start(ulong cursor)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, cursor);
        return Bytes(TlvType.START, bytes, Limits.MustUnderstand);
    }

    public static byte[] Text(TlvType type, string value) => Bytes(type, Encoding.UTF8.GetBytes(value));

    public static byte[] VersionRange(ushort lowest, ushort highest)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt16LittleEndian(bytes, lowest);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[2..], highest);
        return Bytes(TlvType.VERSION_RANGE, bytes);
    }

    public static byte[] Domain(uint domain, uint handleKinds)
    {
        Span<byte> bytes = stackalloc byte[Layout.DomainOffer.Size];
        bytes.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, domain);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[Layout.DomainOffer.HandleKinds..], handleKinds);
        return Bytes(TlvType.DOMAIN, bytes);
    }
}
