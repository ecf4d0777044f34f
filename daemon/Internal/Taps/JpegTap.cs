using System.Text;

namespace CuFrames.Daemon.Internal.Taps;

/// <summary>Gives a client one JPEG, or one after the other: always the newest, and each of them whole.</summary>
internal static class JpegTap
{
    /// <summary>Serves a client until it is gone, has its picture, or the stream ends.</summary>
    /// <param name="client">The client.</param>
    /// <param name="output">Where its bytes go.</param>
    /// <param name="begin">Is told the length of the only picture, before its first byte.</param>
    /// <returns>Why it ended.</returns>
    internal static async Task<string> ServeAsync(TapClient client, TapOutput output, Action<int>? begin)
    {
        JpegFeed feed = client.Point.Jpegs;
        long number = feed.Join();
        try
        {
            while (true)
            {
                long after = number;
                JpegPicture picture = client.Pictures == 0
                    ? await TapFrames.FirstAsync(client, "frame", gone => feed.NextAsync(after, gone), output.Gone).ConfigureAwait(false)
                    : await feed.NextAsync(after, output.Gone).ConfigureAwait(false);
                try
                {
                    number = picture.Number;
                    if (client.Kind == TapKind.Jpeg)
                    {
                        begin?.Invoke(picture.Bytes.Length);
                        await output.WriteAsync(picture.Bytes).ConfigureAwait(false);
                        client.Pictures++;
                        return "it has its picture";
                    }

                    await WriteAsync(client, output, picture).ConfigureAwait(false);
                    client.Pictures++;
                }
                finally
                {
                    feed.Release(picture);
                }
            }
        }
        finally
        {
            feed.Leave();
        }
    }

    /// <summary>Sends a picture: as it is on a socket, as a part of the answer on HTTP.</summary>
    private static async ValueTask WriteAsync(TapClient client, TapOutput output, JpegPicture picture)
    {
        if (!client.IsHttp)
        {
            await output.WriteAsync(picture.Bytes).ConfigureAwait(false);
            return;
        }

        // The line between two parts goes out with the part before it: a browser shows a picture when it has seen its end.
        string first = client.Pictures == 0 ? $"--{TapKinds.Boundary}\r\n" : "";
        byte[] header = Encoding.ASCII.GetBytes($"{first}Content-Type: image/jpeg\r\nContent-Length: {picture.Bytes.Length}\r\n\r\n");
        await output.WriteAsync(header).ConfigureAwait(false);
        await output.WriteAsync(picture.Bytes).ConfigureAwait(false);
        await output.WriteAsync(Encoding.ASCII.GetBytes($"\r\n--{TapKinds.Boundary}\r\n")).ConfigureAwait(false);
    }
}
