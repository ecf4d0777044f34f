namespace CuFrames.Native.Tests;

/// <summary>What publishers tell of themselves, of frames and of their readers.</summary>
public sealed class PublisherFiguresTests(PublisherFiguresTests.Program program) : IClassFixture<PublisherFiguresTests.Program>
{
    [Theory]
    [InlineData("figures")]
    [InlineData("readers-that-die")]
    [InlineData("subscribers")]
    [InlineData("other-headers")]
    [InlineData("planes-and-formats")]
    [InlineData("metadata")]
    [InlineData("events")]
    [InlineData("growth-that-fails")]
    [InlineData("any-thread")]
    public void What_is_told_is_what_is(string name) => program.Run(name);

    public sealed class Program() : CasesOf("publisher_figures.c");
}
