using System.Buffers.Binary;

namespace CuFrames.Fuzz;

/// <summary>The input in the making, and the changes that fit any input.</summary>
/// <param name="memory">Where it lies; its length is the longest input.</param>
internal sealed unsafe class InputBuffer(LaneMemory memory)
{
    public int Length
    {
        get => memory.Length;
        set => memory.Length = value;
    }

    public int Capacity => memory.Capacity;

    public Span<byte> Bytes => new(memory.Data, memory.Length);

    public void Set(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(new Span<byte>(memory.Data, memory.Capacity));
        memory.Length = bytes.Length;
    }

    /// <summary>Makes room in the middle; the new bytes are undefined. False when the input would become too long.</summary>
    public bool Insert(int at, int count)
    {
        if (Length + count > Capacity)
        {
            return false;
        }

        Length += count;
        Bytes[at..^count].CopyTo(Bytes[(at + count)..]);
        return true;
    }

    public void Remove(int at, int count)
    {
        Bytes[(at + count)..].CopyTo(Bytes[at..]);
        Length -= count;
    }

    /// <summary>Writes the low bytes of a number, as many as fit.</summary>
    public void Write(int at, int size, ulong value)
    {
        Span<byte> number = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(number, value);
        size = Math.Min(size, Length - at);
        number[..size].CopyTo(Bytes[at..]);
    }

    public ulong Read(int at, int size)
    {
        ulong value = 0;
        for (int i = Math.Min(size, Length - at) - 1; i >= 0; i--)
        {
            value = (value << 8) | Bytes[at + i];
        }

        return value;
    }

    /// <summary>Changes a number of a known size to one near it, near a limit, or to anything.</summary>
    public void ChangeNumber(int at, int size, FuzzRandom random)
    {
        if (at + size > Length)
        {
            return;
        }

        ulong old = Read(at, size);
        Write(at, size, random.Below(6) switch
        {
            0 => old + 1,
            1 => old - 1,
            2 => old ^ (1UL << random.Below(size * 8)),
            3 => old + (random.Interesting() & 0xFF),
            4 => old << random.Below(size * 8),
            _ => random.Interesting(),
        });
    }

    /// <summary>A change that knows nothing of the input's structure.</summary>
    public void ChangeAnywhere(FuzzRandom random, ReadOnlySpan<byte> other)
    {
        if (Length == 0)
        {
            Set(other);
            return;
        }

        int at = random.Below(Length);
        switch (random.Below(10))
        {
            case 0 or 1:
                Bytes[at] ^= (byte)(1 << random.Below(8));
                break;
            case 2:
                Bytes[at] = (byte)random.Next();
                break;
            case 3 or 4:
                int size = 1 << random.Below(4);
                Write(at & -size, size, random.Interesting());
                break;
            case 5:
                Length = at;
                break;
            case 6:
                int grown = Math.Min(1 + random.Below(64), Capacity - Length);
                Length += grown;
                random.Fill(Bytes[^grown..]);
                break;
            case 7:
                Remove(at, Math.Min(1 + random.Below(32), Length - at));
                break;
            case 8:
                int copied = Math.Min(1 + random.Below(64), Length - at);
                if (Insert(at, copied))
                {
                    Bytes.Slice(at + copied, copied).CopyTo(Bytes.Slice(at, copied));
                }

                break;
            default:
                // The beginning of this and the end of another one.
                int from = random.Below(other.Length);
                int taken = Math.Min(other.Length - from, Capacity - at);
                Length = at + taken;
                other.Slice(from, taken).CopyTo(Bytes[at..]);
                break;
        }
    }
}
