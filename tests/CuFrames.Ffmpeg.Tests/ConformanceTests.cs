using System.Diagnostics;
using System.Text.Json;
using CuFrames.Client.Tests;
using CuFrames.Daemon.Tests;
using CuFrames.Interop;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Ffmpeg.Tests;

/// <summary>
/// FFmpeg as publisher (<c>-vf cuda_ipc_export</c>) and as subscriber of frames and packets passes cuframes-conformance. What an FFmpeg cannot do by its nature is
/// named here with its reason, and has to come out as it is named: a check that begins to pass fails the test too.
/// </summary>
public sealed class ConformanceTests(ConformanceTests.Subjects subjects, ITestOutputHelper output) : IClassFixture<ConformanceTests.Subjects>
{
    private const string Key = "conformance";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(600);

    // What tests/CuFrames.Conformance.Tests demands of the SDK itself.
    private const int LeastPublisherChecks = 100;
    private const int LeastSubscriberChecks = 150;
    private const int LeastPacketSubscriberChecks = 100;

    private static readonly Dictionary<string, (string Result, string Reason)> NotOfAPublisher = new()
    {
        ["6.8-lossless"] = ("skipped", "A filter that waited for readers would hold the pipeline up, which it never does."),
        ["6.11-start"] = ("skipped", "A pipeline runs whether somebody reads or not, so it never rests."),
    };

    private static readonly Dictionary<string, (string Result, string Reason)> NotOfASubscriber = new[] { "rgbp", "bgrp", "rgbp_f16", "bgrp_f16", "rgbp_f32", "bgrp_f32" }
        .Select(tensor => ($"10.1-{tensor}", ("failed", "FFmpeg has no pixel format of three planes that lie one below the other: the demuxer ends with an error that says so.")))
        .Append(("6.10-format-change", ("failed", "Raw video has one format from its header on: the demuxer ends with an error that says so.")))
        .Append(("2.4-nothing-left", ("skipped", "For another format another ffmpeg is started, so each connection has its own process here; see the test with one ffmpeg.")))
        .ToDictionary();

    private static readonly Dictionary<string, (string Result, string Reason)> NotOfAPacketSubscriber = new()
    {
        ["14.6-new-track"] = ("failed", "The demuxer adds a stream, but ffprobe and ffmpeg choose their streams when they have opened the input, and pass over what is added later."),
    };

    public static TheoryData<string> Versions { get; } = [.. FfmpegBuild.Versions];

