using CuFrames.Client;
using CuFrames.Media;
using CuFrames.Protocol;

namespace CuFrames.Daemon.Tests;

/// <summary>Takes frames of a test pattern and checks every sample of each.</summary>
internal static class PatternReader
{
    /// <summary>Takes the next frame, which must be whole and the number that its packet number says.</summary>
    /// <returns>Sequence, epoch and number of the picture.</returns>
    public static (ulong Sequence, ulong Epoch, long Number) Next(FrameSubscriber reader)
    {
        using Frame frame = reader.Next(DaemonProcess.Patience);
        return (frame.Sequence, frame.Epoch, Verify(frame));
    }

    /// <summary>Takes the next frame if it is there, which must be whole.</summary>
    /// <returns>Number of the picture; -1: there is none.</returns>
    public static long Poll(FrameSubscriber reader)
    {
        if (!reader.TryNext(TimeSpan.Zero, out Frame frame))
        {
            return -1;
        }

        using (frame)
        {
            return Verify(frame);
        }
    }

    private static long Verify(Frame frame)
    {
        long number = (long)frame.Metadata.SourcePacket - 1;
        string? fault = FindFault(frame, number);
        Assert.True(fault is null, fault);
        frame.ThrowIfInvalid();
        return number;
    }

    private static unsafe string? FindFault(Frame frame, long number)
    {
        TestPattern pattern = new(frame.PixelFormat, frame.Width, frame.Height);
        PicturePlane[] planes = new PicturePlane[frame.PlaneCount];
        if (frame.Memory == MemoryDomain.Cuda)
        {
            // The planes one after the other, without padding.
            byte[] samples = new byte[PixelFormats.PictureBytes(frame.PixelFormat, frame.Width, frame.Height)];
            frame.CopyTo(samples);
            fixed (byte* first = samples)
            {
                nint position = (nint)first;
                for (int plane = 0; plane < planes.Length; plane++)
                {
                    int pitch = PixelFormats.RowBytes(frame.PixelFormat, plane, frame.Width);
                    planes[plane] = new PicturePlane(position, (nuint)pitch);
                    position += (nint)pitch * PixelFormats.Rows(frame.PixelFormat, plane, frame.Height);
                }

                return Verify();
            }
        }

        for (int plane = 0; plane < planes.Length; plane++)
        {
            FramePlane memory = frame.Plane(plane);
            // A frame lies in mapped memory, which does not move.
            fixed (byte* first = memory.Row(0))
            {
                planes[plane] = new PicturePlane((nint)first, (nuint)memory.Pitch);
            }
        }

        return Verify();

        string? Verify() => pattern.Verify(planes, number, out string? difference) ? null : $"picture {number}: {difference}";
    }
}
