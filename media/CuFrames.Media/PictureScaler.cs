using CuFrames.Media.Internal;
using CuFrames.Protocol;

namespace CuFrames.Media;

/// <summary>
/// Brings pictures in host memory to a size and format, by libswscale: by a <see cref="ScalingFilter"/>, rounded accurately, chroma interpolated fully, the same bits on
/// every machine. One thread at a time.
/// </summary>
/// <remarks>
/// Matrix and range of a YUV picture hold where it becomes RGB; an unspecified matrix is taken as BT.709 from 720 rows up and as BT.601 below,
/// an unspecified range as limited. From YUV to YUV or grey both stay. RGB becomes limited range YUV by the matrix that the result's rows stand
/// for, or full range grey. A tensor is made of the 8-bit RGB picture (<see cref="TensorOptions"/>), its borders of black. Chroma is taken as lying in the middle between its luma samples, as ffmpeg's scale filter does.
/// </remarks>
public sealed unsafe class PictureScaler : IDisposable
{
    private const int ErrorCapacity = 1024;

    private readonly AvScalerHandle _handle;

    // A tensor is made of the RGB picture that libswscale gives; null for other formats.
    private readonly TensorPacker? _packer;
    private readonly ScratchPicture? _rgb;

    /// <summary>Makes a scaler.</summary>
    /// <param name="format">Format of the results.</param>
    /// <param name="width">Columns of the results, borders included, 1 to 16,384.</param>
    /// <param name="height">Rows of the results, borders included, 1 to 16,384.</param>
    /// <param name="fit">What is done about pictures of another shape.</param>
    /// <param name="tensor">What the numbers of a floating-point format are; null: the defaults. Null with every other format.</param>
    /// <param name="filter">How samples are weighed.</param>
    /// <exception cref="MediaException">Format, size, fit, filter or the tensor's numbers are out of range, or the shim is missing.</exception>
    public PictureScaler(PixelFormat format, int width, int height, PictureFit fit, TensorOptions? tensor = null, ScalingFilter filter = ScalingFilter.Bicubic)
    {
        if (!PixelFormats.IsKnown(format) || width is < 1 or > Wire.MaxDimension || height is < 1 or > Wire.MaxDimension || !Enum.IsDefined(fit) || !Enum.IsDefined(filter))
        {
            throw new MediaException(
                MediaError.InvalidArgument,
                $"Pictures can be scaled to a known format of 1 to {Wire.MaxDimension} columns and rows, found {PixelFormats.Name(format)} {width}x{height}.");
        }

        tensor?.Validate(format);
        MediaLibrary.Load();
        (Format, Width, Height, Fit, Filter) = (format, width, height, fit, filter);
        _handle = AvNative.CreateScaler();
        if (_handle.IsInvalid)
        {
            throw new MediaException(MediaError.OutOfMemory, "Memory ran out while a scaler was made.");
        }

        if (PixelFormats.IsTensor(format))
        {
            (_packer, _rgb) = (new TensorPacker(format, tensor ?? TensorOptions.Default), new ScratchPicture());
        }
    }

    /// <summary>Format of the results.</summary>
    public PixelFormat Format { get; }

    /// <summary>Columns of the results.</summary>
    public int Width { get; }

    /// <summary>Rows of the results.</summary>
    public int Height { get; }

    /// <summary>What is done about pictures of another shape.</summary>
    public PictureFit Fit { get; }

    /// <summary>How samples are weighed.</summary>
    public ScalingFilter Filter { get; }

    /// <summary>Pictures that were scaled.</summary>
    public long Pictures { get; private set; }

    /// <summary>Scales a picture.</summary>
    /// <param name="format">Its format.</param>
    /// <param name="width">Its columns.</param>
    /// <param name="height">Its rows.</param>
    /// <param name="source">Its planes. 64 bytes past the last row of each must be readable: libswscale looks ahead.</param>
    /// <param name="metadata">Its matrix and range.</param>
    /// <param name="target">As many planes as the result has. Bytes between the end of a row and the pitch are left alone.</param>
    /// <exception cref="MediaException">The planes do not fit, or memory ran out.</exception>
    public void Scale(
        PixelFormat format, int width, int height, ReadOnlySpan<PicturePlane> source, in FrameMetadata metadata, ReadOnlySpan<PicturePlane> target)
    {
        if (source.Length != PixelFormats.PlaneCount(format) || source.Length == 0)
        {
            throw new MediaException(
                MediaError.InvalidArgument, $"A {PixelFormats.Name(format)} picture has {PixelFormats.PlaneCount(format)} planes, found {source.Length}.");
        }

        int crop = PixelFormats.IsSubsampled(format) ? 2 : 1;
        AvNative.Scaling scaling = Prepare(width, height, crop, crop);
        AvNative.Picture picture = new()
        {
            Size = (uint)sizeof(AvNative.Picture),
            Format = AvFormats.FromPixelFormat(format),
            Width = (uint)width,
            Height = (uint)height,
            Matrix = metadata.ColourMatrix,
            Range = (uint)metadata.ColourRange,
        };
        for (int plane = 0; plane < source.Length; plane++)
        {
            picture.Planes[plane] = source[plane];
        }

        byte* error = stackalloc byte[ErrorCapacity];
        error[0] = 0;
        ReadOnlySpan<PicturePlane> planes = TargetOf(target);
        fixed (PicturePlane* first = planes)
        {
            int result = AvNative.PictureScale(_handle, &picture, &scaling, first, (uint)planes.Length, error, ErrorCapacity);
            if (result < 0)
            {
                throw AvText.PictureError($"Cannot scale a {PixelFormats.Name(format)} picture of {width}x{height}", result, error, ErrorCapacity);
            }
        }

        Finish(planes, target);
    }

