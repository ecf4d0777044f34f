namespace CuFrames.Native.Internal;

/// <summary>What a handle stands for: its lowest byte.</summary>
internal static class HandleKind
{
    public const byte Subscriber = 1;
    public const byte Publisher = 2;
    public const byte StreamList = 3;
    public const byte PacketSubscriber = 4;
    public const byte PacketRing = 5;
    public const byte PacketPublisher = 6;
}
