using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Native.Internal;
using CuFrames.Protocol;

namespace CuFrames.Native.Tests.Managed;

/// <summary>Exceptions become codes and sentences.</summary>
public sealed class FailureTests
{
    [ThreadStatic]
    private static string? _sentence;

    public static TheoryData<Exception, int> Exceptions => new()
    {
        { new CuFramesException(ErrorCode.InvalidKey, "no key"), 5 },
        { new StreamUnavailableException(ErrorCode.TooManySubscribers, "too many"), 9 },
        { new ProtocolException(ErrorCode.PageInvalid, "a page"), 15 },
        { new FrameLostException("lost"), 24 },
        { new CudaException("cuMemMap", CudaResult.InvalidValue, "map"), 33 },
        { new CudaException("cuMemCreate", CudaResult.OutOfMemory, "allocate"), 20 },
        { new LibraryException(LibraryError.WrongState, "state"), 1006 },
        { new TimeoutException("late"), 26 },
        { new ArgumentOutOfRangeException("plane", "no such plane"), 1000 },
        { new ObjectDisposedException("it"), 1001 },
        { new LinuxException("socket", Errno.EMFILE, "open a socket"), 20 },
        { new LinuxException("connect", Errno.ECONNREFUSED, "connect"), 30 },
        { new InsufficientExecutionStackException("deep"), 1007 },
    };

    [Theory]
    [MemberData(nameof(Exceptions))]
    public unsafe void Every_exception_has_a_code_and_its_sentence(Exception error, int code)
    {
        Failure.Use(&Keep);
        try
        {
            Assert.Equal(code, Failure.Of(error));
            Assert.Contains(error.Message, _sentence, StringComparison.Ordinal);
        }
        finally
        {
            Failure.Use(null);
        }
    }

    [Fact]
    public unsafe void A_long_sentence_is_cut_between_characters()
    {
        Failure.Use(&Keep);
        try
        {
            string longText = string.Concat(Enumerable.Repeat("für 日本 ", 1000));
            _ = Failure.Of(new CuFramesException(ErrorCode.InvalidKey, longText));
            Assert.StartsWith(_sentence!, longText, StringComparison.Ordinal);
            Assert.InRange(_sentence!.Length, 600, 2048);
        }
        finally
        {
            Failure.Use(null);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static unsafe void Keep(byte* text, nuint length) => _sentence = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(text, (int)length);
}
