namespace CuFrames.Native.Internal;

/// <summary>What a handle stands for: its lowest byte.</summary>
internal static class HandleKind
{
    public const byte Subscriber = 1;
    public const byte Publisher = 2;
    public const byte StreamList = 3;
}
