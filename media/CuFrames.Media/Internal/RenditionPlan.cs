using System.Runtime.InteropServices;
using CuFrames.Protocol;

namespace CuFrames.Media.Internal;

/// <summary>
/// How the kernel makes a result of a size, format and tensor from pictures of one size, format and colours: its tables and its argument. Only the
/// addresses change from picture to picture. One thread at a time.
/// </summary>
internal sealed class RenditionPlan
{
    // Tables begin at multiples of this many bytes.
    private const int TableAlignment = 256;

    private readonly int _sampleBytes;
    private readonly Input[] _inputs;
    private readonly Output[] _outputs;
    private RenditionParameters _parameters;

    /// <summary>Makes a plan.</summary>
    /// <param name="source">The pictures; its planes do not matter.</param>
    /// <param name="format">Format of the result.</param>
    /// <param name="width">Columns of the result.</param>
    /// <param name="height">Rows of the result.</param>
    /// <param name="fit">How shapes that differ are brought together.</param>
    /// <param name="tensor">The numbers of floating-point formats.</param>
    internal RenditionPlan(in CudaPicture source, PixelFormat format, int width, int height, PictureFit fit, TensorOptions tensor)
    {
        (Source, _sampleBytes) = (source with { Plane0 = default, Plane1 = default, Plane2 = default }, PixelFormats.SampleBytes(source.Format));
        int crop = PixelFormats.IsSubsampled(source.Format) ? 2 : 1;
        Geometry = ScalingGeometry.Of(fit, source.Width, source.Height, crop, crop, width, height, PixelFormats.IsSubsampled(format));
        ColourConversion colours = ColourConversion.Of(source.Format, source.Height, source.ColourMatrix, source.Range, format, height);
        _outputs = [.. OutputsOf(format, height)];
        int jobs = _outputs.Max(output => output.Job) + 1;
        _inputs = [.. Enumerable.Range(0, jobs).SelectMany(job => InputsOf(Source.Format, format, job))];
        for (int job = 0; job < jobs; job++)
        {
            bool isHalved = job > 0;
            ref RenditionParameters.Job made = ref _parameters.Jobs[job];
            (made.Width, made.Height) = (Half(width, isHalved), Half(height, isHalved));
            (made.Left, made.Top) = isHalved ? (Geometry.TargetX / 2, Geometry.TargetY / 2) : (Geometry.TargetX, Geometry.TargetY);
            (made.ShownWidth, made.ShownHeight) = (Half(Geometry.TargetWidth, isHalved), Half(Geometry.TargetHeight, isHalved));
            made.TilesAcross = DivideUp(made.Width, RenditionParameters.TileColumns);
            made.Limit = format == PixelFormat.P010 ? 1023 : 255;
            made.Kind = PixelFormats.IsFloat(format)
                ? PixelFormats.SampleBytes(format) == 2 ? RenditionParameters.Kind.Half : RenditionParameters.Kind.Single
                : format == PixelFormat.P010 ? RenditionParameters.Kind.Ten : RenditionParameters.Kind.Byte;
            foreach (Output output in _outputs.Where(output => output.Job == job))
            {
                ref RenditionParameters.Output to = ref made.Outputs[made.OutputCount++];
                to.Step = output.Step;
                if (output.Channel < 0)
                {
                    // Alpha.
                    to.Bias = to.Black = 255;
                    continue;
                }

                ColourConversion.Affine sum = colours[output.Channel];
                (to.Matrix[0], to.Matrix[1], to.Matrix[2], to.Bias) = ((float)sum.First, (float)sum.Second, (float)sum.Third, (float)sum.Constant);
                to.Black = (float)ColourConversion.BlackOf(source.Format, source.Range, format, output.Channel);
                if (PixelFormats.IsFloat(format))
                {
                    // Channels of a tensor are numbered in the order in which they lie.
                    int channel = made.OutputCount - 1;
                    to.Gain = (float)(tensor.Scale / tensor.Std[channel]);
                    to.Offset = (float)(-tensor.Mean[channel] / tensor.Std[channel]);
                }
            }

            if (job == 0)
            {
                _parameters.Second = made.TilesAcross * DivideUp(made.Height, RenditionParameters.TileRows);
                Blocks = (uint)_parameters.Second;
            }
            else
            {
                Blocks += (uint)(made.TilesAcross * DivideUp(made.Height, RenditionParameters.TileRows));
            }
        }

        Tables = MakeTables();
    }

    /// <summary>What pictures it is for, without planes.</summary>
    internal CudaPicture Source { get; }

    /// <summary>What of a picture is shown where.</summary>
    internal ScalingGeometry Geometry { get; }

    /// <summary>Blocks of a launch.</summary>
    internal uint Blocks { get; }

    /// <summary>The tables as they are to lie in device memory.</summary>
    internal byte[] Tables { get; }

