using System.Runtime.InteropServices;
using CuFrames.Protocol;

namespace CuFrames.Media.Internal;

/// <summary>
/// Main memory for one picture that libswscale is to read, with the room that it needs past the rows' ends. Not thread-safe. Allocates only
/// when the picture's shape changes.
/// </summary>
internal sealed unsafe class ScratchPicture : IDisposable
{
    private const int RowAlignment = 64;

    private readonly PicturePlane[] _planes = new PicturePlane[Wire.MaxPlanes];
    private void* _memory;
    private PixelFormat _format;
    private int _width;
    private int _height;

    /// <summary>The planes of a picture, their content undefined after a change of shape.</summary>
    /// <param name="format">Its format.</param>
    /// <param name="width">Its columns.</param>
    /// <param name="height">Its rows.</param>
    internal ReadOnlySpan<PicturePlane> Shape(PixelFormat format, int width, int height)
    {
        int planeCount = PixelFormats.PlaneCount(format);
        if (format != _format || width != _width || height != _height)
        {
            nuint size = 0;
            for (int plane = 0; plane < planeCount; plane++)
            {
                size += SizeOf(format, plane, width, height);
            }

            NativeMemory.AlignedFree(_memory);
            _memory = null;
            _format = PixelFormat.Unknown;
            _memory = NativeMemory.AlignedAlloc(size, RowAlignment);
            byte* position = (byte*)_memory;
            for (int plane = 0; plane < planeCount; plane++)
            {
                _planes[plane] = new PicturePlane((nint)position, PitchOf(format, plane, width));
                position += SizeOf(format, plane, width, height);
            }

            (_format, _width, _height) = (format, width, height);
        }

        return _planes.AsSpan(0, planeCount);
    }

    /// <summary>Frees the memory.</summary>
    public void Dispose()
    {
        NativeMemory.AlignedFree(_memory);
        _memory = null;
        _format = PixelFormat.Unknown;
    }

    private static nuint PitchOf(PixelFormat format, int plane, int width) =>
        (nuint)((PixelFormats.RowBytes(format, plane, width) + RowAlignment - 1) / RowAlignment * RowAlignment);

    private static nuint SizeOf(PixelFormat format, int plane, int width, int height) =>
        (PitchOf(format, plane, width) * (nuint)PixelFormats.Rows(format, plane, height)) + RowAlignment;
}
