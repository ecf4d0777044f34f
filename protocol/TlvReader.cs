using System.Buffers.Binary;
using System.Text;

namespace CuFrames.Protocol;

/// <summary>Walks the TLVs of a payload (docs/protocol.md 2.6). Survives any input: it either yields a TLV or throws <see cref="ProtocolException"/>.</summary>
/// <remarks>Allocates nothing but the strings that <see cref="ReadString"/> returns.</remarks>
public ref struct TlvReader
{
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly ReadOnlySpan<byte> _payload;
    private int _position;
    private ulong _seen;

    /// <summary>Begins at the first TLV.</summary>
    /// <param name="payload">The payload, without the message's header.</param>
    public TlvReader(ReadOnlySpan<byte> payload)
    {
        _payload = payload;
        _position = 0;
        _seen = 0;
        Value = default;
        Type = default;
        MustUnderstand = false;
    }

    /// <summary>Type of the current TLV.</summary>
    public TlvType Type { get; private set; }

    /// <summary>Whether a receiver that does not know the current TLV must refuse the message.</summary>
    public bool MustUnderstand { get; private set; }

    /// <summary>Value of the current TLV, without its padding.</summary>
    public ReadOnlySpan<byte> Value { get; private set; }

    /// <summary>Goes to the next TLV.</summary>
    /// <returns>False at the payload's end.</returns>
    /// <exception cref="ProtocolException">The TLV reaches past the payload.</exception>
    public bool Next()
    {
        int remaining = _payload.Length - _position;
        if (remaining == 0)
        {
            return false;
        }

        if (remaining < TlvHeaderLayout.Size)
        {
            throw new ProtocolException(ErrorCode.ProtocolError, $"A payload ends with {remaining} stray bytes after its last TLV.");
        }

        ReadOnlySpan<byte> head = _payload.Slice(_position, TlvHeaderLayout.Size);
        Type = (TlvType)BinaryPrimitives.ReadUInt16LittleEndian(head[TlvHeaderLayout.TypeOffset..]);
        MustUnderstand = (BinaryPrimitives.ReadUInt16LittleEndian(head[TlvHeaderLayout.FlagsOffset..]) & Wire.TlvMustUnderstand) != 0;
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(head[TlvHeaderLayout.LengthOffset..]);
        int room = remaining - TlvHeaderLayout.Size;
        if (length > (uint)room || PaddedLength((int)length) > room)
        {
            throw new ProtocolException(ErrorCode.ProtocolError,
                $"TLV {(ushort)Type} announces {length} bytes, padded to a multiple of 8; {room} are left in the payload.");
        }

        Value = _payload.Slice(_position + TlvHeaderLayout.Size, (int)length);
        _position += TlvHeaderLayout.Size + PaddedLength((int)length);
        return true;
    }

    /// <summary>Marks the current type as seen.</summary>
    /// <exception cref="ProtocolException">The type was marked before in this message.</exception>
    public void RequireFirst()
    {
        ulong bit = 1UL << ((int)Type & 63);
        if ((_seen & bit) != 0)
        {
            throw new ProtocolException(ErrorCode.ProtocolError, $"TLV {Type} appears twice in one message.");
        }

        _seen |= bit;
    }

    /// <summary>Steps over a TLV that the message does not know.</summary>
    /// <exception cref="ProtocolException">It carries must-understand.</exception>
    public readonly void SkipUnknown()
    {
        if (MustUnderstand)
        {
            throw new ProtocolException(ErrorCode.UnsupportedTlv,
                $"The message needs TLV {(ushort)Type} to be understood, and this version does not know it here. Update the older of the two programs.");
        }
    }

    /// <summary>The first bytes of the value.</summary>
    /// <param name="size">How many bytes the layout needs.</param>
    /// <exception cref="ProtocolException">The value is shorter.</exception>
    public readonly ReadOnlySpan<byte> ReadLayout(int size) => Value.Length >= size
        ? Value[..size]
        : throw new ProtocolException(ErrorCode.ProtocolError, $"TLV {Type} has {Value.Length} bytes; its layout needs {size}.");

    /// <summary>The value as a 32-bit number.</summary>
    /// <exception cref="ProtocolException">The value is too short.</exception>
    public readonly uint ReadUInt32() => BinaryPrimitives.ReadUInt32LittleEndian(ReadLayout(4));

    /// <summary>The value as a 64-bit number.</summary>
    /// <exception cref="ProtocolException">The value is too short.</exception>
    public readonly ulong ReadUInt64() => BinaryPrimitives.ReadUInt64LittleEndian(ReadLayout(8));

    /// <summary>The value as text.</summary>
    /// <param name="maxLength">Most bytes allowed.</param>
    /// <exception cref="ProtocolException">The value is too long or not UTF-8.</exception>
    public readonly string ReadString(int maxLength)
    {
        if (Value.Length > maxLength)
        {
            throw new ProtocolException(ErrorCode.ProtocolError, $"TLV {Type} has {Value.Length} bytes; at most {maxLength} are allowed.");
        }

        try
        {
            return StrictUtf8.GetString(Value);
        }
        catch (DecoderFallbackException)
        {
            throw new ProtocolException(ErrorCode.ProtocolError, $"TLV {Type} is not valid UTF-8.");
        }
    }

    internal static int PaddedLength(int length) => (length + 7) & ~7;
}
