using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Protocol;
using Xunit;

namespace CuFrames.Media.Tests;

/// <summary>What the kernel alone makes of a picture, one step after the other and each waited for: the measure of what renditions hold.</summary>
internal sealed class RenditionReference(CudaContext context) : IDisposable
{
    private readonly CudaStream _stream = CudaStream.Create(context);
    private readonly Dictionary<RenditionOptions, (CudaPictureScaler Scaler, DeviceBuffer Result, PixelFormat Format, int Width, int Height)> _made = [];
    private DeviceBuffer? _source;
    private (PixelFormat Format, int Width, int Height) _shape;
    private byte[]? _samples;

    /// <summary>The samples of a frame without padding.</summary>
    public static byte[] SamplesOf(Frame frame)
    {
        byte[] samples = new byte[PixelFormats.PictureBytes(frame.PixelFormat, frame.Width, frame.Height)];
        frame.CopyTo(samples);
        frame.ThrowIfInvalid();
        return samples;
    }

    /// <summary>What a rendition is to hold of a camera's frame.</summary>
    public byte[] Make(RenditionOptions options, in FrameMetadata camera, PixelFormat format, int width, int height, byte[] samples)
    {
        (PixelFormat toFormat, (int toWidth, int toHeight)) = (options.Format ?? format, options.SizeOf(width, height));
        if (_source is null || _shape != (format, width, height))
        {
            _source?.Dispose();
            _source = new DeviceBuffer(context, _stream, format, width, height);
            (_shape, _samples) = ((format, width, height), null);
        }

        if (!ReferenceEquals(_samples, samples))
        {
            _source.Write(_stream, samples);
            _samples = samples;
        }

        if (!_made.TryGetValue(options, out var made) || (made.Format, made.Width, made.Height) != (toFormat, toWidth, toHeight))
        {
            made.Scaler?.Dispose();
            made.Result?.Dispose();
            made = (
                new CudaPictureScaler(context, toFormat, toWidth, toHeight, options.Fit, options.Tensor),
                new DeviceBuffer(context, _stream, toFormat, toWidth, toHeight, padding: PixelFormats.IsTensor(toFormat) ? 0 : -1), toFormat, toWidth, toHeight);
            _made[options] = made;
        }

        CudaPicture picture = new()
        {
            Format = format,
            Width = width,
            Height = height,
            Plane0 = _source.Planes[0],
            Plane1 = _source.Planes.ElementAtOrDefault(1),
            Plane2 = _source.Planes.ElementAtOrDefault(2),
            ColourMatrix = camera.ColourMatrix,
            Range = camera.ColourRange,
            ChromaLocation = camera.ChromaLocation,
        };
        made.Scaler!.Enqueue(_stream, picture, made.Result!.Planes);
        return made.Result.Samples(_stream);
    }

    /// <summary>Takes the next frame of a rendition and compares all of it.</summary>
    /// <returns>Its samples.</returns>
    public byte[] Require(FrameSubscriber reader, RenditionOptions options, in FrameMetadata camera, PixelFormat format, int width, int height, byte[] samples)
    {
        using Frame frame = reader.Next(TimeSpan.FromSeconds(90));
        byte[] found = SamplesOf(frame);
        Assert.Equal((camera.SourcePacket, camera.Pts, camera.Flags), (frame.Metadata.SourcePacket, frame.Metadata.Pts, frame.Metadata.Flags));
        Assert.Equal((options.Format ?? format, options.SizeOf(width, height)), (frame.PixelFormat, (frame.Width, frame.Height)));
        byte[] expected = Make(options, camera, format, width, height, samples);
        int same = expected.AsSpan().CommonPrefixLength(found);
        Assert.True(same == expected.Length && found.Length == same, $"{frame.PixelFormat} {frame.Width}x{frame.Height}, frame of packet {camera.SourcePacket}: differs at byte {same} of {expected.Length}");
        return found;
    }

    public void Dispose()
    {
        foreach (var made in _made.Values)
        {
            made.Scaler.Dispose();
            made.Result.Dispose();
        }

        _source?.Dispose();
        _stream.Dispose();
    }
}
