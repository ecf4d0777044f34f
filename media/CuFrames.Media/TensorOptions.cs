using CuFrames.Protocol;

namespace CuFrames.Media;

/// <summary>
/// What the numbers of a tensor of floating-point format are: (sample × <see cref="Scale"/> − <see cref="Mean"/>[c]) / <see cref="Std"/>[c] for a
/// sample of 0 to 255 of full range RGB and channel c of the format's order. Immutable.
/// </summary>
/// <remarks>On the host samples are the 8-bit ones of libswscale; on a GPU they are what the conversion gives before it is rounded.</remarks>
public sealed record TensorOptions
{
    /// <summary>Samples from 0 to 1: no mean, no deviation.</summary>
    public static TensorOptions Default { get; } = new();

    /// <summary>Factor of the samples, finite and not 0. Default: 1/255.</summary>
    public double Scale { get; init; } = 1.0 / 255;

    /// <summary>What is taken from the scaled samples. Finite. Default: 0.</summary>
    public TensorChannels Mean { get; init; }

    /// <summary>What the difference is divided by. Finite and not 0. Default: 1.</summary>
    public TensorChannels Std { get; init; } = new(1, 1, 1);

    internal void Validate(PixelFormat format)
    {
        bool isGood = double.IsFinite(Scale) && Scale != 0;
        for (int channel = 0; channel < 3; channel++)
        {
            isGood &= double.IsFinite(Mean[channel]) && double.IsFinite(Std[channel]) && Std[channel] != 0;
        }

        if (!isGood)
        {
            throw new MediaException(
                MediaError.InvalidArgument, $"A tensor needs a scale and deviations that are finite and not 0, and finite means, found {this}.");
        }

        if (!PixelFormats.IsFloat(format))
        {
            throw new MediaException(
                MediaError.InvalidArgument,
                $"Scale, mean and deviation are for the formats rgbp_f16, bgrp_f16, rgbp_f32 and bgrp_f32, found {PixelFormats.Name(format)}.");
        }
    }
}
