namespace CuFrames.Cli.Internal;

/// <summary>Bytes that tell apart what was written from what lay there, and each position from the next ones.</summary>
internal static class ProbePattern
{
    public static void Fill(Span<byte> bytes)
    {
        for (int i = 0; i < bytes.Length; i++)
        {
            bytes[i] = At(i);
        }
    }

    /// <summary>Throws if a byte differs.</summary>
    /// <param name="bytes">What was read.</param>
    /// <param name="where">What it was read from, as the subject of a sentence.</param>
    public static void Require(ReadOnlySpan<byte> bytes, string where)
    {
        for (int i = 0; i < bytes.Length; i++)
        {
            if (bytes[i] != At(i))
            {
                throw new InvalidDataException($"{where} has another content than was written: byte {i} is {bytes[i]}, not {At(i)}.");
            }
        }
    }

    // 251 is prime: the pattern repeats at no power of two.
    private static byte At(int position) => (byte)((position % 251) + 1);
}
