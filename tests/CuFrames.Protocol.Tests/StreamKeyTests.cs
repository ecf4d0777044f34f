namespace CuFrames.Protocol.Tests;

public sealed class StreamKeyTests
{
    private static readonly string Longest = new('a', 64);

    public static TheoryData<string> Keys => ["a", "0", "cam1", "front-door@small", "a.b_c-d", "9@9", "cam1@half.res", Longest, $"{Longest}@{Longest}"];

    public static TheoryData<string?> Others =>
    [
        (string?)null, "", "@", "a@", "@a", "a@b@c", "A", "Cam1", ".", "..", ".a", "_a", "-a", "a b", "a/b", "../a", "a\0", "a\n", "\na", "ä", "a@B", "a@-b",
        "a@.", "a:b", "a%2f", "ｃam", "a@@b", Longest + "a", $"{Longest}@{Longest}a", $"{Longest}a@{Longest}",
    ];

    [Theory]
    [MemberData(nameof(Keys))]
    public void A_key_is_valid(string key)
    {
        Assert.True(StreamKey.IsValid(key));
        Assert.Same(key, StreamKey.Require(key));
    }

    [Theory]
    [MemberData(nameof(Others))]
    public void Anything_else_is_not(string? key)
    {
        Assert.False(StreamKey.IsValid(key));
        CuFramesException error = Assert.Throws<CuFramesException>(() => StreamKey.Require(key));
        Assert.Equal(ErrorCode.InvalidKey, error.Code);
        Assert.Contains("1 to 64 of a-z", error.Message, StringComparison.Ordinal);
    }
}
