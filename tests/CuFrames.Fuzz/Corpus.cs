namespace CuFrames.Fuzz;

/// <summary>Kept inputs: a file for each target, an input in hexadecimal on each line, the empty one as a dash.</summary>
internal sealed class Corpus(string folder)
{
    private const string EmptyInput = "-";

    /// <summary>No longer input is kept: the folder is part of the repository.</summary>
    private const int LongestKept = 2048;

    /// <summary>Most inputs of a target that are kept.</summary>
    private const int MostKept = 400;

    public IReadOnlyList<byte[]> Read(string target)
    {
        string path = PathOf(target);
        return File.Exists(path)
            ? [.. File.ReadLines(path).Select(line => line == EmptyInput ? [] : Convert.FromHexString(line))]
            : [];
    }

    /// <summary>Adds inputs to what is kept.</summary>
    /// <returns>How many were added.</returns>
    public int Add(string target, IEnumerable<byte[]> inputs)
    {
        List<string> lines = [.. Read(target).Select(Line)];
        int before = lines.Count;
        lines.AddRange(inputs.Where(input => input.Length <= LongestKept).Select(Line).Except(lines).Take(Math.Max(0, MostKept - lines.Count)));
        if (lines.Count > before)
        {
            Directory.CreateDirectory(folder);
            File.WriteAllText(PathOf(target), string.Join('\n', lines) + "\n");
        }

        return lines.Count - before;
    }

    private static string Line(byte[] input) => input.Length == 0 ? EmptyInput : Convert.ToHexStringLower(input);

    private string PathOf(string target) => Path.Combine(folder, target + ".hex");
}
