using CuFrames.Interop;

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

    /// <summary>
    /// The CUDA stream that frames are copied on: this source's own. Null before <see cref="Open"/>, and of a source that was made without a
    /// CUDA context.
    /// </summary>
    CudaStream? Stream { get; }

    /// <summary>Connects and probes. Once per object.</summary>
    /// <exception cref="MediaException">The source cannot be opened; the text says why and what to do.</exception>
    /// <exception cref="CudaException">The CUDA context gives no stream.</exception>
    void Open();

    /// <summary>
    /// Goes to the next frame. Waits for a live source, at most for its stall time-out, and before that for copies of the current frame that
    /// are still under way.
    /// </summary>
    /// <param name="frame">Describes the frame.</param>
    /// <returns>False at the end of the source.</returns>
    /// <exception cref="MediaException">The source was lost, or <see cref="Abort"/> was called.</exception>
    bool TryReadFrame(out MediaFrame frame);

    /// <summary>
    /// Writes the current frame into the caller's planes, cropped, in <see cref="MediaFrame.Format"/>. Bytes between the end of a
    /// row and the pitch are left alone. May be called more than once. A frame in device memory is brought to main memory, and waited for.
    /// </summary>
    /// <param name="planes">As many planes as the format has.</param>
    /// <exception cref="MediaException">There is no current frame, or the planes do not fit it.</exception>
    void CopyFrame(ReadOnlySpan<PicturePlane> planes);

    /// <summary>
    /// Writes the current frame into the caller's planes, scaled and converted from the decoder's own samples. May be called more than once. A frame
    /// in device memory is brought to main memory once for all calls.
    /// </summary>
    /// <param name="scaler">Knows size and format of the result.</param>
    /// <param name="planes">As many planes as the result has. Bytes between the end of a row and the pitch are left alone.</param>
    /// <exception cref="MediaException">There is no current frame, the planes do not fit, or the frame's format cannot be converted.</exception>
    void ScaleFrame(PictureScaler scaler, ReadOnlySpan<PicturePlane> planes);

    /// <summary>
    /// Enqueues on <see cref="Stream"/> the copying of the current frame, cropped, in <see cref="MediaFrame.Format"/>, into planes in device
    /// memory: one copy per plane, on the device if the frame is there already, else from pinned memory. Does not wait:
    /// <see cref="CudaStream.Synchronize"/> does, or publishing with the stream.
    /// </summary>
    /// <param name="planes">As many planes as the format has, in the context of <see cref="Stream"/>.</param>
    /// <exception cref="MediaException">There is no current frame, the planes do not fit it, or the source has no CUDA context.</exception>
    /// <exception cref="CudaException">The driver refused.</exception>
    void EnqueueCopy(ReadOnlySpan<CudaPlane> planes);

    /// <summary>
    /// Whether <see cref="EnqueueScale"/> has something to read: the current frame lies in a surface of the decoder, or <see cref="EnqueueCopy"/> was called
    /// for it.
    /// </summary>
    bool IsFrameOnDevice { get; }

    /// <summary>
    /// Enqueues on <see cref="Stream"/> the scaling and converting of the current frame into planes in device memory: one launch, which reads the decoder's
    /// surface, or, of a frame that was decoded in main memory, the planes of the last <see cref="EnqueueCopy"/>, which have to stay as they are until the
    /// work is done. Does not wait.
    /// </summary>
    /// <param name="scaler">Knows size and format of the result; of the context of <see cref="Stream"/>.</param>
    /// <param name="planes">As many planes as the result has.</param>
    /// <exception cref="MediaException"><see cref="IsFrameOnDevice"/> is false, the planes do not fit, or the frame's format cannot be converted.</exception>
    /// <exception cref="CudaException">The driver refused.</exception>
    void EnqueueScale(CudaPictureScaler scaler, ReadOnlySpan<CudaPlane> planes);

    /// <summary>Makes a waiting and every later call fail with <see cref="MediaError.Aborted"/>. Any thread, any time.</summary>
    void Abort();
}
