namespace CuFrames.Protocol.Tests;

internal static class Refusal
{
    /// <summary>The protocol error of an action that must fail with one; any other exception fails the test.</summary>
    public static ProtocolException Of(Action action) => Assert.Throws<ProtocolException>(action);
}