    [Theory]
    [MemberData(nameof(Versions))]
    public void The_filter_passes_as_a_publisher(string version)
    {
        using TemporaryDirectory directory = new();
        using FfmpegProcess publisher = FfmpegProcess.Start(
            FfmpegBuild.Ffmpeg(version), directory.Path,
            "-v", "error", "-re", "-reinit_filter", "0", "-i", subjects.ChangingClip, "-noautoscale", "-vf", $"format=yuv420p,cuda_ipc_export=key={Key}:slots=6:max_slots=8", "-f", "null", "-");
        string socket = Path.Combine(directory.Path, Key + ".sock");
        TestStream.Until(() => publisher.HasExited || Listens(socket), "the publisher listens");
        Assert.False(publisher.HasExited);
        Check(NotOfAPublisher, LeastPublisherChecks, "publisher", "--json", "--socket", socket, "--format-change");
        publisher.Terminate();
        Assert.Equal("", publisher.End().Messages);
        Assert.Empty(Directory.GetFileSystemEntries(directory.Path));
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public void The_demuxer_passes_as_a_subscriber(string version) =>
        Check(NotOfASubscriber, LeastSubscriberChecks, ["subscriber", "--json", "--", "env", "CUFRAMES_OBSERVER_ONCE=1", .. subjects.Subscriber, .. FrameReader(version)]);

    /// <summary>One ffmpeg that connects again and again.</summary>
    [Theory]
    [MemberData(nameof(Versions))]
    public void The_demuxer_connects_again_and_leaves_nothing_behind(string version)
    {
        foreach (string only in (string[])["2.4-nothing-left", "9.*", "6.9-evicted", "4.2-*"])
        {
            Check([], 0, ["subscriber", "--json", "--only", only, "--", .. subjects.Subscriber, .. FrameReader(version)]);
        }
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public void The_demuxer_of_packets_passes_as_a_subscriber(string version) =>
        Check(NotOfAPacketSubscriber, LeastPacketSubscriberChecks, [
            "packet-subscriber", "--json", "--", .. subjects.Subscriber, "stdbuf", "-oL", FfmpegBuild.Ffprobe(version), "-v", "error", "-nofind_stream_info", "-f", "cuframes_packets", "-i", Key,
            "-show_packets", "-show_data_hash", "sha256", "-show_entries", "packet=stream_index,data_hash", "-of", "compact=p=0:nk=1",
        ]);

    // Nothing is read ahead, and each frame is passed on at once.
    private static string[] FrameReader(string version) =>
    [
        FfmpegBuild.Ffmpeg(version), "-v", "error", "-nostdin", "-probesize", "32", "-analyzeduration", "1", "-fpsprobesize", "0", "-f", "cuframes", "-i", Key,
        "-map", "0:v", "-c", "copy", "-copyts", "-flush_packets", "1", "-f", "framehash", "pipe:1",
    ];

    private static bool Listens(string socket)
    {
        try
        {
            // The path is there a moment before somebody listens.
            using UnixSocket connection = UnixSocket.Connect(socket, 1_000);
            return true;
        }
        catch (LinuxException)
        {
            return false;
        }
    }

    private void Check(Dictionary<string, (string Result, string Reason)> exceptions, int least, params string[] arguments)
    {
        ProcessStartInfo start = new(Path.Combine(AppContext.BaseDirectory, "cuframes-conformance"), arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["CUFRAMES_OBSERVER_LIBRARY"] = Path.Combine(FfmpegBuild.Library, "libcuframes.so.0");

        // The diagnostics port is a socket in /tmp that a killed process leaves behind.
        start.Environment["DOTNET_EnableDiagnostics"] = "0";
        using Process suite = Process.Start(start)!;
        Task<string> errors = suite.StandardError.ReadToEndAsync();
        Task<string> text = suite.StandardOutput.ReadToEndAsync();
        if (!suite.WaitForExit(Patience))
        {
            suite.Kill(entireProcessTree: true);
            Assert.Fail($"The suite did not end. {text.Result} {errors.Result}");
        }

        JsonElement[] lines = [.. text.Result.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement)];
        Assert.True(lines.Length > 1, errors.Result);
        Dictionary<string, string> seen = [];
        List<string> wrong = [];
        foreach (JsonElement line in lines[..^1])
        {
            string id = line.GetProperty("check").GetString()!;
            string result = line.GetProperty("result").GetString()!;
            seen[id] = result;
            if (exceptions.TryGetValue(id, out (string Result, string Reason) exception))
            {
                output.WriteLine($"{id} is not applicable: {exception.Reason} The suite: {line.GetProperty("detail").GetString()}");
                wrong.AddRange(result == exception.Result ? [] : [$"{id} should be {exception.Result}: {line}"]);
            }
            else if (result != "ok")
            {
                wrong.Add(line.ToString());
            }
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong) + errors.Result);
        Assert.All(exceptions.Keys, id => Assert.Contains(id, seen));
        Assert.True(lines[^1].GetProperty("passed").GetInt32() > least, lines[^1].ToString());
    }

    /// <summary>What the suite is shown.</summary>
    public sealed class Subjects : IDisposable
    {
        private readonly MediaClips _clips = new();

        public Subjects()
        {
            // 100 frames per second; the suite has to be there before the change, and to see it within ten seconds. It has to be through before the end.
            ChangingClip = _clips.Join("changing.ts", Part("first.ts", "94x62", 7), Part("second.ts", "66x34", 240));
            string observer = Directory.CreateDirectory(_clips.PathOf("observer")).FullName;
            (int status, string compiler) = Compiler.Run(
                "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-fvisibility=hidden", "-I", Path.Combine(Repository.Root, "sdk", "CuFrames.Native", "include"),
                Source("observer.c"), "-o", Path.Combine(observer, "libcuframes.so.0"), "-ldl");
            Assert.True(status == 0, compiler);

            // Debian's own interpreter, whatever comes first in PATH.
            Subscriber = ["/usr/bin/python3", Source("subscriber.py"), observer];
        }

        public string ChangingClip { get; }

        /// <summary>The command that starts an FFmpeg, which follows, and translates what it prints.</summary>
        internal string[] Subscriber { get; }

        public void Dispose() => _clips.Dispose();

        private static string Source(string name) => Path.Combine(Repository.Root, "tests", "CuFrames.Ffmpeg.Tests", "Subjects", name);

        private string Part(string name, string size, int seconds) => _clips.Make(
            name, "-f", "lavfi", "-i", $"testsrc2=size={size}:rate=100:duration={seconds}", "-c:v", "libx264", "-preset", "ultrafast", "-g", "100", "-threads", "1");
    }
}
