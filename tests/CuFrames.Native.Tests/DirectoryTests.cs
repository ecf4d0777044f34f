namespace CuFrames.Native.Tests;

/// <summary>Lists of streams.</summary>
public sealed class DirectoryTests(DirectoryTests.Program program) : IClassFixture<DirectoryTests.Program>
{
    [Theory]
    [InlineData("streams")]
    [InlineData("faults")]
    [InlineData("dead-publishers")]
    [InlineData("runtime-directory")]
    [InlineData("many-lists")]
    public void What_is_listed_is_what_is_published(string name) => program.Run(name);

    public sealed class Program() : CasesOf("directory.c");
}
