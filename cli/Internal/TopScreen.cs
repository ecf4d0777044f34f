using System.Globalization;
using CuFrames.Control.V1;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace CuFrames.Cli.Internal;

/// <summary>A look of <c>cuframes top</c> for people.</summary>
internal static class TopScreen
{
    private const int BarCells = 6;

    /// <summary>Lines around the rows of the two tables: heads, borders and the line below.</summary>
    private const int OtherLines = 13;

    private const int FewestRows = 3;

    /// <summary>The whole screen. What has trouble comes first, and what does not fit is counted.</summary>
    /// <param name="report">The look.</param>
    /// <param name="width">Columns of the terminal.</param>
    /// <param name="height">Rows of the terminal.</param>
    public static IRenderable Of(TopReport report, int width, int height)
    {
        int room = Math.Max(2 * FewestRows, height - OtherLines - report.Gpus.Count);
        List<TopCameraReport> cameras = [.. report.Cameras.OrderBy(Rank)];
        List<ReaderReport> readers = [.. report.Readers.OrderByDescending(reader => reader.HeldLeases).ThenByDescending(reader => reader.Lag)];
        int cameraRows = Math.Min(cameras.Count, Math.Max(room / 2, room - readers.Count));
        int readerRows = Math.Min(readers.Count, Math.Max(FewestRows, room - cameraRows));
        List<IRenderable> parts =
        [
            new Text(HeadOf(report), new Style(decoration: Decoration.Bold)),
            CamerasOf(report, cameras.Take(cameraRows)).ToRenderable(width),
        ];
        if (cameraRows < cameras.Count)
        {
            parts.Add(new Text($"and {cameras.Count - cameraRows} more cameras", new Style(Color.Grey)));
        }

        if (readers.Count > 0)
        {
            parts.Add(ReadersOf(readers.Take(readerRows)).ToRenderable(width));
        }

        if (readerRows < readers.Count)
        {
            parts.Add(new Text($"and {readers.Count - readerRows} more readers", new Style(Color.Grey)));
        }

        parts.Add(new Text("Ctrl-C ends", new Style(Color.Grey)));
        return new Rows(parts);
    }

    /// <summary>The last look while there is no other, and why.</summary>
    public static IRenderable WithRemark(IRenderable screen, string remark) => new Rows(screen, new Text($"{PlainText.Of(remark)} Waiting for it.", new Style(Color.Yellow)));

    /// <summary>The lines above the tables.</summary>
    public static string HeadOf(TopReport report)
    {
        TopProcessReport process = report.Process;
        int live = report.Cameras.Count(camera => camera.State is CameraState.Live or CameraState.Idle);
        string load = process.CpuLoad is { } cores ? string.Create(CultureInfo.InvariantCulture, $"{100 * cores:0.0} % of a core") : "-";
        string head = $"{report.Time.ToLocalTime():HH:mm:ss}  cuframesd {process.ProcessId}: {live} of {report.Cameras.Count} cameras live, {report.Readers.Count} readers; " +
            $"CPU {load}, memory {Words.Bytes(process.ResidentBytes)}, {process.Threads} threads, {process.Descriptors} descriptors";
        foreach (TopGpuReport gpu in report.Gpus)
        {
            string use = gpu.DecoderUtilization is { } share ? string.Create(CultureInfo.InvariantCulture, $", decoding {100 * share:0} %") : "";
            head += $"\n{PlainText.Of(gpu.Name)}: memory {Words.Bytes(gpu.MemoryUsedBytes)} of {Words.Bytes(gpu.MemoryTotalBytes)}, {gpu.Decoders} decoders{use}";
        }

        return head;
    }

    /// <summary>The table of streams, each camera's below it.</summary>
    public static TextTable CamerasOf(TopReport report, IEnumerable<TopCameraReport> cameras)
    {
        TextTable table = new("CAMERA", "STATE", "#FPS", "#DROPS/S", "#READERS", "RING", "#P50", "#P99", "#IN", "#MEMORY", "~REASON");
        foreach (TopCameraReport camera in cameras)
        {
            CameraStreamReport? own = camera.Streams.Count > 0 && camera.Streams[0].Key == camera.Key ? camera.Streams[0] : null;
            table.Add(
                camera.Key,
                Words.Of(camera.State),
                Words.Rate(own?.Fps),
                Words.Rate(own?.DroppedPerSecond),
                $"{(own?.Readers ?? 0) + (camera.Packets?.Readers ?? 0)}",
                own is null ? "" : RingOf(own),
                Words.Microseconds(camera.Latency?.P50Us),
                Words.Microseconds(camera.Latency?.P99Us),
                camera.SourceBytesPerSecond > 0 ? string.Create(CultureInfo.InvariantCulture, $"{camera.SourceBytesPerSecond * 8 / 1e6:0.0} Mbit/s") : "",
                own is null ? "" : Words.Bytes(own.MemoryBytes),
                camera.State is CameraState.Live or CameraState.Starting ? "" : camera.Reason);
            foreach (CameraStreamReport stream in camera.Streams.Where(stream => stream != own && (stream.Readers > 0 || stream.Fps > 0)))
            {
                table.Add(
                    $"  {stream.Key[camera.Key.Length..]}",
                    "",
                    Words.Rate(stream.Fps),
                    Words.Rate(stream.DroppedPerSecond),
                    $"{stream.Readers}",
                    RingOf(stream),
                    "",
                    "",
                    "",
                    Words.Bytes(stream.MemoryBytes),
                    "");
            }
        }

        return table;
    }

    private static TextTable ReadersOf(IEnumerable<ReaderReport> readers)
    {
        TextTable table = new("READER", "STREAM", "#ID", "#PROCESS", "READS", "#LAG", "#MISSED", "#HELD", "#TAKEN");
        foreach (ReaderReport reader in readers)
        {
            table.Add(
                reader.Program,
                reader.Stream,
                $"{reader.Id}",
                reader.ProcessId is { } process ? $"{process}" : "-",
                reader.Reads,
                $"{reader.Lag}",
                $"{reader.Missed}",
                reader.Reads == "packets" ? "" : $"{reader.HeldLeases} of {reader.GrantedLeases}",
                $"{reader.Taken}");
        }

        return table;
    }

    /// <summary>How much of the ring readers hold, as a bar and in figures.</summary>
    private static string RingOf(CameraStreamReport stream)
    {
        if (stream.Slots == 0)
        {
            return "";
        }

        int filled = (int)Math.Ceiling((double)stream.HeldSlots * BarCells / stream.Slots);
        return $"{new string('▮', filled)}{new string('▯', BarCells - filled)} {stream.HeldSlots}/{stream.Slots}";
    }

    private static (int State, double Drops) Rank(TopCameraReport camera) => (
        camera.State switch
        {
            CameraState.Failed or CameraState.Unavailable => 0,
            CameraState.SourceLost => 1,
            CameraState.Starting => 2,
            _ => camera.Streams.Any(stream => stream.DroppedPerSecond > 0) ? 3 : 4,
        },
        -camera.Streams.Sum(stream => stream.DroppedPerSecond ?? 0));
}
