namespace CuFrames.Media.Internal;

/// <summary>
/// How the samples of one direction of a plane become those of a result: bicubic interpolation with a = -0.6, libswscale's default. Where the result has
/// fewer samples the filter is stretched by the ratio, so that it takes away what the result cannot show (aliasing). Immutable.
/// </summary>
internal sealed class ResamplingTable
{
    /// <summary>The cubic's slope at 1: Keys, "Cubic Convolution Interpolation for Digital Image Processing", 1981; libswscale's parameter 0.6.</summary>
    internal const double Slope = -0.6;

    // How far the cubic reaches, in samples.
    private const double Reach = 2;

    private ResamplingTable(int[] starts, float[] weights, int taps) => (Starts, Weights, Taps) = (starts, weights, taps);

    /// <summary>For each sample of the result the first sample of the plane that counts.</summary>
    internal int[] Starts { get; }

    /// <summary>For each sample of the result <see cref="Taps"/> weights, which add up to 1.</summary>
    internal float[] Weights { get; }

    /// <summary>Samples of the plane that count.</summary>
    internal int Taps { get; }

    /// <summary>Makes a table.</summary>
    /// <param name="first">The first sample of the part of the plane that is shown.</param>
    /// <param name="length">Samples of that part. Beyond them the outermost go on.</param>
    /// <param name="count">Samples of the result.</param>
    /// <param name="position">Where the first sample of the result lies: 0 is the middle of the part's first sample, 1 that of its second.</param>
    /// <param name="ratio">From one sample of the result to the next, in samples of the plane.</param>
    internal static ResamplingTable Make(int first, int length, int count, double position, double ratio)
    {
        double stretch = Math.Max(1, ratio);
        int reach = (int)Math.Ceiling(2 * Reach * stretch);
        int taps = Math.Min(reach, length);
        int[] starts = new int[count];
        float[] weights = new float[count * taps];
        double[] sums = new double[taps];
        for (int i = 0; i < count; i++)
        {
            double centre = position + (i * ratio);
            int from = (int)Math.Floor(centre - (Reach * stretch)) + 1;
            int start = Math.Clamp(from, 0, length - taps);
            Array.Clear(sums);
            double total = 0;
            for (int sample = from; sample < from + reach; sample++)
            {
                double weight = Cubic(Math.Abs(sample - centre) / stretch);
                sums[Math.Clamp(sample, 0, length - 1) - start] += weight;
                total += weight;
            }

            starts[i] = first + start;
            for (int tap = 0; tap < taps; tap++)
            {
                weights[(i * taps) + tap] = (float)(sums[tap] / total);
            }
        }

        return new ResamplingTable(starts, weights, taps);
    }

    private static double Cubic(double x) => x switch
    {
        < 1 => ((((Slope + 2) * x) - (Slope + 3)) * x * x) + 1,
        < Reach => Slope * ((((((x - 5) * x) + 8) * x) - 4)),
        _ => 0,
    };
}
