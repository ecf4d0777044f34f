using System.Runtime.InteropServices;

namespace CuFrames.Benchmarks.Transport;

/// <summary>A pipeline from its text, with one element named "end" that the program feeds or empties.</summary>
internal sealed unsafe class GStreamerPipeline : IDisposable
{
    private readonly nint _pipeline;

    public GStreamerPipeline(string description)
    {
        GStreamerNative.Init(null, null);
        nint* error = null;
        _pipeline = GStreamerNative.ParseLaunch(description, &error);
        // GError: two 32-bit words, then the message.
        if (_pipeline == 0 || error is not null)
        {
            throw new InvalidOperationException($"GStreamer does not take '{description}': {(error is null ? "" : Marshal.PtrToStringUTF8(error[1]))}");
        }

        End = GStreamerNative.BinGetByName(_pipeline, "end");
    }

    public nint End { get; }

    public void Play()
    {
        // shmsink makes its socket, and shmsrc connects, in this call. A sink without data answers ASYNC (2), a live source NO_PREROLL (3).
        if (GStreamerNative.SetState(_pipeline, GStreamerNative.StatePlaying) == 0)
        {
            throw new InvalidOperationException("The pipeline does not start.");
        }
    }

    public void Dispose() => _ = GStreamerNative.SetState(_pipeline, GStreamerNative.StateNull);
}
