using System.CommandLine;
using CuFrames.Cli.Internal;
using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Media;
using CuFrames.Protocol;
using Spectre.Console;

namespace CuFrames.Cli.Commands;

/// <summary><c>cuframes record KEY PATH</c>: writes a stream's packets into files, as the camera sent them.</summary>
internal static class RecordCommand
{
    private const long Second = 1_000_000_000;

    /// <summary>Outside of a terminal a line of progress that often: a recorder runs for weeks.</summary>
    private const int LineSeconds = 10;

    /// <summary>How soon an interruption is seen.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromMilliseconds(200);

    public static Command Create()
    {
        Argument<string> key = Options.Key();
        Argument<string> path = new("PATH") { Description = "The file; fields of strftime, such as %Y%m%d-%H%M%S, become the local time at which it begins." };
        Option<string?> format = new("--format") { Description = "mp4 (fragmented), mkv or ts. Default: as PATH ends.", HelpName = "NAME" };
        Options.OneOf(format, "mp4", "mkv", "ts");
        Option<TimeSpan?> segment = Options.Duration("--segment", "Begin a new file after this time, at a key frame: 90s, 10m, 1h, 1d.");
        Option<TimeSpan?> limit = Options.Duration("--for", "Record for this time from the first packet on, and wait for it as long.");
        Option<string> start = new("--start")
        {
            Description = "Where to begin: at the newest key frame, the oldest one that is still there, or the next. Default: newest.",
            HelpName = "WHERE",
            DefaultValueFactory = _ => "newest",
        };
        Options.OneOf(start, "newest", "oldest", "next");
        Option<bool> json = Options.Json("One JSON object per second, one per file, and a final one.");
        Command command = new("record", "Record a stream into files without encoding it, until an interruption.") { key, path, format, segment, limit, start, json };
        command.SetAction(parse =>
        {
            string template = parse.GetRequiredValue(path);
            RecordOptions options = new(
                StreamKey.Require(parse.GetRequiredValue(key)),
                RecordPath.Parse(template),
                ContainerOf(parse.GetValue(format), template),
                parse.GetValue(segment),
                parse.GetValue(limit),
                parse.GetRequiredValue(start) switch
                {
                    "oldest" => PacketStart.OldestKey,
                    "next" => PacketStart.Next,
                    _ => PacketStart.NewestKey,
                });
            return Run(options, parse.GetValue(json));
        });
        return command;
    }

    private static PacketContainer ContainerOf(string? format, string path) => (format ?? Path.GetExtension(path).TrimStart('.').ToLowerInvariant()) switch
    {
        "mp4" => PacketContainer.Mp4,
        "mkv" => PacketContainer.Matroska,
        "ts" => PacketContainer.MpegTs,
        string other => throw new CuFramesException(
            ErrorCode.ConfigurationInvalid, $"'{other}' is no format that can be recorded. Let PATH end in .mp4, .mkv or .ts, or say --format mp4, mkv or ts."),
    };

    private static int Run(RecordOptions options, bool json)
    {
        RequireTarget(options);
        using Interruption interruption = new();
        bool isLive = !json && !Console.IsOutputRedirected;
        using RecordSession recorder = new(
            options,
            file =>
            {
                if (json)
                {
                    JsonLine.Write(file);
                }
                else
                {
                    Output.Line(FormattableString.Invariant($"{file.Path}: {file.Packets} packets, {Words.Bytes(file.Bytes)}, {file.Seconds:0.0} s, ended by {file.Reason}"));
                }
            },
            text =>
            {
                if (!json)
                {
                    Output.Line(text);
                }
            });
        try
        {
            Record(recorder, options, isLive, json, interruption.Token);
        }
        finally
        {
            // Also after an error: what was recorded until then is told.
            RecordReport total = recorder.Report("total");
            if (json)
            {
                JsonLine.Write(total);
            }
            else if (total.Published > 0)
            {
                Output.Line("total: " + TextOf(total));
            }
        }

        return recorder.Taken > 0 || interruption.Token.IsCancellationRequested
            ? ExitCode.Success
            : throw new CuFramesException(
                ErrorCode.TimedOut,
                $"No packet of stream '{options.Key}' came within {options.Limit!.Value.TotalSeconds} s. 'cuframes ls' shows what is published, and of which streams there are packets.");
    }

