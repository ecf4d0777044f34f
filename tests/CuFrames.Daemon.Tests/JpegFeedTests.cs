using CuFrames.Client;
using CuFrames.Daemon.Internal.Taps;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Daemon.Tests;

/// <summary>The pictures that all clients of a stream share.</summary>
public sealed class JpegFeedTests
{
    [Fact]
    public async Task A_picture_is_encoded_once_for_all_who_wait_and_none_while_nobody_waits()
    {
        using TemporaryDirectory directory = new();
        using FramePublisher publisher = FramePublisher.Create("a", new StreamFormat(PixelFormat.Nv12, 64, 48), new PublisherOptions { Directory = directory.Path });
        StampedFrames.Publish(publisher);
        JpegFeed feed = new(directory.Path, "a");
        long[] last = [.. Enumerable.Range(0, 5).Select(_ => feed.Join())];
        JpegPicture? before = null;
        for (int round = 1; round <= 10; round++)
        {
            JpegPicture[] pictures = await Task.WhenAll(last.Select(after => feed.NextAsync(after, default).AsTask().WaitAsync(DaemonProcess.Patience)));
            Assert.All(pictures, picture => Assert.Same(pictures[0], picture));
            Assert.Equal(round, pictures[0].Number);
            Assert.NotSame(before, pictures[0]);
            Assert.Equal([0xFF, 0xD8], pictures[0].Bytes[..2].ToArray());

            // It stays as it is while somebody uses it, and frames that nobody waits for are not encoded.
            byte[] bytes = pictures[0].Bytes.ToArray();
            StampedFrames.Publish(publisher, 5);
            Assert.Equal(bytes, pictures[0].Bytes.ToArray());
            Array.ForEach(pictures, feed.Release);
            Array.Fill(last, pictures[0].Number);
            before = pictures[0];
        }

        // The stream's end is told to each; who comes later gets the new run of the publisher.
        Task<JpegPicture>[] waits = [.. last.Select(_ => feed.NextAsync(100, default).AsTask())];
        publisher.Dispose();
        foreach (Task<JpegPicture> wait in waits)
        {
            await Assert.ThrowsAsync<StreamUnavailableException>(() => wait.WaitAsync(DaemonProcess.Patience));
            feed.Leave();
        }

        using FramePublisher next = FramePublisher.Create("a", new StreamFormat(PixelFormat.Nv12, 64, 48), new PublisherOptions { Directory = directory.Path });
        StampedFrames.Publish(next);
        JpegPicture picture = await feed.NextAsync(feed.Join(), default).AsTask().WaitAsync(DaemonProcess.Patience);
        feed.Release(picture);
        feed.Leave();
    }
}
