using Xunit;

namespace CuFrames.Ffmpeg.Tests;

/// <summary>From ffmpeg to ffmpeg in the memory of a GPU, on the double of its driver.</summary>
public sealed class CudaTransferTests
{
    private const string Key = CudaSource.Key;
    private const int Frames = 30;

    public static TheoryData<string, string, string, int, string> Ways { get; } =
    [
        .. from publisher in FfmpegBuild.Versions from reader in FfmpegBuild.Versions select (publisher, reader, "nv12", 2, ""),
        .. from version in FfmpegBuild.Versions from format in (string[])["p010le", "yuv420p"] select (version, version, format, format == "yuv420p" ? 3 : 2, ""),
        .. FfmpegBuild.Versions.Select(version => (version, version, "nv12", 2, ":memory=cuda-ipc")),
    ];

    public static TheoryData<string> Versions { get; } = [.. FfmpegBuild.Versions];

    [Theory]
    [MemberData(nameof(Ways))]
    public void Frames_are_copied_once_and_arrive_as_they_were(string publishing, string reading, string format, int planes, string filter)
    {
        using CudaMachine machine = new();
        Dictionary<long, string> expected = CudaSource.Digests(publishing, format);
        using CudaProgram publisher = CudaSource.Publish(machine, publishing, format, filter);
        using CudaProgram reader = machine.Ffmpeg(
            reading, "-v", "error", "-copyts", "-f", "cuframes", "-i", Key, "-vf", $"hwdownload,format={format}", "-frames:v", $"{Frames}", "-f", "framehash", "-");
        AssertRead(expected, reader);
        (long published, long dropped, CudaCounts wrote) = CudaSource.End(publisher);
        Assert.Equal(0, dropped);
        Assert.True(published >= Frames);

        // Into the ring, and nothing else on the device; what comes from main memory is hwupload_cuda's.
        Assert.Equal(published * planes, wrote.Copies("DtoD"));
        Assert.Equal(0, wrote.Copies("DtoH"));
        wrote.AssertNothingIsLeft();

        // A reader has no memory of its own on the device and copies nothing there; what goes to main memory is hwdownload's.
        CudaCounts read = reader.Counts;
        Assert.Equal(0, read.Copies("DtoD") + read.Copies("HtoD") + read.Copies("HtoH"));
        Assert.Equal(0, read.Copies("DtoH") % planes);
        Assert.InRange(read.Copies("DtoH") / planes, Frames, published);
        Assert.Equal(0, read.Calls("cuMemAlloc_v2") + read.Calls("cuMemAllocPitch_v2") + read.Calls("cuMemCreate"));

        // The GPU ends the leases, behind the work of the stream that the frames were used on.
        Assert.InRange(read.Calls("cuStreamWriteValue64_v2"), Frames - 1, published);
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public void What_is_published_passes_unchanged(string version)
    {
        using CudaMachine machine = new();
        string[] input = ["-f", "lavfi", "-i", $"testsrc2=size={CudaSource.Width}x{CudaSource.Height}:rate=25:duration=2"];
        using CudaProgram publisher = machine.Ffmpeg(
            version, ["-v", "error", .. input, "-vf", $"{CudaSource.Upload("nv12")},cuda_ipc_export=key={Key},hwdownload,format=nv12", "-f", "framehash", "-"]);
        DigestLine[] passed = DigestLine.ReadAll(FilterTests.Succeed(publisher.End()));
        Dictionary<long, string> expected = CudaSource.Digests(version);
        Assert.Equal(50, passed.Length);
        Assert.All(passed, line => Assert.Equal(expected[line.Pts], line.Hash));
        publisher.Counts.AssertNothingIsLeft();
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public void Options_for_hardware_decoders_change_nothing(string version)
    {
        using CudaMachine machine = new();
        Dictionary<long, string> expected = CudaSource.Digests(version);
        using CudaProgram publisher = CudaSource.Publish(machine, version);
        foreach (string[] options in (string[][])[["-hwaccel", "cuda"], ["-hwaccel", "cuda", "-hwaccel_output_format", "cuda", "-hwaccel_device", "0"]])
        {
            using CudaProgram reader = machine.Ffmpeg(
                version, ["-v", "error", .. options, "-copyts", "-f", "cuframes", "-i", Key, "-vf", "hwdownload,format=nv12", "-frames:v", $"{Frames}", "-f", "framehash", "-"]);
            AssertRead(expected, reader);
            Assert.Equal(0, reader.Counts.Copies("DtoD") + reader.Counts.Copies("HtoD"));

            // One context, the one that frames are mapped in: none was made for a decoder that does not need it.
            Assert.Equal(0, reader.Counts.Calls("cuCtxCreate_v2"));
        }
    }

    /// <summary>The whole of a reader's life: it joins, the stream ends, and it gives up after the time that the option names.</summary>
    [Theory]
    [MemberData(nameof(Versions))]
    public void A_reader_leaves_nothing_behind(string version)
    {
        using CudaMachine machine = new();
        using CudaProgram publisher = CudaSource.Publish(machine, version);

        // The reader waits for its first frame no longer than for any other one, and an FFmpeg takes longer to start on a busy machine.
        CudaSource.WaitFor(() => File.Exists(Path.Combine(machine.Directory, $"{Key}.sock")), "The publisher does not begin.");
        using CudaProgram reader = machine.Ffmpeg(
            version, "-v", "error", "-copyts", "-f", "cuframes", "-timeout", "10000000", "-i", Key, "-vf", "hwdownload,format=nv12", "-f", "framehash", "pipe:1");
        using StreamReader lines = new(reader.Output);
        List<string> text = [];
        while (text.Count(line => !line.StartsWith('#')) < Frames)
        {
            text.Add(lines.ReadLine() ?? throw new EndOfStreamException(reader.End().Messages));
        }

        _ = CudaSource.End(publisher);
        text.AddRange(lines.ReadToEnd().Split('\n'));
        (_, _, string messages) = reader.End();
        Assert.Contains("gave no frame within 10.0 s", messages, StringComparison.Ordinal);
        Dictionary<long, string> expected = CudaSource.Digests(version);
        DigestLine[] read = DigestLine.ReadAll(string.Join('\n', text));
        Assert.All(read, line => Assert.Equal(expected[line.Pts], line.Hash));
        reader.Counts.AssertNothingIsLeft();
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public void The_next_publisher_may_be_on_another_device(string version)
    {
        using CudaMachine machine = new();
        KeyValuePair<string, string>[] devices = [new("FAKECUDA_DEVICES", "2")];

        // The time-out ends the reader after the last publisher. Each of them has to begin within it, and be it that the machine is busy.
        using CudaProgram reader = machine.FfmpegWith(
            devices, version, "-v", "error", "-copyts", "-f", "cuframes", "-timeout", "15000000", "-i", Key, "-vf", "hwdownload,format=nv12", "-f", "framehash", "pipe:1");
        using StreamReader lines = new(reader.Output);
        List<string> text = [];
        for (int device = 0; device < 2; device++)
        {
            using CudaProgram publisher = machine.FfmpegWith(
                devices, version,
                ["-v", "error", "-re", .. CudaSource.Input, "-vf", $"format=nv12,hwupload_cuda=device={device},cuda_ipc_export=key={Key}", "-f", "null", "-"]);
            for (int frames = 0; frames < Frames; frames += text[^1].StartsWith('#') ? 0 : 1)
            {
                text.Add(lines.ReadLine() ?? throw new EndOfStreamException(reader.End().Messages));
            }

            publisher.Process.Kill();
        }

        text.AddRange(lines.ReadToEnd().Split('\n'));
        _ = reader.End();
        HashSet<string> expected = [.. CudaSource.Digests(version).Values];
        DigestLine[] read = DigestLine.ReadAll(string.Join('\n', text));
        Assert.All(read, line => Assert.Contains(line.Hash, expected));
        Assert.All(read.Zip(read.Skip(1)), pair => Assert.True(pair.Second.Dts > pair.First.Dts, $"{pair.First} is followed by {pair.Second}"));
        // The library's event of the first device's context goes with that.
        reader.Counts.AssertNothingIsLive();
    }

    private static void AssertRead(Dictionary<long, string> expected, CudaProgram reader)
    {
        DigestLine[] read = DigestLine.ReadAll(FilterTests.Succeed(reader.End()));
        Assert.Equal(Frames, read.Length);
        Assert.All(read, line => Assert.Equal(expected[line.Pts], line.Hash));
        Assert.All(read.Zip(read.Skip(1)), pair => Assert.True(pair.Second.Dts > pair.First.Dts));
    }
}
