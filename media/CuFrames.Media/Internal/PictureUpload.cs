using CuFrames.Interop;
using CuFrames.Protocol;

namespace CuFrames.Media.Internal;

/// <summary>
/// Brings pictures that the CPU made into device memory: they are written into pinned memory of this object, then one copy per plane goes
/// through the stream. Not thread-safe. Allocates only when pictures become larger.
/// </summary>
internal sealed unsafe class PictureUpload(CudaStream stream) : IDisposable
{
    /// <summary>Rows begin at multiples of this in pinned memory, as they do in a ring.</summary>
    private const int RowAlignment = 64;

    private readonly PicturePlane[] _planes = new PicturePlane[Wire.MaxPlanes];
    private readonly CudaPlane[] _destination = new CudaPlane[Wire.MaxPlanes];
    private CudaHostMemory? _memory;
    private PixelFormat _format;
    private int _width;
    private int _height;

    /// <summary>Whether <see cref="Enqueue"/> was called since <see cref="Forget"/>.</summary>
    internal bool HasDestination { get; private set; }

    /// <summary>The planes that the next picture is to be written into. The copy of the picture before has finished by then.</summary>
    /// <param name="format">Its format.</param>
    /// <param name="width">Its columns.</param>
    /// <param name="height">Its rows.</param>
    /// <exception cref="CudaException">Pinned memory ran out, or the copy before has failed.</exception>
    internal ReadOnlySpan<PicturePlane> Begin(PixelFormat format, int width, int height)
    {
        stream.Synchronize();
        int planeCount = PixelFormats.PlaneCount(format);
        if (format != _format || width != _width || height != _height)
        {
            long size = 0;
            for (int plane = 0; plane < planeCount; plane++)
            {
                size += PitchOf(format, plane, width) * PixelFormats.Rows(format, plane, height);
            }

            if (_memory is null || _memory.Size < size)
            {
                _memory?.Dispose();
                _memory = null;
                _format = PixelFormat.Unknown;
                _memory = CudaHostMemory.Allocate(stream.Context, size);
            }

            byte* position = _memory.Pointer;
            for (int plane = 0; plane < planeCount; plane++)
            {
                long pitch = PitchOf(format, plane, width);
                _planes[plane] = new PicturePlane((nint)position, (nuint)pitch);
                position += pitch * PixelFormats.Rows(format, plane, height);
            }

            (_format, _width, _height) = (format, width, height);
        }

        return _planes.AsSpan(0, planeCount);
    }

    /// <summary>Enqueues the copies of the picture that was written last.</summary>
    /// <param name="destination">As many planes as the format has.</param>
    /// <exception cref="CudaException">The driver refused.</exception>
    internal void Enqueue(ReadOnlySpan<CudaPlane> destination)
    {
        for (int plane = 0; plane < destination.Length; plane++)
        {
            stream.Copy(new CudaCopy
            {
                Source = (ulong)_planes[plane].Address,
                SourcePitch = (long)_planes[plane].Pitch,
                SourceIsDevice = false,
                Destination = destination[plane].Address,
                DestinationPitch = destination[plane].Pitch,
                DestinationIsDevice = true,
                RowBytes = PixelFormats.RowBytes(_format, plane, _width),
                Rows = PixelFormats.Rows(_format, plane, _height),
            });
            _destination[plane] = destination[plane];
        }

        HasDestination = true;
    }

    /// <summary>Where the picture that was enqueued last lies on the device: behind the copies in the stream's order.</summary>
    /// <param name="metadata">Its colours.</param>
    /// <exception cref="MediaException">Nothing was enqueued since <see cref="Forget"/>.</exception>
    internal CudaPicture PictureOnDevice(in FrameMetadata metadata) => HasDestination
        ? new CudaPicture
        {
            Format = _format,
            Width = _width,
            Height = _height,
            Plane0 = _destination[0],
            Plane1 = _destination[1],
            Plane2 = _destination[2],
            ColourMatrix = metadata.ColourMatrix,
            Range = metadata.ColourRange,
            ChromaLocation = metadata.ChromaLocation,
        }
        : throw new MediaException(MediaError.InvalidArgument, "The current frame is not in device memory: copy it there first.");

    /// <summary>Another frame is the current one now.</summary>
    internal void Forget() => HasDestination = false;

    /// <summary>Frees the pinned memory. No copy may be under way.</summary>
    public void Dispose() => _memory?.Dispose();

    private static long PitchOf(PixelFormat format, int plane, int width) =>
        (PixelFormats.RowBytes(format, plane, width) + (long)RowAlignment - 1) / RowAlignment * RowAlignment;
}
