namespace CuFrames.Benchmarks.Running;

/// <summary>A peer's side of its standard input and output.</summary>
internal static class PeerLink
{
    public static void Say(string line)
    {
        Console.Out.WriteLine(line);
        Console.Out.Flush();
    }

    /// <summary>Waits for a line; the end of the input means that the benchmark is gone.</summary>
    public static string[] Listen() =>
        (Console.In.ReadLine() ?? throw new InvalidOperationException("The benchmark that started this process is gone.")).Split(' ');

    public static void WaitFor(string word)
    {
        string[] words = Listen();
        if (words[0] != word)
        {
            throw new InvalidOperationException($"'{word}' was expected, not '{words[0]}'.");
        }
    }
}
