using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text.Unicode;
using CuFrames.Protocol;
using static CuFrames.Fuzz.BrokenInvariantException;

namespace CuFrames.Fuzz.Targets;

/// <summary>TlvReader and TlvWriter against a second reader, which is written here in 64-bit arithmetic. The input is a payload.</summary>
internal sealed class TlvTarget : FuzzTarget
{
    private readonly byte[] _written = new byte[Wire.MaxMessageSize];

    private enum Step
    {
        End,
        Refused,
        Tlv,
    }

    public override string Name => "tlv";

    public override IEnumerable<byte[]> Seeds(TestVectors vectors) =>
        vectors.Of("tlvs").Select(TestVectors.Bytes)
            .Concat(vectors.Of("messages").Select(TestVectors.Bytes).Where(packet => packet.Length >= 16).Select(packet => packet[16..]));

    public override void Mutate(InputBuffer input, FuzzRandom random, ReadOnlySpan<byte> other)
    {
        if (random.OneIn(3))
        {
            input.ChangeAnywhere(random, other);
        }
        else
        {
            TlvMutator.Mutate(input, 0, random, other, 0);
        }
    }

    public override void Run(ReadOnlySpan<byte> input, OutcomeMap outcomes)
    {
        TlvReader reader = new(input);
        TlvWriter writer = new(_written, MessageType.Bye);
        bool rewrite = input.Length <= _written.Length - MessageHeaderLayout.Size;
        int count = 0;
        for (long position = 0; ; count++)
        {
            Step expected = Expect(input, position, out int type, out bool mustUnderstand, out int valueAt, out int length);
            Step found;
            try
            {
                found = reader.Next() ? Step.Tlv : Step.End;
            }
            catch (ProtocolException error) when (error.Code == ErrorCode.ProtocolError)
            {
                found = Step.Refused;
                outcomes.Add(1, error.Message);
            }

            Require(found == expected, $"At {position} TlvReader said {found} where {expected} was right.");
            if (found != Step.Tlv)
            {
                outcomes.Add(0x100 + ((int)found << 4) + Math.Min(count, 12));
                Require(found == Step.Refused || !reader.Next(), "There was another TLV after the last one.");
                if (found == Step.End && rewrite)
                {
                    CheckRewritten(input, writer.Finish());
                }

                return;
            }

            Require((int)reader.Type == type && reader.MustUnderstand == mustUnderstand && reader.Value.Length == length,
                $"The TLV at {position} was read with another type, flag or length.");
            Require(length == 0 || Unsafe.AreSame(ref MemoryMarshal.GetReference(reader.Value), ref Unsafe.Add(ref MemoryMarshal.GetReference(input), valueAt)),
                $"The value of the TLV at {position} lies elsewhere.");
            outcomes.Add(0x200 + (Math.Min(type, 40) << 1) + (mustUnderstand ? 1 : 0));
            ReadAs(ref reader, count, outcomes);
            if (rewrite)
            {
                reader.Value.CopyTo(writer.Add(reader.Type, length, mustUnderstand));
            }

            position = valueAt + ((length + 7L) / 8 * 8);
        }
    }

    /// <summary>Reads the value in one of the ways that messages do. Refusals are slow, so only some are provoked.</summary>
    private static void ReadAs(ref TlvReader reader, int count, OutcomeMap outcomes)
    {
        int length = reader.Value.Length;
        int way = (length + count + (int)reader.Type) & 7;
        bool provoke = ((length * 7) + count + (int)reader.Type) % 5 == 0;
        (ErrorCode expected, int what) = way switch
        {
            0 => (length >= 4 ? ErrorCode.None : ErrorCode.ProtocolError, 0),
            1 => (length >= 8 ? ErrorCode.None : ErrorCode.ProtocolError, 1),
            2 => (length <= 64 && Utf8.IsValid(reader.Value) ? ErrorCode.None : ErrorCode.ProtocolError, 2),
            3 => (reader.MustUnderstand ? ErrorCode.UnsupportedTlv : ErrorCode.None, 3),
            _ => (length >= way * 12 ? ErrorCode.None : ErrorCode.ProtocolError, 4),
        };
        if (expected != ErrorCode.None && !provoke)
        {
            return;
        }

        ErrorCode found = ErrorCode.None;
        try
        {
            switch (what)
            {
                case 0:
                    Require(reader.ReadUInt32() == BinaryPrimitives.ReadUInt32LittleEndian(reader.Value), "ReadUInt32 gave another number.");
                    break;
                case 1:
                    Require(reader.ReadUInt64() == BinaryPrimitives.ReadUInt64LittleEndian(reader.Value), "ReadUInt64 gave another number.");
                    break;
                case 2:
                    Require(System.Text.Encoding.UTF8.GetByteCount(reader.ReadString(64)) == length, "ReadString gave another text.");
                    break;
                case 3:
                    reader.SkipUnknown();
                    break;
                default:
                    Require(reader.ReadLayout(way * 12).Length == way * 12, "ReadLayout gave another length.");
                    break;
            }
        }
        catch (ProtocolException error)
        {
            found = error.Code;
        }

        outcomes.Add(0x300 + (what << 5) + (int)found);
        Require(found == expected, $"Reading a value of {length} bytes gave {found} where {expected} was right.");
    }

    private static Step Expect(ReadOnlySpan<byte> input, long position, out int type, out bool mustUnderstand, out int valueAt, out int length)
    {
        (type, mustUnderstand, valueAt, length) = (0, false, 0, 0);
        if (position == input.Length)
        {
            return Step.End;
        }

        if (position + 8 > input.Length)
        {
            return Step.Refused;
        }

        int at = (int)position;
        long announced = input[at + 4] | ((long)input[at + 5] << 8) | ((long)input[at + 6] << 16) | ((long)input[at + 7] << 24);
        if (position + 8 + ((announced + 7) / 8 * 8) > input.Length)
        {
            return Step.Refused;
        }

        type = input[at] | (input[at + 1] << 8);
        mustUnderstand = input[at + 3] >= 0x80;
        valueAt = at + 8;
        length = (int)announced;
        return Step.Tlv;
    }

    /// <summary>What was written is what was read, save flags that nobody knows and the padding's content.</summary>
    private static void CheckRewritten(ReadOnlySpan<byte> input, ReadOnlySpan<byte> message)
    {
        Require(MessageHeader.Read(message).PayloadLength == input.Length, "The message that was written has another length.");
        TlvReader first = new(input), second = new(message[MessageHeaderLayout.Size..]);
        while (first.Next())
        {
            Require(second.Next() && first.Type == second.Type && first.MustUnderstand == second.MustUnderstand && first.Value.SequenceEqual(second.Value),
                "A TLV was written as another one.");
        }

        Require(!second.Next(), "More TLVs were written than read.");
    }
}
