using System.Buffers.Binary;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Interop.Tests;

public sealed class DescriptorPassingTests : IDisposable
{
    private const int FileSize = 4096;

    private readonly UnixSocket _sender;
    private readonly UnixSocket _receiver;
    private readonly DescriptorSet _received = new();
    private readonly byte[] _buffer = new byte[64];

    public DescriptorPassingTests() => (_sender, _receiver) = UnixSocket.CreatePair();

    public void Dispose()
    {
        _received.Dispose();
        _sender.Dispose();
        _receiver.Dispose();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(15)]
    [InlineData(16)]
    public void Descriptors_arrive_whole_in_order_and_close_on_exec(int count)
    {
        SortedSet<int> before = Descriptors.Baseline();
        FileDescriptor[] files = CreateFiles(count);

        Assert.Equal(SendStatus.Sent, _sender.Send([1, 2, 3], files));
        ReceiveResult result = _receiver.Receive(_buffer, _received);

        Assert.Equal(ReceiveStatus.Received, result.Status);
        Assert.Equal([1, 2, 3], _buffer[..result.Length]);
        Assert.Equal(count, _received.Count);
        for (int i = 0; i < count; i++)
        {
            using FileDescriptor file = _received.Take(i);
            Assert.True(file.Stat().IsSameFileAs(files[i].Stat()));
            Assert.NotEqual(files[i].Number, file.Number);
            Assert.True(Descriptors.IsCloseOnExec(file));
            using MemoryMapping mapping = MemoryMapping.Map(file, FileSize, MappingAccess.ReadOnly);
            Assert.Equal(i + 1, BinaryPrimitives.ReadInt32LittleEndian(mapping.ReadOnlySlice(0, sizeof(int))));
        }

        DisposeAll(files);
        Descriptors.RequireOpen(before);
    }

    [Fact]
    public void Seventeen_descriptors_are_refused_by_the_sender_and_nothing_is_sent()
    {
        FileDescriptor[] files = CreateFiles(17);

        var exception = Assert.Throws<ArgumentException>(() => _sender.Send([1], files));

        Assert.Contains("at most 16 descriptors, not 17", exception.Message, StringComparison.Ordinal);
        Assert.Equal(ReceiveStatus.WouldBlock, _receiver.Receive(_buffer, _received).Status);
        DisposeAll(files);
    }

    [Theory]
    [InlineData(17)]
    [InlineData(18)]
    [InlineData(64)]
    [InlineData(253)]
    public void Too_many_descriptors_are_all_closed_and_reported(int count)
    {
        SortedSet<int> clean = Descriptors.Baseline();
        FileDescriptor[] files = CreateFiles(count);
        SortedSet<int> before = Descriptors.Open();
        int open = 0;
        for (int round = 0; round < 1000; round++)
        {
            Assert.True(RawSocket.Send(_sender, [1, 2], files));
            ReceiveResult result = _receiver.Receive(_buffer, _received);

            Assert.Equal(ReceiveStatus.ControlTruncated, result.Status);
            Assert.Equal(0, _received.Count);
            open = round == 0 ? Descriptors.CountMemoryFiles() : open;
            Assert.Equal(open, Descriptors.CountMemoryFiles());
        }

        Descriptors.RequireOpen(before);
        DisposeAll(files);
        Descriptors.RequireOpen(clean);

        // The connection itself is in order.
        Assert.Equal(SendStatus.Sent, _sender.TrySendSmall([9]));
        Assert.Equal(ReceiveStatus.Received, _receiver.Receive(_buffer, _received).Status);
    }

    [Fact]
    public void Several_control_messages_in_one_packet_lose_nothing()
    {
        SortedSet<int> clean = Descriptors.Baseline();
        FileDescriptor[] files = CreateFiles(17);
        SortedSet<int> before = Descriptors.Open();

        Assert.True(RawSocket.Send(_sender, [1], files[..5], files[5..12], files[12..16]));
        Assert.Equal(ReceiveStatus.Received, _receiver.Receive(_buffer, _received).Status);
        Assert.Equal(16, _received.Count);
        for (int i = 0; i < 16; i++)
        {
            using FileDescriptor file = _received.Take(i);
            Assert.True(file.Stat().IsSameFileAs(files[i].Stat()));
        }

        Assert.True(RawSocket.Send(_sender, [1], files[..16], files[16..]));
        Assert.Equal(ReceiveStatus.ControlTruncated, _receiver.Receive(_buffer, _received).Status);
        Descriptors.RequireOpen(before);
        DisposeAll(files);
        Descriptors.RequireOpen(clean);
    }

