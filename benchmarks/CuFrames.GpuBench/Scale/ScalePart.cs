using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using CuFrames.Benchmarks.Gpu.Latency;
using CuFrames.Benchmarks.Gpu.Running;
using CuFrames.Interop;
using CuFrames.Media;
using CuFrames.Media.Internal;
using CuFrames.Media.Tests;
using CuFrames.Protocol;

namespace CuFrames.Benchmarks.Gpu.Scale;

/// <summary>
/// Scaling and conversion on the device: time per frame of CuFrames' kernel and of FFmpeg's scale_cuda, on the same pictures and measured alike, and how near
/// both come to the filter in double precision.
/// </summary>
internal sealed class ScalePart : IPart
{
    private const string Ours = "cuframes";
    private const string Theirs = "scale_cuda";

    // As in scale_cuda.c.
    private const int Batch = 50;
    private const int WarmUp = 20;
    private const ulong Spinning = 4_000_000;
    private const ulong LongestSpinning = 1_000_000_000;

    private const int UsualBatches = 40;

    private static readonly (int Width, int Height)[] Targets = [(640, 360), (1280, 720)];
    private static readonly PixelFormat[] Formats = [PixelFormat.Nv12, PixelFormat.Rgb24, PixelFormat.RgbpF16];

    public string Name => "scale";

    public void Run(PartContext context)
    {
        int batches = context.Options.Scale(UsualBatches);
        using CudaContext cuda = context.Device.OpenContext();
        using CudaStream stream = CudaStream.Create(cuda);
        using SpinKernel spin = new(cuda);
        using TimedEvents events = new(cuda, Batch + 1);
        using ScalePicture rings = ScalePicture.Rings(cuda, stream, 1920, 1080), large = ScalePicture.Rings(cuda, stream, 3840, 2160);
        using ScalePicture clip = ScalePicture.OfClip(context, cuda, stream);
        using StreamWriter table = context.CreateTable("scale.csv.gz", "scaler,from,to,format,kind,ns");
        JsonArray times = [], quality = [];
        JsonObject figures = new() { ["load"] = MeasureLoad(cuda), ["times"] = times, ["psnr"] = quality };
        context.Report.Set(Name, figures);
        context.Log($"loading the kernel: {(double)figures["load"]!["compiled_ms"]!} ms compiled, {(double)figures["load"]!["cached_ms"]!} ms out of the driver's cache");

        foreach (ScalePicture picture in (ScalePicture[])[rings, large, clip])
        {
            string file = Path.Combine(context.WorkFolder, $"scale-{picture.Name}-{picture.Size}.nv12");
            File.WriteAllBytes(file, picture.Samples);
            foreach ((int width, int height) in Targets)
            {
                string to = $"{width}x{height}";
                byte[] ours = [];
                foreach (PixelFormat format in picture == clip ? [PixelFormat.Nv12] : Formats)
                {
                    using CudaPictureScaler scaler = new(cuda, format, width, height, PictureFit.Stretch);
                    using CudaMemory result = CudaMemory.Allocate(cuda, PixelFormats.PictureBytes(format, width, height));
                    if (picture != clip)
                    {
                        ScaleTimes measured = Measure(scaler, picture.OnDevice, PlanesOf(result, format, width, height), stream, spin, events, batches);
                        Record(Ours, picture.Size, to, PixelFormats.Name(format), measured);
                    }

                    if (format == PixelFormat.Nv12)
                    {
                        ours = Result(scaler, picture.OnDevice, result, stream);
                    }
                }

                string output = Path.Combine(context.WorkFolder, $"scale-{picture.Name}-{picture.Size}-{to}.nv12");
                ScaleTimes other = RunFilter(file, picture.OnDevice, width, height, picture == clip ? 1 : batches, output);
                if (picture != clip)
                {
                    Record(Theirs, picture.Size, to, PixelFormats.Name(PixelFormat.Nv12), other);
                }

                double[] reference = new ReferenceScaler(
                    picture.OnDevice, picture.Samples, PixelFormat.Nv12, width, height, PictureFit.Stretch, TensorOptions.Default).Scale();
                byte[] theirs = File.ReadAllBytes(output);
                int luma = width * height;
                JsonObject near = new()
                {
                    ["picture"] = picture.Name,
                    ["from"] = picture.Size,
                    ["to"] = to,
                    ["luma_db"] = SignalToNoise(reference, ours, 0, luma),
                    ["chroma_db"] = SignalToNoise(reference, ours, luma, reference.Length),
                    ["scale_cuda_luma_db"] = SignalToNoise(reference, theirs, 0, luma),
                    ["scale_cuda_chroma_db"] = SignalToNoise(reference, theirs, luma, reference.Length),
                };
                quality.Add(near);
                context.Log($"{picture.Name} {picture.Size} to {to}: {near["luma_db"]!.GetValue<double>()} dB luma, {near["chroma_db"]!.GetValue<double>()} dB chroma; scale_cuda {near["scale_cuda_luma_db"]!.GetValue<double>()} and {near["scale_cuda_chroma_db"]!.GetValue<double>()}");
            }
        }

        void Record(string scaler, string from, string to, string format, ScaleTimes measured)
        {
            JsonObject figure = measured.ToJson(scaler, from, to, format);
            times.Add(figure);
            foreach ((string kind, IReadOnlyList<double> values) in ((string, IReadOnlyList<double>)[])[("frame", measured.Frames), ("batch", measured.Batches), ("submit", measured.Submits)])
            {
                foreach (double value in values)
                {
                    table.WriteLine(FormattableString.Invariant($"{scaler},{from},{to},{format},{kind},{value:0}"));
                }
            }

            context.Log($"{scaler} {from} to {to} {format}: {figure["batch_p50_us"]!.GetValue<double>()} µs a frame, {figure["frame_p50_us"]!.GetValue<double>()} with events, {figure["submit_p50_us"]!.GetValue<double>()} µs of the processor");
        }
    }

