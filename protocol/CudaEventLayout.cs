namespace CuFrames.Protocol;

/// <summary>The event that releases a slot's leases of one subscriber (docs/protocol.md 7.2).</summary>
public static class CudaEventLayout
{
    /// <summary>Size of the layout in bytes.</summary>
    public const int Size = 72;

    /// <summary>Offset of <c>slot</c>: entry of the slot table, 0 to 63.</summary>
    [WireField("u32", 4)]
    public const int SlotOffset = 0;

    /// <summary>Offset of <c>reserved</c>: zero.</summary>
    [WireField("u32", 4)]
    public const int ReservedOffset = 4;

    /// <summary>Offset of <c>handle</c>: the driver's handle of an interprocess event.</summary>
    [WireField("bytes", 64)]
    public const int HandleOffset = 8;
}
