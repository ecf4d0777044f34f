namespace CuFrames.Interop.Tests;

/// <summary>What a child prints: one fact per line, name and value.</summary>
internal static class Facts
{
    internal static Dictionary<string, string> Parse(string output)
    {
        var facts = new Dictionary<string, string>();
        foreach (string line in output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            int colon = line.IndexOf(": ", StringComparison.Ordinal);
            facts[line[..colon]] = line[(colon + 2)..];
        }

        return facts;
    }
}
