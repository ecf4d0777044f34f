using System.Threading.Channels;
using CuFrames.Client;
using CuFrames.Control;
using CuFrames.Control.Internal;
using CuFrames.Control.V1;
using CuFrames.Media;
using CuFrames.Protocol;
using Google.Protobuf;

namespace CuFrames.Daemon.Internal.Control;

/// <summary>Takes pictures of streams, as one of their readers: a camera that decodes on demand begins to. Any thread.</summary>
internal sealed class SnapshotTaker
{
    /// <summary>Pictures that are made side by side. Each takes some 10 times its pixels of memory, and a core.</summary>
    private const int MaxAtOnce = 2;

    /// <summary>Those that may wait for one of these, or for their caller to take them: a picture is some megabytes until then.</summary>
    private const int MaxWaiting = 16;

    private const string Program = "cuframesd snapshot";

    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(10);

    /// <summary>Has an item for each picture that is made now: whoever wants to begin puts one in, and waits for room.</summary>
    private readonly Channel<bool> _places = Channel.CreateBounded<bool>(MaxAtOnce);

    /// <summary>Counted up and down by every caller, with Interlocked.</summary>
    private int _callers;

    /// <summary>Takes a picture.</summary>
    /// <param name="request">Of what, and how.</param>
    /// <param name="directory">The runtime directory of the stream.</param>
    /// <param name="call">Gives up, and keeps the picture's place until its end.</param>
    /// <exception cref="RpcException">There is none: why.</exception>
    internal async Task<Snapshot> TakeAsync(TakeSnapshotRequest request, string directory, RpcCall call)
    {
        call.Ended = () => Interlocked.Decrement(ref _callers);
        if (Interlocked.Increment(ref _callers) > MaxAtOnce + MaxWaiting)
        {
            throw new RpcException(
                RpcStatus.ResourceExhausted,
                $"{MaxAtOnce + MaxWaiting} snapshots are being taken, or wait for that or for their callers to take them. Try again, or read the stream or one of its taps.");
        }

        await _places.Writer.WriteAsync(true, call.Cancellation).ConfigureAwait(false);
        try
        {
            return await Task.Run(() => TakeOneAsync(request, directory, call.Cancellation), call.Cancellation).ConfigureAwait(false);
        }
        finally
        {
            _places.Reader.TryRead(out _);
        }
    }

    private static async Task<Snapshot> TakeOneAsync(TakeSnapshotRequest request, string directory, CancellationToken cancellation)
    {
        using CancellationTokenSource late = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        late.CancelAfter(LongestWait);
        try
        {
            using FrameSubscriber subscriber = FrameSubscriber.Connect(
                request.Stream, new SubscriberOptions { Directory = directory, Leases = 1, Reconnect = false, Program = Program });
            ulong sequence;
            FramePicture picture;
            using (Frame frame = await subscriber.NextAsync(late.Token).ConfigureAwait(false))
            {
                sequence = frame.Sequence;
                picture = FramePicture.Of(frame, (int)request.MaxWidth);
            }

            bool isPng = request.Format == PictureFormat.Png;
            byte[] content = isPng ? picture.ToPng() : picture.ToJpeg();
            Snapshot snapshot = new()
            {
                Picture = UnsafeByteOperations.UnsafeWrap(content),
                ContentType = isPng ? "image/png" : "image/jpeg",
                Width = (uint)picture.Width,
                Height = (uint)picture.Height,
                Sequence = sequence,
            };
            return snapshot.CalculateSize() <= RpcWire.MaxSnapshotBytes
                ? snapshot
                : throw new RpcException(
                    RpcStatus.ResourceExhausted,
                    $"The picture has {content.Length} bytes, and an answer at most {RpcWire.MaxSnapshotBytes}. Ask for JPEG, or for a smaller width with max_width.");
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new RpcException(RpcStatus.Unavailable, $"No frame of '{request.Stream}' came within {LongestWait.TotalSeconds:0} s. ListCameras says what its camera does.");
        }
        catch (Exception error) when (error is StreamUnavailableException or CuFramesException { Code: ErrorCode.StreamNotFound })
        {
            throw new RpcException(RpcStatus.Unavailable, error.Message, error);
        }
        catch (Exception error) when (error is CuFramesException)
        {
            throw new RpcException(RpcStatus.FailedPrecondition, $"No picture can be made of '{request.Stream}': {error.Message}", error);
        }
    }
}
