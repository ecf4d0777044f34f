using System.Runtime.InteropServices;
using CuFrames.Benchmarks.Running;
using CuFrames.Client;
using CuFrames.Media;
using CuFrames.Protocol;

namespace CuFrames.Benchmarks.Renditions;

/// <summary>A reader that wants small RGB pictures of a stream: it finds them there, or makes them itself of the stream's own.</summary>
internal static class RenditionPeers
{
    public const string Take = "take";
    public const string Scale = "scale";

    /// <summary>Arguments: directory, key, what to do, columns, rows. Answers MARK with the frames so far, ends with END.</summary>
    public static void Read(string[] arguments)
    {
        using CancellationTokenSource end = new();
        using ManualResetEventSlim hasFrame = new();
        long frames = 0;
        Thread thread = new(() => Read(
            arguments,
            () =>
            {
                Interlocked.Increment(ref frames);
                hasFrame.Set();
            },
            end.Token));
        thread.Start();
        hasFrame.Wait();
        PeerLink.Say("READY");
        while (PeerLink.Listen() is ["MARK"])
        {
            PeerLink.Say($"FRAMES {Interlocked.Read(ref frames)}");
        }

        end.Cancel();
        thread.Join();
    }

    private static void Read(string[] arguments, Action onFrame, CancellationToken end)
    {
        int width = int.Parse(arguments[3], System.Globalization.CultureInfo.InvariantCulture);
        int height = int.Parse(arguments[4], System.Globalization.CultureInfo.InvariantCulture);
        using PictureScaler? scaler = arguments[2] == Scale ? new PictureScaler(PixelFormat.Rgb24, width, height, PictureFit.Letterbox) : null;
        byte[] picture = GC.AllocateUninitializedArray<byte>(width * height * 3, pinned: true);
        using FrameSubscriber subscriber = FrameSubscriber.Connect(
            arguments[1], new SubscriberOptions { Directory = arguments[0], WaitForStream = true, Delivery = Delivery.InOrder });
        while (!end.IsCancellationRequested)
        {
            if (!subscriber.TryNext(TimeSpan.FromSeconds(1), out Frame frame))
            {
                continue;
            }

            using (frame)
            {
                if (scaler is null)
                {
                    if ((frame.PixelFormat, frame.Width, frame.Height) != (PixelFormat.Rgb24, width, height))
                    {
                        throw new InvalidOperationException($"A frame of {PixelFormats.Name(frame.PixelFormat)} {frame.Width}x{frame.Height} came.");
                    }
                }
                else
                {
                    Make(scaler, frame, picture, width);
                }
            }

            onFrame();
        }
    }

    private static unsafe void Make(PictureScaler scaler, Frame frame, byte[] picture, int width)
    {
        Span<PicturePlane> source = stackalloc PicturePlane[frame.PlaneCount];
        for (int plane = 0; plane < source.Length; plane++)
        {
            FramePlane from = frame.Plane(plane);
            source[plane] = new PicturePlane((nint)System.Runtime.CompilerServices.Unsafe.AsPointer(ref MemoryMarshal.GetReference(from.Row(0))), (nuint)from.Pitch);
        }

        fixed (byte* target = picture)
        {
            scaler.Scale(frame.PixelFormat, frame.Width, frame.Height, source, frame.Metadata, [new PicturePlane((nint)target, (nuint)(width * 3))]);
        }
    }
}
