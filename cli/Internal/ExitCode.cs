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
