using CuFrames.TestKit;

namespace CuFrames.Native.Tests;

/// <summary>Compiles texts in C and C++ against the built headers, with all warnings as errors.</summary>
internal static class CompiledText
{
    /// <summary>Compilers for C; their kin for C++ is <see cref="CppCompiler"/>'s.</summary>
    public static string[] Compilers { get; } = ["gcc", "clang"];

    /// <summary>Whether a text compiles; an error tells what the compiler said.</summary>
    /// <param name="compiler">gcc or clang.</param>
    /// <param name="standard">Such as c99 or c++17.</param>
    /// <param name="text">The text, which includes what it needs.</param>
    public static void Require(string compiler, string standard, string text)
    {
        using TemporaryDirectory folder = new();
        bool isCpp = standard.StartsWith("c++", StringComparison.Ordinal);
        string source = Path.Combine(folder.Path, isCpp ? "text.cpp" : "text.c");
        File.WriteAllText(source, text);
        _ = Tool.Run(isCpp ? CppCompiler(compiler) : CCompiler(compiler), $"-std={standard}", "-pedantic", "-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Werror",
            "-I", NativeArtifacts.Include, "-fsyntax-only", source);
    }

    public static string CCompiler(string compiler) => compiler == "clang" ? Find("clang") : compiler;

    public static string CppCompiler(string compiler) => compiler == "clang" ? Find("clang++") : "g++";

    /// <summary>Debian's clang may only be there by its versioned name.</summary>
    private static string Find(string name)
    {
        string[] folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':');
        string? found = folders.Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists)
            ?? folders.Where(Directory.Exists).SelectMany(folder => Directory.EnumerateFiles(folder, name + "-1?").Concat(Directory.EnumerateFiles(folder, name + "-2?")))
                .Order(StringComparer.Ordinal).LastOrDefault();
        return found ?? throw new FileNotFoundException($"{name} is not on the PATH: scripts/install-dependencies.sh test");
    }
}
