using CuFrames.Client;

namespace CuFrames.Demo.Internal;

/// <summary>Knows what the frames of one stream must hold.</summary>
internal interface IContentCheck
{
    /// <summary>Checks every visible byte of a frame that has just been taken.</summary>
    /// <param name="frame">The frame.</param>
    /// <param name="isDamaged">Whether the decoder reported errors in it: then no picture is expected, it is only remembered.</param>
    /// <returns>Null when all is right, else what is wrong.</returns>
    string? FindFault(Frame frame, bool isDamaged);

    /// <summary>Checks that the same frame has not changed since, before it is released.</summary>
    /// <param name="frame">The frame.</param>
    /// <returns>Null when all is right, else what is wrong.</returns>
    string? FindChange(Frame frame);
}
