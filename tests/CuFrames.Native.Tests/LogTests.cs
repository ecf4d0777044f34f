namespace CuFrames.Native.Tests;

/// <summary>The log's lines, its levels, and a change of its callback while lines come.</summary>
public sealed class LogTests(LogTests.Program program) : IClassFixture<LogTests.Program>
{
    [Theory]
    [InlineData("all-lines")]
    [InlineData("levels")]
    [InlineData("long-lines")]
    [InlineData("swaps")]
    public void The_callback_is_told_what_it_asked_for_and_nothing_afterwards(string name) => program.Run(name);

    public sealed class Program() : CasesOf("log.c");
}
