using System.Runtime.InteropServices;
using CuFrames.Client;
using CuFrames.Protocol;

namespace CuFrames.Benchmarks.Transport;

/// <summary>CuFrames with lossless delivery, because the two others lose nothing either.</summary>
internal static class CuFramesTransport
{
    private const string Key = "transport";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    public sealed class Writer(string directory) : ITransportWriter
    {
        private readonly FramePublisher _publisher = FramePublisher.Create(
            Key,
            new StreamFormat(PixelFormat.I420, TestFrames.Width, TestFrames.Height),
            new PublisherOptions { Directory = directory, LosslessTimeout = Patience });

        public unsafe void Write(byte* frame)
        {
            if (!_publisher.TryBeginFrame(out FrameWriter writer))
            {
                throw new InvalidOperationException("A frame was dropped in spite of lossless delivery.");
            }

            ReadOnlySpan<byte> source = new(frame, TestFrames.Bytes);
            int position = 0;
            for (int plane = 0; plane < writer.PlaneCount; plane++)
            {
                // 1920 and 960 are multiples of 64: rows have no padding and a plane is one piece.
                Span<byte> target = writer.Plane(plane);
                source.Slice(position, target.Length).CopyTo(target);
                position += target.Length;
            }

            writer.Publish();
        }

        public void Dispose() => _publisher.Dispose();
    }

    public sealed class Reader(string directory) : ITransportReader
    {
        private readonly FrameSubscriber _subscriber = FrameSubscriber.Connect(
            Key, new SubscriberOptions { Directory = directory, Delivery = Delivery.Lossless });

        public long Read(bool touch, out long sum)
        {
            if (!_subscriber.TryNext(Patience, out Frame frame))
            {
                throw new TimeoutException("No frame came.");
            }

            using (frame)
            {
                FramePlane luma = frame.Plane(0);
                sum = touch
                    ? TestFrames.Touch(luma.Data, true) + TestFrames.Touch(frame.Plane(1).Data, false) + TestFrames.Touch(frame.Plane(2).Data, false)
                    : 0;
                return MemoryMarshal.Read<long>(luma.Data);
            }
        }

        public void Dispose() => _subscriber.Dispose();
    }
}
