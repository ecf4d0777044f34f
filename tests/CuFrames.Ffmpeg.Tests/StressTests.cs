using System.Globalization;
using CuFrames.Client;
using CuFrames.Client.Tests;
using CuFrames.Daemon.Tests;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Ffmpeg.Tests;

/// <summary>FFmpegs as publishers and as readers are killed at random moments while others go on: every picture that a reader gets is whole, and who survives loses nothing.</summary>
public sealed class StressTests(ITestOutputHelper output)
{
    private const string Key = "cam1";
    private const int Width = 640;
    private const int Height = 360;
    private const PixelFormat Format = PixelFormat.Nv12;
    private const int Sigkill = 9;

    /// <summary>Bytes by which the memory of a process may grow that has survived. The runtime inside of the library collects when it likes, which is some
    /// megabytes either way; what is mapped of rings and pages is counted exactly.</summary>
    private const long MemoryBound = 24 << 20;

    [Fact]
    public async Task Publishers_are_killed_while_readers_go_on()
    {
        const int Runs = 30;
        const int WarmUp = 6;
        int seed = Environment.TickCount;
        output.WriteLine($"seed {seed}");
        Random random = new(seed);
        using TemporaryDirectory directory = new();
        List<StampReader> readers = [.. FfmpegBuild.Versions.Select(version => new StampReader(version, directory.Path))];
        try
        {
            ProcessFigures[] before = [];
            for (int run = 1; run <= Runs; run++)
            {
                using StampedFeed publisher = new(FfmpegBuild.Versions[run % FfmpegBuild.Versions.Length], directory.Path, (ulong)run * 1_000_000, "-re");
                ulong first = (ulong)run * 1_000_000;

                // Every third one dies at any moment, as a rule before it has published; the others when all readers have found it.
                if (run % 3 != 0 || run == Runs || run == WarmUp)
                {
                    TestStream.Until(() => readers.TrueForAll(reader => reader.Last >= first || reader.Fault is not null), $"all readers read publisher {run}");
                }

                await Task.Delay(random.Next(150), TestContext.Current.CancellationToken);
                publisher.Process.Kill();
                await publisher.End();
                Assert.All(readers, reader => Assert.Null(reader.Fault));
                if (run == WarmUp)
                {
                    before = [.. readers.Select(reader => ProcessFigures.Of(reader.Process.Id))];
                }
            }

            foreach ((StampReader reader, ProcessFigures figures) in readers.Zip(before))
            {
                figures.RequireNoGrowth(reader.Process.Id, MemoryBound);
                output.WriteLine($"{reader.Frames} frames, {figures} before and {ProcessFigures.Of(reader.Process.Id)} after");
                Assert.True(reader.Frames > Runs, $"{reader.Frames} frames");
            }
        }
        finally
        {
            readers.ForEach(reader => reader.Dispose());
        }
    }

    [Theory]
    [InlineData("5.1")]
    [InlineData("7.1")]
    [InlineData("8.1")]
    public async Task Readers_are_killed_while_the_publisher_goes_on(string version)
    {
        const int Runs = 24;
        const int WarmUp = 6;
        int seed = Environment.TickCount;
        output.WriteLine($"seed {seed}");
        Random random = new(seed);
        using TemporaryDirectory directory = new();
        using StampReader survivor = new(version, directory.Path);
        using StampedFeed publisher = new(version, directory.Path, 0, "-re", "slots=4:max_slots=6");
        TestStream.Until(() => survivor.Frames > 0 || survivor.Fault is not null, "frames come");
        ProcessFigures? before = null;
        for (int run = 1; run <= Runs; run++)
        {
            using (StampReader killed = new(FfmpegBuild.Versions[run % FfmpegBuild.Versions.Length], directory.Path))
            {
                TestStream.Until(() => run % 4 == 0 || killed.Frames > 0 || killed.Fault is not null, "the reader to be killed reads");
                await Task.Delay(random.Next(60), TestContext.Current.CancellationToken);
                if (run % 2 == 0)
                {
                    killed.Process.Signal(19);
                }

                killed.Process.Kill();
                Assert.Null(killed.Fault);
            }

            TestStream.Until(() => StreamDirectory.Probe(Key, directory.Path).Description!.Subscribers == 1, "the killed reader is forgotten");
            Assert.Null(survivor.Fault);
            if (run == WarmUp)
            {
                before = ProcessFigures.Of(publisher.Process.Id);
            }
        }

        // More frames than there are slots, and none was dropped: what a killed reader held has come back.
        StreamDescription description = StreamDirectory.Probe(Key, directory.Path).Description!;
        ulong last = survivor.Last;
        TestStream.Until(() => survivor.Last > last + 24 || survivor.Fault is not null, "frames go on");
        Assert.Null(survivor.Fault);
        Assert.Equal(0UL, StreamDirectory.Probe(Key, directory.Path).Description!.Dropped);
        Assert.True(description.Slots <= 6);
        before!.RequireNoGrowth(publisher.Process.Id, MemoryBound);
        output.WriteLine($"{survivor.Frames} frames, {before} before and {ProcessFigures.Of(publisher.Process.Id)} after");
        publisher.Process.Kill();
        await publisher.End();
    }

