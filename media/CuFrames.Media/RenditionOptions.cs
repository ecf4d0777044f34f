using CuFrames.Protocol;

namespace CuFrames.Media;

/// <summary>What a <see cref="Rendition"/> makes of a camera's frames. Immutable.</summary>
public sealed record RenditionOptions
{
    /// <summary>Columns of the frames, 1 to 16,384; 0, together with <see cref="Height"/>: <see cref="Scale"/> says.</summary>
    public int Width { get; init; }

    /// <summary>Rows of the frames, 1 to 16,384; 0, together with <see cref="Width"/>: <see cref="Scale"/> says.</summary>
    public int Height { get; init; }

    /// <summary>Size of the frames as a factor of the camera's, above 0. Default: 1. Only without <see cref="Width"/> and <see cref="Height"/>.</summary>
    public double Scale { get; init; } = 1;

    /// <summary>What is done about a camera whose pictures have another shape. Default: black borders.</summary>
    public PictureFit Fit { get; init; } = PictureFit.Letterbox;

    /// <summary>How samples are weighed where the CPU scales; a GPU always scales bicubically. Default: bicubic.</summary>
    public ScalingFilter Filter { get; init; } = ScalingFilter.Bicubic;

    /// <summary>Most frames per second, above 0; null: all of them. Frames are chosen by their pts; none is ever made of two or shown twice.</summary>
    public double? MaxFrameRate { get; init; }

    /// <summary>Format of the frames; null: the camera's.</summary>
    public PixelFormat? Format { get; init; }

    /// <summary>What the numbers of the formats <c>rgbp_f16</c>, <c>bgrp_f16</c>, <c>rgbp_f32</c> and <c>bgrp_f32</c> are; null: the defaults. Null with every other
    /// format.</summary>
    public TensorOptions? Tensor { get; init; }

    /// <summary>Size of the frames.</summary>
    /// <param name="width">Columns of the camera's frames.</param>
    /// <param name="height">Rows of the camera's frames.</param>
    public (int Width, int Height) SizeOf(int width, int height) =>
        Width > 0 ? (Width, Height) : (Scaled(width), Scaled(height));

    internal void Validate()
    {
        bool hasSize = Width != 0 || Height != 0;
        bool isGood = (!hasSize || (Width is >= 1 and <= Wire.MaxDimension && Height is >= 1 and <= Wire.MaxDimension && Scale == 1)) &&
            double.IsFinite(Scale) && Scale > 0 && MaxFrameRate is null or > 0 && (Format is not { } format || PixelFormats.IsKnown(format)) && Enum.IsDefined(Fit) && Enum.IsDefined(Filter);
        if (!isGood)
        {
            throw new MediaException(
                MediaError.InvalidArgument,
                $"A rendition needs either a size of 1 to {Wire.MaxDimension} columns and rows or a factor above 0, a frame rate above 0 and a known format, found {this}.");
        }

        Tensor?.Validate(Format ?? PixelFormat.Unknown);
    }

    private int Scaled(int side) => (int)Math.Clamp(Math.Round(side * Scale, MidpointRounding.AwayFromZero), 1, int.MaxValue);
}
