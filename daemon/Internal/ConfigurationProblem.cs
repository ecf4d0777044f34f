namespace CuFrames.Daemon.Internal;

/// <summary>Something wrong in a configuration file. Holds no secret.</summary>
/// <param name="Line">Line, from 1.</param>
/// <param name="Column">Column, from 1.</param>
/// <param name="KeyPath">The key, from the top: <c>cameras.front.slots</c>; empty when it concerns the whole text.</param>
/// <param name="Text">What was found and what is accepted.</param>
internal sealed record ConfigurationProblem(long Line, long Column, string KeyPath, string Text)
{
    /// <summary>One line as compilers write it, so that editors find the place.</summary>
    /// <param name="path">The file.</param>
    internal string Describe(string path) => KeyPath.Length == 0 ? $"{path}:{Line}:{Column}: {Text}" : $"{path}:{Line}:{Column}: {KeyPath}: {Text}";
}
