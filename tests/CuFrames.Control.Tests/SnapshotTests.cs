using System.Diagnostics;
using System.Text.Json;
using CuFrames.Client;
using CuFrames.Daemon.Tests;
using Xunit;

namespace CuFrames.Control.Tests;

/// <summary>Pictures of streams, with each caller.</summary>
public sealed class SnapshotTests
{
    private const string Configuration = """
        directory: {run}
        permissions: {view: everyone}
        cameras:
          slow:
            source: test:rgb24@64x48@1
            renditions:
              numbers: { size: 32x24, format: rgbp_f32 }
          noise:
            source: noise.y4m
            loop: true
          missing:
            source: /nonexistent/camera.mp4
        """;

    public static TheoryData<string> Callers { get; } = [.. ControlCaller.Kinds];

    [Theory]
    [MemberData(nameof(Callers))]
    public async Task A_png_has_the_pixels_of_the_frame(string kind)
    {
        using ControlScenario scenario = new(kind, Configuration);
        using FrameSubscriber subscriber = scenario.Daemon.Subscribe("slow", Protocol.Delivery.InOrder);
        JsonElement snapshot = (await scenario.CallAsync("TakeSnapshot", ("stream", "slow"), ("format", "PICTURE_FORMAT_PNG"))).Message;
        Assert.Equal("image/png", snapshot.GetProperty("contentType").GetString());
        ulong sequence = snapshot.TryGetProperty("sequence", out JsonElement number) ? ulong.Parse(number.GetString()!) : 0;

        // Frames come once a second: this reader has it or gets one of the next, and then another picture is taken.
        byte[] expected = [];
        while (expected.Length == 0)
        {
            Assert.True(subscriber.TryNext(DaemonProcess.Patience, out Frame frame));
            using (frame)
            {
                if (frame.Sequence == sequence)
                {
                    expected = new byte[64 * 48 * 3];
                    frame.CopyTo(expected);
                }
                else if (frame.Sequence > sequence)
                {
                    snapshot = (await scenario.CallAsync("TakeSnapshot", ("stream", "slow"), ("format", "PICTURE_FORMAT_PNG"))).Message;
                    sequence = ulong.Parse(snapshot.GetProperty("sequence").GetString()!);
                    if (frame.Sequence == sequence)
                    {
                        expected = new byte[64 * 48 * 3];
                        frame.CopyTo(expected);
                    }
                }
            }
        }

        Assert.Equal((64, 48), SizeOf(snapshot));
        Assert.Equal(expected, Decode(snapshot));
    }

    [Theory]
    [MemberData(nameof(Callers))]
    public async Task Pictures_come_as_jpeg_smaller_and_larger_than_other_messages(string kind)
    {
        using ControlScenario scenario = new(kind, Configuration, MakeNoise);
        JsonElement small = (await scenario.CallAsync("TakeSnapshot", ("stream", "slow"), ("maxWidth", 32))).Message;
        Assert.Equal("image/jpeg", small.GetProperty("contentType").GetString());
        Assert.Equal((32, 24), SizeOf(small));
        Assert.Equal(32 * 24 * 3, Decode(small).Length);
        Assert.Equal((64, 48), SizeOf((await scenario.CallAsync("TakeSnapshot", ("stream", "slow"), ("maxWidth", 16384))).Message));

        // A tensor is shown, too.
        JsonElement numbers = (await scenario.CallAsync("TakeSnapshot", ("stream", "slow@numbers"), ("format", "PICTURE_FORMAT_PNG"))).Message;
        Assert.Equal((32, 24), SizeOf(numbers));

        // Noise does not become smaller by being encoded.
        JsonElement large = (await scenario.CallAsync("TakeSnapshot", ("stream", "noise"), ("format", "PICTURE_FORMAT_PNG"))).Message;
        Assert.Equal((2560, 1440), SizeOf(large));
        Assert.InRange(large.GetProperty("picture").GetBytesFromBase64().Length, (4 << 20) + 1, 32 << 20);
        Assert.Equal(2560 * 1440 * 3, Decode(large).Length);
    }

    [Theory]
    [MemberData(nameof(Callers))]
    public async Task What_there_is_no_picture_of_is_told(string kind)
    {
        using ControlScenario scenario = new(kind, Configuration);
        await ControlScenario.RequireAsync(scenario.CallAsync("TakeSnapshot", ("stream", "other")), RpcStatus.NotFound, "There is no stream 'other'.", "slow@numbers");
        await ControlScenario.RequireAsync(scenario.CallAsync("TakeSnapshot", ("stream", "slow"), ("format", 7)), RpcStatus.InvalidArgument, kind == "cuframes" ? "png, jpeg" : "PICTURE_FORMAT_PNG (2)");
        await ControlScenario.RequireAsync(scenario.CallAsync("TakeSnapshot", ("stream", "slow"), ("maxWidth", 16385)), RpcStatus.InvalidArgument, "from 1 to 16384");
        await ControlScenario.RequireAsync(scenario.CallAsync("TakeSnapshot", ("stream", "missing")), RpcStatus.Unavailable, "No frame of 'missing' came within 10 s.");
        Assert.Equal(RpcStatus.DeadlineExceeded, (await scenario.Caller.CallAsync("TakeSnapshot", """{"stream": "missing"}""", timeout: 0.5)).Status);

        // Everybody may see this daemon, and yet not what its cameras see.
        using UserRelay relay = new(scenario.SocketPath, user: 2992);
        using ControlCaller stranger = ControlCaller.Create(kind, relay.SocketPath);
        Assert.Equal(RpcStatus.Ok, (await stranger.CallAsync("GetDaemon")).Status);
        CallResult refused = await stranger.CallAsync("TakeSnapshot", """{"stream": "slow"}""");
        Assert.Equal(RpcStatus.PermissionDenied, refused.Status);
        Assert.Contains("A picture of 'slow' is for those who may read it.", refused.Text, StringComparison.Ordinal);
        Assert.Equal(RpcStatus.PermissionDenied, (await stranger.CallAsync("AddCamera", """{"key": "garden", "settings": "source: test"}""")).Status);
    }

