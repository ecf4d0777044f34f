using System.Runtime.InteropServices;
using CuFrames.Protocol;

namespace CuFrames.Media.Tests;

/// <summary>
/// Host memory for one frame whose rows are longer than they need be. The padding and a guard before and after each plane hold a
/// mark, so that a write outside of the picture is found.
/// </summary>
internal sealed unsafe class FrameBuffer : IDisposable
{
    private const byte Mark = 0xA5;
    private const int Guard = 256;
    private readonly byte* _memory;
    private readonly nuint _size;
    private readonly (int RowBytes, int Rows, int Pitch, nuint Offset)[] _shape;

    public FrameBuffer(PixelFormat format, int width, int height, int padding = 64)
    {
        _shape = new (int, int, int, nuint)[PixelFormats.PlaneCount(format)];
        Planes = new PicturePlane[_shape.Length];
        nuint size = Guard;
        for (int plane = 0; plane < _shape.Length; plane++)
        {
            int bytes = PixelFormats.RowBytes(format, plane, width);
            int rows = PixelFormats.Rows(format, plane, height);
            int pitch = PixelFormats.IsTensor(format) ? bytes : (bytes + padding + 1) & ~1;
            _shape[plane] = (bytes, rows, pitch, size);
            size += (nuint)(rows * pitch) + Guard;
        }

        _size = size;
        _memory = (byte*)NativeMemory.AlignedAlloc(size, 64);
        NativeMemory.Fill(_memory, size, Mark);
        for (int plane = 0; plane < _shape.Length; plane++)
        {
            Planes[plane] = new PicturePlane((nint)(_memory + _shape[plane].Offset), (nuint)_shape[plane].Pitch);
        }
    }

    public PicturePlane[] Planes { get; }

    /// <summary>The samples alone, plane after plane, as a raw video file has them.</summary>
    public byte[] Samples()
    {
        byte[] samples = new byte[_shape.Sum(shape => shape.RowBytes * shape.Rows)];
        int position = 0;
        foreach ((int rowBytes, int rows, int pitch, nuint offset) in _shape)
        {
            for (int row = 0; row < rows; row++, position += rowBytes)
            {
                new ReadOnlySpan<byte>(_memory + offset + (row * pitch), rowBytes).CopyTo(samples.AsSpan(position));
            }
        }

        return samples;
    }

    /// <summary>One sample byte, for tests that damage it.</summary>
    public ref byte At(int plane, int row, int column) => ref _memory[_shape[plane].Offset + (nuint)(row * _shape[plane].Pitch) + (nuint)column];

    /// <summary>Whether every byte that belongs to no sample still holds the mark.</summary>
    public bool PaddingIsUntouched()
    {
        bool[] isSample = new bool[_size];
        foreach ((int rowBytes, int rows, int pitch, nuint offset) in _shape)
        {
            for (int row = 0; row < rows; row++)
            {
                isSample.AsSpan((int)offset + (row * pitch), rowBytes).Fill(true);
            }
        }

        for (nuint i = 0; i < _size; i++)
        {
            if (!isSample[i] && _memory[i] != Mark)
            {
                return false;
            }
        }

        return true;
    }

    public void Dispose() => NativeMemory.AlignedFree(_memory);
}
