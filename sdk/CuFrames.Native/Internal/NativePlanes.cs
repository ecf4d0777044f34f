using System.Runtime.CompilerServices;

namespace CuFrames.Native.Internal;

/// <summary>cuframes_plane[CUFRAMES_MAX_PLANES].</summary>
[InlineArray(Capacity)]
internal struct NativePlanes
{
    public const int Capacity = 4;

    private NativePlane _first;
}
