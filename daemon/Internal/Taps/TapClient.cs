using CuFrames.Client.Internal;
using CuFrames.Interop;

namespace CuFrames.Daemon.Internal.Taps;

/// <summary>A client of a tap, while it is served.</summary>
/// <param name="Point">The stream's taps.</param>
/// <param name="Kind">What it gets.</param>
/// <param name="IsHttp">Whether it came by HTTP.</param>
/// <param name="Name">Who it is, for people.</param>
internal sealed record TapClient(TapPoint Point, TapKind Kind, bool IsHttp, string Name)
{
    /// <summary>The kernel's word on who it is; null: it came with a token.</summary>
    internal PeerCredentials? Peer { get; init; }

    /// <summary>What it has of its user's quota; null: nothing.</summary>
    internal ReaderShare? Share { get; init; }

    /// <summary>Key of the stream.</summary>
    internal string Key => Point.Stream.Key;

    /// <summary>The runtime directory.</summary>
    internal string Directory => Point.Directory;

    /// <summary>Name of the tap.</summary>
    internal string Tap => $"{Key}.{TapKinds.NameOf(Kind)}";

    /// <summary>What publishers are told.</summary>
    internal string Program => $"tap {TapKinds.NameOf(Kind)} for {Name}";

    /// <summary>Frames, pictures or packets that it got. Written by the client's task, as the others here.</summary>
    internal long Pictures { get; set; }

    /// <summary>Packets that no container takes.</summary>
    internal long Damaged { get; set; }

    /// <summary>Whether it was disconnected before the end of what there is.</summary>
    internal bool WasCut { get; set; }

    /// <summary>What is to be said of what it gets; empty: nothing.</summary>
    internal string Remark { get; set; } = "";
}
