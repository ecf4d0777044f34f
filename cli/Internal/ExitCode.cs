using CuFrames.Control;
using CuFrames.Protocol;

namespace CuFrames.Cli.Internal;

/// <summary>Exit codes of <c>cuframes</c>, documented in docs/cli.md.</summary>
internal static class ExitCode
{
    public const int Success = 0;
    public const int Error = 1;
    public const int Usage = 2;
    public const int NotFound = 3;
    public const int Refused = 4;
    public const int TimedOut = 5;

    /// <summary>What shells use for a program that SIGINT ended.</summary>
    public const int Interrupted = 130;

    /// <summary>What shells use for a program that SIGPIPE ended: whoever read its output has gone.</summary>
    public const int BrokenPipe = 141;

    public static int Of(RpcStatus status) => status switch
    {
        RpcStatus.InvalidArgument => Usage,
        RpcStatus.NotFound or RpcStatus.Unavailable => NotFound,
        RpcStatus.PermissionDenied or RpcStatus.Unauthenticated or RpcStatus.FailedPrecondition or RpcStatus.AlreadyExists => Refused,
        RpcStatus.DeadlineExceeded => TimedOut,
        RpcStatus.Cancelled => Interrupted,
        _ => Error,
    };

    public static int Of(ErrorCode code) => code switch
    {
        ErrorCode.InvalidKey or ErrorCode.ConfigurationInvalid => Usage,
        ErrorCode.StreamNotFound => NotFound,
        ErrorCode.AccessDenied or ErrorCode.AlreadyPublished or ErrorCode.DeliveryNotGranted or ErrorCode.DomainNotMappable or ErrorCode.CudaIpcNamespace or
            ErrorCode.TooManySubscribers or ErrorCode.VersionMismatch => Refused,
        ErrorCode.TimedOut or ErrorCode.HandshakeTimeout => TimedOut,
        _ => Error,
    };
}