    /// <summary>Turns the colours of a picture's metadata into those of its result.</summary>
    /// <param name="source">Format of the picture, as a ring would carry it.</param>
    /// <param name="metadata">The picture's metadata.</param>
    public void Describe(PixelFormat source, ref FrameMetadata metadata)
    {
        metadata.ChromaLocation = PixelFormats.IsSubsampled(Format) && PixelFormats.IsSubsampled(source) ? metadata.ChromaLocation : (byte)0;
        if (IsRgb(source) == IsRgb(Format))
        {
            return;
        }

        if (IsRgb(Format))
        {
            (metadata.ColourMatrix, metadata.ColourRange) = (0, ColourRange.Full);
            return;
        }

        metadata.ColourMatrix = Height >= 720 ? (byte)1 : (byte)6;
        metadata.ColourRange = Format == PixelFormat.Gray8 ? ColourRange.Full : ColourRange.Limited;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _handle.Dispose();
        _packer?.Dispose();
        _rgb?.Dispose();
    }

    /// <summary>Scales the current frame of a source.</summary>
    /// <returns>The shim's result; its text is the source's.</returns>
    internal int Scale(AvSourceHandle source, in AvNative.FrameInfo frame, ReadOnlySpan<PicturePlane> target)
    {
        AvNative.Scaling scaling = Prepare((int)frame.Width, (int)frame.Height, 1 << frame.CropShiftX, 1 << frame.CropShiftY);
        ReadOnlySpan<PicturePlane> planes = TargetOf(target);
        fixed (PicturePlane* first = planes)
        {
            int result = AvNative.FrameScale(source, _handle, &scaling, first, (uint)planes.Length);
            if (result == AvNative.Ok)
            {
                Finish(planes, target);
            }

            return result;
        }
    }

    /// <summary>What libswscale writes to: the target, or the RGB picture that becomes a tensor.</summary>
    private ReadOnlySpan<PicturePlane> TargetOf(ReadOnlySpan<PicturePlane> target)
    {
        if (_rgb is null)
        {
            return target;
        }

        int rowBytes = PixelFormats.RowBytes(Format, 0, Width);
        return target.Length == 1 && target[0].Address != 0 && target[0].Pitch == (nuint)rowBytes
            ? _rgb.Shape(PixelFormat.Rgb24, Width, Height)
            : throw new MediaException(
                MediaError.InvalidArgument, $"A tensor of {PixelFormats.Name(Format)} {Width}x{Height} is one plane with a pitch of {rowBytes} bytes exactly (docs/protocol.md 10.2).");
    }

    private void Finish(ReadOnlySpan<PicturePlane> planes, ReadOnlySpan<PicturePlane> target)
    {
        _packer?.Pack((byte*)planes[0].Address, planes[0].Pitch, Width, Height, (byte*)target[0].Address);
        Pictures++;
    }

    private static bool IsRgb(PixelFormat format) => format is PixelFormat.Rgb24 or PixelFormat.Bgr24 or PixelFormat.Rgba or PixelFormat.Bgra || PixelFormats.IsTensor(format);

    private AvNative.Scaling Prepare(int width, int height, int cropX, int cropY)
    {
        ScalingGeometry part = ScalingGeometry.Of(Fit, width, height, cropX, cropY, Width, Height, PixelFormats.IsSubsampled(Format));
        return new AvNative.Scaling
        {
            Size = (uint)sizeof(AvNative.Scaling),
            Format = AvFormats.FromPixelFormat(_rgb is null ? Format : PixelFormat.Rgb24),
            Width = (uint)Width,
            Height = (uint)Height,
            SourceX = (uint)part.SourceX,
            SourceY = (uint)part.SourceY,
            SourceWidth = (uint)part.SourceWidth,
            SourceHeight = (uint)part.SourceHeight,
            TargetX = (uint)part.TargetX,
            TargetY = (uint)part.TargetY,
            TargetWidth = (uint)part.TargetWidth,
            TargetHeight = (uint)part.TargetHeight,
            Filter = (uint)Filter,
        };
    }
}
