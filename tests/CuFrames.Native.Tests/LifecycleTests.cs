using CuFrames.TestKit;

namespace CuFrames.Native.Tests;

/// <summary>What the library does to the process that it is a guest of, by small programs in C. Each checks its own, and says what does not hold.</summary>
public sealed class LifecycleTests
{
    [Theory]
    [InlineData("fork.c")]
    [InlineData("signals.c")]
    [InlineData("handles.c")]
    [InlineData("threads.c")]
    [InlineData("address_space.c")]
    [InlineData("dlpack.c")]
    public void The_program_finds_what_the_header_promises(string name)
    {
        using TemporaryDirectory directory = new();
        using CProgram program = CProgram.Compile(name);
        _ = program.Run(directory.Path);
        Assert.Empty(Directory.GetFileSystemEntries(directory.Path));
    }
}
