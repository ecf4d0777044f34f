namespace CuFrames.Media;

/// <summary>
/// Gives decoded frames one after the other: a camera or file (<see cref="MediaSource"/>) or the built-in pattern
/// (<see cref="TestPatternSource"/>). One thread at a time, only <see cref="Abort"/> may be called from any thread.
/// </summary>
public interface IPictureSource : IDisposable
{
    /// <summary>What was found; valid after <see cref="Open"/>.</summary>
    MediaInfo Info { get; }

    /// <summary>Video packets read so far.</summary>
    long Packets { get; }

    /// <summary>Bytes of these packets.</summary>
    long Bytes { get; }

    /// <summary>Errors that the decoder reported so far.</summary>
    long DecodeErrors { get; }

    /// <summary>Connects and probes. Once per object.</summary>
    /// <exception cref="MediaException">The source cannot be opened; the text says why and what to do.</exception>
    void Open();

    /// <summary>Goes to the next frame. Waits for a live source, at most for its stall time-out.</summary>
    /// <param name="frame">Describes the frame.</param>
    /// <returns>False at the end of the source.</returns>
    /// <exception cref="MediaException">The source was lost, or <see cref="Abort"/> was called.</exception>
    bool TryReadFrame(out MediaFrame frame);

    /// <summary>
    /// Writes the current frame into the caller's planes, cropped, in <see cref="MediaFrame.Format"/>. Bytes between the end of a
    /// row and the pitch are left alone. May be called more than once.
    /// </summary>
    /// <param name="planes">As many planes as the format has.</param>
    /// <exception cref="MediaException">There is no current frame, or the planes do not fit it.</exception>
    void CopyFrame(ReadOnlySpan<PicturePlane> planes);

    /// <summary>Makes a waiting and every later call fail with <see cref="MediaError.Aborted"/>. Any thread, any time.</summary>
    void Abort();
}
