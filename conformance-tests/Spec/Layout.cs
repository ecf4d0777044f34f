namespace CuFrames.Conformance.Spec;

/// <summary>Offsets of the document's layout tables, in bytes.</summary>
internal static class Layout
{
    /// <summary>Paragraph 3.2.</summary>
    public static class DomainOffer
    {
        public const int Size = 24;
        public const int Domain = 0;
        public const int HandleKinds = 4;
        public const int DeviceUuid = 8;
    }

    /// <summary>Paragraph 3.7.</summary>
    public static class StreamDescription
    {
        public const int Size = 96;
        public const int PixelFormat = 0;
        public const int Width = 4;
        public const int Height = 8;
        public const int State = 12;
        public const int FrameRateNumerator = 16;
        public const int FrameRateDenominator = 20;
        public const int Domain = 24;
        public const int Slots = 28;
        public const int MaxSlots = 32;
        public const int Subscribers = 36;
        public const int Head = 40;
        public const int Dropped = 48;
        public const int MemoryBytes = 56;
        public const int DeviceUuid = 64;
        public const int ColourMatrix = 80;
        public const int ColourRange = 81;
        public const int LeaseTimeoutMs = 84;
        public const int Evicted = 88;
    }

    /// <summary>Paragraph 4.1.</summary>
    public static class ControlBlock
    {
        public const int Size = 17_664;
        public const ulong MagicValue = 0x4C52544352465543;
        public const int Magic = 0;
        public const int LayoutVersion = 8;
        public const int SlotSize = 12;
        public const int IndexEntrySize = 16;
        public const int SlotCapacity = 20;
        public const int IndexCapacity = 24;
        public const int TotalSize = 28;
        public const int IndexOffset = 32;
        public const int SlotsOffset = 36;
        public const int Epoch = 40;
        public const int State = 64;
        public const int SegmentGeneration = 68;
        public const int ControlMessages = 72;
        public const int Dropped = 80;
        public const int FutexWord = 128;
        public const int Head = 136;
        public const int Index = 256;
        public const int Slots = 1_280;
        public const int SlotCount = 64;
        public const int IndexCount = 128;
    }

    /// <summary>Paragraph 4.3.</summary>
    public static class Slot
    {
        public const int Size = 256;
        public const int State = 0;
        public const int SegmentId = 8;
        public const int SegmentGeneration = 12;
        public const int Meta = 64;
        public const int Picture = 128;
    }

    /// <summary>Paragraph 4.5.</summary>
    public static class FrameMeta
    {
        public const int Size = 64;
        public const int Pts = 0;
        public const int PublishTime = 24;
        public const int Flags = 48;
        public const int PictureType = 52;
        public const int ColourMatrix = 53;
        public const int ColourRange = 54;
        public const int Rotation = 57;
        public const int Reserved = 60;
    }

    /// <summary>Paragraph 4.8.</summary>
    public static class Picture
    {
        public const int Size = 96;
        public const int Width = 0;
        public const int Height = 4;
        public const int PixelFormat = 8;
        public const int PlaneCount = 12;
        public const int CropLeft = 16;
        public const int CropTop = 18;
        public const int CropRight = 20;
        public const int CropBottom = 22;
        public const int Reserved = 24;
        public const int PlaneOffset = 32;
        public const int PlanePitch = 64;
        public const int Modifier = 80;
        public const int ModifierSize = 16;
    }

    /// <summary>Paragraph 5.1.</summary>
    public static class SubscriberPage
    {
        public const int FileSize = 4_096;
        public const ulong MagicValue = 0x4547415052465543;
        public const int Magic = 0;
        public const int SubscriberId = 8;
        public const int Waiting = 16;
        public const int Progress = 20;
        public const int Cursor = 24;
        public const int Taken = 32;
        public const int Missed = 40;
        public const int Released = 48;
        public const int PublisherWaiting = 64;
        public const int Leases = 128;
    }

    /// <summary>Paragraph 6.3.</summary>
    public static class SegmentDescription
    {
        public const int Size = 48;
        public const int SegmentId = 0;
        public const int Domain = 4;
        public const int HandleKind = 8;
        public const int SegmentGeneration = 12;
        public const int Bytes = 16;
        public const int DeviceUuid = 24;
        public const int Slots = 40;
        public const int Reserved = 44;
    }
}
