namespace CuFrames.Conformance.Tests;

/// <summary>Where the executables lie that these tests start.</summary>
internal static class Executables
{
    /// <summary>The suite's own executable, which also has the examples.</summary>
    public static string Conformance { get; } = Find("conformance-tests", "cuframes-conformance");

    /// <summary>The SDK's two sides.</summary>
    public static string TestPeer { get; } = Find(Path.Combine("tests", "CuFrames.TestPeer"), "CuFrames.TestPeer");

    /// <summary>The root of the repository.</summary>
    public static string Repository { get; } = FindRepository();

    private static string Find(string project, string name)
    {
        // bin/Release/net10.0 of this project and of the other one end alike.
        var own = new DirectoryInfo(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar));
        string path = Path.Combine(FindRepository(), project, "bin", own.Parent!.Name, own.Name, name);
        return File.Exists(path) ? path : throw new FileNotFoundException($"{path} is missing: build this project, which builds it too.");
    }

    private static string FindRepository()
    {
        for (DirectoryInfo? directory = new(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            if (File.Exists(Path.Combine(directory.FullName, "CuFrames.sln")))
            {
                return directory.FullName;
            }
        }

        throw new DirectoryNotFoundException($"No CuFrames.sln above {AppContext.BaseDirectory}.");
    }
}