    [Fact]
    public void The_descriptors_of_a_packet_that_is_too_long_are_closed()
    {
        SortedSet<int> clean = Descriptors.Baseline();
        FileDescriptor[] files = CreateFiles(16);
        SortedSet<int> before = Descriptors.Open();
        int open = 0;
        for (int round = 0; round < 1000; round++)
        {
            Assert.Equal(SendStatus.Sent, _sender.Send(new byte[_buffer.Length + 1], files));
            ReceiveResult result = _receiver.Receive(_buffer, _received);

            Assert.Equal(ReceiveStatus.Truncated, result.Status);
            Assert.Equal(_buffer.Length, result.Length);
            open = round == 0 ? Descriptors.CountMemoryFiles() : open;
            Assert.Equal(open, Descriptors.CountMemoryFiles());
        }

        Assert.Equal(SendStatus.Sent, _sender.Send(new byte[_buffer.Length], files));
        Assert.Equal(ReceiveStatus.Received, _receiver.Receive(_buffer, _received).Status);
        Assert.Equal(16, _received.Count);
        _received.Clear();
        DisposeAll(files);
        Descriptors.RequireOpen(clean);
    }

    [Fact]
    public void An_empty_packet_reads_as_hang_up_and_its_descriptors_are_closed()
    {
        SortedSet<int> clean = Descriptors.Baseline();
        FileDescriptor[] files = CreateFiles(3);
        SortedSet<int> before = Descriptors.Open();

        Assert.True(RawSocket.Send(_sender, [], files));

        Assert.Equal(ReceiveStatus.PeerGone, _receiver.Receive(_buffer, _received).Status);
        Descriptors.RequireOpen(before);
        DisposeAll(files);
        Descriptors.RequireOpen(clean);
        Assert.Throws<ArgumentException>(() => _sender.Send([], []));
        Assert.Throws<ArgumentException>(() => _sender.TrySendSmall([]));
    }

    [Fact]
    public void What_is_not_taken_is_closed_by_the_next_packet_and_by_dispose()
    {
        SortedSet<int> clean = Descriptors.Baseline();
        FileDescriptor[] files = CreateFiles(4);
        SortedSet<int> before = Descriptors.Open();
        Assert.Equal(SendStatus.Sent, _sender.Send([1], files));
        Assert.Equal(SendStatus.Sent, _sender.Send([2], files));
        Assert.Equal(ReceiveStatus.Received, _receiver.Receive(_buffer, _received).Status);
        Assert.Equal(before.Count + 4, Descriptors.Open().Count);
        FileDescriptor taken = _received.Take(2);

        Assert.Equal(ReceiveStatus.Received, _receiver.Receive(_buffer, _received).Status);
        Assert.Equal(before.Count + 5, Descriptors.Open().Count);
        Assert.True(taken.Stat().IsSameFileAs(files[2].Stat()));
        _received.Dispose();
        Assert.Equal(before.Count + 1, Descriptors.Open().Count);
        taken.Dispose();

        Descriptors.RequireOpen(before);
        Assert.Throws<ObjectDisposedException>(() => _receiver.Receive(_buffer, _received));
        Assert.Throws<ObjectDisposedException>(() => _received.Take(0));
        DisposeAll(files);
        Descriptors.RequireOpen(clean);
    }

