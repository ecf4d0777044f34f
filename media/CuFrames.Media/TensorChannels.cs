namespace CuFrames.Media;

/// <summary>A value for each channel of a tensor, in the order of its format: the first one is red's in <c>rgbp_f32</c> and blue's in <c>bgrp_f32</c>.</summary>
/// <param name="First">Value of channel 0.</param>
/// <param name="Second">Value of channel 1.</param>
/// <param name="Third">Value of channel 2.</param>
public readonly record struct TensorChannels(double First, double Second, double Third)
{
    /// <summary>Value of a channel.</summary>
    /// <param name="channel">The channel, 0 to 2.</param>
    public double this[int channel] => channel switch
    {
        0 => First,
        1 => Second,
        2 => Third,
        _ => throw new ArgumentOutOfRangeException(nameof(channel), channel, "A tensor has channels 0 to 2."),
    };
}
