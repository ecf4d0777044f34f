using System.Globalization;
using CuFrames.Interop.Internal;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Interop.Tests;

/// <summary>
/// Every call to the driver is made to fail, one after the other, in a child that uses everything once. The error must name the call,
/// the code and what to do, and nothing may be left over.
/// </summary>
public sealed class CudaFaultTests : IDisposable
{
    private readonly CudaContext _context = TestCuda.Device.OpenContext();
    private readonly CudaStream _stream;
    private readonly CudaMemory _memory;
    private readonly CudaEvent _event;
    private readonly string[] _arguments;

    public CudaFaultTests()
    {
        // What the child opens: another process has to have made it.
        _stream = CudaStream.Create(_context);
        _memory = CudaMemory.Allocate(_context, 1 << 20);
        _event = CudaEvent.Create(_context, interprocess: true);
        _stream.Fill(_memory.Address, 0x5A, _memory.Size);
        _stream.Record(_event);
        _stream.Synchronize();
        byte[] memory = new byte[64];
        byte[] mark = new byte[64];
        _memory.CopyHandleTo(memory);
        _event.CopyHandleTo(mark);
        _arguments = ["cuda", "scenario", Convert.ToHexString(memory), Convert.ToHexString(mark)];
    }

    /// <summary>All calls but those that only destroy: their errors are nobody's business, because there is nothing to be done.</summary>
    public static TheoryData<string> Calls() => [.. CudaNative.EntryPoints.Except(Destroying()).Except(Naming)];

    public static TheoryData<string> DestroyingCalls() => [.. Destroying()];

    public static TheoryData<string, string, string, ErrorCode, string> Advice() => new()
    {
        { "cuInit", "CUDA_ERROR_NO_DEVICE", "(100,", ErrorCode.CudaUnavailable, "docker run --gpus all" },
        { "cuInit", "35", "InsufficientDriver (35)", ErrorCode.CudaUnavailable, "version 515" },
        { "cuInit", "CUDA_ERROR_STUB_LIBRARY", "(34,", ErrorCode.CudaUnavailable, "stubs folder out of LD_LIBRARY_PATH" },
        { "cuInit", "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", "(803,", ErrorCode.CudaUnavailable, "reboot after an update" },
        { "cuInit", "CUDA_ERROR_SYSTEM_NOT_READY", "(802,", ErrorCode.CudaUnavailable, "fabric manager" },
        { "cuInit", "CUDA_ERROR_UNKNOWN", "(999,", ErrorCode.CudaUnavailable, "/dev/nvidia-uvm" },
        { "cuDevicePrimaryCtxRetain", "CUDA_ERROR_DEVICE_UNAVAILABLE", "(46,", ErrorCode.CudaCallFailed, "compute mode" },
        { "cuDevicePrimaryCtxRetain", "CUDA_ERROR_OUT_OF_MEMORY", "(2,", ErrorCode.OutOfResources, "nvidia-smi lists them" },
        { "cuMemCreate", "CUDA_ERROR_OUT_OF_MEMORY", "(2,", ErrorCode.OutOfResources, "The device has " },
        { "cuMemAlloc_v2", "CUDA_ERROR_OUT_OF_MEMORY", "(2,", ErrorCode.OutOfResources, " MiB free of " },
        { "cuMemHostAlloc", "CUDA_ERROR_OUT_OF_MEMORY", "(2,", ErrorCode.OutOfResources, "ulimit -l" },
        { "cuIpcOpenMemHandle_v2", "CUDA_ERROR_INVALID_CONTEXT", "(201,", ErrorCode.CudaIpcNamespace, "both PID 1" },
        { "cuIpcOpenEventHandle", "CUDA_ERROR_INVALID_CONTEXT", "(201,", ErrorCode.CudaIpcNamespace, "docker run --init" },
        { "cuIpcGetMemHandle", "CUDA_ERROR_NOT_SUPPORTED", "(801,", ErrorCode.CudaCallFailed, "MIG" },
        { "cuMemCreate", "CUDA_ERROR_NOT_SUPPORTED", "(801,", ErrorCode.CudaCallFailed, "memory: cuda-ipc" },
        { "cuMemMap", "CUDA_ERROR_INVALID_VALUE", "(1,", ErrorCode.CudaCallFailed, "smaller than was asked for" },
        { "cuMemImportFromShareableHandle", "CUDA_ERROR_INVALID_VALUE", "(1,", ErrorCode.CudaCallFailed, "no CUDA allocation" },
        { "cuMemHostRegister_v2", "CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED", "(712,", ErrorCode.CudaCallFailed, "register them once" },
        { "cuStreamQuery", "CUDA_ERROR_ILLEGAL_ADDRESS", "(700,", ErrorCode.CudaCallFailed, "restart the process" },
        { "cuEventSynchronize", "CUDA_ERROR_LAUNCH_FAILED", "(719,", ErrorCode.CudaCallFailed, "restart the process" },
        { "cuEventQuery", "CUDA_ERROR_ECC_UNCORRECTABLE", "(214,", ErrorCode.CudaCallFailed, "The hardware failed" },
    };

