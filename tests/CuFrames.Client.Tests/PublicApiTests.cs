using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Client.Tests;

public class PublicApiTests
{
    [Fact]
    public void The_public_surface_changes_only_on_purpose() =>
        PublicApiText.RequireUnchanged(typeof(FramePublisher).Assembly, "tests/CuFrames.Client.Tests/PublicApi.txt");
}
