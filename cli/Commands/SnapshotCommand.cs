using System.CommandLine;
using System.Globalization;
using CuFrames.Cli.Internal;
using CuFrames.Client;
using CuFrames.Control;
using CuFrames.Control.V1;
using CuFrames.Media;
using CuFrames.Protocol;

namespace CuFrames.Cli.Commands;

/// <summary>
/// <c>cuframes snapshot KEY FILE</c>: writes the newest frame as a picture. It reads the stream itself; where a daemon is named, that one makes the picture,
/// and no socket of the stream is needed.
/// </summary>
internal static class SnapshotCommand
{
    private const double StandardTimeout = 10;

    /// <summary>How long a daemon waits for a frame (docs/control.md). Its answer is waited for a little longer.</summary>
    private const double LongestOfDaemon = 10;

    private static readonly TimeSpan LongestWait = TimeSpan.FromMilliseconds(100);

    public static Command Create()
    {
        Argument<string> key = Options.Key();
        Argument<string> file = new("FILE") { Description = "The file to write." };
        Option<string?> format = new("--format") { Description = "png or jpeg. Default: jpeg if FILE ends in .jpg or .jpeg, else png.", HelpName = "NAME" };
        Options.OneOf(format, "png", "jpeg");
        Option<int?> width = Options.NumberOrNull("--max-width", "Scale a wider picture down to so many pixels, in its proportions.", 1, Wire.MaxDimension);
        Option<double?> timeout = Options.Seconds("--timeout", $"Longest wait for a frame. Default: {StandardTimeout}.");
        Option<bool> force = new("--force", "-f") { Description = "Overwrite the file if it exists." };
        Option<bool> json = Options.Json("One JSON object that says what was written.");
        Command command = new("snapshot", "Write the newest frame as a picture, PNG or JPEG; with --control the daemon makes it.") { key, file, format, width, timeout, force, json };
        command.SetAction((parse, _) =>
        {
            string path = Path.GetFullPath(parse.GetRequiredValue(file));
            bool isJpeg = (parse.GetValue(format) ?? Path.GetExtension(path).ToLowerInvariant()) is "jpeg" or ".jpeg" or ".jpg";
            SnapshotRequest request = new(
                parse.GetRequiredValue(key), path, isJpeg, parse.GetValue(width) ?? 0, parse.GetValue(timeout), parse.GetValue(force), parse.GetValue(json));
            return ControlSocket.IsNamed ? AskAsync(request) : Task.FromResult(Read(request));
        });
        return command;
    }

    /// <summary>Takes the picture from the daemon that is named.</summary>
    private static async Task<int> AskAsync(SnapshotRequest request)
    {
        if (request.Timeout > LongestOfDaemon)
        {
            throw new CuFramesException(
                ErrorCode.ConfigurationInvalid, FormattableString.Invariant($"A daemon waits for a frame for {LongestOfDaemon} s at most: give --timeout up to {LongestOfDaemon}, or leave it out."));
        }

        RequireTarget(request.File, request.Force);
        using Interruption interruption = new();

        // Whoever says nothing of time hears from the daemon that it was over, and why.
        using ControlClient client = ControlSocket.Connect(TimeSpan.FromSeconds(request.Timeout ?? (2 * LongestOfDaemon)));
        Snapshot snapshot = await client.TakeSnapshotAsync(
            request.Key, request.IsJpeg ? PictureFormat.Jpeg : PictureFormat.Png, request.MaxWidth, interruption.Token).ConfigureAwait(false);
        Write(request.File, snapshot.Picture.ToByteArray(), request.Force);
        Report(
            new SnapshotReport(
                request.Key, request.File, snapshot.ContentType, (int)snapshot.Width, (int)snapshot.Height, snapshot.Picture.Length, snapshot.Sequence, Daemon: ControlSocket.Name),
            request.Json);
        return ExitCode.Success;
    }

