using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace CuFrames.TestKit;

/// <summary>
/// Makes real video files with the installed ffmpeg, in a folder of its own that is deleted with this object, and decodes them
/// with ffmpeg as the reference that our decode is compared with.
/// </summary>
public sealed class MediaClips : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("cuframes-clips-");

    /// <summary>The folder that all files are in.</summary>
    public string Folder => _folder.FullName;

    /// <summary>The path of a file in the folder.</summary>
    public string PathOf(string name) => Path.Combine(Folder, name);

    /// <summary>ffmpeg's moving test picture: <c>-f lavfi -i testsrc2=...</c>.</summary>
    public static string[] Moving(int width, int height, double seconds, int rate = 25) =>
        ["-f", "lavfi", "-i", string.Create(CultureInfo.InvariantCulture, $"testsrc2=size={width}x{height}:rate={rate}:duration={seconds}")];

    /// <summary>Runs ffmpeg to make a file.</summary>
    /// <param name="name">Name in the folder; its ending chooses the container.</param>
    /// <param name="arguments">Everything between <c>ffmpeg</c> and the output's name.</param>
    /// <returns>The path.</returns>
    public string Make(string name, params string[] arguments)
    {
        string path = PathOf(name);
        Ffmpeg([.. arguments, path]);
        return path;
    }

    /// <summary>A clip in H.264, with B pictures and a key picture every second.</summary>
    public string H264(string name, int width, int height, double seconds, params string[] more) =>
        Make(name, [.. Moving(width, height, seconds), "-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "25", "-threads", "1", .. more]);

    /// <summary>A clip in H.264 with sound: <c>aac</c>, or <c>pcm_alaw</c> for which the name has to end in .mov or .mkv.</summary>
    public string WithSound(string name, int width, int height, double seconds, string audio = "aac", params string[] more) =>
        Make(name, [
            .. Moving(width, height, seconds), "-f", "lavfi", "-i", string.Create(CultureInfo.InvariantCulture, $"sine=frequency=440:sample_rate={(audio == "aac" ? 48000 : 8000)}:duration={seconds}"),
            "-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "25", "-threads", "1", "-c:a", audio, "-shortest", .. more]);

    /// <summary>A clip in H.265.</summary>
    public string H265(string name, int width, int height, double seconds, params string[] more) =>
        Make(name, [.. Moving(width, height, seconds), "-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:pools=1:keyint=25", .. more]);

    /// <summary>Joins files byte by byte, which MPEG-TS and raw H.264 allow: the parts may differ in size.</summary>
    public string Join(string name, params string[] parts)
    {
        string path = PathOf(name);
        using FileStream target = File.Create(path);
        foreach (string part in parts)
        {
            using FileStream source = File.OpenRead(part);
            source.CopyTo(target);
        }

        return path;
    }

    /// <summary>
    /// Decodes a file with ffmpeg, every frame once, and returns the bytes of all frames in <paramref name="pixelFormat"/> one after
    /// the other without padding.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="pixelFormat">libav's name of the format.</param>
    /// <param name="inputOptions">Options before <c>-i</c>.</param>
    public byte[] DecodeReference(string path, string pixelFormat, params string[] inputOptions)
    {
        string raw = PathOf($"reference-{Guid.NewGuid():N}.raw");
        // Without autorotate the samples stay as they are coded; without autoscale a change of size stays a change.
        Ffmpeg(["-noautorotate", .. inputOptions, "-i", path, "-map", "0:v:0", "-autoscale", "0", "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", pixelFormat, raw]);
        byte[] content = File.ReadAllBytes(raw);
        File.Delete(raw);
        return content;
    }

    /// <summary>As <see cref="DecodeReference"/>, but decoded by NVDEC and nothing else: ffmpeg fails where NVDEC cannot.</summary>
    /// <param name="path">The file.</param>
    /// <param name="pixelFormat">libav's name of the format that NVDEC gives: nv12 or p010le.</param>
    public byte[] DecodeNvdecReference(string path, string pixelFormat)
    {
        string raw = PathOf($"reference-{Guid.NewGuid():N}.raw");
        Ffmpeg(
            "-noautorotate", "-hwaccel", "cuda", "-hwaccel_output_format", "cuda", "-i", path, "-map", "0:v:0", "-vf", $"hwdownload,format={pixelFormat}",
            "-autoscale", "0", "-fps_mode", "passthrough", "-f", "rawvideo", raw);
        byte[] content = File.ReadAllBytes(raw);
        File.Delete(raw);
        return content;
    }

    /// <summary>The packets of a file or URL as ffprobe lists them, in its order.</summary>
    public static IReadOnlyList<ProbedPacket> ProbePackets(string path, params string[] inputOptions)
    {
        using JsonDocument document = Probe([.. inputOptions, "-show_data_hash", "sha256", "-show_packets", path]);
        List<ProbedPacket> packets = [];
        foreach (JsonElement packet in document.RootElement.GetProperty("packets").EnumerateArray())
        {
            packets.Add(new ProbedPacket(
                packet.GetProperty("stream_index").GetInt32(), Time("pts", long.MinValue), Time("dts", long.MinValue), Time("duration", 0),
                int.Parse(packet.GetProperty("size").GetString()!, CultureInfo.InvariantCulture),
                packet.GetProperty("flags").GetString()!.StartsWith('K'), packet.GetProperty("data_hash").GetString()!));

            long Time(string name, long unknown) => packet.TryGetProperty(name, out JsonElement time) ? time.GetInt64() : unknown;
        }

        return packets;
    }

    /// <summary>Runs ffprobe; the caller disposes of what it says.</summary>
    public static JsonDocument Probe(params string[] arguments)
    {
        ProcessStartInfo start = new("ffprobe") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string argument in (string[])["-v", "error", "-of", "json", .. arguments])
        {
            start.ArgumentList.Add(argument);
        }

        using Process process = Process.Start(start)!;
        Task<string> messages = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0
            ? JsonDocument.Parse(output)
            : throw new InvalidOperationException($"ffprobe {string.Join(' ', arguments)} ended with {process.ExitCode}: {messages.Result}");
    }

    /// <summary>Runs ffmpeg and fails with its messages if it fails.</summary>
    public static void Ffmpeg(params string[] arguments)
    {
        ProcessStartInfo start = new("ffmpeg") { RedirectStandardError = true, RedirectStandardInput = true };
        foreach (string argument in (string[])["-nostdin", "-v", "error", "-y", .. arguments])
        {
            start.ArgumentList.Add(argument);
        }

        using Process process = Process.Start(start)!;
        process.StandardInput.Close();
        string messages = process.StandardError.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"ffmpeg {string.Join(' ', arguments)} ended with {process.ExitCode}: {messages}");
        }
    }

    /// <summary>Deletes the folder.</summary>
    public void Dispose() => _folder.Delete(recursive: true);
}
