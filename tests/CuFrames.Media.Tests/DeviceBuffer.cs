using CuFrames.Interop;
using CuFrames.Protocol;

namespace CuFrames.Media.Tests;

/// <summary>
/// Device memory for one frame whose rows are longer than they need be. The padding and a guard before and after each plane hold a mark, so
/// that a write outside of the picture is found.
/// </summary>
internal sealed class DeviceBuffer : IDisposable
{
    private const byte Mark = 0xA5;
    private const int Guard = 256;
    private readonly CudaMemory _memory;
    private readonly (int RowBytes, int Rows, int Pitch, int Offset)[] _shape;

    /// <summary>Makes one. Its planes begin at multiples of 64 bytes but for a shift; rows are a multiple of 64, or longer by a padding.</summary>
    public DeviceBuffer(CudaContext context, CudaStream stream, PixelFormat format, int width, int height, int shift = 0, int padding = -1)
    {
        _shape = new (int, int, int, int)[PixelFormats.PlaneCount(format)];
        Planes = new CudaPlane[_shape.Length];
        int size = Guard + shift;
        for (int plane = 0; plane < _shape.Length; plane++)
        {
            int bytes = PixelFormats.RowBytes(format, plane, width);
            int rows = PixelFormats.Rows(format, plane, height);
            int pitch = padding < 0 ? (bytes + 127) / 64 * 64 : bytes + padding;
            _shape[plane] = (bytes, rows, pitch, size);
            size += (rows * pitch) + Guard;
        }

        _memory = CudaMemory.Allocate(context, size);
        Size = size;
        stream.Fill(_memory.Address, Mark, size);
        stream.Synchronize();
        for (int plane = 0; plane < _shape.Length; plane++)
        {
            Planes[plane] = new CudaPlane(_memory.Address + (ulong)_shape[plane].Offset, _shape[plane].Pitch);
        }
    }

    public CudaPlane[] Planes { get; }

    private int Size { get; }

    /// <summary>Brings samples in, plane after plane, as a raw video file has them, and waits.</summary>
    public unsafe void Write(CudaStream stream, byte[] samples)
    {
        fixed (byte* source = samples)
        {
            long position = 0;
            for (int plane = 0; plane < _shape.Length; plane++)
            {
                (int rowBytes, int rows, int pitch, _) = _shape[plane];
                stream.Copy(new CudaCopy
                {
                    Source = (ulong)source + (ulong)position,
                    SourcePitch = rowBytes,
                    Destination = Planes[plane].Address,
                    DestinationPitch = pitch,
                    DestinationIsDevice = true,
                    RowBytes = rowBytes,
                    Rows = rows,
                });
                position += (long)rowBytes * rows;
            }

            stream.Synchronize();
        }
    }

    /// <summary>The samples alone, plane after plane, as a raw video file has them. Fails when anything else was written.</summary>
    public unsafe byte[] Samples(CudaStream stream)
    {
        byte[] all = new byte[Size];
        fixed (byte* target = all)
        {
            stream.Copy(new CudaCopy
            {
                Source = _memory.Address,
                SourcePitch = Size,
                SourceIsDevice = true,
                Destination = (ulong)target,
                DestinationPitch = Size,
                RowBytes = Size,
                Rows = 1,
            });
            stream.Synchronize();
        }

        byte[] samples = new byte[_shape.Sum(shape => shape.RowBytes * shape.Rows)];
        int position = 0, end = 0;
        foreach ((int rowBytes, int rows, int pitch, int offset) in _shape)
        {
            for (int row = 0; row < rows; row++, position += rowBytes)
            {
                int start = offset + (row * pitch);
                RequireMark(all.AsSpan(end, start - end));
                all.AsSpan(start, rowBytes).CopyTo(samples.AsSpan(position));
                end = start + rowBytes;
            }
        }

        RequireMark(all.AsSpan(end));
        return samples;

        static void RequireMark(ReadOnlySpan<byte> padding)
        {
            if (padding.IndexOfAnyExcept(Mark) >= 0)
            {
                throw new InvalidOperationException("Bytes outside of the picture were written.");
            }
        }
    }

    public void Dispose() => _memory.Dispose();
}