    /// <summary>Takes the picture of a stream of this machine.</summary>
    private static int Read(SnapshotRequest request)
    {
        RequireTarget(request.File, request.Force);
        using Interruption interruption = new();
        using FrameSubscriber subscriber = FrameSubscriber.Connect(request.Key, new SubscriberOptions { Program = "cuframes snapshot" });
        using Frame frame = Take(subscriber, TimeSpan.FromSeconds(request.Timeout ?? StandardTimeout), interruption.Token);
        FrameMetadata metadata = frame.Metadata;
        FramePicture picture = FramePicture.Of(frame, request.MaxWidth);
        byte[] content = request.IsJpeg ? picture.ToJpeg() : picture.ToPng();
        Write(request.File, content, request.Force);
        SnapshotReport report = new(
            request.Key, request.File, request.IsJpeg ? "image/jpeg" : "image/png", picture.Width, picture.Height, content.Length, frame.Sequence,
            PixelFormats.Name(frame.PixelFormat), Words.CodeOf(frame.Memory), Words.DeviceOf(frame.DeviceUuid), metadata.Rotation * 90,
            metadata.Pts == FrameMetadata.UnknownPts ? null : metadata.Pts, picture.Numbers?.Least, picture.Numbers?.Most);
        Report(report, request.Json);
        if (!request.Json && picture.Numbers is { } range)
        {
            Output.Line(string.Create(
                CultureInfo.InvariantCulture,
                $"The frame is a tensor of {report.Format}: its numbers from {range.Least:G6} to {range.Most:G6} are shown as 0 to 255; scale, mean and deviation are not undone."));
        }

        return ExitCode.Success;
    }

    private static void Report(SnapshotReport report, bool json)
    {
        if (json)
        {
            JsonLine.Write(report);
        }
        else
        {
            string from = report.Daemon is null ? "" : $", from the daemon at {report.Daemon}";
            Output.Line($"{report.File}: frame {report.Sequence} of {report.Key}, {report.Width}x{report.Height}, {Words.Bytes(report.Bytes)}{from}");
        }
    }

    private static Frame Take(FrameSubscriber subscriber, TimeSpan timeout, CancellationToken cancellation)
    {
        for (TimeSpan left = timeout; left > TimeSpan.Zero; left -= LongestWait)
        {
            cancellation.ThrowIfCancellationRequested();
            if (subscriber.TryNext(left < LongestWait ? left : LongestWait, out Frame frame))
            {
                return frame;
            }
        }

        throw new CuFramesException(ErrorCode.TimedOut,
            $"No frame of stream '{subscriber.Key}' came within {timeout.TotalSeconds} s; the stream is {(subscriber.IsConnected ? Words.Of(subscriber.State) : "not connected")}. See 'cuframes ls' for why, or wait longer with --timeout.");
    }

    private static void RequireTarget(string path, bool force)
    {
        if (Directory.Exists(path))
        {
            throw new CuFramesException(ErrorCode.ConfigurationInvalid, $"{path} is a directory; name a file in it.");
        }

        if (!Directory.Exists(Path.GetDirectoryName(path)))
        {
            throw new CuFramesException(ErrorCode.ConfigurationInvalid, $"The directory of {path} does not exist.");
        }

        if (File.Exists(path) && !force)
        {
            throw Exists(path);
        }
    }

    /// <summary>Writes beside the target and renames, so that nobody ever sees half a picture and a full disk loses nothing.</summary>
    private static void Write(string path, byte[] picture, bool force)
    {
        string beside = $"{path}.{Environment.ProcessId}.tmp";
        try
        {
            File.WriteAllBytes(beside, picture);
            File.Move(beside, path, overwrite: force);
        }
        catch (IOException) when (!force && File.Exists(path))
        {
            throw Exists(path);
        }
        finally
        {
            // Does nothing after a rename.
            File.Delete(beside);
        }
    }

    private static CuFramesException Exists(string path) =>
        new(ErrorCode.ConfigurationInvalid, $"{path} exists. Choose another name, or overwrite it with --force.");

    /// <summary>What the command line asks for.</summary>
    private sealed record SnapshotRequest(string Key, string File, bool IsJpeg, int MaxWidth, double? Timeout, bool Force, bool Json);

    /// <summary>What was written. A daemon says nothing of what is null by default.</summary>
    private sealed record SnapshotReport(
        string Key, string File, string ContentType, int Width, int Height, int Bytes, ulong Sequence, string? Format = null, string? Memory = null, string? Device = null,
        int? RotatedDegrees = null, long? PtsNs = null, double? Least = null, double? Most = null, string? Daemon = null);
}
