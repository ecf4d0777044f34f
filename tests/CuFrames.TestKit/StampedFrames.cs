using CuFrames.Client;
using CuFrames.Protocol;

namespace CuFrames.TestKit;

/// <summary>Publishes frames whose content, times and packet number follow from epoch and sequence, so that a reader can check all of it.</summary>
public static class StampedFrames
{
    /// <summary>What a frame is stamped with: a frame of another run of the publisher does not pass for one of this run.</summary>
    public static ulong Number(ulong epoch, ulong sequence) => ((epoch & 0xFF) << 36) | sequence;

    /// <summary>Changes the metadata of a frame before it is published.</summary>
    public delegate void Description(ref FrameMetadata metadata);

    /// <summary>Writes and publishes the next frame.</summary>
    /// <returns>False when the publisher dropped it.</returns>
    public static bool TryPublish(FramePublisher publisher, Description? describe = null)
    {
        if (!publisher.TryBeginFrame(out FrameWriter frame))
        {
            return false;
        }

        using (frame)
        {
            ulong sequence = publisher.Head + 1;
            FrameStamp.Fill(frame, Number(publisher.Epoch, sequence));
            frame.Metadata.Pts = PtsOf(sequence);
            frame.Metadata.SourcePacket = sequence;
            describe?.Invoke(ref frame.Metadata);
            ulong published = frame.Publish();
            if (published != sequence)
            {
                throw new InvalidOperationException($"Frame {sequence} was published as {published}.");
            }
        }

        return true;
    }

    /// <summary>As <see cref="TryPublish"/>, where nothing can be in the way.</summary>
    public static void Publish(FramePublisher publisher, int count = 1)
    {
        for (int i = 0; i < count; i++)
        {
            if (!TryPublish(publisher))
            {
                throw new InvalidOperationException($"Frame {publisher.Head + 1} was dropped.");
            }
        }
    }

    /// <summary>Checks every byte of a frame and what is told of it.</summary>
    /// <returns>Null when all is right.</returns>
    public static string? FindFault(Frame frame) =>
        FindMetadataFault(frame) ?? FrameStamp.FindFault(frame, Number(frame.Epoch, frame.Sequence));

    /// <summary>Checks what is told of a frame.</summary>
    /// <returns>Null when all is right.</returns>
    public static string? FindMetadataFault(Frame frame)
    {
        FrameMetadata metadata = frame.Metadata;
        return metadata.Pts != PtsOf(frame.Sequence) || metadata.SourcePacket != frame.Sequence || metadata.PublishTime == 0
            ? $"frame {frame.Sequence}: its metadata are those of frame {metadata.SourcePacket}"
            : null;
    }

    /// <summary>Presentation time of a frame at 25 frames per second, in nanoseconds.</summary>
    public static long PtsOf(ulong sequence) => (long)sequence * 40_000_000;
}
