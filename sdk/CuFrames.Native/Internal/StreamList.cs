using System.Runtime.InteropServices;
using System.Text;
using CuFrames.Client;

namespace CuFrames.Native.Internal;

/// <summary>What a stream list's handle stands for: one block of memory, in which the structures come first and then their strings.</summary>
internal sealed unsafe class StreamList : IDisposable
{
    private NativeStreamInfo* _block;

    private StreamList(NativeStreamInfo* block, int count)
    {
        _block = block;
        Count = count;
    }

    public int Count { get; }

    /// <exception cref="OutOfMemoryException">There is no memory.</exception>
    public static StreamList Of(IReadOnlyList<StreamInfo> streams)
    {
        long size = (long)sizeof(NativeStreamInfo) * streams.Count;
        foreach (StreamInfo stream in streams)
        {
            foreach (string text in (string[])[stream.Key, stream.Program, stream.Source, stream.StateText, stream.Error])
            {
                size += Encoding.UTF8.GetByteCount(text) + 1;
            }
        }

        NativeStreamInfo* block = (NativeStreamInfo*)NativeMemory.AllocZeroed((nuint)Math.Max(size, 1));
        Span<byte> rest = new((byte*)(block + streams.Count), checked((int)(size - ((long)sizeof(NativeStreamInfo) * streams.Count))));
        for (int i = 0; i < streams.Count; i++)
        {
            Fill(ref block[i], streams[i], ref rest);
        }

        return new StreamList(block, streams.Count);
    }

    /// <summary>A stream; null beyond the end.</summary>
    public NativeStreamInfo* At(nuint index) => index < (nuint)Count ? _block + index : null;

    public void Dispose()
    {
        NativeMemory.Free(_block);
        _block = null;
    }

    private static void Fill(ref NativeStreamInfo info, StreamInfo stream, ref Span<byte> rest)
    {
        info.Key = Put(stream.Key, ref rest);
        info.Program = Put(stream.Program, ref rest);
        info.Source = Put(stream.Source, ref rest);
        info.StateText = Put(stream.StateText, ref rest);
        info.Error = Put(stream.Error, ref rest);
        info.ErrorCode = (uint)stream.ErrorCode;
        info.Epoch = stream.Epoch;
        info.Format.Size = (uint)sizeof(NativeFormat);
        if (stream.Description is not { } description)
        {
            return;
        }

        info.State = (uint)description.State;

        // enum cuframes_memory has the wire's values.
        info.Memory = (uint)description.Domain;
        info.Slots = (uint)description.Slots;
        info.MaxSlots = (uint)description.MaxSlots;
        info.Subscribers = (uint)description.Subscribers;
        info.Head = description.Head;
        info.Dropped = description.Dropped;
        info.Evicted = description.Evicted;
        info.MemoryBytes = description.MemoryBytes;
        info.Format = NativeConversions.FormatOf(description);
        fixed (byte* uuid = info.CudaDeviceUuid)
        {
            NativeConversions.Write(description.Device, uuid);
        }
    }

    /// <summary>Puts a string and its zero byte, which is there already, at the beginning of what is left of the block.</summary>
    private static byte* Put(string text, ref Span<byte> rest)
    {
        fixed (byte* place = rest)
        {
            // The block is no managed memory: its address stays.
            rest = rest[(Encoding.UTF8.GetBytes(text, rest) + 1)..];
            return place;
        }
    }
}