    /// <summary>Calls that only word other errors.</summary>
    private static readonly string[] Naming = ["cuGetErrorName", "cuGetErrorString"];

    public void Dispose()
    {
        _event.Dispose();
        _memory.Dispose();
        _stream.Dispose();
        _context.Dispose();
    }

    [Fact]
    [Trait("needs", "gpu")]
    public void Without_a_fault_everything_works_and_nothing_is_left_over()
    {
        Dictionary<string, string> facts = Run(string.Empty);
        Assert.Equal("True", facts["passed"]);
        if (!TestCuda.IsReal)
        {
            RequireNothingLeft(facts);
        }
    }

    [Theory]
    [MemberData(nameof(Calls))]
    public void A_call_that_fails_is_named_and_loses_nothing(string call)
    {
        Dictionary<string, string> facts = Run($"{call}:1:CUDA_ERROR_UNKNOWN");
        Assert.Equal(call, facts["call"]);
        Assert.Equal("999", facts["result"]);
        bool isInitialised = facts["initialised"] == "True";
        Assert.Equal(isInitialised ? ErrorCode.CudaCallFailed : ErrorCode.CudaUnavailable, Enum.Parse<ErrorCode>(facts["code"]));
        Assert.StartsWith("Cannot ", facts["message"], StringComparison.Ordinal);
        Assert.Contains($": {call} answered CUDA_ERROR_UNKNOWN (999, ", facts["message"], StringComparison.Ordinal);
        Assert.Contains("/dev/nvidia-uvm", facts["message"], StringComparison.Ordinal);
        RequireNothingLeft(facts);

        // What failed while the driver was initialised is tried again, and everything works then.
        Assert.Equal(!isInitialised, facts.ContainsKey("again"));
        Assert.Equal(!isInitialised, facts.ContainsKey("passed"));
    }

    /// <summary>The same calls at a later use: half of the objects exist by then.</summary>
    [Theory]
    [InlineData("cuCtxPushCurrent_v2", 2)]
    [InlineData("cuCtxPushCurrent_v2", 3)]
    [InlineData("cuCtxPushCurrent_v2", 5)]
    [InlineData("cuCtxPopCurrent_v2", 2)]
    [InlineData("cuCtxPopCurrent_v2", 4)]
    [InlineData("cuCtxPopCurrent_v2", 6)]
    [InlineData("cuEventCreate", 2)]
    [InlineData("cuEventCreate", 3)]
    [InlineData("cuMemAddressReserve", 2)]
    [InlineData("cuMemMap", 2)]
    [InlineData("cuMemSetAccess", 2)]
    [InlineData("cuMemcpy2DAsync_v2", 3)]
    [InlineData("cuMemAlloc_v2", 2)]
    public void A_later_use_that_fails_loses_nothing_either(string call, int use)
    {
        Dictionary<string, string> facts = Run($"{call}:{use}:CUDA_ERROR_UNKNOWN");
        Assert.Equal(call, facts["call"]);
        RequireNothingLeft(facts);
    }

    [Theory]
    [MemberData(nameof(DestroyingCalls))]
    public void A_destruction_that_fails_is_no_error_and_the_rest_is_destroyed(string call)
    {
        Dictionary<string, string> facts = Run($"{call}:1:CUDA_ERROR_UNKNOWN");
        Assert.Equal("True", facts["passed"]);

        // The one that failed, and what cannot go without it: a mapping keeps its memory and its addresses.
        Assert.InRange(facts["descriptors"].Split(' ', StringSplitOptions.RemoveEmptyEntries).Length, 0, 2);
        int left = int.Parse(facts["live"], CultureInfo.InvariantCulture) + int.Parse(facts["lost"], CultureInfo.InvariantCulture);
        Assert.InRange(left, 1, 3);
    }

