using System.Diagnostics.CodeAnalysis;

namespace CuFrames.Daemon.Internal.Taps;

/// <summary>The taps of one stream while it is published.</summary>
/// <param name="directory">The runtime directory.</param>
/// <param name="stream">The stream.</param>
[SuppressMessage("Design", "CA1001", Justification = "Clients that are about to end still look at Ending, which holds nothing that needs to be freed.")]
internal sealed class TapPoint(string directory, TapStream stream)
{
    /// <summary>The runtime directory.</summary>
    internal string Directory { get; } = directory;

    /// <summary>The stream.</summary>
    internal TapStream Stream { get; } = stream;

    /// <summary>Its pictures.</summary>
    internal JpegFeed Jpegs { get; } = new(directory, stream.Key);

    /// <summary>Ends the clients, when the taps are not wanted any more.</summary>
    internal CancellationTokenSource Ending { get; } = new();

    /// <summary>Clients now. Under the gate of <see cref="TapClients"/>.</summary>
    internal int Clients { get; set; }

    /// <summary>Where the socket of a kind is.</summary>
    internal string SocketPath(TapKind kind) => Path.Combine(Directory, TapServer.Folder, $"{Stream.Key}.{TapKinds.NameOf(kind)}");
}