    private static void Record(RecordSession recorder, RecordOptions options, bool isLive, bool json, CancellationToken cancellation)
    {
        try
        {
            if (isLive)
            {
                AnsiConsole.Status().Start($"Waiting for packets of {options.Key}.", context =>
                    Take(recorder, options, report => context.Status(Markup.Escape(PlainText.Of(TextOf(report)))), 1, cancellation));
            }
            else if (json)
            {
                Take(recorder, options, report => JsonLine.Write(report), 1, cancellation);
            }
            else
            {
                Take(recorder, options, report => Output.Line(TextOf(report)), LineSeconds, cancellation);
            }
        }
        finally
        {
            // Whatever ends it: the file becomes whole.
            recorder.Finish();
        }
    }

    private static void Take(RecordSession recorder, RecordOptions options, Action<RecordReport> tell, int interval, CancellationToken cancellation)
    {
        long now = MonotonicClock.NowNanoseconds;
        long limit = options.Limit is { } time ? (long)time.TotalNanoseconds : long.MaxValue;
        long end = limit == long.MaxValue ? limit : now + limit;
        long tick = now + (interval * Second);
        bool hasBegun = false;
        while (!cancellation.IsCancellationRequested && now < end)
        {
            recorder.TakeOne(TimeSpan.FromTicks(Math.Max(1, Math.Min(Math.Min(tick, end) - now, (long)LongestWait.TotalNanoseconds) / 100)));
            now = MonotonicClock.NowNanoseconds;
            if (!hasBegun && recorder.Taken > 0)
            {
                hasBegun = true;
                end = limit == long.MaxValue ? limit : now + limit;
            }

            if (now >= tick)
            {
                tell(recorder.Report("interval"));
                tick += (((now - tick) / (interval * Second)) + 1) * interval * Second;
            }
        }
    }

    /// <summary>What would fail at the first packet fails at once.</summary>
    private static void RequireTarget(RecordOptions options)
    {
        string path = options.Path.At(DateTimeOffset.Now);
        if (!options.Path.HasTime && (File.Exists(path) || Directory.Exists(path)))
        {
            throw new CuFramesException(
                ErrorCode.ConfigurationInvalid,
                $"{path} exists, and a recording never overwrites. Choose another name, or one with the time in it, such as {options.Key}-%Y%m%d-%H%M%S{Path.GetExtension(path)}.");
        }

        if (!options.Path.HasTime && !Directory.Exists(Path.GetDirectoryName(path)))
        {
            throw new CuFramesException(ErrorCode.SystemCallFailed, $"{path} cannot be created: the folder {Path.GetDirectoryName(path)} does not exist. Create it first.");
        }
    }

    private static string TextOf(RecordReport report)
    {
        RecordMissed missed = report.Missed;
        List<string> reasons = [];
        void Add(long count, string reason)
        {
            if (count > 0)
            {
                reasons.Add(FormattableString.Invariant($"{count} {reason}"));
            }
        }

        Add(missed.Overwritten, "overwritten");
        Add(missed.NoKey, "before a key frame");
        Add(missed.Damaged, "damaged");
        Add(missed.NotCarried, "not carried");
        Add(missed.Failed, "not written");
        string why = reasons.Count > 0 ? $" ({string.Join(", ", reasons)})" : "";
        return FormattableString.Invariant(
            $"{report.Seconds:0} s  {report.State.Replace('_', ' ')}  {report.Files} files, {Words.Bytes(report.Bytes)}  {report.Published} packets published, {report.Written} written, {missed.Total} missed{why}") +
            (report.Held > 0 ? FormattableString.Invariant($", {report.Held} held") : "") +
            (report.TimesRepaired > 0 ? FormattableString.Invariant($", {report.TimesRepaired} with repaired times") : "") +
            (report.Path is null ? "" : $"  {Path.GetFileName(report.Path)}");
    }
}
