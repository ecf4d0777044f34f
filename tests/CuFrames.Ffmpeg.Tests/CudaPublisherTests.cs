using System.Security.Cryptography;
using CuFrames.Client;
using CuFrames.Daemon.Tests;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Ffmpeg.Tests;

/// <summary>The filter cuda_ipc_export on frames in the memory of a GPU, read by C# and Python, on the double of its driver.</summary>
public sealed class CudaPublisherTests
{
    private const string Key = CudaSource.Key;
    private const int Frames = 30;
    private const int Stop = 19;

    public static TheoryData<string> Versions { get; } = [.. FfmpegBuild.Versions];

    public static TheoryData<string, string, string> Formats { get; } =
    [
        .. from version in FfmpegBuild.Versions from format in (string[])["nv12", "p010le", "yuv420p"] select (version, format, "cuda"),
        .. FfmpegBuild.Versions.Select(version => (version, "nv12", "cuda-ipc")),
    ];

    [Theory]
    [MemberData(nameof(Formats))]
    public void A_reader_in_csharp_gets_the_frames(string version, string format, string memory)
    {
        using CudaMachine machine = new();
        _ = TestCuda.Device;
        Dictionary<long, string> expected = CudaSource.Digests(version, format);
        using CudaProgram publisher = CudaSource.Publish(machine, version, format, $":memory={memory}:source=a pattern");
        using FrameSubscriber reader = FrameSubscriber.Connect(Key, new SubscriberOptions
        {
            Directory = machine.Directory,
            Delivery = Delivery.InOrder,
            WaitForStream = true,
        });
        byte[]? picture = null;
        long last = long.MinValue;
        for (int i = 0; i < Frames; i++)
        {
            using Frame frame = reader.Next(DaemonProcess.Patience);
            Assert.Equal((CudaSource.Width, CudaSource.Height), (frame.Width, frame.Height));
            Assert.Equal(MemoryDomain.Cuda, frame.Memory);
            picture ??= new byte[PixelFormats.PictureBytes(frame.PixelFormat, frame.Width, frame.Height)];
            Assert.Equal(picture.Length, frame.CopyTo(picture));
            Assert.Equal(expected[frame.Metadata.Pts], Convert.ToHexStringLower(SHA256.HashData(picture)));
            Assert.True(frame.Metadata.Pts > last);
            last = frame.Metadata.Pts;
        }

        Assert.Equal("a pattern", reader.Source);
        (_, long dropped, CudaCounts counts) = CudaSource.End(publisher);
        Assert.Equal(0, dropped);
        counts.AssertNothingIsLeft();
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public void A_reader_in_python_gets_the_frames(string version)
    {
        // The double's addresses are those of the process: numpy looks at a plane where it lies.
        const string Program = """
            import hashlib, sys
            import cuframes, numpy

            key, directory, frames = sys.argv[1], sys.argv[2], int(sys.argv[3])
            with cuframes.Subscriber(key, directory=directory, delivery="in-order", wait_for_stream=True, timeout=60) as subscriber:
                for _ in range(frames):
                    with subscriber.next() as frame:
                        assert frame.memory == "cuda", frame.memory
                        whole = bytes(frame.to_host())
                        seen = b""
                        for plane in frame.planes:
                            interface = plane.__cuda_array_interface__
                            class Plane:
                                __array_interface__ = {"version": 3, **{name: interface[name] for name in ("shape", "typestr", "data", "strides")}}
                            seen += numpy.ascontiguousarray(numpy.asarray(Plane())).tobytes()
                        assert seen == whole, "what lies on the device is not what is copied"
                        print(frame.pts, hashlib.sha256(whole).hexdigest(), flush=True)
            """;
        using CudaMachine machine = new();
        Dictionary<long, string> expected = CudaSource.Digests(version);
        using CudaProgram publisher = CudaSource.Publish(machine, version);
        KeyValuePair<string, string>[] environment =
        [
            new("PYTHONPATH", Path.Combine(Repository.Root, "sdk", "python-bindings")),
            new("PYTHONDONTWRITEBYTECODE", "1"),
            new("CUFRAMES_LIBRARY", Path.Combine(FfmpegBuild.Library, "libcuframes.so.0")),
        ];
        using CudaProgram reader = machine.Start(environment, "/usr/bin/python3", "-c", Program, Key, machine.Directory, $"{Frames}");
        string[] lines = FilterTests.Succeed(reader.End()).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(Frames, lines.Length);
        Assert.All(lines, line =>
        {
            string[] parts = line.Split(' ');
            Assert.Equal(expected[long.Parse(parts[0], System.Globalization.CultureInfo.InvariantCulture)], parts[1]);
        });
        (_, _, CudaCounts counts) = CudaSource.End(publisher);
        counts.AssertNothingIsLeft();
    }

    /// <summary>A reader that holds as many frames as it may and does nothing any more: the pipeline goes on, and drops what has no room.</summary>
    [Theory]
    [MemberData(nameof(Versions))]
    public void Readers_that_hold_every_slot_do_not_hold_the_pipeline_up(string version)
    {
        using CudaMachine machine = new();

        // It waits before the publisher is there, which has six seconds of frames only.
        using CudaProgram reader = machine.Ffmpeg(
            version, "-v", "error", "-f", "cuframes", "-leases", "4", "-i", Key, "-vf", "hwdownload,format=nv12", "-flush_packets", "1", "-f", "rawvideo", "pipe:1");
        using CudaProgram publisher = machine.Ffmpeg(
            version,
            ["-v", "info", "-nostats", "-re", "-f", "lavfi", "-i", $"testsrc2=size={CudaSource.Width}x{CudaSource.Height}:rate=100:duration=6", "-vf",
            $"{CudaSource.Upload("nv12")},cuda_ipc_export=key={Key}:slots=2:max_slots=4,hwdownload,format=nv12", "-f", "framehash", "-"]);

        // It has begun, and nobody takes what it writes; then it does not even run.
        reader.Output.ReadExactly(new byte[PixelFormats.PictureBytes(PixelFormat.Nv12, CudaSource.Width, CudaSource.Height)]);
        reader.Process.Signal(Stop);
        (int status, string output, string messages) = publisher.End();
        Assert.True(status == 0, messages);
        Assert.Equal(600, DigestLine.ReadAll(output).Length);
        (long published, long dropped) = CudaSource.AccountOf(messages);
        Assert.Equal(600, published + dropped);
        publisher.Counts.AssertNothingIsLeft();
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public void A_killed_publisher_is_followed_by_the_next(string version)
    {
        using CudaMachine machine = new();
        Dictionary<long, string> expected = CudaSource.Digests(version);
        HashSet<string> pictures = [.. expected.Values];

        // The time-out ends the reader after the last publisher. Each of them has to begin within it, and be it that the machine is busy.
        using CudaProgram reader = machine.Ffmpeg(
            version, "-v", "error", "-f", "cuframes", "-timeout", "15000000", "-i", Key, "-vf", "hwdownload,format=nv12", "-flush_packets", "1", "-f", "framehash", "pipe:1");
        using StreamReader lines = new(reader.Output);
        List<string> text = [];
        for (int run = 0; run < 3; run++)
        {
            using CudaProgram publisher = CudaSource.Publish(machine, version);
            for (int frames = 0; frames < Frames; frames += text[^1].StartsWith('#') ? 0 : 1)
            {
                text.Add(lines.ReadLine() ?? throw new EndOfStreamException(reader.End().Messages));
            }

            publisher.Process.Kill();
        }

        text.AddRange(lines.ReadToEnd().Split('\n'));
        _ = reader.End();
        DigestLine[] read = DigestLine.ReadAll(string.Join('\n', text));
        Assert.All(read, line => Assert.Contains(line.Hash, pictures));
        Assert.All(read.Zip(read.Skip(1)), pair => Assert.True(pair.Second.Dts > pair.First.Dts, $"{pair.First} is followed by {pair.Second}"));
        reader.Counts.AssertNothingIsLeft();
    }
}