    [Fact]
    public void A_descriptor_is_taken_once()
    {
        FileDescriptor[] files = CreateFiles(2);
        Assert.Equal(SendStatus.Sent, _sender.Send([1], files));
        Assert.Equal(ReceiveStatus.Received, _receiver.Receive(_buffer, _received).Status);

        using FileDescriptor first = _received.Take(0);

        Assert.Throws<InvalidOperationException>(() => _received.Take(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => _received.Take(2));
        Assert.Throws<ArgumentOutOfRangeException>(() => _received.Take(-1));
        DisposeAll(files);
    }

    [Fact]
    public void A_forgotten_set_is_closed_by_the_finalizer()
    {
        SortedSet<int> clean = Descriptors.Baseline();
        FileDescriptor[] files = CreateFiles(2);
        SortedSet<int> before = Descriptors.Open();
        ReceiveAndForget(files);
        for (int i = 0; i < 3; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        Descriptors.RequireOpen(before);
        DisposeAll(files);
        Descriptors.RequireOpen(clean);

        void ReceiveAndForget(FileDescriptor[] files)
        {
            Assert.Equal(SendStatus.Sent, _sender.Send([1], files));
            Assert.Equal(ReceiveStatus.Received, _receiver.Receive(_buffer, new DescriptorSet()).Status);
            Assert.Equal(before.Count + 2, Descriptors.Open().Count);
        }
    }

    [Fact]
    public void Descriptors_on_their_way_die_with_the_connection()
    {
        SortedSet<int> clean = Descriptors.Baseline();
        (UnixSocket sender, UnixSocket receiver) = UnixSocket.CreatePair();
        FileDescriptor[] files = CreateFiles(3);
        Assert.Equal(SendStatus.Sent, sender.Send([1], files));
        DisposeAll(files);
        sender.Dispose();

        // What was sent before the hang-up is still delivered.
        Assert.Equal(ReceiveStatus.Received, receiver.Receive(_buffer, _received).Status);
        Assert.Equal(3, _received.Count);
        Assert.Equal(ReceiveStatus.PeerGone, receiver.Receive(_buffer, _received).Status);
        receiver.Dispose();
        Descriptors.RequireOpen(clean);
    }

    [Fact]
    public void A_closed_descriptor_is_not_sent()
    {
        FileDescriptor[] files = CreateFiles(3);
        files[1].Dispose();

        Assert.Throws<ObjectDisposedException>(() => _sender.Send([1], files));

        Assert.Equal(ReceiveStatus.WouldBlock, _receiver.Receive(_buffer, _received).Status);
        SortedSet<int> before = Descriptors.Baseline();
        DisposeAll(files);

        // Had the failed call kept its hold on the first one, dispose would not have closed it.
        Assert.Equal(before.Count - 2, Descriptors.Open().Count);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3)]
    public void A_receiver_without_room_for_all_descriptors_keeps_none(int free)
    {
        SortedSet<int> clean = Descriptors.Baseline();
        FileDescriptor[] files = CreateFiles(4);
        SortedSet<int> before = Descriptors.Open();
        for (int round = 0; round < 100; round++)
        {
            Assert.Equal(SendStatus.Sent, _sender.Send([1], files));
            ReceiveStatus status = default;
            Descriptors.WithFree(free, () => status = _receiver.Receive(_buffer, _received).Status);
            Assert.Equal(ReceiveStatus.ControlTruncated, status);
            Descriptors.RequireOpen(before);
        }

        Assert.Equal(SendStatus.Sent, _sender.Send([1], files));
        Descriptors.WithFree(4, () => Assert.Equal(ReceiveStatus.Received, _receiver.Receive(_buffer, _received).Status));
        Assert.Equal(4, _received.Count);
        _received.Clear();
        DisposeAll(files);
        Descriptors.RequireOpen(clean);
    }

    [Fact]
    public void Sending_and_receiving_with_descriptors_allocates_nothing()
    {
        FileDescriptor[] files = CreateFiles(16);
        byte[] payload = [1, 2, 3];
        RoundTrip();
        Assert.Equal(0, Allocation.OfBestRound(() =>
        {
            for (int i = 0; i < 100; i++)
            {
                RoundTrip();
            }
        }));
        DisposeAll(files);

        void RoundTrip()
        {
            if (_sender.Send(payload, files) != SendStatus.Sent ||
                _sender.TrySendSmall(payload) != SendStatus.Sent ||
                _receiver.Receive(_buffer, _received).Status != ReceiveStatus.Received ||
                _receiver.Receive(_buffer, _received, 90_000).Status != ReceiveStatus.Received ||
                _receiver.Receive(_buffer, _received).Status != ReceiveStatus.WouldBlock)
            {
                throw new InvalidOperationException("The round trip failed.");
            }
        }
    }

    private static FileDescriptor[] CreateFiles(int count)
    {
        var files = new FileDescriptor[count];
        for (int i = 0; i < count; i++)
        {
            files[i] = MemoryFile.Create($"passed {i}", FileSize);
            using MemoryMapping mapping = MemoryMapping.Map(files[i], FileSize, MappingAccess.ReadWrite);
            BinaryPrimitives.WriteInt32LittleEndian(mapping.Slice(0, sizeof(int)), i + 1);
        }

        return files;
    }

    private static void DisposeAll(FileDescriptor[] files)
    {
        foreach (FileDescriptor file in files)
        {
            file.Dispose();
        }
    }
}