    /// <summary>The kernel's argument for a picture.</summary>
    /// <param name="tables">Device address of the tables, a multiple of 256.</param>
    /// <param name="source">The picture.</param>
    /// <param name="target">The planes of its result.</param>
    /// <returns>The argument, valid until the next call.</returns>
    internal ref readonly RenditionParameters Place(ulong tables, in CudaPicture source, ReadOnlySpan<CudaPlane> target)
    {
        (int last, int number) = (0, 0);
        foreach (ref readonly Input input in _inputs.AsSpan())
        {
            (last, number) = (input.Job, input.Job == last ? number : 0);
            ref RenditionParameters.Input to = ref _parameters.Jobs[input.Job].Inputs[number++];
            CudaPlane plane = input.Plane switch { 0 => source.Plane0, 1 => source.Plane1, _ => source.Plane2 };
            (to.Address, to.Pitch) = (plane.Address, plane.Pitch);
            to.IsAligned = plane.Pitch % (4 * _sampleBytes) == 0 ? 1 : 0;
            (to.Across.Starts, to.Across.Weights) = (tables + input.Across.Starts, tables + input.Across.Weights);
            (to.Down.Starts, to.Down.Weights) = (tables + input.Down.Starts, tables + input.Down.Weights);
        }

        (last, number) = (0, 0);
        foreach (ref readonly Output output in _outputs.AsSpan())
        {
            (last, number) = (output.Job, output.Job == last ? number : 0);
            ref RenditionParameters.Output to = ref _parameters.Jobs[output.Job].Outputs[number++];
            CudaPlane plane = target[output.Plane];
            (to.Address, to.Pitch) = (plane.Address + (ulong)((output.Row * plane.Pitch) + output.Offset), plane.Pitch);
        }

        return ref _parameters;
    }

    private static int Half(int value, bool isHalved) => isHalved ? (value + 1) / 2 : value;

    private static int DivideUp(int value, int divisor) => (value + divisor - 1) / divisor;

    /// <summary>The channels of a result, in the order in which they lie. Channel: Y, U, V or R, G, B; -1: alpha. Row: of the plane, where the channel begins.</summary>
    private static IEnumerable<Output> OutputsOf(PixelFormat format, int height) => format switch
    {
        PixelFormat.Gray8 => [new Output(0, 0, 0, 0, 0, 1)],
        PixelFormat.Nv12 => [new Output(0, 0, 0, 0, 0, 1), new Output(1, 1, 1, 0, 0, 2), new Output(1, 2, 1, 0, 1, 2)],
        PixelFormat.P010 => [new Output(0, 0, 0, 0, 0, 2), new Output(1, 1, 1, 0, 0, 4), new Output(1, 2, 1, 0, 2, 4)],
        PixelFormat.I420 => [new Output(0, 0, 0, 0, 0, 1), new Output(1, 1, 1, 0, 0, 1), new Output(1, 2, 2, 0, 0, 1)],
        PixelFormat.Rgb24 => Enumerable.Range(0, 3).Select(i => new Output(0, i, 0, 0, i, 3)),
        PixelFormat.Bgr24 => Enumerable.Range(0, 3).Select(i => new Output(0, 2 - i, 0, 0, i, 3)),
        PixelFormat.Rgba => Enumerable.Range(0, 4).Select(i => new Output(0, i < 3 ? i : -1, 0, 0, i, 4)),
        PixelFormat.Bgra => Enumerable.Range(0, 4).Select(i => new Output(0, i < 3 ? 2 - i : -1, 0, 0, i, 4)),
        PixelFormat.Rgbp or PixelFormat.RgbpF16 or PixelFormat.RgbpF32 =>
            Enumerable.Range(0, 3).Select(i => new Output(0, i, 0, i * height, 0, PixelFormats.SampleBytes(format))),
        _ => Enumerable.Range(0, 3).Select(i => new Output(0, 2 - i, 0, i * height, 0, PixelFormats.SampleBytes(format))),
    };

    /// <summary>The planes that a job of a result needs: YUV that stays YUV needs luma for the first and chroma for the second.</summary>
    private static IEnumerable<Input> InputsOf(PixelFormat source, PixelFormat target, int job)
    {
        bool toRgb = ScaledColours.IsRgb(target);
        if (ScaledColours.IsRgb(source))
        {
            int step = source is PixelFormat.Rgba or PixelFormat.Bgra ? 4 : 3;
            return [new Input(job, 0, step, 0, source is PixelFormat.Rgb24 or PixelFormat.Rgba ? [0, 1, 2] : [2, 1, 0])];
        }

        IEnumerable<Input> luma = job == 0 ? [new Input(job, 0, 1, 0, [0])] : [];
        IEnumerable<Input> chroma = source switch
        {
            _ when job == 0 && !toRgb => [],
            PixelFormat.Nv12 or PixelFormat.P010 => [new Input(job, 1, 2, 1, [0, 1])],
            PixelFormat.I420 => [new Input(job, 1, 1, 1, [0]), new Input(job, 2, 1, 2, [0])],
            _ => [],
        };
        return luma.Concat(chroma);
    }