    /// <summary>The daemon publishes packets; readers and daemon are killed in turn.</summary>
    [Fact]
    public void Readers_of_packets_and_their_publisher_are_killed()
    {
        const int Runs = 8;
        int seed = Environment.TickCount;
        output.WriteLine($"seed {seed}");
        Random random = new(seed);
        using MediaClips clips = new();
        string clip = clips.WithSound("clip.mp4", 320, 180, 4);
        HashSet<(int Stream, string Hash)> expected = [.. DigestLine.ReadAll(FilterTests.Succeed(FfmpegProcess.Run(
            FfmpegBuild.Ffmpeg("8.1"), clips.Folder, "-v", "error", "-i", clip, "-c", "copy", "-f", "framehash", "-"))).Select(line => (line.Stream, line.Hash))];
        using DaemonProcess daemon = DaemonProcess.Run($"cameras: {{cam1: {{source: '{clip}', loop: true}}}}");
        List<PacketReader> readers = [.. FfmpegBuild.Versions.Select(version => new PacketReader(version, daemon.RuntimeDirectory))];
        try
        {
            ProcessFigures[] before = [];
            ProcessFigures? daemonBefore = null;
            for (int run = 1; run <= Runs; run++)
            {
                int[] counts = [.. readers.Select(reader => reader.Packets)];
                TestStream.Until(() => readers.Zip(counts).All(pair => pair.First.Packets > pair.Second + 20 || pair.First.Process.HasExited), $"all readers read run {run}");
                using (PacketReader killed = new(FfmpegBuild.Versions[run % FfmpegBuild.Versions.Length], daemon.RuntimeDirectory))
                {
                    TestStream.Until(() => run % 3 == 0 || killed.Packets > 0 || killed.Process.HasExited, "the reader to be killed reads");
                    Thread.Sleep(random.Next(50)); // The moment is to be any.
                    killed.Process.Kill();
                }

                TestStream.Until(() => StreamDirectory.ProbePackets(Key, daemon.RuntimeDirectory).Description?.Subscribers == readers.Count, "the killed reader is forgotten");
                if (run == 2)
                {
                    before = [.. readers.Select(reader => ProcessFigures.Of(reader.Process.Id))];
                }

                if (run < Runs)
                {
                    _ = daemon.End(Sigkill);
                    daemon.Start();
                }
                else
                {
                    daemonBefore = ProcessFigures.Of(daemon.ProcessId);
                }
            }

            // The last daemon loses a few more readers and keeps nothing of them.
            for (int i = 0; i < 6; i++)
            {
                using PacketReader killed = new(FfmpegBuild.Versions[i % FfmpegBuild.Versions.Length], daemon.RuntimeDirectory);
                TestStream.Until(() => killed.Packets > 0 || killed.Process.HasExited, "the reader to be killed reads");
                killed.Process.Kill();
                TestStream.Until(() => StreamDirectory.ProbePackets(Key, daemon.RuntimeDirectory).Description?.Subscribers == readers.Count, "the killed reader is forgotten");
            }

            // What a reader had is closed a tick after it is forgotten, before the first look as well as before this one.
            TestStream.Until(() => ProcessFigures.Of(daemon.ProcessId).Descriptors <= daemonBefore!.Descriptors, "the daemon closes what readers had");
            foreach ((PacketReader reader, ProcessFigures figures) in readers.Zip(before))
            {
                figures.RequireNoGrowth(reader.Process.Id, MemoryBound);
                reader.Process.Kill();
                DigestLine[] read = reader.Lines();
                output.WriteLine($"{read.Length} packets, {figures} before");
                Assert.All(read, line => Assert.Contains((line.Stream, line.Hash), expected));
                foreach (IGrouping<int, DigestLine> stream in read.GroupBy(line => line.Stream))
                {
                    Assert.All(stream.Zip(stream.Skip(1)), pair => Assert.True(pair.Second.Dts > pair.First.Dts, $"{pair.First} is followed by {pair.Second}"));
                }
            }
        }
        finally
        {
            readers.ForEach(reader => reader.Dispose());
        }
    }

