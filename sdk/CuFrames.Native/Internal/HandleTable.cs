using CuFrames.Protocol;

namespace CuFrames.Native.Internal;

/// <summary>
/// Objects behind handles that are not addresses. A handle is a kind, an index and a generation; one that was closed is never given out again
/// and never found.
/// </summary>
/// <remarks>
/// Looking up takes no lock: a slot holds one reference to an immutable entry, which carries its own handle, so a reader sees either the entry
/// that it asks for or another one. Slots and the array of them are written under the lock (release) and read by any thread (acquire).
/// </remarks>
/// <param name="kind">1 to 255, another one for each table: a handle of one is none of another.</param>
internal sealed class HandleTable<T>(byte kind)
    where T : class
{
    private const int KindBits = 8;
    private const int IndexBits = 20;
    private const int IndexMask = (1 << IndexBits) - 1;

    private readonly Lock _gate = new();
    private Entry?[] _entries = new Entry?[16];
    private ulong _generation;

    /// <summary>How many there are.</summary>
    public int Count { get; private set; }

    /// <summary>Gives an object a handle, which is never 0.</summary>
    public nuint Add(T value)
    {
        lock (_gate)
        {
            int index = Array.IndexOf(_entries, null);
            if (index < 0)
            {
                index = _entries.Length;
                if (index > IndexMask)
                {
                    throw new CuFramesException(ErrorCode.OutOfResources, $"{index} handles are open; close those that are not used any more.");
                }

                Entry?[] larger = new Entry?[index * 2];
                _entries.CopyTo(larger, 0);
                Volatile.Write(ref _entries, larger);
            }

            nuint handle = (nuint)((++_generation << (KindBits + IndexBits)) | ((ulong)index << KindBits) | kind);
            Volatile.Write(ref _entries[index], new Entry(handle, value));
            Count++;
            return handle;
        }
    }

    /// <summary>The object of a handle; null when there is none. Any thread, without a lock.</summary>
    public T? Find(nuint handle)
    {
        Entry?[] entries = Volatile.Read(ref _entries);
        int index = IndexOf(handle);
        return index < entries.Length && Volatile.Read(ref entries[index]) is { } entry && entry.Handle == handle ? entry.Value : null;
    }

    /// <summary>The object of a handle.</summary>
    /// <exception cref="LibraryException">INVALID_HANDLE.</exception>
    public T Require(nuint handle, string what) => Find(handle)
        ?? throw new LibraryException(LibraryError.InvalidHandle, $"This is no {what}'s handle, or the {what} was closed.");

    /// <summary>Takes a handle back.</summary>
    /// <returns>The object; null when there was none, or another thread was first.</returns>
    public T? Remove(nuint handle)
    {
        lock (_gate)
        {
            T? value = Find(handle);
            if (value is not null)
            {
                Volatile.Write(ref _entries[IndexOf(handle)], null);
                Count--;
            }

            return value;
        }
    }

    private static int IndexOf(nuint handle) => (int)(handle >> KindBits) & IndexMask;

    private sealed class Entry(nuint handle, T value)
    {
        public nuint Handle { get; } = handle;

        public T Value { get; } = value;
    }
}
