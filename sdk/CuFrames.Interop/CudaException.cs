using System.Runtime.InteropServices;
using CuFrames.Interop.Internal;
using CuFrames.Protocol;

namespace CuFrames.Interop;

/// <summary>
/// A call to the CUDA driver failed, or the driver cannot be used. <see cref="Exception.Message"/> says what was tried, which call
/// failed, the driver's name and number of the code, and what to do.
/// </summary>
/// <remarks>
/// The code is <see cref="ErrorCode.OutOfResources"/> when memory ran out, <see cref="ErrorCode.CudaIpcNamespace"/> when a legacy handle
/// was refused because of equal process numbers, <see cref="ErrorCode.CudaUnavailable"/> when the driver cannot be used at all, and
/// <see cref="ErrorCode.CudaCallFailed"/> otherwise.
/// </remarks>
public sealed class CudaException : CuFramesException
{
    /// <summary>Describes a failed call.</summary>
    /// <param name="call">The call, as the driver exports it: <c>cuMemCreate</c>.</param>
    /// <param name="result">What it returned.</param>
    /// <param name="attempt">What was tried, as the middle of a sentence: <c>allocate 8,388,608 bytes on device 0</c>.</param>
    public CudaException(string call, CudaResult result, string attempt)
        : base(CodeOf(call, result), Describe(call, result, attempt))
    {
        Call = call;
        Result = result;
    }

    private CudaException(ErrorCode code, string call, CudaResult result, string message)
        : base(code, message)
    {
        Call = call;
        Result = result;
    }

    /// <summary>The call that failed, as the driver exports it; <c>dlopen</c> when there is no driver.</summary>
    public string Call { get; }

    /// <summary>What the call returned.</summary>
    public CudaResult Result { get; }

    /// <summary>
    /// Whether the context is broken: every later call in it fails too, and only a new process helps. Other processes are not hurt.
    /// </summary>
    public bool IsSticky => Result is CudaResult.EccUncorrectable or CudaResult.NvlinkUncorrectable or CudaResult.Contained
        or CudaResult.IllegalAddress or CudaResult.LaunchTimeout or CudaResult.ContextIsDestroyed or CudaResult.Assert
        or (>= CudaResult.HardwareStackError and <= CudaResult.LaunchFailed)
        or CudaResult.TensorMemoryLeak or CudaResult.MpsClientTerminated;

    /// <summary>The driver cannot be used, for the reason that this sentence gives.</summary>
    internal static CudaException Unavailable(string call, CudaResult result, string sentence) =>
        new(ErrorCode.CudaUnavailable, call, result, sentence);

    /// <summary>What a code means: the driver's name, number and text of it.</summary>
    internal static unsafe string Explain(CudaResult result)
    {
        byte* name = null;
        byte* text = null;
        if (CudaDriver.IsLoaded &&
            CudaNative.GetErrorName(result, &name) == CudaResult.Success && name != null &&
            CudaNative.GetErrorText(result, &text) == CudaResult.Success && text != null)
        {
            return $"{Marshal.PtrToStringUTF8((nint)name)} ({(int)result}, {Marshal.PtrToStringUTF8((nint)text)})";
        }

        return Enum.IsDefined(result) ? $"{result} ({(int)result})" : $"code {(int)result}";
    }

    private static ErrorCode CodeOf(string call, CudaResult result) => result switch
    {
        CudaResult.OutOfMemory => ErrorCode.OutOfResources,
        CudaResult.InvalidContext when CudaAdvice.OpensLegacyHandle(call) => ErrorCode.CudaIpcNamespace,
        _ => ErrorCode.CudaCallFailed,
    };

    private static string Describe(string call, CudaResult result, string attempt)
    {
        string text = $"Cannot {attempt}: {call} answered {Explain(result)}.";
        string? advice = CudaAdvice.For(call, result);
        return advice is null ? text : $"{text} {advice}";
    }
}
