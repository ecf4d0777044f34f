namespace CuFrames.Benchmarks.Transport;

/// <summary>
/// GStreamer's shmsink and shmsrc. The producer's buffers go in through appsrc and are copied once, by shmsink into its shared
/// memory; readers get the shared memory itself out of appsink. Its memory holds as many frames as a CuFrames ring begins with.
/// </summary>
internal static class GStreamerTransport
{
    private const int Frames = 6;
    private const ulong Patience = 30_000_000_000;

    public static string SocketIn(string directory) => Path.Combine(directory, "shm");

    public sealed class Writer : ITransportWriter
    {
        private readonly GStreamerPipeline _pipeline;
        private readonly nint _source;

        public Writer(string directory)
        {
            _pipeline = new GStreamerPipeline(
                $"appsrc name=end block=true max-bytes={TestFrames.Bytes} ! " +
                $"shmsink socket-path={SocketIn(directory)} shm-size={(long)Frames * (TestFrames.Bytes + 4096)} wait-for-connection=false sync=false async=false");
            _source = _pipeline.End;
            _pipeline.Play();
        }

        public unsafe void Write(byte* frame)
        {
            nint buffer = GStreamerNative.BufferNewWrapped(
                GStreamerNative.MemoryReadOnly, frame, TestFrames.Bytes, 0, TestFrames.Bytes, 0, 0);
            int result = GStreamerNative.PushBuffer(_source, buffer);
            if (result != 0)
            {
                throw new InvalidOperationException($"shmsink refused a frame (flow {result}).");
            }
        }

        public void Dispose() => _pipeline.Dispose();
    }

    public sealed class Reader : ITransportReader
    {
        private readonly GStreamerPipeline _pipeline;
        private readonly nint _sink;

        public Reader(string directory)
        {
            _pipeline = new GStreamerPipeline(
                $"shmsrc socket-path={SocketIn(directory)} is-live=true ! appsink name=end sync=false max-buffers=2 drop=false emit-signals=false");
            _sink = _pipeline.End;
            _pipeline.Play();
        }

        public unsafe long Read(bool touch, out long sum)
        {
            nint sample = GStreamerNative.TryPullSample(_sink, Patience);
            if (sample == 0)
            {
                throw new TimeoutException("No frame came out of shmsrc.");
            }

            nint buffer = GStreamerNative.SampleGetBuffer(sample);
            GStreamerNative.MapInfo map;
            if (GStreamerNative.BufferMap(buffer, &map, GStreamerNative.MapRead) == 0 || map.Size != TestFrames.Bytes)
            {
                throw new InvalidDataException($"shmsrc gave a buffer that is not one frame of {TestFrames.Bytes} bytes.");
            }

            sum = touch ? TestFrames.Touch(new ReadOnlySpan<byte>(map.Data, TestFrames.Bytes), true) : 0;
            long number = *(long*)map.Data;
            GStreamerNative.BufferUnmap(buffer, &map);
            GStreamerNative.MiniObjectUnref(sample);
            return number;
        }

        public void Dispose() => _pipeline.Dispose();
    }
}