    public void Print(BenchReport report, TextWriter output)
    {
        if (report[Name] is not { } figures)
        {
            return;
        }

        output.WriteLine("\nScaling on the device, µs per frame (p50; the picture lies in the device's memory; queued behind each other)");
        output.WriteLine("  scaler       from        to          format        frame   with events (p50, p99)   processor");
        foreach (JsonNode? time in figures["times"]!.AsArray())
        {
            output.WriteLine(FormattableString.Invariant(
                $"  {(string)time!["scaler"]!,-12} {(string)time["from"]!,-11} {(string)time["to"]!,-11} {(string)time["format"]!,-10} {(double)time["batch_p50_us"]!,8} {(double)time["frame_p50_us"]!,12} {(double)time["frame_p99_us"]!,8} {(double)time["submit_p50_us"]!,14}"));
        }

        output.WriteLine("  PSNR against the filter in double precision, dB: luma, chroma; scale_cuda's");
        foreach (JsonNode? near in figures["psnr"]!.AsArray())
        {
            output.WriteLine(FormattableString.Invariant(
                $"  {(string)near!["picture"]!,-12} {(string)near["from"]!,-11} {(string)near["to"]!,-11} {(double)near["luma_db"]!,6} {(double)near["chroma_db"]!,6}   {(double)near["scale_cuda_luma_db"]!,6} {(double)near["scale_cuda_chroma_db"]!,6}"));
        }

        output.WriteLine(FormattableString.Invariant(
            $"  loading the kernel: {(double)figures["load"]!["compiled_ms"]!} ms when the driver compiles it, {(double)figures["load"]!["cached_ms"]!} ms out of its cache; {(int)figures["load"]!["ptx_bytes"]!} bytes of PTX"));
    }

    private static JsonObject MeasureLoad(CudaContext cuda)
    {
        // The driver's cache goes by the text: another one each time.
        string text = RenditionKernel.ReadText() + $"\n// {Guid.NewGuid()}\n";
        double[] milliseconds = new double[2];
        for (int i = 0; i < 2; i++)
        {
            long start = Stopwatch.GetTimestamp();
            using CudaModule module = CudaModule.Load(cuda, text);
            _ = module.Function(RenditionKernel.Name);
            milliseconds[i] = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        }

        return new JsonObject
        {
            ["compiled_ms"] = BenchReport.Round(milliseconds[0]),
            ["cached_ms"] = BenchReport.Round(milliseconds[1]),
            ["ptx_bytes"] = text.Length,
        };
    }

    private static CudaPlane[] PlanesOf(CudaMemory memory, PixelFormat format, int width, int height)
    {
        CudaPlane[] planes = new CudaPlane[PixelFormats.PlaneCount(format)];
        ulong position = memory.Address;
        for (int plane = 0; plane < planes.Length; plane++)
        {
            planes[plane] = new CudaPlane(position, PixelFormats.RowBytes(format, plane, width));
            position += (ulong)((long)PixelFormats.RowBytes(format, plane, width) * PixelFormats.Rows(format, plane, height));
        }

        return planes;
    }

