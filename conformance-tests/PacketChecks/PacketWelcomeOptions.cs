using CuFrames.Conformance.Memory;
using CuFrames.Conformance.Spec;
using CuFrames.Interop;

namespace CuFrames.Conformance.PacketChecks;

/// <summary>What is unusual about a WELCOME of packets.</summary>
internal sealed record PacketWelcomeOptions
{
    public byte HeaderVersion { get; init; } = Limits.Version;

    /// <summary>TLVs that replace the usual ones; empty to leave one out.</summary>
    public Dictionary<TlvType, byte[]> Instead { get; init; } = [];

    /// <summary>TLVs at the end.</summary>
    public byte[][] More { get; init; } = [];

    /// <summary>The TRACKs; null: one for each track of the ring.</summary>
    public byte[][]? Tracks { get; init; }

    /// <summary>Seals that the block does not get.</summary>
    public MemoryFileSeals BlockWithout { get; init; }

    /// <summary>Bytes of the byte ring.</summary>
    public ulong ByteCapacity { get; init; } = StagedRing.SmallCapacity;

    /// <summary>Whether there is a video track.</summary>
    public bool HasVideo { get; init; } = true;

    /// <summary>Seals that the page does not get.</summary>
    public MemoryFileSeals PageWithout { get; init; }

    /// <summary>Changes the page before it is sent.</summary>
    public Action<SubscriberPage>? AlterPage { get; init; }

    /// <summary>Fills or changes the ring before WELCOME is sent.</summary>
    public Action<StagedRing>? AlterRing { get; init; }

    /// <summary>Descriptors to send instead of block and page.</summary>
    public Func<FileDescriptor, FileDescriptor, FileDescriptor[]>? Descriptors { get; init; }
}