    /// <summary>Frames are counted, not time: whatever readers do, the publisher takes all of its input and passes all of it on.</summary>
    [Theory]
    [InlineData("5.1")]
    [InlineData("7.1")]
    [InlineData("8.1")]
    public async Task Readers_that_stop_never_hold_the_pipeline(string version)
    {
        const int Frames = 600;
        using TemporaryDirectory directory = new();
        using StampReader stopped = new(version, directory.Path);
        using StampReader another = new(version, directory.Path, "-delivery", "newest");
        using StampedFeed publisher = new(version, directory.Path, 0, null, "slots=2:max_slots=4", Frames);
        List<Frame> held = [];
        using FrameSubscriber holder = FrameSubscriber.Connect(Key, new SubscriberOptions { Directory = directory.Path, WaitForStream = true, Leases = 8 });
        publisher.Allow(50);
        TestStream.Until(() => (stopped.Frames > 0 && another.Frames > 0) || stopped.Fault is not null || another.Fault is not null, "the readers read");
        stopped.Process.Signal(19);
        another.Process.Signal(19);

        // A reader that holds as much as it may, and never lets go.
        while (held.Count < 3)
        {
            publisher.Allow(1);
            if (holder.TryNext(TimeSpan.FromMilliseconds(20), out Frame frame))
            {
                held.Add(frame);
            }
        }

        // What passes through is read meanwhile: a full pipe would hold it up.
        Task<(int Status, string Output, string Messages)> ending = Task.Run(publisher.Process.End);
        publisher.Allow(Frames);
        await publisher.End();
        (int status, string passed, string messages) = await ending;
        Assert.True(status == 0, messages);
        Assert.Equal(Frames, DigestLine.ReadAll(passed).Length);
        (int published, int dropped) = Counts(messages);
        output.WriteLine($"{published} published, {dropped} dropped");
        Assert.Equal(Frames, published + dropped);
        held.ForEach(frame => frame.Dispose());
    }

