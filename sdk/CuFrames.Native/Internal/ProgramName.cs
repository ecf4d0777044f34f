namespace CuFrames.Native.Internal;

/// <summary>What a peer is told of this process when the caller names no program.</summary>
internal static class ProgramName
{
    private static readonly Lazy<string> Name = new(Find);

    /// <summary>File name of the executable, such as <c>python3.11</c>.</summary>
    public static string OfProcess => Name.Value;

    private static string Find() => Path.GetFileName(Environment.ProcessPath) is { Length: > 0 } name ? name : "unknown";
}
