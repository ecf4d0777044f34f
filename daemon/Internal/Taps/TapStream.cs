using CuFrames.Client;

namespace CuFrames.Daemon.Internal.Taps;

/// <summary>A stream of this daemon that taps can be had of.</summary>
/// <param name="Key">Its key.</param>
/// <param name="Memory">Where its frames lie.</param>
/// <param name="HasPackets">Whether its packets are published as well.</param>
/// <param name="Readers">Who may read it.</param>
internal sealed record TapStream(string Key, FrameMemory Memory, bool HasPackets, ReaderAccess Readers)
{
    /// <summary>The taps that it has.</summary>
    internal IEnumerable<TapKind> Kinds => TapKinds.All.Where(kind => kind switch
    {
        TapKind.Ts or TapKind.Mkv => HasPackets,
        TapKind.RawVideo or TapKind.Y4m => Memory == FrameMemory.Host,
        // The driver opens a handle of legacy IPC in other processes only, not in the one that made it.
        _ => Memory != FrameMemory.CudaIpc,
    });
}
