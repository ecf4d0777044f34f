using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.TestKit;

namespace CuFrames.Media.Tests;

/// <summary>This executable as another process: publishes a file into device memory and prints how many frames, and what decoded them.</summary>
internal static class PublishChild
{
    public static int Run(string[] arguments)
    {
        using TemporaryDirectory directory = new();
        using CudaContext context = CudaDriver.Devices[0].OpenContext();
        using FramePublisher publisher = FramePublisher.Create("camera", new PublisherOptions { Directory = directory.Path, Memory = FrameMemory.Cuda, Cuda = context });
        using CameraPump pump = new(publisher, CameraHarness.File(arguments[0]) with { Retry = false });
        pump.Start();
        if (!pump.WaitForEnd(TimeSpan.FromSeconds(90)) || pump.Status.State != CameraState.Ended)
        {
            Console.Error.WriteLine(pump.Status.Reason);
            return 1;
        }

        Console.WriteLine($"{pump.Statistics.Frames} {pump.Status.Info!.Decoder}");
        Console.WriteLine(pump.Status.Info.DecoderReason);
        return 0;
    }
}
