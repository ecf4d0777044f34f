using System.Buffers.Binary;
using System.Text;

namespace CuFrames.Protocol;

/// <summary>Writes a message: the header first, then TLVs, each padded to 8 bytes (docs/protocol.md 2.5, 2.6).</summary>
public ref struct TlvWriter
{
    private readonly Span<byte> _buffer;
    private readonly byte _version;
    private readonly MessageType _type;
    private readonly uint _correlationId;
    private int _position;

    /// <summary>Begins a message.</summary>
    /// <param name="buffer">Room for the whole message; <see cref="Wire.MaxMessageSize"/> bytes always suffice.</param>
    /// <param name="type">What the message is.</param>
    /// <param name="correlationId">Repeated from the request, or zero.</param>
    /// <param name="version">The version in the header.</param>
    public TlvWriter(Span<byte> buffer, MessageType type, uint correlationId = 0, byte version = Wire.Version)
    {
        _buffer = buffer;
        _type = type;
        _correlationId = correlationId;
        _version = version;
        _position = MessageHeaderLayout.Size;
    }

    /// <summary>Adds a TLV and gives its value's bytes, zeroed, to be filled in.</summary>
    /// <param name="type">The TLV's type.</param>
    /// <param name="length">Length of the value in bytes.</param>
    /// <param name="mustUnderstand">Whether a receiver that does not know it must refuse the message.</param>
    /// <exception cref="ArgumentException">The buffer is too small.</exception>
    public Span<byte> Add(TlvType type, int length, bool mustUnderstand = false)
    {
        int total = TlvHeaderLayout.Size + TlvReader.PaddedLength(length);
        if (total > _buffer.Length - _position)
        {
            throw new ArgumentException($"A {_type} message does not fit its buffer of {_buffer.Length} bytes.", nameof(length));
        }

        Span<byte> tlv = _buffer.Slice(_position, total);
        tlv.Clear();
        BinaryPrimitives.WriteUInt16LittleEndian(tlv[TlvHeaderLayout.TypeOffset..], (ushort)type);
        BinaryPrimitives.WriteUInt16LittleEndian(tlv[TlvHeaderLayout.FlagsOffset..], mustUnderstand ? Wire.TlvMustUnderstand : (ushort)0);
        BinaryPrimitives.WriteUInt32LittleEndian(tlv[TlvHeaderLayout.LengthOffset..], (uint)length);
        _position += total;
        return tlv.Slice(TlvHeaderLayout.Size, length);
    }

    /// <summary>Adds a 32-bit number.</summary>
    /// <param name="type">The TLV's type.</param>
    /// <param name="value">The number.</param>
    public void Add(TlvType type, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(Add(type, 4, mustUnderstand: false), value);

    /// <summary>Adds a 64-bit number.</summary>
    /// <param name="type">The TLV's type.</param>
    /// <param name="value">The number.</param>
    public void Add(TlvType type, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(Add(type, 8, mustUnderstand: false), value);

    /// <summary>Adds a text, cut at a character's border when it is longer than allowed.</summary>
    /// <param name="type">The TLV's type.</param>
    /// <param name="value">The text.</param>
    /// <param name="maxLength">Most bytes.</param>
    public void Add(TlvType type, string value, int maxLength)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(value);
        int length = Math.Min(bytes.Length, maxLength);
        while (length > 0 && length < bytes.Length && (bytes[length] & 0xC0) == 0x80)
        {
            length--;
        }

        bytes.AsSpan(0, length).CopyTo(Add(type, length, mustUnderstand: false));
    }

    /// <summary>Writes the header and gives the whole message.</summary>
    public readonly ReadOnlySpan<byte> Finish()
    {
        new MessageHeader(_version, _type, (uint)(_position - MessageHeaderLayout.Size), _correlationId).Write(_buffer);
        return _buffer[.._position];
    }
}
