using System.Globalization;
using System.Security.Cryptography;

namespace CuFrames.Fuzz;

/// <summary>Says what was found and how to see it again.</summary>
internal static class Failure
{
    public static void Report(string target, byte[] input, string what)
    {
        string hash = Convert.ToHexStringLower(SHA256.HashData(input))[..12];
        string path = Path.GetFullPath($"fuzz-failure-{target}-{hash}.hex");
        File.WriteAllText(path, Convert.ToHexStringLower(input) + "\n");
        Console.Error.WriteLine(what);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"FAILED: {target} with an input of {input.Length} bytes, kept in {path}"));
        Console.WriteLine($"Try it again: dotnet run -c Release --project tests/CuFrames.Fuzz -- --target {target} --replay {path}");
    }
}
