using CuFrames.TestKit;

namespace CuFrames.Native.Tests;

/// <summary>A program in C that is compiled against the built header and library, in a folder of its own.</summary>
internal sealed class CProgram : IDisposable
{
    private readonly TemporaryDirectory _folder = new();

    private CProgram(string source)
    {
        string library = Path.GetDirectoryName(NativeArtifacts.Library)!;
        Executable = Path.Combine(_folder.Path, "program");
        try
        {
            _ = Tool.Run("gcc", "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-g", "-O1", "-pthread", "-D_GNU_SOURCE", "-I", NativeArtifacts.Include,
                "-I", ProgramsFolder, "-o", Executable, source, "-L", library, "-lcuframes", "-ldl", $"-Wl,-rpath,{library}");
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    private static string ProgramsFolder => Path.Combine(Repository.Root, "tests", "CuFrames.Native.Tests", "programs");

    public string Executable { get; }

    /// <summary>Compiles a file of programs/.</summary>
    public static CProgram Compile(string name) => new(Path.Combine(ProgramsFolder, name));

    /// <summary>Compiles a text.</summary>
    public static CProgram CompileText(string text)
    {
        using TemporaryDirectory folder = new();
        string source = Path.Combine(folder.Path, "program.c");
        File.WriteAllText(source, text);
        return new CProgram(source);
    }

    /// <summary>Runs it to its end; a status other than 0 is an error.</summary>
    public ToolResult Run(params string[] arguments) => RunWith([], arguments);

    /// <summary>Runs it with more in its environment.</summary>
    public ToolResult RunWith(IEnumerable<KeyValuePair<string, string>> environment, params string[] arguments)
    {
        ToolResult result = Tool.RunWith(environment, Executable, arguments);
        Assert.True(result.Status == 0, $"The program ended with status {result.Status}: {result.Output}{result.Errors}");
        return result;
    }

    public void Dispose() => _folder.Dispose();
}