    [Theory]
    [MemberData(nameof(Advice))]
    public void The_text_says_what_to_do(string call, string code, string named, ErrorCode expected, string advice)
    {
        Dictionary<string, string> facts = Run($"{call}:1:{code}");
        Assert.Equal(call, facts["call"]);
        Assert.Equal(expected, Enum.Parse<ErrorCode>(facts["code"]));
        Assert.Contains(named, facts["message"], StringComparison.Ordinal);
        Assert.Contains(advice, facts["message"], StringComparison.Ordinal);

        // A broken context takes all with it at the end of the process only.
        bool isSticky = named is "(700," or "(719," or "(214,";
        Assert.Equal(isSticky, facts["sticky"] == "True");
        if (!isSticky)
        {
            RequireNothingLeft(facts);
        }
    }

    [Fact]
    public void A_driver_that_cannot_word_its_errors_leaves_the_number_and_our_name()
    {
        foreach (string call in Naming)
        {
            Dictionary<string, string> facts = Run($"{call}:*:CUDA_ERROR_UNKNOWN,cuMemAlloc_v2:1:CUDA_ERROR_OUT_OF_MEMORY");
            Assert.Contains("cuMemAlloc_v2 answered OutOfMemory (2).", facts["message"], StringComparison.Ordinal);
            RequireNothingLeft(facts);
        }
    }

    [Fact]
    public void Out_of_memory_is_told_even_when_the_free_memory_cannot_be_read()
    {
        Dictionary<string, string> facts = Run("cuMemGetInfo_v2:2:CUDA_ERROR_UNKNOWN,cuMemCreate:1:CUDA_ERROR_OUT_OF_MEMORY");
        Assert.Equal("cuMemCreate", facts["call"]);
        Assert.DoesNotContain("MiB free", facts["message"], StringComparison.Ordinal);
        RequireNothingLeft(facts);
    }

    [Fact]
    [Trait("needs", "gpu")]
    public void A_kernel_that_writes_astray_breaks_the_context_which_is_told_and_can_be_left()
    {
        using ChildProcess child = ChildProcess.StartWith(CudaProbe.Environment(), "cuda", "break");
        (int exitCode, string output) = child.Finish();
        Assert.Equal(0, exitCode);
        string[] lines = output.Split('\n');

        // The wait finds it, and every later call does again.
        Assert.Equal(2, lines.Count(line => line == "sticky: True"));
        Assert.Equal(2, lines.Count(line => line.StartsWith("message: ", StringComparison.Ordinal) &&
            line.Contains("restart the process. Other processes are not hurt.", StringComparison.Ordinal)));
    }

    private static IEnumerable<string> Destroying() => CudaNative.EntryPoints.Where(call =>
        call.Contains("Destroy", StringComparison.Ordinal) || call.Contains("Free", StringComparison.Ordinal) ||
        call.Contains("Unm", StringComparison.Ordinal) || call.Contains("Unregister", StringComparison.Ordinal) ||
        call.Contains("Unload", StringComparison.Ordinal) || call.Contains("Close", StringComparison.Ordinal) ||
        call.Contains("CtxRelease", StringComparison.Ordinal));

    private static void RequireNothingLeft(Dictionary<string, string> facts)
    {
        Assert.Equal("0", facts["live"]);
        Assert.Equal("0", facts["lost"]);
        Assert.Equal(string.Empty, facts["descriptors"]);
    }

    private Dictionary<string, string> Run(string fault)
    {
        // Operations that take longer than the stream is polled, so that the sleeping wait is used as well.
        using ChildProcess child = ChildProcess.StartWith(
            CudaProbe.Environment(("FAKECUDA_FAIL", fault), ("FAKECUDA_DELAY_US", "400-600")), _arguments);
        (int exitCode, string output) = child.Finish();
        Assert.True(exitCode == 0, $"The child ended with {exitCode} and said: {output}");
        return Facts.Parse(output);
    }
}
