using System.Buffers.Binary;

namespace CuFrames.Fuzz;

/// <summary>Changes that know how TLVs lie in a payload (docs/protocol.md 2.6).</summary>
internal static class TlvMutator
{
    private const int HeadSize = 8;

    public static void Mutate(InputBuffer input, int start, FuzzRandom random, ReadOnlySpan<byte> other, int otherStart)
    {
        Span<int> tlvs = stackalloc int[64];
        int count = Find(input.Bytes, start, tlvs);
        if (count == 0)
        {
            Splice(input, Math.Min(start, input.Length), random, other, otherStart);
            return;
        }

        int at = tlvs[random.Below(count)];
        int total = Total(input.Bytes, at);
        switch (random.Below(12))
        {
            case 0:
                // Lengths around what is there and what fits.
                int room = input.Length - at - HeadSize;
                ulong old = input.Read(at + 4, 4);
                input.Write(at + 4, 4, random.Below(8) switch
                {
                    0 => old + 1,
                    1 => old - 1,
                    2 => (ulong)room,
                    3 => (ulong)(room + 1),
                    4 => (ulong)(room - random.Below(8)),
                    5 => 0,
                    6 => uint.MaxValue - (ulong)random.Below(16),
                    _ => random.Interesting(),
                });
                break;
            case 1:
                input.Write(at, 2, random.OneIn(3) ? random.Next() : (ulong)random.Below(24));
                break;
            case 2:
                input.Write(at + 2, 2, random.OneIn(2) ? input.Read(at + 2, 2) ^ 0x8000 : random.Next());
                break;
            case 3:
                if (input.Insert(at, total))
                {
                    input.Bytes.Slice(at + total, total).CopyTo(input.Bytes.Slice(at, total));
                }

                break;
            case 4:
                input.Remove(at, total);
                break;
            case 5:
                Splice(input, at, random, other, otherStart);
                break;
            case 6:
                // A value that is longer or shorter, with its length made right.
                int change = random.Below(40);
                if (random.OneIn(2))
                {
                    change = Math.Min(change, total - HeadSize) & ~7;
                    input.Remove(at + total - change, change);
                }
                else
                {
                    change = (change + 7) & ~7;
                    if (!input.Insert(at + total, change))
                    {
                        return;
                    }

                    random.Fill(input.Bytes.Slice(at + total, change));
                    total += change;
                    input.Write(at + 4, 4, (ulong)(total - HeadSize - random.Below(8)));
                    return;
                }

                total -= change;
                input.Write(at + 4, 4, (ulong)Math.Max(0, total - HeadSize - random.Below(8)));
                break;
            case 7 when total > HeadSize:
                random.Fill(input.Bytes.Slice(at + HeadSize, 1 + random.Below(total - HeadSize)));
                break;
            default:
                if (total > HeadSize)
                {
                    int size = 1 << random.Below(4);
                    int offset = random.Below(total - HeadSize) & -size;
                    input.ChangeNumber(at + HeadSize + offset, size, random);
                }

                break;
        }
    }

    /// <summary>Puts a TLV of another input in.</summary>
    private static void Splice(InputBuffer input, int at, FuzzRandom random, ReadOnlySpan<byte> other, int otherStart)
    {
        Span<int> tlvs = stackalloc int[64];
        int count = Find(other, otherStart, tlvs);
        if (count == 0)
        {
            return;
        }

        int from = tlvs[random.Below(count)];
        int total = Total(other, from);
        if (input.Insert(at, total))
        {
            other.Slice(from, total).CopyTo(input.Bytes[at..]);
        }
    }

    private static int Find(ReadOnlySpan<byte> bytes, int start, Span<int> tlvs)
    {
        int count = 0;
        for (int at = start; at + HeadSize <= bytes.Length && count < tlvs.Length; at += Total(bytes, at))
        {
            tlvs[count++] = at;
        }

        return count;
    }

    /// <summary>Bytes of the TLV, as far as there are any.</summary>
    private static int Total(ReadOnlySpan<byte> bytes, int at)
    {
        long length = BinaryPrimitives.ReadUInt32LittleEndian(bytes[(at + 4)..]);
        return (int)Math.Min(bytes.Length - at, HeadSize + ((length + 7) / 8 * 8));
    }
}
