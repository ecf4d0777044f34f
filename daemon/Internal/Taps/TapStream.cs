using CuFrames.Client;

namespace CuFrames.Daemon.Internal.Taps;

/// <summary>A stream of this daemon that taps can be had of.</summary>
/// <param name="Key">Its key.</param>
/// <param name="Memory">Where its frames lie.</param>
/// <param name="Readers">Who may read its frames.</param>
/// <param name="PacketReaders">Who may read its packets; null: it has none.</param>
internal sealed record TapStream(string Key, FrameMemory Memory, ReaderAccess Readers, ReaderAccess? PacketReaders)
{
    /// <summary>The taps that it has.</summary>
    internal IEnumerable<TapKind> Kinds => TapKinds.All.Where(kind => kind switch
    {
        TapKind.Ts or TapKind.Mkv => PacketReaders is not null,
        TapKind.RawVideo or TapKind.Y4m => Memory == FrameMemory.Host,
        // The driver opens a handle of legacy IPC in other processes only, not in the one that made it.
        _ => Memory != FrameMemory.CudaIpc,
    });

    /// <summary>Who may read a tap of it.</summary>
    internal ReaderAccess ReadersOf(TapKind kind) => kind is TapKind.Ts or TapKind.Mkv && PacketReaders is { } readers ? readers : Readers;
}
