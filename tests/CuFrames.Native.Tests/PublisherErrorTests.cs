namespace CuFrames.Native.Tests;

/// <summary>How the functions of publishers and of the directory refuse: the code, and what the sentence says.</summary>
public sealed class PublisherErrorTests(PublisherErrorTests.Program program) : IClassFixture<PublisherErrorTests.Program>
{
    [Theory]
    [InlineData("null-pointers")]
    [InlineData("sizes")]
    [InlineData("keys")]
    [InlineData("configurations")]
    [InlineData("published-already")]
    [InlineData("directories")]
    [InlineData("handles")]
    [InlineData("formats")]
    [InlineData("order-of-calls")]
    [InlineData("states-and-evictions")]
    [InlineData("two-threads")]
    [InlineData("dropped-frames")]
    [InlineData("memory-limits")]
    [InlineData("who-may-read")]
    public void Every_refusal_has_its_code_and_its_sentence(string name) => program.Run(name);

    public sealed class Program() : CasesOf("publisher_errors.c");
}