    /// <summary>Where chroma sample 0 of a 4:2:0 picture lies, in samples of luma, from the left or upper edge of luma sample 0 (H.273, table 8 and figure 1).</summary>
    private static (double X, double Y) ChromaPlace(byte location) => location switch
    {
        2 => (1, 1),
        3 => (0.5, 0.5),
        4 => (1, 0.5),
        5 => (0.5, 1.5),
        6 => (1, 1.5),
        _ => (0.5, 1),
    };

    private byte[] MakeTables()
    {
        List<byte> bytes = [];
        Dictionary<(int First, int Length, int Count, double Position, double Ratio, bool IsAcross), AxisPlace> made = [];
        (double chromaX, double chromaY) = ChromaPlace(Source.ChromaLocation);
        bool isSubsampled = PixelFormats.IsSubsampled(Source.Format);
        foreach (ref Input input in _inputs.AsSpan())
        {
            bool isChroma = isSubsampled && input.Plane > 0, isHalved = input.Job > 0;
            ref RenditionParameters.Job job = ref _parameters.Jobs[input.Job];
            ref RenditionParameters.Input to = ref job.Inputs[job.InputCount++];
            to.Elements = PixelFormats.RowBytes(Source.Format, input.Plane, Source.Width) / _sampleBytes;
            (to.Step, to.Channels, to.First) = (input.Step, input.Offsets.Length, input.First);
            to.IsWide = _sampleBytes == 2 ? 1 : 0;
            input.Offsets.CopyTo(MemoryMarshal.CreateSpan(ref to.Offset[0], 3));
            input.Across = Axis(isChroma, isHalved, Geometry.SourceX, Geometry.SourceWidth, Geometry.TargetWidth, chromaX, isAcross: true, ref to.Across);
            input.Down = Axis(isChroma, isHalved, Geometry.SourceY, Geometry.SourceHeight, Geometry.TargetHeight, chromaY, isAcross: false, ref to.Down);
        }

        return [.. bytes];

        // One direction: the part from `first` on, `length` samples of luma, becomes `count`.
        AxisPlace Axis(bool isChroma, bool isHalved, int first, int length, int count, double chroma, bool isAcross, ref RenditionParameters.Axis axis)
        {
            int step = isChroma ? 2 : 1, targetStep = isHalved ? 2 : 1;
            // Of RGB that becomes YUV chroma lies on the left; that of YUV stays where it was.
            double place = isChroma ? chroma : 0.5;
            double targetPlace = !isHalved ? 0.5 : isSubsampled ? chroma : isAcross ? 0.5 : 1;
            double scale = (double)length / count;
            var key = (first / step, Half(length, isChroma), Half(count, isHalved), ((targetPlace * scale) - place) / step, targetStep * scale / step, isAcross);
            if (!made.TryGetValue(key, out AxisPlace found))
            {
                ResamplingTable table = ResamplingTable.Make(key.Item1, key.Item2, key.Item3, key.Item4, key.Item5);
                found = new AxisPlace(Append<int>(table.Starts), Append<float>(isAcross ? TapByTap(table) : table.Weights), table.Taps);
                made.Add(key, found);
            }

            (axis.Taps, axis.Count) = (found.Taps, key.Item3);
            return found;
        }

        ulong Append<T>(ReadOnlySpan<T> values)
            where T : unmanaged
        {
            ulong start = (ulong)bytes.Count;
            bytes.AddRange(MemoryMarshal.AsBytes(values));
            bytes.AddRange(new byte[(TableAlignment - (bytes.Count % TableAlignment)) % TableAlignment]);
            return start;
        }
    }

    private static float[] TapByTap(ResamplingTable table)
    {
        int count = table.Starts.Length;
        float[] result = new float[table.Weights.Length];
        for (int i = 0; i < result.Length; i++)
        {
            result[(i % table.Taps * count) + (i / table.Taps)] = table.Weights[i];
        }

        return result;
    }

    /// <summary>Where a direction's tables lie, in bytes from the beginning of all.</summary>
    [StructLayout(LayoutKind.Auto)]
    private readonly record struct AxisPlace(ulong Starts, ulong Weights, int Taps);

    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Output(int Job, int Channel, int Plane, long Row, long Offset, int Step);

    [StructLayout(LayoutKind.Auto)]
    private record struct Input(int Job, int Plane, int Step, int First, int[] Offsets)
    {
        public AxisPlace Across { get; set; }

        public AxisPlace Down { get; set; }
    }
}
