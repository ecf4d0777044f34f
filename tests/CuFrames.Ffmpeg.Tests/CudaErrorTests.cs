using CuFrames.Client;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Ffmpeg.Tests;

/// <summary>What goes wrong with a GPU, or without one, on the double of its driver.</summary>
public sealed class CudaErrorTests
{
    private const string Key = CudaSource.Key;

    public static TheoryData<string> Versions { get; } = [.. FfmpegBuild.Versions];

    /// <summary>Calls of the driver that fail in a publisher, and what its messages name.</summary>
    public static TheoryData<string, string, string> PublisherFaults { get; } =
    [
        .. from version in FfmpegBuild.Versions
           from fault in ((string, string)[])
           [
               ("cuMemCreate:1:CUDA_ERROR_OUT_OF_MEMORY", "OUT_OF_RESOURCES"),
               ("cuMemExportToShareableHandle:1:304", "cuMemExportToShareableHandle"),

               // hwupload_cuda copies two planes of a frame, then the filter does.
               ("cuMemcpy2DAsync:7:CUDA_ERROR_INVALID_VALUE", "cuMemcpy2DAsync"),
               ("cuMemcpy2DAsync:8:CUDA_ERROR_INVALID_VALUE", "cuMemcpy2DAsync"),
               ("cuStreamQuery:1:999", "cuStreamQuery"),
           ]
           select (version, fault.Item1, fault.Item2),
    ];

    /// <summary>Calls of the driver that fail in a reader, and what its messages name. The library retains the primary context first, then the demuxer.</summary>
    public static TheoryData<string, string, string> ReaderFaults { get; } =
    [
        .. from version in FfmpegBuild.Versions
           from fault in ((string, string)[])
           [
               ("cuDevicePrimaryCtxRetain:1:CUDA_ERROR_OUT_OF_MEMORY", "cuDevicePrimaryCtxRetain"),
               ("cuDevicePrimaryCtxRetain:3:CUDA_ERROR_OUT_OF_MEMORY", "which FFmpeg cannot open"),
               ("cuDeviceGet:2:CUDA_ERROR_INVALID_DEVICE", "which FFmpeg cannot open"),
               ("cuMemImportFromShareableHandle:1:CUDA_ERROR_INVALID_VALUE", "cuMemImportFromShareableHandle"),
           ]
           select (version, fault.Item1, fault.Item2),
    ];

    [Theory]
    [MemberData(nameof(PublisherFaults))]
    public void A_publisher_ends_with_a_message_and_leaves_nothing(string version, string fault, string text)
    {
        using CudaMachine machine = new();

        // What was enqueued before still runs when the publisher ends.
        using CudaProgram publisher = machine.FfmpegWith(
            [new("FAKECUDA_FAIL", fault), new("FAKECUDA_DELAY_US", "5000-20000")], version,
            ["-v", "error", "-xerror", .. CudaSource.Input, "-vf", $"{CudaSource.Upload("nv12")},cuda_ipc_export=key={Key}", "-f", "null", "-"]);
        (int status, _, string messages) = publisher.End();
        Assert.NotEqual(0, status);
        Assert.Contains(text, messages, StringComparison.Ordinal);
        publisher.Counts.AssertNothingIsLeft();
    }

    [Theory]
    [MemberData(nameof(ReaderFaults))]
    public void A_reader_ends_with_a_message_and_leaves_nothing(string version, string fault, string text)
    {
        using CudaMachine machine = new();
        using CudaProgram publisher = CudaSource.Publish(machine, version);
        using CudaProgram reader = machine.FfmpegWith(
            [new("FAKECUDA_FAIL", fault)], version,
            "-v", "error", "-xerror", "-f", "cuframes", "-i", Key, "-vf", "hwdownload,format=nv12", "-f", "null", "-");
        (int status, _, string messages) = reader.End();
        Assert.NotEqual(0, status);
        Assert.Contains(text, messages, StringComparison.Ordinal);
        reader.Counts.AssertNothingIsLeft();

        // The publisher does not care.
        using CudaProgram other = machine.Ffmpeg(
            version, "-v", "error", "-copyts", "-f", "cuframes", "-i", Key, "-vf", "hwdownload,format=nv12", "-frames:v", "5", "-f", "framehash", "-");
        Dictionary<long, string> expected = CudaSource.Digests(version);
        Assert.All(DigestLine.ReadAll(FilterTests.Succeed(other.End())), line => Assert.Equal(expected[line.Pts], line.Hash));
    }

