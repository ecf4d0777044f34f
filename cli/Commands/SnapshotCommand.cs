using System.CommandLine;
using System.Globalization;
using CuFrames.Cli.Internal;
using CuFrames.Client;
using CuFrames.Media;
using CuFrames.Protocol;

namespace CuFrames.Cli.Commands;

/// <summary><c>cuframes snapshot KEY FILE</c>: writes the newest frame as a PNG picture.</summary>
internal static class SnapshotCommand
{
    private const double StandardTimeout = 10;

    /// <summary>As AV_INPUT_BUFFER_PADDING_SIZE of libavcodec.</summary>
    private const int ReadPastEnd = 64;

    private static readonly TimeSpan LongestWait = TimeSpan.FromMilliseconds(100);

    public static Command Create()
    {
        Argument<string> key = Options.Key();
        Argument<string> file = new("FILE") { Description = "The PNG file to write." };
        Option<double?> timeout = Options.Seconds("--timeout", $"Longest wait for a frame. Default: {StandardTimeout}.");
        Option<bool> force = new("--force", "-f") { Description = "Overwrite the file if it exists." };
        Option<bool> json = Options.Json("One JSON object that says what was written.");
        Command command = new("snapshot", "Write the newest frame as a PNG picture.") { key, file, timeout, force, json };
        command.SetAction(parse => Run(
            parse.GetRequiredValue(key), parse.GetRequiredValue(file), parse.GetValue(timeout) ?? StandardTimeout, parse.GetValue(force), parse.GetValue(json)));
        return command;
    }

    private static int Run(string key, string file, double timeout, bool force, bool json)
    {
        string path = Path.GetFullPath(file);
        RequireTarget(path, force);
        using Interruption interruption = new();
        using FrameSubscriber subscriber = FrameSubscriber.Connect(key, new SubscriberOptions { Program = "cuframes snapshot" });
        using Frame frame = Take(subscriber, TimeSpan.FromSeconds(timeout), interruption.Token);
        FrameMetadata metadata = frame.Metadata;
        byte[] rgb = ToRgb(frame, metadata, out (double Least, double Most)? numbers);
        (byte[] upright, int width, int height) = PictureRotation.Apply(rgb, frame.Width, frame.Height, metadata.Rotation);
        byte[] png = PictureEncoder.EncodePng(upright, width, height);
        Write(path, png, force);
        SnapshotReport report = new(
            key, path, width, height, png.Length, frame.Sequence, PixelFormats.Name(frame.PixelFormat), Words.CodeOf(frame.Memory), Words.DeviceOf(frame.DeviceUuid), metadata.Rotation * 90,
            metadata.Pts == FrameMetadata.UnknownPts ? null : metadata.Pts, numbers?.Least, numbers?.Most);
        if (json)
        {
            JsonLine.Write(report);
        }
        else
        {
            Console.Out.WriteLine($"{path}: frame {report.Sequence} of {key}, {width}x{height}, {Words.Bytes(png.Length)}");
            if (numbers is { } range)
            {
                Console.Out.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"The frame is a tensor of {report.Format}: its numbers from {range.Least:G6} to {range.Most:G6} are shown as 0 to 255; scale, mean and deviation are not undone."));
            }
        }

        return ExitCode.Success;
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

    /// <param name="frame">The frame.</param>
    /// <param name="metadata">Its colours.</param>
    /// <param name="numbers">The smallest and the largest number of a tensor of floating-point numbers, which are black and white in the picture.</param>
    private static unsafe byte[] ToRgb(Frame frame, in FrameMetadata metadata, out (double Least, double Most)? numbers)
    {
        numbers = null;
        // From main memory or from a GPU. libav's vector code may read a little past the end of a picture.
        byte[] picture = new byte[PixelFormats.PictureBytes(frame.PixelFormat, frame.Width, frame.Height) + ReadPastEnd];
        frame.CopyTo(picture);
        PicturePlane[] planes = new PicturePlane[frame.PlaneCount];
        byte[] rgb = new byte[frame.Width * frame.Height * 3];
        if (PixelFormats.IsTensor(frame.PixelFormat))
        {
            (double, double) range = TensorPreview.ToRgb24(frame.PixelFormat, frame.Width, frame.Height, picture, rgb);
            numbers = PixelFormats.IsFloat(frame.PixelFormat) ? range : null;
            return rgb;
        }

        fixed (byte* first = picture)
        {
            byte* next = first;
            for (int index = 0; index < planes.Length; index++)
            {
                int pitch = PixelFormats.RowBytes(frame.PixelFormat, index, frame.Width);
                planes[index] = new PicturePlane((nint)next, (nuint)pitch);
                next += (long)pitch * PixelFormats.Rows(frame.PixelFormat, index, frame.Height);
            }

            PictureEncoder.ToRgb24(frame.PixelFormat, frame.Width, frame.Height, planes, metadata, rgb);
        }

        return rgb;
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
    private static void Write(string path, byte[] png, bool force)
    {
        string beside = $"{path}.{Environment.ProcessId}.tmp";
        try
        {
            File.WriteAllBytes(beside, png);
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

    private sealed record SnapshotReport(
        string Key, string File, int Width, int Height, int Bytes, ulong Sequence, string Format, string Memory, string? Device, int RotatedDegrees, long? PtsNs,
        double? Least, double? Most);
}
