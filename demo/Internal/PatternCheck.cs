using CuFrames.Client;
using CuFrames.Media;

namespace CuFrames.Demo.Internal;

/// <summary>The test pattern: every sample follows from the frame's number.</summary>
internal sealed class PatternCheck : IContentCheck
{
    private readonly PicturePlane[] _planes = new PicturePlane[4];
    private TestPattern? _pattern;

    public string? FindFault(Frame frame, bool isDamaged)
    {
        if (_pattern is null || _pattern.Format != frame.PixelFormat || _pattern.Width != frame.Width || _pattern.Height != frame.Height)
        {
            _pattern = new TestPattern(frame.PixelFormat, frame.Width, frame.Height);
        }

        // The number is told beside the picture, not read from it: a picture of another frame is found too. The source counts packets from 1.
        long number = (long)frame.Metadata.SourcePacket - 1;
        return _pattern.Verify(FramePlanes.Of(frame, _planes), number, out string? difference) ? null : difference;
    }

    public string? FindChange(Frame frame) => FindFault(frame, isDamaged: false) is { } fault ? $"changed while it was held: {fault}" : null;
}