    /// <summary>Where the GPU cannot end a lease the processor does, when the work that reads the frame is done.</summary>
    [Theory]
    [MemberData(nameof(Versions))]
    public void A_release_that_the_driver_refuses_happens_all_the_same(string version)
    {
        using CudaMachine machine = new();
        using CudaProgram publisher = CudaSource.Publish(machine, version);
        using CudaProgram reader = machine.FfmpegWith(
            [new("FAKECUDA_FAIL", "cuStreamWriteValue64:*:CUDA_ERROR_INVALID_VALUE")], version,
            "-v", "warning", "-copyts", "-f", "cuframes", "-leases", "2", "-i", Key, "-vf", "hwdownload,format=nv12", "-frames:v", "30", "-f", "framehash", "-");
        (int status, string output, string messages) = reader.End();
        Assert.True(status == 0, messages);
        Dictionary<long, string> expected = CudaSource.Digests(version);
        DigestLine[] read = DigestLine.ReadAll(output);
        Assert.Equal(30, read.Length);
        Assert.All(read, line => Assert.Equal(expected[line.Pts], line.Hash));
        Assert.Contains("not released by the GPU", messages, StringComparison.Ordinal);

        // hwdownload waits once for a frame, and so does the release.
        Assert.True(reader.Counts.Calls("cuStreamSynchronize") >= 59, $"{reader.Counts}");
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public void Without_a_GPU_the_messages_say_so(string version)
    {
        using CudaMachine machine = new();

        // A stream in the memory of a GPU, and a reader that has none.
        using (CudaProgram publisher = CudaSource.Publish(machine, version))
        {
            CudaSource.WaitFor(() => File.Exists(Path.Combine(machine.Directory, $"{Key}.sock")), "The publisher does not begin.");
            foreach (KeyValuePair<string, string> none in (KeyValuePair<string, string>[])[new("LD_LIBRARY_PATH", FfmpegBuild.Library), new("FAKECUDA_DEVICES", "0")])
            {
                using CudaProgram reader = machine.FfmpegWith([none], version, "-v", "error", "-f", "cuframes", "-i", Key, "-f", "null", "-");
                (int status, _, string messages) = reader.End();
                Assert.NotEqual(0, status);
                Assert.Contains("CUDA", messages, StringComparison.Ordinal);
                Assert.Contains(Key, messages, StringComparison.Ordinal);
            }
        }

        // Frames that are not there cannot be published.
        using CudaProgram without = machine.FfmpegWith(
            [new("FAKECUDA_DEVICES", "0")], version, ["-v", "error", .. CudaSource.Input, "-vf", $"{CudaSource.Upload("nv12")},cuda_ipc_export=key=b", "-f", "null", "-"]);
        (int ended, _, string said) = without.End();
        Assert.NotEqual(0, ended);
        Assert.Contains("CUDA_ERROR_NO_DEVICE", said, StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(machine.Directory, "b.sock")));
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public void Formats_that_FFmpeg_has_not_on_a_GPU_are_refused(string version)
    {
        using CudaMachine machine = new();
        _ = TestCuda.Device;
        using FramePublisher publisher = FramePublisher.Create(
            Key, new StreamFormat(PixelFormat.Gray8, CudaSource.Width, CudaSource.Height), new PublisherOptions { Directory = machine.Directory, Memory = FrameMemory.Cuda });
        using DevicePublisher frames = new(publisher);
        frames.Publish();
        using CudaProgram reader = machine.Ffmpeg(version, "-v", "error", "-f", "cuframes", "-i", Key, "-f", "null", "-");
        (int status, _, string messages) = reader.End();
        Assert.NotEqual(0, status);
        Assert.Contains("has no CUDA frames of", messages, StringComparison.Ordinal);
        Assert.Contains("memory: host", messages, StringComparison.Ordinal);
        reader.Counts.AssertNothingIsLeft();
    }
}
