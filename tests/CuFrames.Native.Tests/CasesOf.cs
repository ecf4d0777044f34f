using CuFrames.TestKit;

namespace CuFrames.Native.Tests;

/// <summary>A program of programs/ whose first argument is the name of a case and whose second is a folder for sockets. Compiled once for a class of
/// tests.</summary>
public abstract class CasesOf(string source) : IDisposable
{
    private readonly CProgram _program = CProgram.Compile(source);

    /// <summary>Runs a case to its end, in a folder of its own.</summary>
    public void Run(string name) => Run(name, []);

    /// <summary>Runs a case with more in its environment.</summary>
    public void Run(string name, IEnumerable<KeyValuePair<string, string>> environment)
    {
        using TemporaryDirectory directory = new();
        ToolResult result = _program.RunWith(environment, name, directory.Path);
        Assert.EndsWith("passed\n", result.Output, StringComparison.Ordinal);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _program.Dispose();
        GC.SuppressFinalize(this);
    }
}
