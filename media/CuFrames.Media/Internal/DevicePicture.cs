using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Protocol;

namespace CuFrames.Media.Internal;

/// <summary>
/// Device memory for one picture, laid out as a slot of a ring is, so that a slot is filled from it by one copy. Counted in a budget as rings are. Not
/// thread-safe. Allocates only when the picture's shape changes.
/// </summary>
/// <param name="key">Key of the stream that it serves, for texts.</param>
/// <param name="budget">The limit that it counts in; null: none.</param>
internal sealed class DevicePicture(string key, MemoryBudget? budget) : IDisposable
{
    private readonly CudaPlane[] _planes = new CudaPlane[Wire.MaxPlanes];
    private CudaMemory? _memory;
    private Picture _layout;

    /// <summary>Bytes from the first plane's first to the last plane's last, padding between them included.</summary>
    internal long Length { get; private set; }

    /// <summary>The planes of a picture, their content undefined after a change of shape.</summary>
    /// <param name="stream">The stream that works on the picture: what it does with one of another shape is waited for.</param>
    /// <param name="format">Its format.</param>
    /// <param name="width">Its columns.</param>
    /// <param name="height">Its rows.</param>
    /// <exception cref="CuFramesException">OUT_OF_RESOURCES: the budget or the device has no room.</exception>
    internal ReadOnlySpan<CudaPlane> Shape(CudaStream stream, PixelFormat format, int width, int height)
    {
        if (_memory is null || _layout.PixelFormat != format || _layout.Width != width || _layout.Height != height)
        {
            if (_memory is not null)
            {
                stream.Synchronize();
                Dispose();
            }

            Picture layout = Picture.Create(format, width, height, out long size);
            budget?.Take(key, size);
            try
            {
                _memory = CudaMemory.Allocate(stream.Context, size);

                // The bytes between the rows go to readers too, and nobody has written them: no one else's memory may be in them.
                stream.Fill(_memory.Address, 0, size);
            }
            catch
            {
                _memory?.Dispose();
                _memory = null;
                budget?.Give(size);
                throw;
            }

            _layout = layout;
            int last = layout.PlaneCount - 1;
            Length = (long)layout.PlaneOffset[last] + ((long)layout.PlanePitch[last] * PixelFormats.Rows(format, last, height));
            for (int plane = 0; plane < layout.PlaneCount; plane++)
            {
                _planes[plane] = new CudaPlane(_memory.Address + layout.PlaneOffset[plane], layout.PlanePitch[plane]);
            }
        }

        return _planes.AsSpan(0, _layout.PlaneCount);
    }

    /// <summary>Frees the memory; <see cref="Shape"/> allocates it again. No work on it may be under way.</summary>
    public void Dispose()
    {
        if (_memory is not null)
        {
            budget?.Give(_memory.Size);
            _memory.Dispose();
            _memory = null;
        }
    }
}
