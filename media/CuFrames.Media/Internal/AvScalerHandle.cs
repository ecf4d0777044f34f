using Microsoft.Win32.SafeHandles;

namespace CuFrames.Media.Internal;

/// <summary>Owns a <c>cuframes_av_scaler</c>.</summary>
internal sealed class AvScalerHandle : SafeHandleZeroOrMinusOneIsInvalid
{
    public AvScalerHandle()
        : base(ownsHandle: true)
    {
    }

    protected override bool ReleaseHandle()
    {
        AvNative.FreeScaler(handle);
        return true;
    }
}
