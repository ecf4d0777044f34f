using CuFrames.TestKit;

namespace CuFrames.Protocol.Tests;

public sealed class PublicApiTests
{
    /// <summary>PublicApi.txt is the public surface as it was agreed on. CUFRAMES_ACCEPT_API=1 writes it anew.</summary>
    [Fact]
    public void The_public_surface_is_the_one_agreed_on() =>
        PublicApiText.RequireUnchanged(typeof(Wire).Assembly, "tests/CuFrames.Protocol.Tests/PublicApi.txt");
}
