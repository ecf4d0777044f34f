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

    /// <summary>What a sample becomes.</summary>
    /// <param name="sample">The sample, 0 to 255.</param>
    /// <param name="channel">The channel of the format's order, 0 to 2.</param>
    public double NumberOf(double sample, int channel) => ((sample * Scale) - Mean[channel]) / Std[channel];

    /// <summary>Says what is wrong with the values for tensors of a format.</summary>
    /// <param name="format">The format.</param>
    /// <returns>A sentence without its point; null when nothing is.</returns>
    public string? FindFault(PixelFormat format)
    {
        bool isGood = double.IsFinite(Scale) && Scale != 0;
        for (int channel = 0; channel < 3; channel++)
        {
            isGood &= double.IsFinite(Mean[channel]) && double.IsFinite(Std[channel]) && Std[channel] != 0;
        }

        if (!isGood)
        {
            return $"A tensor needs a scale and deviations that are finite and not 0, and finite means, found {this}";
        }

        if (!PixelFormats.IsFloat(format))
        {
            return $"Scale, mean and deviation are for the formats rgbp_f16, bgrp_f16, rgbp_f32 and bgrp_f32, found {PixelFormats.Name(format)}";
        }

        double most = PixelFormats.SampleBytes(format) == sizeof(float) ? float.MaxValue : (double)Half.MaxValue;
        for (int channel = 0; channel < 3; channel++)
        {
            double dark = NumberOf(0, channel), bright = NumberOf(255, channel);
            if (!(Math.Abs(dark) <= most && Math.Abs(bright) <= most))
            {
                return FormattableString.Invariant(
                    $"Samples become {dark} to {bright} in channel {channel} of {PixelFormats.Name(format)}, which holds up to {most}: choose another scale or deviation");
            }
        }

        return null;
    }

    internal void Validate(PixelFormat format)
    {
        if (FindFault(format) is { } fault)
        {
            throw new MediaException(MediaError.InvalidArgument, fault + ".");
        }
    }
}
