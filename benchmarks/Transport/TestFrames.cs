using System.Runtime.InteropServices;

namespace CuFrames.Benchmarks.Transport;

/// <summary>
/// 1080p I420 frames as a decoder's pool would hold them: a few buffers in turn. The first 8 bytes are the frame's number, all
/// others follow from their position.
/// </summary>
internal sealed unsafe class TestFrames : IDisposable
{
    public const int Width = 1920;
    public const int Height = 1080;
    public const int LumaBytes = Width * Height;
    public const int ChromaBytes = LumaBytes / 4;
    public const int Bytes = LumaBytes + (2 * ChromaBytes);

    /// <summary>One byte of each cache line is what a reader touches.</summary>
    public const int Stride = 64;

    private const int Buffers = 4;

    private readonly byte* _memory;
    private int _next;

    public TestFrames()
    {
        _memory = (byte*)NativeMemory.AlignedAlloc(Buffers * (nuint)Bytes, 4096);
        for (int buffer = 0; buffer < Buffers; buffer++)
        {
            for (int i = 0; i < Bytes; i++)
            {
                _memory[((nint)buffer * Bytes) + i] = ByteAt(i);
            }
        }
    }

    /// <summary>The next buffer in turn, with a frame's number in place. Transports have at most two frames of earlier calls in hand.</summary>
    public byte* Frame(long number)
    {
        byte* frame = _memory + ((nint)_next * Bytes);
        _next = (_next + 1) % Buffers;
        *(long*)frame = number;
        return frame;
    }

    /// <summary>What <see cref="Touch"/> finds in all planes of a sound frame.</summary>
    public static long ExpectedSum()
    {
        long sum = 0;
        for (int i = Stride; i < Bytes; i += Stride)
        {
            sum += ByteAt(i);
        }

        return sum;
    }

    /// <summary>Adds up one byte of each cache line. The frame's number is left out.</summary>
    public static long Touch(ReadOnlySpan<byte> data, bool hasNumber)
    {
        long sum = 0;
        for (int i = hasNumber ? Stride : 0; i < data.Length; i += Stride)
        {
            sum += data[i];
        }

        return sum;
    }

    public void Dispose() => NativeMemory.AlignedFree(_memory);

    // Multiplied by a prime, so that a byte from another place or plane is noticed.
    private static byte ByteAt(int position) => (byte)((position * 2654435761L) >> 16);
}