    [Theory]
    [MemberData(nameof(Callers))]
    public async Task A_stream_that_is_to_come_is_unavailable_and_never_unknown(string kind)
    {
        using ControlScenario scenario = new(kind, Configuration);
        Assert.Equal(RpcStatus.Ok, (await scenario.AddAsync("alone", "source: test:rgb24@64x48@25\nisolated: true\nrenditions: {small: {size: 32x24}}")).Status);
        foreach (string stream in (string[])["alone", "alone@small"])
        {
            // Its worker is being started; readers of the frames may be earlier than the worker's word.
            CallResult snapshot;
            do
            {
                snapshot = await scenario.CallAsync("TakeSnapshot", ("stream", stream));
                Assert.True(snapshot.Status is RpcStatus.Ok or RpcStatus.Unavailable, $"{snapshot.Status}: {snapshot.Text}");
                Assert.Equal(RpcStatus.Ok, (await scenario.CallAsync("ListReaders", ("stream", stream))).Status);
            }
            while (snapshot.Status != RpcStatus.Ok);
        }

        await ControlScenario.RequireAsync(scenario.CallAsync("TakeSnapshot", ("stream", "alone@large")), RpcStatus.NotFound, "There is no stream 'alone@large'.");
        await ControlScenario.RequireAsync(scenario.CallAsync("ListReaders", ("stream", "alone@large")), RpcStatus.NotFound, "There is no stream 'alone@large'.");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_rendition_that_fewer_may_read_is_kept_from_the_others(bool isolated)
    {
        using ControlScenario scenario = new("CuFrames", Configuration);
        string settings = $"source: test:rgb24@64x48@25\nisolated: {(isolated ? "true" : "false")}\nreaders: everyone\nrenditions: {{secret: {{size: 32x24, readers: own}}}}";
        Assert.Equal(RpcStatus.Ok, (await scenario.AddAsync("street", settings)).Status);
        scenario.RequireFrame("street");
        scenario.RequireFrame("street@secret");
        using UserRelay relay = new(scenario.SocketPath, user: 2993);
        using ControlCaller stranger = ControlCaller.Create("CuFrames", relay.SocketPath);
        foreach ((string stream, RpcStatus expected) in ((string, RpcStatus)[])[("street", RpcStatus.Ok), ("street@secret", RpcStatus.PermissionDenied)])
        {
            CallResult found;
            do
            {
                found = await stranger.CallAsync("TakeSnapshot", $$"""{"stream": "{{stream}}"}""");
            }
            while (found.Status == RpcStatus.Unavailable);

            Assert.True(expected == found.Status, $"{stream}: {found.Status}: {found.Text}");
        }
    }

    /// <summary>Puts a video of one picture beside the configuration.</summary>
    private static void MakeNoise(DaemonProcess daemon)
    {
        byte[] samples = new byte[2560 * 1440 * 3 / 2];
        new Random(5).NextBytes(samples);
        using FileStream file = File.Create(Path.Combine(Path.GetDirectoryName(daemon.ConfigurationPath)!, "noise.y4m"));
        file.Write("YUV4MPEG2 W2560 H1440 F5:1 C420jpeg\nFRAME\n"u8);
        file.Write(samples);
    }

    private static (int Width, int Height) SizeOf(JsonElement snapshot) => (snapshot.GetProperty("width").GetInt32(), snapshot.GetProperty("height").GetInt32());

    /// <summary>The picture's pixels as bytes R, G, B, by ffmpeg.</summary>
    private static byte[] Decode(JsonElement snapshot)
    {
        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(path, snapshot.GetProperty("picture").GetBytesFromBase64());
            using Process ffmpeg = Process.Start(new ProcessStartInfo("ffmpeg", ["-v", "error", "-i", path, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]) { RedirectStandardOutput = true })!;
            using MemoryStream pixels = new();
            ffmpeg.StandardOutput.BaseStream.CopyTo(pixels);
            ffmpeg.WaitForExit();
            Assert.Equal(0, ffmpeg.ExitCode);
            return pixels.ToArray();
        }
        finally
        {
            File.Delete(path);
        }
    }
}
