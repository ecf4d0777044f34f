using System.Buffers.Binary;
using System.Text;

namespace CuFrames.Protocol.Tests;

/// <summary>Writes payloads byte by byte, without the code under test, so that they can be wrong in any way.</summary>
internal static class Tlv
{
    public static byte[] Raw(int type, int flags, uint length, params byte[] rest)
    {
        byte[] bytes = new byte[8 + rest.Length];
        BinaryPrimitives.WriteUInt16LittleEndian(bytes, (ushort)type);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(2), (ushort)flags);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(4), length);
        rest.CopyTo(bytes, 8);
        return bytes;
    }

    public static byte[] Of(TlvType type, params byte[] value)
    {
        byte[] padded = new byte[(value.Length + 7) / 8 * 8];
        value.CopyTo(padded, 0);
        return Raw((int)type, 0, (uint)value.Length, padded);
    }

    public static byte[] Of(TlvType type, uint value) => Of(type, BitConverter.GetBytes(value));

    public static byte[] Of(TlvType type, ulong value) => Of(type, BitConverter.GetBytes(value));

    public static byte[] Of(TlvType type, string value) => Of(type, Encoding.UTF8.GetBytes(value));

    public static byte[] Join(params IEnumerable<byte[]> tlvs) => [.. tlvs.SelectMany(tlv => tlv)];

    /// <summary>Cuts a payload into its TLVs; the payload must be sound.</summary>
    public static List<byte[]> Split(ReadOnlySpan<byte> payload)
    {
        List<byte[]> tlvs = [];
        while (!payload.IsEmpty)
        {
            int length = 8 + (((int)BinaryPrimitives.ReadUInt32LittleEndian(payload[4..]) + 7) / 8 * 8);
            tlvs.Add(payload[..length].ToArray());
            payload = payload[length..];
        }

        return tlvs;
    }

    public static TlvType TypeOf(byte[] tlv) => (TlvType)BinaryPrimitives.ReadUInt16LittleEndian(tlv);

    public static byte[] ValueOf(byte[] tlv) => tlv.AsSpan(8, (int)BinaryPrimitives.ReadUInt32LittleEndian(tlv.AsSpan(4))).ToArray();
}
