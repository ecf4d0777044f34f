namespace CuFrames.Daemon.Internal.Taps;

/// <summary>The taps of one stream while it is published.</summary>
/// <param name="directory">The runtime directory.</param>
/// <param name="stream">The stream.</param>
internal sealed class TapPoint(string directory, TapStream stream)
{
    /// <summary>The runtime directory.</summary>
    internal string Directory { get; } = directory;

    /// <summary>The stream.</summary>
    internal TapStream Stream { get; } = stream;

    /// <summary>Its pictures.</summary>
    internal JpegFeed Jpegs { get; } = new(directory, stream.Key);

    /// <summary>Clients now. Under the gate of <see cref="TapClients"/>.</summary>
    internal int Clients { get; set; }

    /// <summary>Where the socket of a kind is.</summary>
    internal string SocketPath(TapKind kind) => Path.Combine(Directory, TapServer.Folder, $"{Stream.Key}.{TapKinds.NameOf(kind)}");
}
