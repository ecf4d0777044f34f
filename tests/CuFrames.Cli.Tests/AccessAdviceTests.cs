using CuFrames.Cli.Internal;

namespace CuFrames.Cli.Tests;

/// <summary>What is said to a user who may not read a stream.</summary>
public sealed class AccessAdviceTests
{
    [Fact]
    public void Who_is_not_in_the_group_gets_the_command() =>
        Assert.Equal("To read 'front': sudo usermod --append --groups cuframes anna, then log in again.", AccessAdvice.For("front", "anna", 2850, [1000, 27]));

    [Fact]
    public void Who_is_in_the_group_already_is_sent_to_the_configuration() =>
        Assert.Contains("'readers'", AccessAdvice.For("front", "anna", 2850, [1000, 2850]), StringComparison.Ordinal);

    [Fact]
    public void Without_the_group_no_command_is_named() =>
        Assert.DoesNotContain("usermod", AccessAdvice.For("front", "anna", null, [1000]), StringComparison.Ordinal);
}
