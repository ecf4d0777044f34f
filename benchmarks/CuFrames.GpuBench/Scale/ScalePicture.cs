using CuFrames.Benchmarks.Gpu.Cameras;
using CuFrames.Benchmarks.Gpu.Running;
using CuFrames.Benchmarks.Running;
using CuFrames.Interop;
using CuFrames.Media;
using CuFrames.Protocol;

namespace CuFrames.Benchmarks.Gpu.Scale;

/// <summary>A picture in nv12, in main memory and in device memory. BT.709, limited range, chroma in the middle, as scale_cuda takes it.</summary>
internal sealed unsafe class ScalePicture : IDisposable
{
    private readonly CudaMemory _memory;

    private ScalePicture(string name, CudaContext context, CudaStream stream, int width, int height, byte[] samples)
    {
        (Name, Samples) = (name, samples);
        _memory = CudaMemory.Allocate(context, samples.Length);
        fixed (byte* first = samples)
        {
            stream.Copy(new CudaCopy
            {
                Source = (ulong)first,
                SourcePitch = samples.Length,
                Destination = _memory.Address,
                DestinationPitch = samples.Length,
                DestinationIsDevice = true,
                RowBytes = samples.Length,
                Rows = 1,
            });
            stream.Synchronize();
        }

        OnDevice = new CudaPicture
        {
            Format = PixelFormat.Nv12,
            Width = width,
            Height = height,
            Plane0 = new CudaPlane(_memory.Address, width),
            Plane1 = new CudaPlane(_memory.Address + (ulong)((long)width * height), width),
            ColourMatrix = 1,
            Range = ColourRange.Limited,
            ChromaLocation = 2,
        };
    }

    public string Name { get; }

    public byte[] Samples { get; }

    public CudaPicture OnDevice { get; }

    public string Size => $"{OnDevice.Width}x{OnDevice.Height}";

    /// <summary>Rings that become finer from the middle to the corners, where one is two samples wide; edges; a little noise. All that a filter can get wrong.</summary>
    public static ScalePicture Rings(CudaContext context, CudaStream stream, int width, int height)
    {
        byte[] samples = new byte[width * height * 3 / 2];
        Random random = new(1);
        double finest = Math.PI / 2 / Math.Sqrt((width * (double)width) + (height * (double)height));
        for (int y = 0; y < height; y++)
        {
            for (int x = 0; x < width; x++)
            {
                double fromX = x - (width / 2.0), fromY = y - (height / 2.0);
                double value = 126 + (75 * Math.Cos(2 * finest * ((fromX * fromX) + (fromY * fromY)))) + (((x / 97) + (y / 61)) % 5 == 0 ? 25 : 0);
                samples[(y * width) + x] = (byte)Math.Clamp(value + random.Next(-3, 4), 16, 235);
            }
        }

        for (int i = 0; i < width * height / 2; i++)
        {
            int x = i % width / 2, y = i / width;
            double value = 128 + (60 * Math.Sin((x / 23.0) + (i % 2))) + (((x / 41) + (y / 37)) % 2 == 0 ? 30 : -30);
            samples[(width * height) + i] = (byte)Math.Clamp(value, 16, 240);
        }

        return new ScalePicture("rings", context, stream, width, height, samples);
    }

    /// <summary>A picture of the bench's clip, 1920x1080.</summary>
    public static ScalePicture OfClip(PartContext context, CudaContext cuda, CudaStream stream)
    {
        const int Width = 1920, Height = 1080;
        string file = Path.Combine(context.WorkFolder, "scale-clip.nv12");
        using Peer ffmpeg = Peer.Program(
            "ffmpeg", "ffmpeg", "-v", "error", "-nostdin", "-y", "-ss", "2", "-i", BenchClips.Find(context, "h264"), "-frames:v", "1", "-pix_fmt", "nv12", "-f", "rawvideo", file);
        ffmpeg.WaitForEnd(30);
        byte[] samples = File.ReadAllBytes(file);
        return samples.Length == Width * Height * 3 / 2
            ? new ScalePicture("clip", cuda, stream, Width, Height, samples)
            : throw new InvalidOperationException($"The clip's picture has {samples.Length} bytes: it is none of {Width}x{Height}.");
    }

    public void Dispose() => _memory.Dispose();
}
