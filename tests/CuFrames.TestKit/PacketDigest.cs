using System.Diagnostics;
using System.Globalization;

namespace CuFrames.TestKit;

/// <summary>What <c>ffmpeg -c copy -f framemd5</c> says of each packet of a file: the proof that two files have the same packets.</summary>
/// <remarks>
/// Containers dress packets differently. Both sides are brought to one form by ffmpeg's own filters: H.264 and H.265 to start codes, without the
/// parameter sets and delimiters that a container needs or does not need in band, AAC without ADTS headers. Of H.265 the SEI before a picture is left
/// out too: ffmpeg's MP4 has x265's in its header, and puts it before each key frame when it is read.
/// </remarks>
public static class PacketDigest
{
    /// <summary>Digest and size of each packet of a track, in order of the file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="track">As ffmpeg's <c>-map</c> has it, such as <c>v:0</c>.</param>
    /// <param name="codec">ffmpeg's name of its codec.</param>
    public static string[] Of(string path, string track, string codec) => [.. Lines(path, track, codec).Select(line => $"{line[4]} {line[5]}")];

    /// <summary>Presentation times of each packet of a track in seconds from the first decoding time of the file's track on.</summary>
    public static double[] Times(string path, string track, string codec)
    {
        (double Unit, string[][] Fields) read = Read(path, track, codec);
        double first = Number(read.Fields[0][1]);
        return [.. read.Fields.Select(line => (Number(line[2]) - first) * read.Unit)];
    }

    /// <summary>Runs a program of ffmpeg.</summary>
    /// <returns>What it printed and its messages.</returns>
    public static (string Output, string Messages) Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true })!;
        process.StandardInput.Close();
        Task<string> messages = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0
            ? (output, messages.Result)
            : throw new InvalidOperationException($"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}: {messages.Result}");
    }

    /// <summary>What ffprobe and a decode of the whole file complain of; empty for a file without fault.</summary>
    /// <remarks>Pictures keep the file's own times: rounded to the announced frame rate, two of a live camera's may be one.</remarks>
    public static string Faults(string path) =>
        Run("ffprobe", "-v", "error", "-show_packets", "-show_streams", path).Messages + Run("ffmpeg", "-v", "error", "-i", path, "-map", "0", "-fps_mode", "passthrough", "-enc_time_base", "-1", "-f", "null", "-").Messages;

    private static string[][] Lines(string path, string track, string codec) => Read(path, track, codec).Fields;

    private static (double Unit, string[][] Fields) Read(string path, string track, string codec)
    {
        string filter = codec switch
        {
            "h264" => "h264_mp4toannexb,filter_units=remove_types=7|8|9",
            "hevc" => "hevc_mp4toannexb,filter_units=remove_types=32|33|34|35|39",
            "aac" => "aac_adtstoasc",
            _ => "null",
        };
        string[] lines = Run("ffmpeg", "-v", "error", "-copyts", "-i", path, "-map", $"0:{track}", "-c", "copy", "-bsf", filter, "-f", "framemd5", "-").Output.Split('\n');
        string unit = lines.First(line => line.StartsWith("#tb 0: ", StringComparison.Ordinal))["#tb 0: ".Length..];
        string[] parts = unit.Split('/');
        return (Number(parts[0]) / Number(parts[1]),
            [.. lines.Where(line => line.Length > 0 && line[0] != '#').Select(line => line.Split(',', StringSplitOptions.TrimEntries))]);
    }

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);
}
