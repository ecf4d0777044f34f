using CuFrames.Protocol;
using Xunit;

namespace CuFrames.Interop.Tests;

public class CudaExceptionTests
{
    [Fact]
    public void The_text_names_attempt_call_code_and_advice()
    {
        var error = new CudaException("cuMemMap", CudaResult.InvalidValue, "map 5 bytes");
        Assert.Equal("cuMemMap", error.Call);
        Assert.Equal(CudaResult.InvalidValue, error.Result);
        Assert.Equal(ErrorCode.CudaCallFailed, error.Code);
        Assert.StartsWith("Cannot map 5 bytes: cuMemMap answered ", error.Message, StringComparison.Ordinal);
        Assert.IsAssignableFrom<CuFramesException>(error);
    }

    [Fact]
    public void A_code_that_nobody_knows_keeps_its_number()
    {
        var error = new CudaException("cuInit", (CudaResult)54321, "do something");
        Assert.EndsWith(": cuInit answered code 54321.", error.Message, StringComparison.Ordinal);
        Assert.False(error.IsSticky);
    }

    /// <summary>The driver API's manual: these leave the process in an inconsistent state, to be ended and started anew.</summary>
    [Fact]
    public void Codes_that_break_the_context_are_told_apart()
    {
        int[] sticky = [214, 220, 226, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719, 721, 810];
        for (int code = 0; code <= 1000; code++)
        {
            var error = new CudaException("cuStreamQuery", (CudaResult)code, "wait");
            Assert.True(error.IsSticky == sticky.Contains(code), $"code {code}");
            Assert.Equal(error.IsSticky, error.Message.Contains("restart the process", StringComparison.Ordinal));
        }
    }

    [Fact]
    public void Every_code_with_a_name_has_its_number_in_the_text()
    {
        foreach (CudaResult result in Enum.GetValues<CudaResult>())
        {
            Assert.Contains($"({(int)result}", new CudaException("cuInit", result, "start").Message, StringComparison.Ordinal);
        }
    }
}
