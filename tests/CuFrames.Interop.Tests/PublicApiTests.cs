using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Interop.Tests;

public class PublicApiTests
{
    [Fact]
    public void The_public_surface_changes_only_on_purpose() =>
        PublicApiText.RequireUnchanged(typeof(UnixSocket).Assembly, "tests/CuFrames.Interop.Tests/PublicApi.txt");
}
