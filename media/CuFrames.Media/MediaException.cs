using CuFrames.Protocol;

namespace CuFrames.Media;

/// <summary>A camera, file or picture could not be read, decoded or encoded. The text holds no secret of the URL.</summary>
public sealed class MediaException : CuFramesException
{
    /// <summary>Makes an error.</summary>
    /// <param name="error">What went wrong.</param>
    /// <param name="message">What was tried, what was found, what to do.</param>
    /// <param name="innerException">What caused it.</param>
    public MediaException(MediaError error, string message, Exception? innerException = null)
        : base(CodeOf(error), message, innerException) => Error = error;

    /// <summary>What went wrong, finer than <see cref="CuFramesException.Code"/>.</summary>
    public MediaError Error { get; }

    private static ErrorCode CodeOf(MediaError error) => error switch
    {
        MediaError.OutOfMemory or MediaError.NotAdmitted => ErrorCode.OutOfResources,
        MediaError.InvalidArgument => ErrorCode.ConfigurationInvalid,
        MediaError.UnsupportedFormat or MediaError.NotCarried or MediaError.ParametersChanged => ErrorCode.FormatUnsupported,
        _ => ErrorCode.SourceFailed,
    };
}
