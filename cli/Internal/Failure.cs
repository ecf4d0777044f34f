using CuFrames.Control;
using CuFrames.Interop;
using CuFrames.Media;
using CuFrames.Protocol;

namespace CuFrames.Cli.Internal;

/// <summary>Says on standard error what went wrong, in one line that begins with the code's name, without the secrets of a URL.</summary>
internal static class Failure
{
    /// <summary>Reports an error.</summary>
    /// <param name="error">The error.</param>
    /// <param name="arguments">The command line: URLs in it may hold secrets.</param>
    /// <returns>The exit code.</returns>
    public static int Report(Exception error, IReadOnlyList<string> arguments)
    {
        if (error is RpcException call)
        {
            return Report(NameOf(call.Status), call.Message, ExitCode.Of(call.Status), arguments);
        }

        ErrorCode code = CodeOf(error);
        return code == ErrorCode.None
            ? Report("INTERNAL_ERROR", $"{error.GetType().Name}: {error.Message} Please report it.", ExitCode.Error, arguments)
            : Report(NameOf(code), error.Message, ExitCode.Of(code), arguments);
    }

    /// <summary>Reports a mistake on the command line.</summary>
    /// <inheritdoc cref="Report(Exception, IReadOnlyList{string})"/>
    public static int ReportUsage(string message, IReadOnlyList<string> arguments) =>
        Report("USAGE", message, ExitCode.Usage, arguments);

    /// <summary>Says that a daemon which was there has gone, and is waited for.</summary>
    public static void Remark(RpcException error) => Report(NameOf(error.Status), $"{error.Message} Waiting for it.", ExitCode.Success, []);

    /// <summary>The name of a status as gRPC writes it: <c>NOT_FOUND</c>.</summary>
    public static string NameOf(RpcStatus status) => JsonLine.SnakeCase(status.ToString()).ToUpperInvariant();

    /// <summary>The name of a code as docs/protocol.md writes it: <c>STREAM_NOT_FOUND</c>.</summary>
    public static string NameOf(ErrorCode code) => JsonLine.SnakeCase(code.ToString()).ToUpperInvariant();

    private static int Report(string name, string message, int exitCode, IReadOnlyList<string> arguments)
    {
        Output.Remark($"cuframes: {name}: {Redact(message.ReplaceLineEndings(" "), arguments)}");
        return exitCode;
    }

    private static ErrorCode CodeOf(Exception error) => error switch
    {
        CuFramesException cuFrames => cuFrames.Code,
        LinuxException => ErrorCode.SystemCallFailed,
        TimeoutException => ErrorCode.TimedOut,
        UnauthorizedAccessException => ErrorCode.AccessDenied,
        IOException => ErrorCode.SystemCallFailed,
        _ => ErrorCode.None,
    };

    private static string Redact(string message, IReadOnlyList<string> arguments)
    {
        foreach (string argument in arguments)
        {
            if (argument.Contains("://", StringComparison.Ordinal) && !argument.AsSpan().ContainsAnyInRange('\0', '\x1f'))
            {
                RedactedUrl url = new(argument);
                message = url.Redact(message.Replace(argument, url.Display, StringComparison.Ordinal));
            }
        }

        return message;
    }
}
