using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Media.Tests;

/// <summary>What a picture costs, as the double of the driver counts it.</summary>
[Collection("cuda")]
public sealed class CudaPictureScalerCostTests : IDisposable
{
    private readonly CudaContext _context = CudaDouble.OpenContext();
    private readonly CudaStream _stream;

    public CudaPictureScalerCostTests() => _stream = CudaStream.Create(_context);

    public void Dispose()
    {
        _stream.Dispose();
        _context.Dispose();
    }

    /// <summary>One launch for each picture, one upload for each shape, no memory, and nothing left behind.</summary>
    [Fact]
    public void A_picture_is_one_launch_and_allocates_nothing()
    {
        (long before, long modules) = (CudaDouble.LiveObjects, Modules());
        using (DeviceBuffer picture = new(_context, _stream, PixelFormat.Nv12, 320, 180))
        using (DeviceBuffer result = new(_context, _stream, PixelFormat.I420, 160, 120))
        using (CudaPictureScaler scaler = new(_context, PixelFormat.I420, 160, 120, PictureFit.Letterbox))
        using (CudaPictureScaler other = new(_context, PixelFormat.Rgb24, 160, 120, PictureFit.Letterbox))
        {
            CudaPicture source = new() { Format = PixelFormat.Nv12, Width = 320, Height = 180, Plane0 = picture.Planes[0], Plane1 = picture.Planes[1] };
            scaler.Enqueue(_stream, in source, result.Planes);
            (long launches, long uploads) = (CudaDouble.CallsOf("cuLaunchKernel"), CudaDouble.Copies.HostToDevice);
            int pictures = 0;
            long bytes = Allocation.OfBestRound(() =>
            {
                for (int i = 0; i < 50; i++, pictures++)
                {
                    scaler.Enqueue(_stream, in source, result.Planes);
                }
            });
            Assert.Equal(0, bytes);
            Assert.Equal((pictures, 0), (CudaDouble.CallsOf("cuLaunchKernel") - launches, CudaDouble.Copies.HostToDevice - uploads));
            Assert.Equal(1, Modules() - modules);
            _stream.Synchronize();
            CudaPicture smaller = source with { Width = 318 };
            scaler.Enqueue(_stream, in smaller, result.Planes);
            _stream.Synchronize();
            Assert.Equal(1, CudaDouble.Copies.HostToDevice - uploads);
            Assert.Equal(pictures + 2, scaler.Pictures);
        }

        Assert.Equal(modules, Modules());
        Assert.Equal(before, CudaDouble.LiveObjects);
    }

    private static long Modules() => CudaDouble.CallsOf("cuModuleLoadData") - CudaDouble.CallsOf("cuModuleUnload");
}
