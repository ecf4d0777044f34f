using System.Security.Cryptography;
using CuFrames.Client;
using CuFrames.TestKit;

namespace CuFrames.Resilience.Tests;

/// <summary>The frames of a clip as ffmpeg decodes them: a frame that is read is whole if it is one of them, byte by byte.</summary>
internal sealed class ClipFrames
{
    private readonly HashSet<string> _digests = [];

    public ClipFrames(MediaClips clips, string path, int width, int height)
    {
        byte[] all = clips.DecodeReference(path, "yuv420p");
        int size = width * height * 3 / 2;
        for (int position = 0; position < all.Length; position += size)
        {
            _digests.Add(Convert.ToHexString(SHA256.HashData(all.AsSpan(position, size))));
        }
    }

    /// <summary>Takes a frame, which must be one of the clip.</summary>
    /// <returns>Its epoch.</returns>
    public ulong Next(FrameSubscriber reader)
    {
        using Frame frame = reader.Next(Daemon.Tests.DaemonProcess.Patience);
        byte[] samples = new byte[Protocol.PixelFormats.PictureBytes(frame.PixelFormat, frame.Width, frame.Height)];
        frame.CopyTo(samples);
        frame.ThrowIfInvalid();
        Assert.Contains(Convert.ToHexString(SHA256.HashData(samples)), _digests);
        return frame.Epoch;
    }
}
