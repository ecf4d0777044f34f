using System.Text.Json;
using CuFrames.TestKit;

namespace CuFrames.Native.Tests;

/// <summary>Publishers of frames in device memory, on the double of the driver: it takes time where it is told to and fails where it is told to.</summary>
public sealed class PublisherCudaTests(PublisherCudaTests.Program program) : IClassFixture<PublisherCudaTests.Program>
{
    [Theory]
    [InlineData("waits-for-the-stream", "FAKECUDA_DELAY_US", "10000-30000")]
    [InlineData("current-context", "FAKECUDA_DELAY_US", "0-3000")]
    [InlineData("streams-of-other-contexts", "FAKECUDA_DELAY_US", "0-3000")]
    [InlineData("many-streams", "FAKECUDA_DELAY_US", "0-300")]
    [InlineData("devices", "FAKECUDA_DEVICES", "3")]
    [InlineData("legacy-handles", "FAKECUDA_DEVICES", "1")]
    [InlineData("no-device", "FAKECUDA_DEVICES", "0")]
    [InlineData("failed-work", "FAKECUDA_FAIL", "cuStreamQuery:1:999")]
    [InlineData("no-device-memory", "FAKECUDA_FAIL", "cuMemCreate:2:CUDA_ERROR_OUT_OF_MEMORY")]
    public void Device_memory(string name, string variable, string value)
    {
        using TemporaryDirectory folder = new();
        string counts = Path.Combine(folder.Path, "counts.json");
        program.Run(name, new Dictionary<string, string>
        {
            ["LD_LIBRARY_PATH"] = TestCuda.Folder,
            ["FAKECUDA_DIR"] = folder.Path,
            ["FAKECUDA_COUNTS"] = counts,
            [variable] = value,
        });

        // The program has given back what it had; what is left would be the library's.
        JsonElement live = JsonDocument.Parse(File.ReadAllText(counts)).RootElement.GetProperty("live");
        Assert.All(live.EnumerateObject(), kind => Assert.True(kind.Value.GetInt64() == 0, live.ToString()));
    }

    public sealed class Program() : CasesOf("publisher_cuda.c");
}
