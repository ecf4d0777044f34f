using CuFrames.Interop;
using CuFrames.Protocol;
using Xunit;

namespace CuFrames.Client.Tests;

/// <summary>What a program takes into its process with the SDK.</summary>
public sealed class DependencyTests
{
    [Fact]
    public void Nothing_loads_OpenSSL()
    {
        // .NET's cryptography ends the process when it finds no OpenSSL, as in a bare container.
        foreach (Type type in (Type[])[typeof(FramePublisher), typeof(UnixSocket), typeof(StreamKey)])
        {
            Assert.DoesNotContain(type.Assembly.GetReferencedAssemblies(), reference => reference.Name!.StartsWith("System.Security.Cryptography", StringComparison.Ordinal));
        }
    }
}
