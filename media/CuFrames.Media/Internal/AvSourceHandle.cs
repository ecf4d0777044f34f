using Microsoft.Win32.SafeHandles;

namespace CuFrames.Media.Internal;

/// <summary>Owns a <c>cuframes_av_source</c>. The marshaller's reference count keeps it alive while Abort runs on another thread.</summary>
internal sealed class AvSourceHandle : SafeHandleZeroOrMinusOneIsInvalid
{
    public AvSourceHandle()
        : base(ownsHandle: true)
    {
    }

    protected override bool ReleaseHandle()
    {
        AvNative.Free(handle);
        return true;
    }
}
