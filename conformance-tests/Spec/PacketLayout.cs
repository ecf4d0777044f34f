namespace CuFrames.Conformance.Spec;

/// <summary>Offsets and sizes of section 14, as the document's tables have them.</summary>
internal static class PacketLayout
{
    public const int BlockSize = 1_052_672;
    public const ulong BlockMagic = 0x53544B5052465543;
    public const int TrackSize = 64;
    public const int ParametersSize = 16_384;
    public const int ParametersHeadSize = 256;
    public const int DescriptorSize = 192;
    public const int Tracks = 8;
    public const int Sets = 8;
    public const int TracksOffset = 256;
    public const int ParametersOffset = 4_096;
    public const int IndexOffset = 1_052_672;
    public const int PageSize = 4_096;
    public const int Alignment = 64;
    public const int Zeros = 64;
    public const int StreamDescriptionSize = 64;
    public const int TrackDescriptionSize = 88;
    public const uint KindVideo = 1;
    public const uint FlagKey = 1;
    public const uint FlagParametersChanged = 8;

    /// <summary>Offset of the byte ring behind an index.</summary>
    public static long BytesOffset(uint indexCapacity) => (IndexOffset + ((long)indexCapacity * DescriptorSize) + PageSize - 1) / PageSize * PageSize;

    /// <summary>Header of the block.</summary>
    internal static class PacketBlock
    {
        public const int Magic = 0;
        public const int LayoutVersion = 8;
        public const int TrackSize = 12;
        public const int ParametersSize = 16;
        public const int PacketSize = 20;
        public const int TrackCapacity = 24;
        public const int ParametersCapacity = 28;
        public const int IndexCapacity = 32;
        public const int TracksOffset = 36;
        public const int Epoch = 40;
        public const int ParametersOffset = 48;
        public const int IndexOffset = 52;
        public const int BytesOffset = 56;
        public const int ByteCapacity = 64;
        public const int TotalSize = 72;
        public const int State = 128;
        public const int ControlMessages = 132;
        public const int Tracks = 136;
        public const int FutexWord = 192;
        public const int Head = 200;
        public const int Oldest = 208;
        public const int LastKey = 216;
    }

    /// <summary>Entry of the track table.</summary>
    internal static class Track
    {
        public const int Kind = 0;
        public const int Current = 4;
        public const int Oldest = 8;
        public const int Language = 16;
    }

    /// <summary>Parameter set.</summary>
    internal static class TrackParameters
    {
        public const int Number = 0;
        public const int Codec = 4;
        public const int TimeBaseNumerator = 8;
        public const int TimeBaseDenominator = 12;
        public const int Width = 16;
        public const int Height = 20;
        public const int CodecName = 88;
        public const int ExtradataSize = 120;
    }

    /// <summary>Entry of the index.</summary>
    internal static class PacketDescriptor
    {
        public const int Sequence = 0;
        public const int Position = 8;
        public const int Size = 16;
        public const int Track = 20;
        public const int Parameters = 24;
        public const int Flags = 28;
        public const int ArrivalTime = 56;
        public const int PublishTime = 72;
        public const int Counts = 128;
    }
}
