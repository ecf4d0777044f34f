using System.Runtime.InteropServices;

namespace CuFrames.Benchmarks.Transport;

/// <summary>
/// Raw video through a pipe for each reader, as recorders get it from ffmpeg: the producer writes the whole frame to every pipe, a
/// reader reads exactly a frame's bytes. Pipes have the kernel's default size.
/// </summary>
internal static class PipeTransport
{
    public static string PathOf(string directory, int reader) => Path.Combine(directory, $"pipe-{reader}");

    public sealed class Writer(string directory, int readers) : ITransportWriter
    {
        // Opening waits for the reader's end.
        private readonly FileStream[] _pipes =
            [.. Enumerable.Range(0, readers).Select(reader => new FileStream(PathOf(directory, reader), FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0))];

        public unsafe void Write(byte* frame)
        {
            foreach (FileStream pipe in _pipes)
            {
                pipe.Write(new ReadOnlySpan<byte>(frame, TestFrames.Bytes));
            }
        }

        public void Dispose()
        {
            foreach (FileStream pipe in _pipes)
            {
                pipe.Dispose();
            }
        }
    }

    public sealed unsafe class Reader(string directory, int reader) : ITransportReader
    {
        private readonly FileStream _pipe = new(PathOf(directory, reader), FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
        private readonly byte* _buffer = (byte*)NativeMemory.AlignedAlloc(TestFrames.Bytes, 4096);

        public long Read(bool touch, out long sum)
        {
            _pipe.ReadExactly(new Span<byte>(_buffer, TestFrames.Bytes));
            sum = touch ? TestFrames.Touch(new ReadOnlySpan<byte>(_buffer, TestFrames.Bytes), true) : 0;
            return *(long*)_buffer;
        }

        public void Dispose()
        {
            _pipe.Dispose();
            NativeMemory.AlignedFree(_buffer);
        }
    }
}
