namespace CuFrames.Client.Internal;

/// <summary>Names of sockets and locks in the runtime directory, without their extensions (docs/protocol.md 1.3, 14.1).</summary>
internal static class StreamFiles
{
    /// <summary>Name of socket and lock of a key's packets. No key contains a plus sign.</summary>
    public static string PacketName(string key) => key + "+packets";
}
