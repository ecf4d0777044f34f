using Microsoft.Win32.SafeHandles;

namespace CuFrames.Media.Internal;

/// <summary>Owns a <c>cuframes_av_jpeg_encoder</c>.</summary>
internal sealed class AvJpegEncoderHandle : SafeHandleZeroOrMinusOneIsInvalid
{
    public AvJpegEncoderHandle()
        : base(ownsHandle: true)
    {
    }

    protected override bool ReleaseHandle()
    {
        AvNative.FreeJpegEncoder(handle);
        return true;
    }
}
