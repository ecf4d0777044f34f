using Microsoft.Win32.SafeHandles;

namespace CuFrames.Media.Internal;

/// <summary>Owns a <c>cuframes_av_muxer</c>.</summary>
internal sealed class AvMuxerHandle : SafeHandleZeroOrMinusOneIsInvalid
{
    public AvMuxerHandle()
        : base(ownsHandle: true)
    {
    }

    protected override bool ReleaseHandle()
    {
        AvMuxNative.Free(handle);
        return true;
    }
}
