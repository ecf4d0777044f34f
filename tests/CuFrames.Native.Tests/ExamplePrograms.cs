using CuFrames.TestKit;

namespace CuFrames.Native.Tests;

/// <summary>The programs of examples/c and examples/cpp, and those of the texts, built as users build them.</summary>
public sealed class ExamplePrograms : IDisposable
{
    private readonly TemporaryDirectory _folder = new();

    public ExamplePrograms()
    {
        string library = Path.GetDirectoryName(NativeArtifacts.Library)!;
        string examples = Path.Combine(Repository.Root, "examples");
        _ = Tool.RunWith(
            [new("PKG_CONFIG_PATH", Path.Combine(library, "pkgconfig")), new("CFLAGS", "-O2 -Wall -Wextra -Wpedantic -Werror")],
            "make", ["-C", Path.Combine(examples, "c"), $"OUT={_folder.Path}"]).Checked();
        string build = Path.Combine(_folder.Path, "cmake");
        _ = Tool.Run("cmake", "-S", Path.Combine(examples, "cpp"), "-B", build, $"-DCMAKE_PREFIX_PATH={NativeArtifacts.Native}", "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Wpedantic -Werror");
        _ = Tool.Run("cmake", "--build", build);
        File.Move(Path.Combine(build, "read"), Path.Combine(_folder.Path, "read-cpp"));
    }

    /// <summary>examples/c/publish.c.</summary>
    public string Publish => Path.Combine(_folder.Path, "publish");

    /// <summary>examples/c/packets.c.</summary>
    public string Packets => Path.Combine(_folder.Path, "packets");

    /// <summary>examples/c/read.c or examples/cpp/read.cpp.</summary>
    /// <param name="language">c or cpp.</param>
    public string Read(string language) => Path.Combine(_folder.Path, language == "c" ? "read" : "read-cpp");

    /// <summary>Compiles a program in C++ from texts.</summary>
    public string Compile(string name, params string[] texts)
    {
        string library = Path.GetDirectoryName(NativeArtifacts.Library)!;
        string program = Path.Combine(_folder.Path, name);
        string[] sources = [.. texts.Select((text, index) =>
        {
            string source = $"{program}{index}.cpp";
            File.WriteAllText(source, text);
            return source;
        })];
        _ = Tool.Run("g++", ["-std=c++17", "-Wall", "-Wextra", "-Werror", "-I", NativeArtifacts.Include, "-o", program, .. sources, "-L", library, "-lcuframes", $"-Wl,-rpath,{library}"]);
        return program;
    }

    public void Dispose() => _folder.Dispose();
}
