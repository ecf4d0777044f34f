using System.Buffers.Binary;
using System.Text;

namespace CuFrames.Daemon.Internal.Metrics;

/// <summary>
/// Writes protobuf into one buffer that grows ("Encoding" of its documentation). A message in a message is written first and moved behind its length then, so
/// that nothing is allocated for it.
/// </summary>
internal sealed class ProtobufWriter
{
    private const int Varint = 0;
    private const int Fixed64 = 1;
    private const int LengthDelimited = 2;

    private byte[] _buffer = new byte[64 << 10];
    private int _length;

    /// <summary>What was written.</summary>
    internal ReadOnlyMemory<byte> Written => _buffer.AsMemory(0, _length);

    /// <summary>Writes a message in this one.</summary>
    /// <param name="field">Number of the field.</param>
    /// <param name="write">Writes its content.</param>
    internal void Message(int field, Action write)
    {
        Tag(field, LengthDelimited);
        int start = _length;
        write();
        InsertLength(start);
    }

    internal void Text(int field, string value)
    {
        Tag(field, LengthDelimited);
        int length = Encoding.UTF8.GetByteCount(value);
        Number((ulong)length);
        _length += Encoding.UTF8.GetBytes(value, Room(length));
    }

    internal void Integer(int field, ulong value)
    {
        Tag(field, Varint);
        Number(value);
    }

    internal void Fixed(int field, ulong value)
    {
        Tag(field, Fixed64);
        Raw(value);
    }

    internal void Double(int field, double value) => Fixed(field, BitConverter.DoubleToUInt64Bits(value));

    /// <summary>Writes numbers of eight bytes behind each other.</summary>
    internal void Packed(int field, int count, Func<int, ulong> value)
    {
        Tag(field, LengthDelimited);
        Number((ulong)count * sizeof(ulong));
        for (int i = 0; i < count; i++)
        {
            Raw(value(i));
        }
    }

    private void Tag(int field, int type) => Number((ulong)((field << 3) | type));

    private void Raw(ulong value)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(Room(sizeof(ulong)), value);
        _length += sizeof(ulong);
    }

    private void Number(ulong value)
    {
        const int Longest = 10;
        Span<byte> room = Room(Longest);
        int length = 0;
        for (; value >= 0x80; value >>= 7)
        {
            room[length++] = (byte)(value | 0x80);
        }

        room[length++] = (byte)value;
        _length += length;
    }

    private void InsertLength(int start)
    {
        int length = _length - start;
        Number((ulong)length);
        int prefix = _length - start - length;
        Span<byte> number = stackalloc byte[prefix];
        _buffer.AsSpan(start + length, prefix).CopyTo(number);
        _buffer.AsSpan(start, length).CopyTo(_buffer.AsSpan(start + prefix));
        number.CopyTo(_buffer.AsSpan(start));
    }

    private Span<byte> Room(int bytes)
    {
        if (_buffer.Length - _length < bytes)
        {
            Array.Resize(ref _buffer, Math.Max(_buffer.Length * 2, _length + bytes));
        }

        return _buffer.AsSpan(_length);
    }
}
