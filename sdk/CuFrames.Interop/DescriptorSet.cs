using System.Runtime.CompilerServices;
using CuFrames.Interop.Internal;

namespace CuFrames.Interop;

/// <summary>
/// Owns the descriptors that came with one packet. What is not taken is closed: by the next receive call, by
/// <see cref="Clear"/>, <see cref="Dispose"/> or the finalizer. Make one per connection and use it for every packet;
/// only <see cref="Take"/> allocates. For one thread at a time.
/// </summary>
public sealed class DescriptorSet : IDisposable
{
    /// <summary>The most descriptors that a packet may carry (docs/protocol.md).</summary>
    public const int Capacity = 16;

    private Numbers _numbers;
    private bool _disposed;

    /// <summary>Closes what is left if nobody disposed the set.</summary>
    ~DescriptorSet() => Clear();

    /// <summary>Number of descriptors that the packet carried, taken ones included.</summary>
    public int Count { get; private set; }

    /// <summary>Hands a descriptor over to the caller.</summary>
    /// <param name="index">Position in the packet, from 0.</param>
    /// <returns>The descriptor; the caller owns it.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The packet carried fewer.</exception>
    /// <exception cref="InvalidOperationException">This one was taken before.</exception>
    public FileDescriptor Take(int index)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count);
        if (_numbers[index] < 0)
        {
            throw new InvalidOperationException($"Descriptor {index} of the packet has been taken already.");
        }

        var owner = new FileDescriptor();
        owner.Adopt(_numbers[index]);
        _numbers[index] = -1;
        return owner;
    }

    /// <summary>Closes every descriptor that was not taken and makes the set empty.</summary>
    public void Clear()
    {
        for (int i = 0; i < Count; i++)
        {
            if (_numbers[i] >= 0)
            {
                _ = LibC.Close(_numbers[i]);
            }
        }

        Count = 0;
    }

    /// <summary>Closes every descriptor that was not taken, for good.</summary>
    public void Dispose()
    {
        _disposed = true;
        Clear();
        GC.SuppressFinalize(this);
    }

    /// <summary>
    /// Refuses a set that could no longer own anything. To be called before the kernel hands out descriptors.
    /// </summary>
    internal void ThrowIfDisposed() => ObjectDisposedException.ThrowIf(_disposed, this);

    /// <summary>Puts a descriptor under the care of the set. Neither allocates nor throws.</summary>
    /// <returns>False if the set is full: the descriptor has been closed.</returns>
    internal bool Adopt(int number)
    {
        if (Count == Capacity)
        {
            _ = LibC.Close(number);
            return false;
        }

        _numbers[Count++] = number;
        return true;
    }

    [InlineArray(Capacity)]
    private struct Numbers
    {
        private int _first;
    }
}
