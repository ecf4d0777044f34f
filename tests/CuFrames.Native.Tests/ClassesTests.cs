using CuFrames.TestKit;

namespace CuFrames.Native.Tests;

/// <summary>The classes of cuframes.hpp do what their comments say; programs/classes.cpp looks.</summary>
public sealed class ClassesTests
{
    [Theory]
    [InlineData("c++17")]
    [InlineData("c++20")]
    public void The_classes_do_what_they_promise(string standard)
    {
        using TemporaryDirectory folder = new();
        string library = Path.GetDirectoryName(NativeArtifacts.Library)!;
        string program = Path.Combine(folder.Path, "classes");
        _ = Tool.Run("g++", $"-std={standard}", "-Wall", "-Wextra", "-Werror", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-pthread",
            "-I", NativeArtifacts.Include, "-o", program, Path.Combine(Repository.Root, "tests", "CuFrames.Native.Tests", "programs", "classes.cpp"),
            "-L", library, "-lcuframes", $"-Wl,-rpath,{library}");

        // Leaks are looked for elsewhere: the sanitizer takes what only the runtime's own heap points to for lost.
        ToolResult result = Tool.RunWith([new("CUFRAMES_DIR", folder.Path), new("ASAN_OPTIONS", "detect_leaks=0")], program).Checked();
        Assert.Equal("all is well\n", result.Output);
    }
}
