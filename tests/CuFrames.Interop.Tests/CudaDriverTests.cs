using System.Globalization;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Interop.Tests;

public sealed class CudaDriverTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void The_double_is_found_and_described()
    {
        Dictionary<string, string> facts = Initialise(CudaProbe.Environment());
        Assert.Equal("False", facts["before"]);
        Assert.Equal("True", facts["works"]);
        Assert.Equal("True", facts["after"]);
        Assert.Equal(Path.Combine(TestCuda.Folder, "libcuda.so.1"), facts["path"]);
        Assert.Equal("13000", facts["version"]);
        Assert.Equal("True", facts["found"]);
        Assert.Equal("True", facts["found nothing"]);
        Assert.Equal("GPU-fa4ecada-0000-4000-8000-000000000000", facts["device"]);
        Assert.Equal("True True True True True", facts["features"]);
    }

    [Theory]
    [InlineData("vmm=0", "False False True True True")]
    [InlineData("posix_fd=0", "True False True True True")]
    [InlineData("stream_mem_ops=0", "True True False True True")]
    [InlineData("host_register=0", "True True True False True")]
    [InlineData("ipc_events=0", "True True True True False")]
    public void A_feature_that_is_missing_is_seen(string attributes, string expected) =>
        Assert.Equal(expected, Initialise(CudaProbe.Environment(("FAKECUDA_ATTRIBUTES", attributes)))["features"]);

    [Fact]
    public void A_driver_too_old_for_an_attribute_is_taken_to_lack_the_feature_but_for_events()
    {
        Dictionary<string, string> facts = Initialise(
            CudaProbe.Environment(("FAKECUDA_FAIL", "cuDeviceGetAttribute:*:CUDA_ERROR_INVALID_VALUE")));
        Assert.Equal("False False False False True", facts["features"]);
    }

    [Fact]
    public void Devices_are_those_that_the_environment_leaves_in_its_order()
    {
        using ChildProcess child = ChildProcess.StartWith(
            CudaProbe.Environment(("FAKECUDA_DEVICES", "3"), ("CUDA_VISIBLE_DEVICES", "2,GPU-fa4ecada-0000-4000-8000-000000000000")),
            "cuda", "initialise");
        string[] devices = [.. child.Finish().Output.Split('\n').Where(line => line.StartsWith("device: ", StringComparison.Ordinal))];
        Assert.Equal(
            ["device: GPU-fa4ecada-0000-4000-8000-000000000002", "device: GPU-fa4ecada-0000-4000-8000-000000000000"], devices);
    }

    [Fact]
    public void No_visible_device_is_a_sentence_that_names_the_variable()
    {
        Dictionary<string, string> facts = Initialise(CudaProbe.Environment(("CUDA_VISIBLE_DEVICES", string.Empty)));
        Assert.Equal("False", facts["works"]);
        Assert.Contains("CUDA_VISIBLE_DEVICES is '' and leaves no GPU", facts["obstacle"], StringComparison.Ordinal);
        Assert.Equal("100", facts["result"]);
        RequireUnavailable(facts);
    }

    [Fact]
    public void A_driver_without_devices_is_no_driver()
    {
        Dictionary<string, string> facts = Initialise(CudaProbe.Environment(("FAKECUDA_DEVICES", "0")));
        Assert.Equal("False", facts["works"]);
        Assert.Contains("No GPU is visible", facts["obstacle"], StringComparison.Ordinal);
        RequireUnavailable(facts);
    }

    [Fact]
    public void A_machine_without_a_driver_gets_a_sentence()
    {
        // Where there is a driver it is found instead, and the sentence has no part in this.
        Dictionary<string, string> facts = Initialise(new Dictionary<string, string?> { ["LD_LIBRARY_PATH"] = _directory.Root });
        Assert.Equal(facts["works"], facts["after"]);
        if (facts["works"] == "False")
        {
            Assert.Contains("libcuda.so.1", facts["obstacle"], StringComparison.Ordinal);
            RequireUnavailable(facts);
        }
        else
        {
            Assert.StartsWith("/", facts["path"], StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_library_that_cannot_be_opened_is_named_with_the_linkers_reason()
    {
        File.WriteAllText(_directory.PathOf("libcuda.so.1"), new string('x', 4096));
        Dictionary<string, string> facts = Initialise(new Dictionary<string, string?> { ["LD_LIBRARY_PATH"] = _directory.Root });
        Assert.Equal("False", facts["works"]);
        Assert.Contains("libcuda.so.1 cannot be opened: ", facts["obstacle"], StringComparison.Ordinal);
        Assert.Contains("invalid ELF header.", facts["obstacle"], StringComparison.Ordinal);
        Assert.Contains("Install the NVIDIA driver", facts["obstacle"], StringComparison.Ordinal);
        Assert.Equal("dlopen", facts["call"]);
        RequireUnavailable(facts);
    }

    [Fact]
    public void A_library_without_the_calls_is_too_old()
    {
        // Any library that the loader accepts will do for one that lacks the calls.
        string library = File.ReadLines("/proc/self/maps").Select(line => line[(line.LastIndexOf(' ') + 1)..])
            .First(path => Path.GetFileName(path).StartsWith("libm.so", StringComparison.Ordinal));
        File.CreateSymbolicLink(_directory.PathOf("libcuda.so.1"), library);
        Dictionary<string, string> facts = Initialise(new Dictionary<string, string?> { ["LD_LIBRARY_PATH"] = _directory.Root });
        Assert.Equal("False", facts["works"]);
        Assert.Contains("lacks cuInit, cuDriverGetVersion, cuGetErrorName and ", facts["obstacle"], StringComparison.Ordinal);
        Assert.Contains("too old", facts["obstacle"], StringComparison.Ordinal);
        RequireUnavailable(facts);
    }

    [Fact]
    public void Many_threads_initialise_the_driver_once()
    {
        using ChildProcess child = ChildProcess.StartWith(CudaProbe.Environment(), "cuda", "initialise-at-once");
        Dictionary<string, string> facts = Facts.Parse(child.Finish().Output);
        Assert.Equal("8", facts["working"]);
        Assert.Equal("1", facts["cuInit"]);
    }

    [Fact]
    [Trait("needs", "gpu")]
    public void A_device_is_described()
    {
        CudaDevice device = TestCuda.Device;
        Assert.Equal(0, device.Ordinal);
        Assert.NotEmpty(device.Name);
        Assert.False(device.IsInstance);
        Assert.Equal($"GPU-{device.Uuid:D}", device.UuidText);
        Assert.Matches("^[0-9A-F]{4,8}:[0-9A-F]{2}:[0-9A-F]{2}\\.0$", device.PciBusId);
        Assert.True(device.ComputeCapability.Major >= (TestCuda.IsReal ? 5 : 9));
        Assert.True(device.Multiprocessors > 0);
        using CudaContext context = device.OpenContext();
        Assert.Equal(device.TotalMemory, context.GetMemory().Total);
        Assert.Equal(
            string.Create(CultureInfo.InvariantCulture, $"device 0 ({device.Name}, {device.UuidText})"), device.ToString());
    }

    private static Dictionary<string, string> Initialise(Dictionary<string, string?> environment)
    {
        using ChildProcess child = ChildProcess.StartWith(environment, "cuda", "initialise");
        (int exitCode, string output) = child.Finish();
        Assert.Equal(0, exitCode);
        return Facts.Parse(output);
    }

    private static void RequireUnavailable(Dictionary<string, string> facts)
    {
        Assert.Equal(ErrorCode.CudaUnavailable, Enum.Parse<ErrorCode>(facts["code"]));
        Assert.Equal(facts["obstacle"], facts["message"]);
        Assert.Equal("False", facts["after"]);
    }
}
