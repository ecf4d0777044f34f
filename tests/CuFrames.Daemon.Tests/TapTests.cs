using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Daemon.Tests;

/// <summary>Taps of the real daemon, read by programs that know nothing of CuFrames: ffmpeg, ffprobe, curl.</summary>
public sealed class TapTests : IDisposable
{
    /// <summary>What curl says when nobody listens.</summary>
    private const int CannotConnect = 7;

    private const int Width = 160, Height = 120;

    private readonly MediaClips _clips = new();

    public void Dispose() => _clips.Dispose();

    [Theory]
    [InlineData("nv12", "nv12")]
    [InlineData("i420", "yuv420p")]
    [InlineData("p010", "p010le")]
    [InlineData("gray8", "gray")]
    [InlineData("rgb24", "rgb24")]
    [InlineData("bgra", "bgra")]
    public void Ffmpeg_reads_raw_video_and_every_sample_is_right(string format, string name)
    {
        using DaemonProcess daemon = DaemonProcess.Run($"cameras: {{a: {{source: 'test:{format}@{Width}x{Height}@50'}}}}");
        Assert.True(PixelFormats.TryParse(format, out PixelFormat pixelFormat));
        TapReader.WaitForSocket(TapReader.PathOf(daemon, "a.rawvideo"));
        byte[] raw = TapReader.Get(
            "ffmpeg", "-v", "error", "-f", "rawvideo", "-pixel_format", name, "-video_size", $"{Width}x{Height}", "-i", $"unix:{TapReader.PathOf(daemon, "a.rawvideo")}",
            "-frames:v", "30", "-f", "rawvideo", "-");
        long[] numbers = TapReader.NumbersOf(raw, pixelFormat, Width, Height);
        Assert.Equal(30, numbers.Length);
        TapReader.AssertGrowing(numbers);
        Assert.DoesNotContain("internal-error", daemon.LogText, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("nv12", "nv12", 161, 121)]
    [InlineData("i420", "yuv420p", 160, 121)]
    [InlineData("p010", "p010le", 160, 121)]
    [InlineData("gray8", "gray", 160, 120)]
    public void Ffmpeg_reads_y4m_and_every_sample_is_right(string format, string name, int width, int height)
    {
        using DaemonProcess daemon = DaemonProcess.Run($"cameras: {{a: {{source: 'test:{format}@{width}x{height}@50'}}}}");
        Assert.True(PixelFormats.TryParse(format, out PixelFormat pixelFormat));
        TapReader.WaitForSocket(TapReader.PathOf(daemon, "a.y4m"));
        byte[] raw = TapReader.Get(
            "ffmpeg", "-v", "error", "-f", "yuv4mpegpipe", "-i", $"unix:{TapReader.PathOf(daemon, "a.y4m")}", "-frames:v", "30", "-f", "rawvideo", "-pix_fmt", name, "-");
        long[] numbers = TapReader.NumbersOf(raw, pixelFormat, width, height);
        Assert.Equal(30, numbers.Length);
        TapReader.AssertGrowing(numbers);
    }

    [Fact]
    public void The_first_reader_of_a_rendition_is_told_its_rate()
    {
        using DaemonProcess daemon = DaemonProcess.Run($"cameras: {{a: {{source: 'test:i420@{Width}x{Height}@50', renditions: {{small: {{size: 80x60, fps: 10}}}}}}}}");
        using Socket tap = TapReader.Connect(daemon, "a@small.y4m");
        byte[] header = new byte[64];
        Assert.Equal(header.Length, TapReader.ReadWhole(tap, header));
        Assert.StartsWith("YUV4MPEG2 W80 H60 F10:1 ", Encoding.ASCII.GetString(header), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ts")]
    [InlineData("mkv")]
    public void Ffmpeg_copies_the_packets_and_they_are_the_sources_own(string kind)
    {
        string path = _clips.Make(
            "a.mp4", [.. MediaClips.Moving(320, 240, 4), "-f", "lavfi", "-i", "sine=frequency=440:duration=4", "-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "25", "-c:a", "aac"]);
        int port = Ports.Free();
        using DaemonProcess daemon = DaemonProcess.Run($"taps: {{http: '127.0.0.1:{port}'}}\ncameras: {{a: {{source: '{path}', loop: true}}}}");
        string socket = TapReader.PathOf(daemon, $"a.{kind}");
        TapReader.WaitForSocket(socket);
        daemon.WaitForLog("[600 taps-http]");
        string[] inputs = [$"unix:{socket}", $"http://127.0.0.1:{port}/a.{kind}"];
        foreach (string input in inputs)
        {
            foreach (string track in (string[])["v", "a"])
            {
                // Bitstreams as the decoder gets them: containers differ in how they carry the parameter sets.
                string[] filter = track == "v" ? ["-bsf:v", "h264_mp4toannexb,filter_units=remove_types=7|8|9|6"] : ["-bsf:a", "aac_adtstoasc"];
                string[] plain = track == "v" ? filter : [];
                List<string> source = Hashes(["-i", path, "-map", $"0:{track}", "-c", "copy", .. plain]);
                List<string> found = Hashes(["-t", "6", "-i", input, "-map", $"0:{track}", "-c", "copy", .. kind == "ts" ? filter : plain]);
                Assert.True(found.Count > 100, $"{input}: {found.Count} packets");

                // From a key frame on, around the loop.
                int start = source.IndexOf(found[0]);
                Assert.True(start >= 0, $"{input}: the first packet is none of the source's");
                Assert.True(track == "a" || start % 25 == 0, $"{input}: it begins with packet {start}");
                for (int i = 0; i < found.Count; i++)
                {
                    Assert.True(source[(start + i) % source.Count] == found[i], $"{input}, {track}: packet {i} differs");
                }
            }

            // A whole decode finds no error, and the sound is there.
            string copy = _clips.PathOf("copy.mkv");
            MediaClips.Ffmpeg("-t", "3", "-i", input, "-map", "0", "-c", "copy", copy);
            Assert.Equal("", TapReader.Run("ffmpeg", "-v", "error", "-i", copy, "-f", "null", "-").Errors);
        }

        Assert.DoesNotContain("internal-error", daemon.LogText, StringComparison.Ordinal);

        static List<string> Hashes(params string[] arguments) =>
            [.. Encoding.ASCII.GetString(TapReader.Get("ffmpeg", ["-v", "error", .. arguments, "-f", "framemd5", "-"])).Split('\n')
                .Where(line => line.Length > 0 && line[0] != '#').Select(line => line.Split(',')[5].Trim())];
    }

    [Fact]
    public void Sound_that_a_container_cannot_carry_is_left_out_and_said()
    {
        string path = _clips.Make("a.mov", [.. MediaClips.Moving(160, 120, 4), "-f", "lavfi", "-i", "sine=duration=4", "-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-c:a", "pcm_alaw"]);
        using DaemonProcess daemon = DaemonProcess.Run($"cameras: {{a: {{source: '{path}', loop: true}}}}");
        TapReader.WaitForSocket(TapReader.PathOf(daemon, "a.ts"));
        Assert.Equal("h264", Codecs("ts"));
        Assert.Contains("without audio (pcm_alaw), which ts cannot carry", daemon.WaitForLog("[603 tap-left] a: "), StringComparison.Ordinal);
        Assert.Equal("h264 pcm_alaw", Codecs("mkv"));

        string Codecs(string kind) => string.Join(' ', Encoding.ASCII.GetString(TapReader.Get(
            "ffprobe", "-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0", $"unix:{TapReader.PathOf(daemon, $"a.{kind}")}")).Split('\n', StringSplitOptions.RemoveEmptyEntries).Distinct().Order());
    }

    [Fact]
    public void Pictures_are_read_by_ffmpeg_and_curl_from_sockets_and_http()
    {
        int port = Ports.Free();
        using DaemonProcess daemon = DaemonProcess.Run($"taps: {{http: '127.0.0.1:{port}'}}\ncameras: {{a: {{source: 'test:nv12@{Width}x{Height}@50'}}}}");
        daemon.WaitForLog("[600 taps-http]");
        TapReader.WaitForSocket(TapReader.PathOf(daemon, "a.mjpeg"));
        (string Format, string Input)[] inputs = [("mjpeg", $"unix:{TapReader.PathOf(daemon, "a.mjpeg")}"), ("mpjpeg", $"http://127.0.0.1:{port}/a.mjpeg")];
        long last = -1;
        foreach ((string format, string input) in inputs)
        {
            byte[] pictures = TapReader.Get("ffmpeg", "-v", "error", "-f", format, "-i", input, "-frames:v", "20", "-f", "rawvideo", "-pix_fmt", "rgb24", "-fps_mode", "passthrough", "-");
            Assert.Equal(20 * Width * Height * 3, pictures.Length);
            long[] numbers = [.. pictures.Chunk(Width * Height * 3).Select(picture => TapReader.NumberOf(picture, PixelFormat.Rgb24, Width, Height, isExact: false))];
            TapReader.AssertGrowing(numbers);

            // A client begins with the newest frame, which may still be the one that the client before had last.
            Assert.InRange(numbers[0], last, long.MaxValue);
            last = numbers[^1];
        }

        for (int i = 0; i < 3; i++)
        {
            string path = _clips.PathOf($"{i}.jpeg");
            string[] arguments = i == 2
                ? ["-s", "-f", "--http1.0", "-o", path, $"http://127.0.0.1:{port}/a.jpeg"]
                : ["-s", "-f", "-D", "-", "-o", path, $"http://localhost:{port}/a.jpeg"];
            string headers = Encoding.ASCII.GetString(TapReader.Get("curl", arguments));
            if (i < 2)
            {
                Assert.Contains("Content-Type: image/jpeg\r\n", headers, StringComparison.Ordinal);
                Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"Content-Length: {new FileInfo(path).Length}\r\n"), headers, StringComparison.Ordinal);
                Assert.Contains("Cache-Control: no-store\r\n", headers, StringComparison.Ordinal);
            }

            byte[] picture = TapReader.Get("ffmpeg", "-v", "error", "-i", path, "-f", "rawvideo", "-pix_fmt", "rgb24", "-");
            long number = TapReader.NumberOf(picture, PixelFormat.Rgb24, Width, Height, isExact: false);
            Assert.InRange(number, last, long.MaxValue);
            last = number;
        }

        // One picture, then the end.
        using Socket one = TapReader.Connect(daemon, "a.jpeg");
        byte[] content = new byte[1 << 20];
        int length = TapReader.ReadWhole(one, content);
        Assert.Equal([0xFF, 0xD8], content[..2]);
        Assert.Equal([0xFF, 0xD9], content[(length - 2)..length]);
        Assert.DoesNotContain("internal-error", daemon.LogText, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_command_of_the_list_works_as_it_stands()
    {
        string clip = _clips.H264("a.mp4", 320, 240, 4);
        int port = Ports.Free();
        using DaemonProcess daemon = DaemonProcess.Run(
            $"taps: {{http: '127.0.0.1:{port}'}}\ncameras:\n  a: {{source: '{clip}', loop: true, renditions: {{small: {{size: 160x90, fps: 10, format: i420}}}}}}\n  b: {{source: 'test:p010@160x120@25'}}\n");
        daemon.WaitForLog("[600 taps-http]");
        foreach (string key in (string[])["a", "b", "a@small"])
        {
            // What its frames are is known from the first on.
            TapReader.Get("curl", "-s", "-f", "-o", _clips.PathOf("any.jpeg"), $"http://127.0.0.1:{port}/{key}.jpeg");
        }

        using JsonDocument list = JsonDocument.Parse(TapReader.Get("curl", "-s", "-f", $"http://127.0.0.1:{port}/"));
        int commands = 0;
        foreach (JsonElement stream in list.RootElement.GetProperty("streams").EnumerateArray())
        {
            string key = stream.GetProperty("key").GetString()!;
            (int width, int height, string format) = key switch { "a" => (320, 240, "i420"), "b" => (160, 120, "p010"), _ => (160, 90, "i420") };
            Assert.Equal((width, height, format), (stream.GetProperty("width").GetInt32(), stream.GetProperty("height").GetInt32(), stream.GetProperty("pixel_format").GetString()));
            foreach (JsonElement tap in stream.GetProperty("taps").EnumerateArray())
            {
                foreach (string name in (string[])["ffmpeg", "ffmpeg_http"])
                {
                    List<string> words = [.. tap.GetProperty(name).GetString()!.Split(' ')];
                    string target = _clips.PathOf($"{commands++}{Path.GetExtension(words[^1])}");
                    words[^1] = target;
                    words.InsertRange(words.IndexOf("-i") + 2, ["-frames:v", "1"]);
                    TapReader.Get(words[0], ["-nostdin", "-v", "error", "-y", .. words[1..]]);
                    Assert.Equal($"{width}x{height}", Encoding.ASCII.GetString(TapReader.Get(
                        "ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "stream=width,height", "-of", "csv=s=x:p=0", target)).Trim());
                }
            }
        }

        Assert.Equal(2 * (6 + 4 + 4), commands);
        string page = Encoding.UTF8.GetString(TapReader.Get("curl", "-s", "-f", "-H", "Accept: text/html,*/*", $"http://127.0.0.1:{port}/"));
        Assert.Contains("<a href=\"http://127.0.0.1:", page, StringComparison.Ordinal);
        Assert.Contains("i420 160x90, 10 frames per second", page, StringComparison.Ordinal);
    }

    [Fact]
    public void Http_answers_what_it_does_not_serve_with_a_sentence()
    {
        int port = Ports.Free();
        using DaemonProcess daemon = DaemonProcess.Run($"taps: {{http: '127.0.0.1:{port}'}}\ncameras: {{a: {{source: 'test:rgb24@64x48@25'}}, gone: {{source: 'rtsp://127.0.0.1:1/x'}}}}");
        daemon.WaitForLog("[600 taps-http]");
        TapReader.WaitForSocket(TapReader.PathOf(daemon, "gone.ts"));
        Check("404", "There is no tap /b.jpeg. There are:\n/a.rawvideo\n/a.y4m\n/a.mjpeg\n/a.jpeg\n/gone.ts\n", "/b.jpeg");
        Check("404", "There is no tap /a.ts. There are:", "/a.ts");
        Check("404", "There is no tap /a.jpeg/x.", "/a.jpeg/x");
        Check("404", "There is no tap /a.JPEG.", "/a.JPEG");
        Check("400", "", "/a.rawvideo%00");
        Check("404", "There is no tap /..%2fa.jpeg.", "/%2e%2e%2fa.jpeg");
        Check("405", "Taps are read with GET.", "/a.jpeg", "-X", "POST");
        Check("409", "YUV4MPEG2 cannot carry rgb24, which 'a' has", "/a.y4m");
        Check("421", "the request names 'evil.example'.", "/a.jpeg", "-H", "Host: evil.example");
        Check("421", "the request names '192.0.2.1'.", "/", "-H", "Host: 192.0.2.1:8475");
        Check("421", "the request names ''.", "/", "--http1.0", "-H", "Host:");
        Check("503", "no frame of 'gone' came within 10 s: its state is SOURCE", "/gone.jpeg");
        Check("200", "", "/a.jpeg", "-I");
        Check("200", "\"key\": \"a\"", "/", "-H", "Host: [::1]:99");

        void Check(string status, string text, string path, params string[] more)
        {
            string answer = Encoding.UTF8.GetString(TapReader.Get("curl", ["-s", "--path-as-is", "-w", "%{http_code}", .. more, $"http://127.0.0.1:{port}{path}"]));
            Assert.EndsWith(status, answer, StringComparison.Ordinal);
            Assert.Contains(text, answer, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Limits_hold_and_places_are_free_again_when_clients_go()
    {
        int port = Ports.Free();
        using DaemonProcess daemon = DaemonProcess.Run(
            $"taps: {{http: '127.0.0.1:{port}', clients: 3, stream_clients: 2}}\ncameras: {{a: {{source: 'test:i420@64x48@50'}}, b: {{source: 'test:i420@64x48@50'}}}}");
        daemon.WaitForLog("[600 taps-http]");
        byte[] picture = new byte[64 * 48 * 3 / 2];
        using (Socket first = TapReader.Connect(daemon, "a.rawvideo"), second = TapReader.Connect(daemon, "a.rawvideo"))
        {
            Assert.Equal(picture.Length, TapReader.ReadWhole(first, picture));
            Assert.Equal(picture.Length, TapReader.ReadWhole(second, picture));
            using Socket third = TapReader.Connect(daemon, "a.jpeg");
            Assert.Equal(0, TapReader.ReadToEnd(third));
            Assert.Contains("2 clients are connected to taps of 'a', which is the limit (taps: stream_clients)", daemon.WaitForLog("[605 tap-refused] a: process"), StringComparison.Ordinal);
            Assert.Equal("2 clients are connected to taps of 'a', which is the limit (taps: stream_clients).\n503", Ask("a"));
            using Socket other = TapReader.Connect(daemon, "b.rawvideo");
            Assert.Equal(picture.Length, TapReader.ReadWhole(other, picture));
            Assert.Equal("3 clients are connected to taps, which is the limit (taps: clients).\n503", Ask("b"));

            // Those who were let in go on.
            Assert.Equal(picture.Length, TapReader.ReadWhole(first, picture));
            TapReader.NumberOf(picture, PixelFormat.I420, 64, 48, isExact: true);
        }

        daemon.WaitFor("a", info => info.Description!.Subscribers == 0);
        daemon.WaitFor("b", info => info.Description!.Subscribers == 0);

        // Their places are free when it is said that they have left, which is a moment later.
        Stopwatch time = Stopwatch.StartNew();
        while (daemon.Log.Count(line => line.Contains("[603 tap-left]", StringComparison.Ordinal) || line.Contains("[604 tap-cut]", StringComparison.Ordinal)) < 3)
        {
            Assert.True(time.Elapsed < DaemonProcess.Patience, daemon.LogText);
            Thread.Sleep(20);
        }

        using Socket next = TapReader.Connect(daemon, "a.rawvideo");
        Assert.Equal(picture.Length, TapReader.ReadWhole(next, picture));
        Assert.EndsWith("200", Ask("b"), StringComparison.Ordinal);

        string Ask(string key) => Encoding.Latin1.GetString(TapReader.Get("curl", "-s", "-w", "%{http_code}", $"http://127.0.0.1:{port}/{key}.jpeg"));
    }

    [Fact]
    public void A_stream_that_changes_its_size_ends_raw_video_after_a_whole_frame()
    {
        string path = _clips.Join("a.ts", _clips.H264("small.ts", 160, 120, 2), _clips.H264("large.ts", 320, 240, 2));
        using DaemonProcess daemon = DaemonProcess.Run($"cameras: {{a: {{source: '{path}', loop: true}}}}");
        using Socket socket = TapReader.Connect(daemon, "a.rawvideo");
        int length = TapReader.ReadToEnd(socket);
        Assert.True(length > 0);
        string line = daemon.WaitForLog("[603 tap-left] a: ");
        Assert.Matches("the stream has become i420 (160x120|320x240)", line);
        Assert.Equal(0, length % (line.Contains("320x240", StringComparison.Ordinal) ? 160 * 120 * 3 / 2 : 320 * 240 * 3 / 2));
    }

    [Fact]
    public void Taps_come_and_go_with_their_streams_and_with_the_configuration()
    {
        int port = Ports.Free();
        using TcpListener occupied = new(System.Net.IPAddress.Loopback, port);
        occupied.Start();
        string configuration = $"taps: {{http: '127.0.0.1:{port}'}}\ncameras: {{a: {{source: 'test:i420@64x48@50'}}, b: {{source: 'test:i420@64x48@50'}}}}";
        using DaemonProcess daemon = DaemonProcess.Run(configuration);
        daemon.WaitForLog("[601 taps-unavailable]", $"127.0.0.1:{port}");
        occupied.Stop();
        daemon.WaitForLog("[600 taps-http]");
        using Socket a = TapReader.Connect(daemon, "a.rawvideo"), b = TapReader.Connect(daemon, "b.rawvideo");
        byte[] picture = new byte[64 * 48 * 3 / 2];
        Assert.Equal(picture.Length, TapReader.ReadWhole(a, picture));
        Assert.Equal(picture.Length, TapReader.ReadWhole(b, picture));

        // A camera goes: its clients are told by the end of the bytes, the others notice nothing.
        daemon.Write("cameras: {a: {source: 'test:i420@64x48@50'}}");
        daemon.Signal(Signals.HangUp);
        Assert.Equal(0, TapReader.ReadToEnd(b) % picture.Length);
        daemon.WaitForLog("[603 tap-left] b: ");
        Assert.Equal(picture.Length, TapReader.ReadWhole(a, picture));
        TapReader.NumberOf(picture, PixelFormat.I420, 64, 48, isExact: true);
        Stopwatch time = Stopwatch.StartNew();
        int code;
        while ((code = TapReader.Run("curl", "-s", $"http://127.0.0.1:{port}/").ExitCode) != CannotConnect)
        {
            // The server is ending beside the taps: until then it may answer, or break off.
            Assert.True(time.Elapsed < DaemonProcess.Patience, $"curl ends with {code}");
        }

        // A socket that somebody removed comes back.
        string path = TapReader.PathOf(daemon, "a.rawvideo");
        File.Delete(path);
        using Socket again = TapReader.Connect(daemon, "a.rawvideo");
        Assert.Equal(picture.Length, TapReader.ReadWhole(again, picture));
        daemon.Write("taps: off\ncameras: {a: {source: 'test:i420@64x48@50'}}");
        daemon.Signal(Signals.HangUp);
        TapReader.ReadToEnd(a);
        TapReader.ReadToEnd(again);

        // The clients are told a moment before the sockets go.
        string folder = Path.GetDirectoryName(path)!;
        for (time.Restart(); Directory.EnumerateFiles(folder).Any(); Thread.Sleep(20))
        {
            Assert.True(time.Elapsed < DaemonProcess.Patience, $"there are still {string.Join(' ', Directory.EnumerateFiles(folder))}");
        }

        Assert.Equal(0, daemon.End().ExitCode);
        Assert.Empty(Directory.EnumerateFileSystemEntries(daemon.RuntimeDirectory));
        Assert.DoesNotContain("internal-error", daemon.LogText, StringComparison.Ordinal);
    }

    [Fact]
    public void Frames_of_a_gpu_camera_are_shown_as_pictures()
    {
        int port = Ports.Free();
        using DaemonProcess daemon = CudaDouble.Run(
            $"taps: {{http: '127.0.0.1:{port}'}}\ncameras: {{a: {{source: 'test:nv12@{Width}x{Height}@25', memory: cuda}}, b: {{source: 'test:64x48@25', memory: cuda-ipc}}}}");
        daemon.WaitForLog("[600 taps-http]");
        daemon.WaitFor("a", info => info.Description?.State == StreamState.Live);
        TapReader.WaitForSocket(TapReader.PathOf(daemon, "a.mjpeg"));
        byte[] pictures = TapReader.Get("ffmpeg", "-v", "error", "-f", "mjpeg", "-i", $"unix:{TapReader.PathOf(daemon, "a.mjpeg")}", "-frames:v", "5", "-f", "rawvideo", "-pix_fmt", "rgb24", "-");
        TapReader.AssertGrowing([.. pictures.Chunk(Width * Height * 3).Select(picture => TapReader.NumberOf(picture, PixelFormat.Rgb24, Width, Height, isExact: false))]);
        string jpeg = _clips.PathOf("a.jpeg");
        TapReader.Get("curl", "-s", "-f", "-o", jpeg, $"http://127.0.0.1:{port}/a.jpeg");
        Assert.Equal("There is no tap /. There are:\n/a.mjpeg\n/a.jpeg\n", Encoding.UTF8.GetString(TapReader.Get("curl", "-s", $"http://127.0.0.1:{port}/a.rawvideo")).Replace("/a.rawvideo", "/", StringComparison.Ordinal));
        Assert.DoesNotContain("internal-error", daemon.LogText, StringComparison.Ordinal);
    }
}