    private static ScaleTimes Measure(
        CudaPictureScaler scaler, CudaPicture picture, CudaPlane[] planes, CudaStream stream, SpinKernel spin, TimedEvents events, int batches)
    {
        List<double> frames = [], averages = [], submits = [];
        for (int i = 0; i < WarmUp; i++)
        {
            scaler.Enqueue(stream, in picture, planes);
        }

        stream.Synchronize();
        ulong spinning = Spinning;
        for (int batch = 0; batch < 2 * batches; batch++)
        {
            bool withEvents = batch < batches;
            double submitted;
            while (!RunBatch(spinning, withEvents, out submitted))
            {
                spinning *= 2;
                if (spinning > LongestSpinning)
                {
                    throw new InvalidOperationException("The device was idle while frames were queued.");
                }
            }

            for (int i = 0; i < Batch && withEvents; i++)
            {
                frames.Add(events.Between(i, i + 1));
            }

            if (!withEvents)
            {
                averages.Add(events.Between(0, Batch) / Batch);
                submits.Add(submitted);
            }
        }

        return new ScaleTimes(frames, averages, submits);

        // Queued behind a kernel that spins; false: the device did not wait for the processor to have queued all.
        bool RunBatch(ulong nanoseconds, bool withEvents, out double submitted)
        {
            spin.Launch(stream, nanoseconds);
            events.Record(0, stream);
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < Batch; i++)
            {
                scaler.Enqueue(stream, in picture, planes);
                if (withEvents || i == Batch - 1)
                {
                    events.Record(i + 1, stream);
                }
            }

            submitted = Stopwatch.GetElapsedTime(start).TotalNanoseconds / Batch;
            bool wasBusy = events.IsPending(0);
            stream.Synchronize();
            return wasBusy;
        }
    }

    private static unsafe byte[] Result(CudaPictureScaler scaler, CudaPicture picture, CudaMemory result, CudaStream stream)
    {
        byte[] samples = new byte[PixelFormats.PictureBytes(scaler.Format, scaler.Width, scaler.Height)];
        scaler.Enqueue(stream, in picture, PlanesOf(result, scaler.Format, scaler.Width, scaler.Height));
        fixed (byte* first = samples)
        {
            stream.Copy(new CudaCopy
            {
                Source = result.Address,
                SourcePitch = samples.Length,
                SourceIsDevice = true,
                Destination = (ulong)first,
                DestinationPitch = samples.Length,
                RowBytes = samples.Length,
                Rows = 1,
            });
            stream.Synchronize();
        }

        return samples;
    }

    private static ScaleTimes RunFilter(string file, CudaPicture picture, int width, int height, int batches, string output)
    {
        string[] words =
        [
            Path.Combine(AppContext.BaseDirectory, "test_kernels.ptx"), file, Text(picture.Width), Text(picture.Height), Text(width), Text(height), Text(batches), output,
            .. Environment.GetEnvironmentVariable("CUFRAMES_SCALE_FILTER") is { } filter ? [filter] : (string[])[],
        ];
        using Process process = Process.Start(new ProcessStartInfo("scale-cuda", words) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> messages = process.StandardError.ReadToEndAsync();
        Dictionary<string, List<double>> values = new() { ["frame"] = [], ["batch"] = [], ["submit"] = [] };
        while (process.StandardOutput.ReadLine() is { } line)
        {
            string[] parts = line.Split(' ');
            values[parts[0]].Add(double.Parse(parts[1], CultureInfo.InvariantCulture));
        }

        process.WaitForExit();
        return process.ExitCode == 0
            ? new ScaleTimes(values["frame"], values["batch"], values["submit"])
            : throw new InvalidOperationException($"scale-cuda ended with {process.ExitCode}: {messages.Result}");

        static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
    }

    private static double SignalToNoise(double[] reference, byte[] samples, int from, int to)
    {
        double sum = 0;
        for (int i = from; i < to; i++)
        {
            sum += (samples[i] - reference[i]) * (samples[i] - reference[i]);
        }

        return BenchReport.Round(10 * Math.Log10(255.0 * 255 * (to - from) / sum));
    }
}
