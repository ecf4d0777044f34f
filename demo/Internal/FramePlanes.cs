using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using CuFrames.Client;
using CuFrames.Media;

namespace CuFrames.Demo.Internal;

/// <summary>Gives a held frame to code that wants addresses.</summary>
internal static class FramePlanes
{
    /// <summary>The planes of a frame, at their first visible sample. Not to be used after the frame is released.</summary>
    /// <param name="frame">The frame, held.</param>
    /// <param name="planes">Receives them.</param>
    public static unsafe ReadOnlySpan<PicturePlane> Of(Frame frame, PicturePlane[] planes)
    {
        int count = frame.PlaneCount;
        for (int index = 0; index < count; index++)
        {
            FramePlane plane = frame.Plane(index);
            // The plane lies in a shared mapping, which stays where it is while the frame is held.
            planes[index] = new PicturePlane((nint)Unsafe.AsPointer(ref MemoryMarshal.GetReference(plane.Data)), (nuint)plane.Pitch);
        }

        return planes.AsSpan(0, count);
    }
}
