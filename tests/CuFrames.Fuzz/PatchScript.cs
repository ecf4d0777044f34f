using System.Buffers.Binary;

namespace CuFrames.Fuzz;

/// <summary>
/// A short form of a large input: what differs from a sound block. A patch is its offset (2 bytes), the number of bytes (1 byte) and the bytes.
/// </summary>
internal static class PatchScript
{
    private const int HeadSize = 3;

    /// <summary>Writes the patches into a block. An offset behind the end counts from the beginning again; a patch that is cut short ends the script.</summary>
    public static void Apply(ReadOnlySpan<byte> script, Span<byte> block)
    {
        while (TryNext(ref script, block.Length, out int offset, out ReadOnlySpan<byte> bytes))
        {
            bytes.CopyTo(block[offset..]);
        }
    }

    /// <summary>Makes what the patches wrote sound again.</summary>
    public static void Revert(ReadOnlySpan<byte> script, Span<byte> block, ReadOnlySpan<byte> sound)
    {
        while (TryNext(ref script, block.Length, out int offset, out ReadOnlySpan<byte> bytes))
        {
            sound.Slice(offset, bytes.Length).CopyTo(block[offset..]);
        }
    }

    /// <summary>A patch as bytes.</summary>
    public static byte[] Of(int offset, ReadOnlySpan<byte> bytes) => [(byte)offset, (byte)(offset >> 8), checked((byte)bytes.Length), .. bytes];

    /// <summary>The patches that make one block from another.</summary>
    public static byte[] Difference(ReadOnlySpan<byte> sound, ReadOnlySpan<byte> wanted)
    {
        List<byte> script = [];
        for (int at = 0; at < sound.Length; at += 8)
        {
            ReadOnlySpan<byte> word = wanted.Slice(at, 8);
            if (!word.SequenceEqual(sound.Slice(at, 8)))
            {
                script.AddRange(Of(at, word));
            }
        }

        return [.. script];
    }

    /// <summary>Adds a patch of one number to the input, or changes the input's patches as they are.</summary>
    /// <param name="input">The input.</param>
    /// <param name="start">Where the script begins in it.</param>
    /// <param name="random">The lane's generator.</param>
    /// <param name="offset">Offset of a field in the block.</param>
    /// <param name="size">Its size.</param>
    /// <param name="value">What to write there.</param>
    public static void Mutate(InputBuffer input, int start, FuzzRandom random, int offset, int size, ulong value)
    {
        if (random.OneIn(6) && input.Length > start)
        {
            int at = start;
            for (int skip = random.Below(6); skip >= 0; skip--)
            {
                int next = at + HeadSize + (at + HeadSize <= input.Length ? input.Bytes[at + 2] : 0);
                if (next >= input.Length || skip == 0)
                {
                    break;
                }

                at = next;
            }

            int length = Math.Min(input.Length - at, HeadSize + (at + 2 < input.Length ? input.Bytes[at + 2] : 0));
            if (random.OneIn(2))
            {
                input.Remove(at, length);
            }
            else if (length > HeadSize)
            {
                input.ChangeNumber(at + HeadSize, Math.Min(8, length - HeadSize), random);
            }

            return;
        }

        // A script that only grows would make every block unsound in many ways at once.
        if (input.Length > start + 400)
        {
            input.Length = start + random.Below(200);
        }

        int end = input.Length;
        if (input.Insert(end, HeadSize + size))
        {
            input.Write(end, 2, (ulong)offset);
            input.Write(end + 2, 1, (ulong)size);
            input.Write(end + HeadSize, size, value);
        }
    }

    private static bool TryNext(ref ReadOnlySpan<byte> script, int blockLength, out int offset, out ReadOnlySpan<byte> bytes)
    {
        if (script.Length < HeadSize)
        {
            offset = 0;
            bytes = default;
            return false;
        }

        offset = BinaryPrimitives.ReadUInt16LittleEndian(script) % blockLength;
        int length = Math.Min(script[2], script.Length - HeadSize);
        bytes = script.Slice(HeadSize, Math.Min(length, blockLength - offset));
        script = script[(HeadSize + length)..];
        return true;
    }
}
