using CuFrames.Client;
using CuFrames.Protocol;

namespace CuFrames.Daemon.Internal.Taps;

/// <summary>
/// Gives a client the samples of frames. A frame is copied and let go of before its first byte is sent: what a client gets is whole however slow it is,
/// and no slot waits for it.
/// </summary>
internal static class FrameTap
{
    /// <summary>Serves a client until it is gone or the stream ends.</summary>
    /// <param name="client">The client.</param>
    /// <param name="output">Where its bytes go.</param>
    /// <returns>Why it ended.</returns>
    internal static async Task<string> ServeAsync(TapClient client, TapOutput output)
    {
        bool isY4m = client.Kind == TapKind.Y4m;
        using FrameSubscriber subscriber = TapFrames.Connect(client.Directory, client.Key, client.Program);
        byte[] buffer = [], header = [];
        (PixelFormat Format, int Width, int Height)? shape = null;
        while (true)
        {
            int length;
            using (Frame frame = shape is null
                ? await TapFrames.FirstAsync(client, "frame", subscriber.NextAsync, output.Gone).ConfigureAwait(false)
                : await subscriber.NextAsync(output.Gone).ConfigureAwait(false))
            {
                (PixelFormat Format, int Width, int Height) found = (frame.PixelFormat, frame.Width, frame.Height);
                if (shape is null)
                {
                    shape = found;
                    buffer = Prepare(client, subscriber, found.Format, found.Width, found.Height, isY4m, out header);
                }
                else if (shape != found)
                {
                    // Bytes of another size would be taken for those of this one.
                    return $"the stream has become {PixelFormats.Name(found.Format)} {found.Width}x{found.Height}";
                }

                length = Copy(frame, buffer, isY4m);
            }

            await output.WriteAsync(header).ConfigureAwait(false);
            header = [];
            await output.WriteAsync(buffer.AsMemory(0, length)).ConfigureAwait(false);
            client.Pictures++;
        }
    }

    private static byte[] Prepare(TapClient client, FrameSubscriber subscriber, PixelFormat format, int width, int height, bool isY4m, out byte[] header)
    {
        int bytes = checked((int)PixelFormats.PictureBytes(format, width, height));
        if (!isY4m)
        {
            header = [];
            return new byte[bytes];
        }

        if (!Y4m.CanCarry(format))
        {
            throw new TapException(
                TapException.Conflict,
                $"YUV4MPEG2 cannot carry {PixelFormats.Name(format)}, which '{subscriber.Key}' has: take rawvideo, or a rendition with format i420, nv12, p010 or gray8");
        }

        // Who joined before the first frame, of a rendition that nobody had read for example, was told neither rate nor range.
        StreamDescription? description = subscriber.Description is { } told && (told.PixelFormat, told.Width, told.Height) == (format, width, height)
            ? told
            : StreamDirectory.Probe(client.Key, client.Directory).Description;
        header = Y4m.Header(format, width, height, description);
        byte[] buffer = new byte[Y4m.FrameHeader.Length + bytes];
        Y4m.FrameHeader.CopyTo(buffer);
        return buffer;
    }

    private static int Copy(Frame frame, byte[] buffer, bool isY4m)
    {
        if (!isY4m)
        {
            return frame.CopyTo(buffer);
        }

        Y4m.Write(frame, buffer.AsSpan(Y4m.FrameHeader.Length));
        frame.ThrowIfInvalid();
        return buffer.Length;
    }
}