    private static (int Published, int Dropped) Counts(string messages)
    {
        System.Text.RegularExpressions.Match match = System.Text.RegularExpressions.Regex.Match(messages, "(\\d+) frames published as 'cam1', (\\d+) dropped");
        Assert.True(match.Success, messages);
        return (int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture), int.Parse(match.Groups[2].Value, CultureInfo.InvariantCulture));
    }

    /// <summary>An ffmpeg that publishes stamped pictures, which this process makes.</summary>
    private sealed class StampedFeed : IDisposable
    {
        private readonly SemaphoreSlim _allowed;
        private readonly Task _feeding;

        /// <param name="version">Of FFmpeg.</param>
        /// <param name="directory">The runtime directory.</param>
        /// <param name="first">Number of the first picture.</param>
        /// <param name="pace">-re; null: pictures come when they are allowed.</param>
        /// <param name="options">More options of the filter.</param>
        /// <param name="frames">Pictures until the input ends.</param>
        public StampedFeed(string version, string directory, ulong first, string? pace, string? options = null, int frames = int.MaxValue)
        {
            Process = FfmpegProcess.StartWithInput(
                FfmpegBuild.Ffmpeg(version), directory,
                ["-v", "info", "-nostats", .. pace is null ? Array.Empty<string>() : [pace], "-f", "rawvideo", "-pix_fmt", "nv12", "-video_size", $"{Width}x{Height}", "-framerate", "200", "-i", "pipe:0",
                "-vf", $"cuda_ipc_export=key={Key}{(options is null ? "" : ":" + options)}", "-f", "framehash", "pipe:1"]);
            _allowed = new SemaphoreSlim(pace is null ? 0 : int.MaxValue / 2);
            if (pace is not null)
            {
                // What passes through is not looked at here, and nobody may wait for that.
                _ = Process.Output.CopyToAsync(Stream.Null);
            }

            _feeding = Task.Run(() => Feed(first, frames));
        }

        public FfmpegProcess Process { get; }

        /// <summary>Lets more pictures come.</summary>
        public void Allow(int pictures) => _allowed.Release(pictures);

        /// <summary>Waits until nothing is fed any more.</summary>
        public Task End() => _feeding;

        public void Dispose()
        {
            Process.Dispose();
            _allowed.Release();
            _allowed.Dispose();
        }

        private async Task Feed(ulong first, int frames)
        {
            byte[] picture = new byte[PixelFormats.PictureBytes(Format, Width, Height)];
            try
            {
                for (int i = 0; i < frames; i++)
                {
                    await _allowed.WaitAsync();
                    FrameStamp.Fill(picture, Format, Width, Height, first + (ulong)i);
                    await Process.Input.WriteAsync(picture);
                }

                Process.Input.Close();
            }
            catch (IOException)
            {
                // It was killed.
            }
        }
    }

    /// <summary>An ffmpeg that reads stamped pictures; each is looked at as a whole.</summary>
    private sealed class StampReader : IDisposable
    {
        private readonly Thread _thread;

        // Written by the thread, read by the test.
        private long _frames;
        private ulong _last;
        private volatile string? _fault;

        public StampReader(string version, string directory, params string[] options)
        {
            Process = FfmpegProcess.Start(
                FfmpegBuild.Ffmpeg(version), directory, ["-v", "fatal", "-fpsprobesize", "0", .. options, "-f", "cuframes", "-i", Key, "-c", "copy", "-f", "rawvideo", "pipe:1"]);
            _thread = new Thread(Read) { IsBackground = true, Name = "reader" };
            _thread.Start();
        }

        public FfmpegProcess Process { get; }

        public long Frames => Interlocked.Read(ref _frames);

        /// <summary>Number of the last picture.</summary>
        public ulong Last => Volatile.Read(ref _last);

        /// <summary>What was wrong with a picture; null: nothing.</summary>
        public string? Fault => _fault;

        public void Dispose()
        {
            Process.Kill();
            _thread.Join();
            Process.Dispose();
        }

        private void Read()
        {
            byte[] picture = new byte[PixelFormats.PictureBytes(Format, Width, Height)];

            // A killed ffmpeg may leave half a picture in the pipe, which is none.
            while (_fault is null && Process.Output.ReadAtLeast(picture, picture.Length, throwOnEndOfStream: false) == picture.Length)
            {
                ulong number = FrameStamp.NumberOf(picture);
                _fault = FrameStamp.FindFault(picture, Format, Width, Height, number) ?? (Frames > 0 && number <= Last ? $"picture {number} comes after {Last}" : null);
                Volatile.Write(ref _last, number);
                Interlocked.Increment(ref _frames);
            }
        }
    }

    /// <summary>An ffmpeg that reads packets, and what it says of them.</summary>
    private sealed class PacketReader : IDisposable
    {
        private readonly Thread _thread;
        private readonly List<string> _lines = [];

        // Written by the thread, read by the test.
        private int _packets;

        public PacketReader(string version, string directory)
        {
            Process = FfmpegProcess.Start(
                FfmpegBuild.Ffmpeg(version), directory, "-v", "fatal", "-i", $"cuframes_packets:{Key}", "-map", "0", "-c", "copy", "-flush_packets", "1", "-f", "framehash", "pipe:1");
            _thread = new Thread(Read) { IsBackground = true, Name = "packets" };
            _thread.Start();
        }

        public FfmpegProcess Process { get; }

        public int Packets => Volatile.Read(ref _packets);

        /// <summary>All lines that are whole, after the end.</summary>
        public DigestLine[] Lines()
        {
            _thread.Join();
            return DigestLine.ReadAll(string.Join('\n', _lines));
        }

        public void Dispose()
        {
            Process.Kill();
            _thread.Join();
            Process.Dispose();
        }

        private void Read()
        {
            using StreamReader reader = new(Process.Output);
            while (reader.ReadLine() is { } line)
            {
                // The last line of a killed ffmpeg may be half of one.
                if (line.StartsWith('#') || line.Split(',') is [_, _, _, _, _, { Length: 65 }, ..])
                {
                    _lines.Add(line);
                    Interlocked.Add(ref _packets, line.StartsWith('#') ? 0 : 1);
                }
            }
        }
    }
}
