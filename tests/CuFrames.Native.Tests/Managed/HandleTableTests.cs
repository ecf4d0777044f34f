using CuFrames.Native.Internal;

namespace CuFrames.Native.Tests.Managed;

/// <summary>Handles that are not addresses.</summary>
public sealed class HandleTableTests
{
    [Fact]
    public void A_handle_finds_its_object_until_it_is_removed_and_never_comes_again()
    {
        HandleTable<string> table = new(HandleKind.Subscriber);
        HashSet<nuint> seen = [];
        for (int round = 0; round < 1000; round++)
        {
            nuint handle = table.Add($"object {round}");
            Assert.True(seen.Add(handle));
            Assert.NotEqual(0u, handle);
            Assert.Equal($"object {round}", table.Find(handle));
            Assert.Equal($"object {round}", table.Remove(handle));
            Assert.Null(table.Remove(handle));
            Assert.Equal(LibraryError.InvalidHandle, Assert.Throws<LibraryException>(() => table.Require(handle, "string")).Code);
        }

        Assert.All(seen, handle => Assert.Null(table.Find(handle)));
        Assert.Equal(0, table.Count);
    }

    [Fact]
    public void It_grows_and_finds_all()
    {
        HandleTable<object> table = new(HandleKind.Publisher);
        Dictionary<nuint, object> all = [];
        for (int index = 0; index < 1000; index++)
        {
            object value = new();
            all.Add(table.Add(value), value);
        }

        Assert.All(all, pair => Assert.Same(pair.Value, table.Find(pair.Key)));
        Assert.Equal(1000, table.Count);
    }

    [Fact]
    public void Numbers_that_are_no_handles_are_not_found()
    {
        HandleTable<object> table = new(HandleKind.Subscriber);
        nuint handle = table.Add(new object());
        for (int bit = 0; bit < 64; bit++)
        {
            Assert.Null(table.Find(handle ^ ((nuint)1 << bit)));
        }

        Assert.Null(table.Find(0));
        Assert.Null(table.Find(nuint.MaxValue));
        Assert.Null(new HandleTable<object>(HandleKind.Publisher).Find(handle));
    }

    [Fact]
    public async Task Looking_up_beside_adding_and_removing_finds_the_right_one_or_none()
    {
        HandleTable<Named> table = new(HandleKind.StreamList);
        nuint latest = 0;
        bool isOver = false;
        long found = 0;
        Task[] readers = [.. Enumerable.Range(0, 3).Select(_ => Task.Factory.StartNew(() =>
        {
            while (!Volatile.Read(ref isOver))
            {
                nuint handle = Volatile.Read(ref latest);
                if (table.Find(handle) is { } value)
                {
                    // Written after Add has returned: 0 when the reader was quicker.
                    nuint own = Volatile.Read(ref value.Handle);
                    Assert.True(own == handle || own == 0, $"{handle} led to the object of {own}.");
                    Interlocked.Increment(ref found);
                }
            }
        }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))];
        for (int round = 0; (round < 200_000 || Interlocked.Read(ref found) < 1000) && !readers.Any(reader => reader.IsFaulted); round++)
        {
            Named value = new();
            nuint handle = table.Add(value);
            Volatile.Write(ref value.Handle, handle);
            Volatile.Write(ref latest, handle);
            Assert.Same(value, table.Remove(handle));
        }

        Volatile.Write(ref isOver, true);
        await Task.WhenAll(readers);
    }

    private sealed class Named
    {
        public nuint Handle;
    }
}
