using CuFrames.TestKit;

namespace CuFrames.Native.Tests;

/// <summary>Frames in device memory through the C interface, with each release fence: tests/CuFrames.Native.Tests/programs/cuda.c.</summary>
public sealed class CudaTests
{
    [Theory]
    [InlineData("1")]
    [InlineData("2")]
    [InlineData("4")]
    public void The_callers_context_stays_and_releases_hold_until_all_streams_are_done(string fence) => Run([fence]);

    [Theory]
    [InlineData("2", "cuStreamWriteValue64_v2:1:1")]
    [InlineData("4", "cuIpcGetEventHandle:1:1")]
    public void A_release_that_the_driver_refuses_leaves_the_frame_held(string fence, string fault) =>
        Run([fence, "refuse"], KeyValuePair.Create("FAKECUDA_FAIL", fault));

    private static void Run(string[] arguments, params KeyValuePair<string, string>[] environment)
    {
        using TemporaryDirectory directory = new();
        using CProgram program = CProgram.Compile("cuda.c");
        _ = program.RunWith(TestCuda.ChildEnvironment.Concat(environment), [directory.Path, .. arguments]);
        Assert.Empty(Directory.GetFileSystemEntries(directory.Path));
    }
}
