using CuFrames.TestKit;

namespace CuFrames.Native.Tests;

/// <summary>Packets through the C interface and the classes of C++.</summary>
public sealed class PacketsTests(PacketsTests.Program program) : IClassFixture<PacketsTests.Program>
{
    [Theory]
    [InlineData("everything-arrives")]
    [InlineData("relay")]
    [InlineData("starts")]
    [InlineData("losses")]
    [InlineData("retained-memory")]
    [InlineData("waiting")]
    [InlineData("figures")]
    [InlineData("refusals")]
    [InlineData("threads")]
    [InlineData("one-at-a-time")]
    public void Packets_are_read_and_published(string name) => program.Run(name);

    [Theory]
    [InlineData("c++17")]
    [InlineData("c++20")]
    public void The_classes_do_what_they_promise(string standard)
    {
        using TemporaryDirectory folder = new();
        string library = Path.GetDirectoryName(NativeArtifacts.Library)!;
        string executable = Path.Combine(folder.Path, "classes");
        _ = Tool.Run("g++", $"-std={standard}", "-Wall", "-Wextra", "-Werror", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-pthread",
            "-I", NativeArtifacts.Include, "-o", executable, Path.Combine(Repository.Root, "tests", "CuFrames.Native.Tests", "programs", "packet_classes.cpp"),
            "-L", library, "-lcuframes", $"-Wl,-rpath,{library}");
        ToolResult result = Tool.RunWith([new("CUFRAMES_DIR", folder.Path), new("ASAN_OPTIONS", "detect_leaks=0")], executable).Checked();
        Assert.Equal("all is well\n", result.Output);
    }

    public sealed class Program() : CasesOf("packets.c");
}
