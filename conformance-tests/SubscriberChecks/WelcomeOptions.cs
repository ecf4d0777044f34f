using CuFrames.Conformance.Spec;
using CuFrames.Interop;

namespace CuFrames.Conformance.SubscriberChecks;

/// <summary>What is unusual about a WELCOME.</summary>
internal sealed record WelcomeOptions
{
    public byte HeaderVersion { get; init; } = Limits.Version;

    /// <summary>TLVs that replace the usual ones; empty to leave one out.</summary>
    public Dictionary<TlvType, byte[]> Instead { get; init; } = [];

    /// <summary>TLVs at the end.</summary>
    public byte[][] More { get; init; } = [];

    /// <summary>Leases to grant; null: as many as were asked for, 4 at most.</summary>
    public uint? Leases { get; init; }

    /// <summary>Seals that the page does not get.</summary>
    public MemoryFileSeals PageWithout { get; init; }

    /// <summary>Seals that the control block does not get.</summary>
    public MemoryFileSeals ControlWithout { get; init; }

    /// <summary>Bytes of the page's file.</summary>
    public int PageSize { get; init; } = Layout.SubscriberPage.FileSize;

    /// <summary>Changes the page before it is sent.</summary>
    public Action<Memory.SubscriberPage>? AlterPage { get; init; }

    /// <summary>Changes the control block before it is sent.</summary>
    public Action<Examples.Ring>? AlterControl { get; init; }

    /// <summary>Descriptors to send instead of control block and page.</summary>
    public Func<FileDescriptor, FileDescriptor, FileDescriptor[]>? Descriptors { get; init; }

    public Examples.PictureShape Shape { get; init; } = Examples.PictureShape.Small;

    public int Slots { get; init; } = 6;
}
