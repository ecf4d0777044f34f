using System.Runtime.CompilerServices;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Interop.Tests;

/// <summary>Contexts, streams, events and memory of this process. Only the double can be asked what is left over.</summary>
public sealed unsafe class CudaResourceTests : IDisposable
{
    private readonly CudaContext _context = TestCuda.Device.OpenContext();

    public void Dispose() => _context.Dispose();

    [Fact]
    [Trait("needs", "gpu")]
    public void Everything_can_be_used_and_the_callers_context_stays_current()
    {
        nint own = CudaProbe.CreateContext();
        try
        {
            long before = CudaProbe.LiveObjects;
            using (CudaStream stream = CudaStream.Create(_context))
            using (CudaMemory memory = CudaMemory.CreateShareable(_context, 1))
            using (CudaEvent mark = CudaEvent.Create(_context))
            {
                stream.Fill(memory.Address, 1, memory.Size);
                stream.Record(mark);
                stream.Synchronize();
                Assert.True(mark.IsComplete);
                Assert.Equal(own, CudaProbe.CurrentContext);
                using (_context.Push())
                {
                    Assert.Equal(_context.Handle, CudaProbe.CurrentContext);
                }

                Assert.Throws<CudaException>(() => stream.Fill(8, 1, 8));
                Assert.Equal(own, CudaProbe.CurrentContext);
            }

            Assert.Equal(own, CudaProbe.CurrentContext);
            Assert.Equal(before, CudaProbe.LiveObjects);
        }
        finally
        {
            CudaProbe.DestroyContext(own);
        }
    }

    [Fact]
    [Trait("needs", "gpu")]
    public void A_context_of_the_callers_is_used_and_never_destroyed()
    {
        nint own = CudaProbe.CreateContext();
        try
        {
            CudaProbe.SetCurrentContext(0);
            long released = CudaProbe.CountOf("cuDevicePrimaryCtxRelease_v2");
            using (CudaContext lent = CudaContext.Borrow(own))
            {
                Assert.Equal(own, lent.Handle);
                Assert.Same(TestCuda.Device, lent.Device);
                using CudaStream stream = CudaStream.Create(lent);
                stream.Synchronize();
            }

            Assert.Equal(released, CudaProbe.CountOf("cuDevicePrimaryCtxRelease_v2"));
            Assert.Equal(0, CudaProbe.CurrentContext);
            CudaProbe.SetCurrentContext(own);
            Assert.Equal(own, CudaProbe.CurrentContext);
        }
        finally
        {
            CudaProbe.DestroyContext(own);
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => CudaContext.Borrow(0));
    }

    /// <summary>The double alone: the real driver does not look whether a context exists.</summary>
    [Fact]
    public void A_context_that_is_gone_is_refused()
    {
        nint own = CudaProbe.CreateContext();
        CudaProbe.DestroyContext(own);
        CudaException error = Assert.Throws<CudaException>(() => CudaContext.Borrow(own));
        Assert.Equal("cuCtxPushCurrent_v2", error.Call);
    }

    [Fact]
    [Trait("needs", "gpu")]
    public void A_stream_of_another_context_is_refused()
    {
        nint own = CudaProbe.CreateContext();
        try
        {
            using CudaContext other = CudaContext.Borrow(own);
            using CudaStream stream = CudaStream.Create(other);
            Assert.Throws<ArgumentException>(() => CudaStream.Borrow(_context, stream.Handle));
            using CudaStream lent = CudaStream.Borrow(other, stream.Handle);
            lent.Synchronize();
            using CudaStream standard = CudaStream.Borrow(other, 0);
            standard.Synchronize();
        }
        finally
        {
            CudaProbe.DestroyContext(own);
        }
    }

    [Fact]
    public void What_was_made_in_a_context_keeps_it_alive()
    {
        long released = CudaProbe.CountOf("cuDevicePrimaryCtxRelease_v2");
        CudaContext context = TestCuda.Device.OpenContext();
        CudaStream stream = CudaStream.Create(context);
        CudaMemory memory = CudaMemory.Allocate(context, 4096);
        context.Dispose();
        Assert.Equal(released, CudaProbe.CountOf("cuDevicePrimaryCtxRelease_v2"));
        stream.Fill(memory.Address, 7, 4096);
        stream.Synchronize();
        memory.Dispose();
        stream.Dispose();
        Assert.Equal(released + 1, CudaProbe.CountOf("cuDevicePrimaryCtxRelease_v2"));
    }

    [Fact]
    public void What_nobody_disposed_of_is_destroyed_by_the_finalizer()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        long before = CudaProbe.LiveObjects;
        Forget();
        Assert.True(CudaProbe.LiveObjects > before);

        // One of them can keep another for a round: the context goes when the last thing in it is gone.
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        GC.WaitForPendingFinalizers();
        Assert.Equal(before, CudaProbe.LiveObjects);
        Assert.Equal(0, CudaProbe.LostObjects);
    }

    [Fact]
    public void What_is_gone_is_refused()
    {
        CudaStream stream = CudaStream.Create(_context);
        CudaEvent mark = CudaEvent.Create(_context);
        CudaMemory memory = CudaMemory.CreateShareable(_context, 1);
        CudaHostMemory host = CudaHostMemory.Allocate(_context, 4096);
        using CudaStream other = CudaStream.Create(_context);
        long before = CudaProbe.LiveObjects;
        mark.Dispose();
        memory.Dispose();
        host.Dispose();
        Assert.Throws<ObjectDisposedException>(() => stream.Record(mark));
        stream.Dispose();
        stream.Dispose();
        memory.Dispose();
        Assert.Throws<ObjectDisposedException>(() => stream.IsIdle);
        Assert.Throws<ObjectDisposedException>(() => stream.Handle);
        Assert.Throws<ObjectDisposedException>(() => stream.Synchronize());
        Assert.Throws<ObjectDisposedException>(() => mark.IsComplete);
        Assert.Throws<ObjectDisposedException>(() => memory.Address);
        Assert.Throws<ObjectDisposedException>(() => memory.ExportDescriptor());
        Assert.Throws<ObjectDisposedException>(() => host.Slice(0, 1));
        Assert.Throws<ObjectDisposedException>(() => other.Record(mark));
        Assert.True(CudaProbe.LiveObjects < before);
        CudaContext context = TestCuda.Device.OpenContext();
        context.Dispose();
        context.Dispose();
        Assert.Throws<ObjectDisposedException>(() => context.GetMemory());
        Assert.Throws<ObjectDisposedException>(() => CudaStream.Create(context));
        Assert.Throws<ObjectDisposedException>(() => CudaMemory.Allocate(context, 1));
        Assert.Throws<ObjectDisposedException>(() => context.Handle);
        GC.Collect();
        GC.WaitForPendingFinalizers();
    }

    [Fact]
    [Trait("needs", "gpu")]
    public void Arguments_that_make_no_sense_are_refused_before_the_driver_sees_them()
    {
        using CudaStream stream = CudaStream.Create(_context);
        using CudaMemory plain = CudaMemory.Allocate(_context, 4096);
        using CudaMemory shareable = CudaMemory.CreateShareable(_context, 4096);
        using CudaHostMemory host = CudaHostMemory.Allocate(_context, 4096);
        Assert.Throws<ArgumentOutOfRangeException>(() => CudaMemory.Allocate(_context, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => CudaMemory.CreateShareable(_context, -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => CudaHostMemory.Allocate(_context, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => CudaHostRegistration.Register(_context, 0, 4096));
        Assert.Throws<ArgumentOutOfRangeException>(() => stream.Fill(plain.Address, 0, -1));
        Assert.Throws<ArgumentException>(() => CudaMemory.OpenInterprocess(_context, new byte[63], 4096));
        Assert.Throws<ArgumentException>(() => CudaEvent.OpenInterprocess(_context, new byte[65]));
        Assert.Throws<ArgumentException>(() => plain.CopyHandleTo(new byte[63]));
        Assert.Throws<ArgumentOutOfRangeException>(() => host.Slice(4095, 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => host.Slice(-1, 1));
        Assert.Throws<ArgumentException>(() => stream.Launch(1, 1, 1, new ulong[17]));
        Assert.Throws<InvalidOperationException>(() => plain.ExportDescriptor());
        Assert.Throws<InvalidOperationException>(() => shareable.CopyHandleTo(new byte[64]));
    }

    [Fact]
    [Trait("needs", "gpu")]
    public void Memory_that_does_not_fit_is_refused_with_what_there_is()
    {
        long tooMuch = TestCuda.Device.TotalMemory + (1L << 30);
        long live = CudaProbe.LiveObjects;
        foreach (Func<CudaMemory> allocate in
            (Func<CudaMemory>[])[() => CudaMemory.Allocate(_context, tooMuch), () => CudaMemory.CreateShareable(_context, tooMuch)])
        {
            CudaException error = Assert.Throws<CudaException>(() => allocate().Dispose());
            Assert.Equal(ErrorCode.OutOfResources, error.Code);
            Assert.Equal(CudaResult.OutOfMemory, error.Result);
            Assert.False(error.IsSticky);
            Assert.Matches("The device has [0-9,]+ MiB free of [0-9,]+ MiB\\.", error.Message);
        }

        Assert.Equal(live, CudaProbe.LiveObjects);
    }

    [Fact]
    [Trait("needs", "gpu")]
    public void An_import_of_something_else_is_refused_and_leaves_nothing()
    {
        using FileDescriptor file = MemoryFile.Create("no CUDA memory", 2 << 20);
        using CudaMemory memory = CudaMemory.CreateShareable(_context, 1);
        using FileDescriptor exported = memory.ExportDescriptor();
        Assert.True(Descriptors.IsCloseOnExec(exported));
        long live = CudaProbe.LiveObjects;
        CudaException error = Assert.Throws<CudaException>(() => CudaMemory.ImportReadOnly(_context, file, 2 << 20));
        Assert.Equal("cuMemImportFromShareableHandle", error.Call);

        // Larger than it is, and no multiple of the granularity.
        Assert.Throws<CudaException>(() => CudaMemory.ImportReadOnly(_context, exported, memory.Size * 2));
        Assert.Throws<CudaException>(() => CudaMemory.ImportReadOnly(_context, exported, 4096));
        Assert.Equal(live, CudaProbe.LiveObjects);
    }

    [Fact]
    [Trait("needs", "gpu")]
    public void A_legacy_handle_cannot_be_opened_by_its_maker_which_explains_equal_process_numbers()
    {
        using CudaMemory memory = CudaMemory.Allocate(_context, 4096);
        using CudaEvent mark = CudaEvent.Create(_context, interprocess: true);
        byte[] handle = new byte[64];
        memory.CopyHandleTo(handle);
        CudaException error = Assert.Throws<CudaException>(() => CudaMemory.OpenInterprocess(_context, handle, 4096));
        Assert.Equal(ErrorCode.CudaIpcNamespace, error.Code);
        Assert.Contains("PID namespaces", error.Message, StringComparison.Ordinal);
        mark.CopyHandleTo(handle);
        error = Assert.Throws<CudaException>(() => CudaEvent.OpenInterprocess(_context, handle));
        Assert.Equal(ErrorCode.CudaIpcNamespace, error.Code);
    }

    [Fact]
    [Trait("needs", "gpu")]
    public void Pages_are_registered_once()
    {
        using FileDescriptor file = MemoryFile.Create("page", 4096);
        using MemoryMapping page = MemoryMapping.Map(file, 4096, MappingAccess.ReadWrite);
        using (CudaHostRegistration first = CudaHostRegistration.Register(_context, (nint)page.Pointer, 4096))
        {
            Assert.NotEqual(0UL, first.DeviceAddress);
            nint address = (nint)page.Pointer;
            CudaException error = Assert.Throws<CudaException>(() => CudaHostRegistration.Register(_context, address, 4096));
            Assert.Equal(CudaResult.HostMemoryAlreadyRegistered, error.Result);
        }

        CudaHostRegistration.Register(_context, (nint)page.Pointer, 4096).Dispose();
    }

    [Fact]
    [Trait("needs", "gpu")]
    public void A_kernel_that_is_not_there_and_text_that_is_none_are_refused()
    {
        using CudaModule module = CudaModule.Load(_context, TestCuda.Kernels);
        Assert.NotEqual(0, module.Function("fill"));
        CudaException error = Assert.Throws<CudaException>(() => module.Function("nothing"));
        Assert.Equal(CudaResult.NotFound, error.Result);
        Assert.Contains("'nothing'", error.Message, StringComparison.Ordinal);
        error = Assert.Throws<CudaException>(() => CudaModule.Load(_context, "no PTX"));
        Assert.Equal("cuModuleLoadData", error.Call);
    }

    [Fact]
    [Trait("needs", "gpu")]
    public void The_calls_of_every_frame_allocate_nothing()
    {
        using CudaStream stream = CudaStream.Create(_context);
        using CudaEvent mark = CudaEvent.Create(_context);
        using CudaMemory memory = CudaMemory.CreateShareable(_context, 4096);
        using CudaHostMemory host = CudaHostMemory.Allocate(_context, 4096);
        using FileDescriptor file = MemoryFile.Create("page", 4096);
        using MemoryMapping page = MemoryMapping.Map(file, 4096, MappingAccess.ReadWrite);
        using CudaHostRegistration registration = CudaHostRegistration.Register(_context, (nint)page.Pointer, 4096);
        var copy = new CudaCopy
        {
            Source = memory.Address,
            SourcePitch = 64,
            SourceIsDevice = true,
            Destination = (ulong)host.Pointer,
            DestinationPitch = 64,
            RowBytes = 64,
            Rows = 64,
        };
        void Work()
        {
            using (_context.Push())
            {
                stream.Copy(copy);
            }

            stream.WriteValue64(registration.DeviceAddress, 1);
            stream.Record(mark);
            stream.WaitFor(mark);
            _ = stream.IsIdle;
            stream.Synchronize();
            _ = mark.IsComplete;
            mark.Synchronize();
        }

        Assert.Equal(0, Allocation.OfBestRound(() =>
        {
            for (int i = 0; i < 100; i++)
            {
                Work();
            }
        }));
    }

    /// <summary>Host to device, within the device, and back: with a pitch of its own on each side, to places that are not the first.</summary>
    [Fact]
    [Trait("needs", "gpu")]
    public void A_copy_moves_the_rows_and_nothing_beside_them()
    {
        const int size = 1 << 16, rows = 37, rowBytes = 101;
        const int fromPitch = 160, firstPitch = 512, secondPitch = 256, toPitch = 109;
        const int fromOffset = 3, firstOffset = 1024, secondOffset = 77, toOffset = 1000;
        using CudaStream stream = CudaStream.Create(_context);
        using CudaHostMemory from = CudaHostMemory.Allocate(_context, size);
        using CudaHostMemory to = CudaHostMemory.Allocate(_context, size);
        using CudaMemory first = CudaMemory.CreateShareable(_context, size);
        using CudaMemory second = CudaMemory.Allocate(_context, size);
        new Random(1).NextBytes(from.Slice(0, size));
        to.Slice(0, size).Fill(0xEE);
        stream.Fill(first.Address, 0xAA, size);
        stream.Fill(second.Address, 0xBB, size);
        var copy = new CudaCopy { RowBytes = rowBytes, Rows = rows };
        stream.Copy(copy with
        {
            Source = (ulong)from.Pointer + fromOffset,
            SourcePitch = fromPitch,
            Destination = first.Address + firstOffset,
            DestinationPitch = firstPitch,
            DestinationIsDevice = true,
        });
        stream.Copy(copy with
        {
            Source = first.Address + firstOffset,
            SourcePitch = firstPitch,
            SourceIsDevice = true,
            Destination = second.Address + secondOffset,
            DestinationPitch = secondPitch,
            DestinationIsDevice = true,
        });
        stream.Copy(copy with
        {
            Source = second.Address + secondOffset,
            SourcePitch = secondPitch,
            SourceIsDevice = true,
            Destination = (ulong)to.Pointer + toOffset,
            DestinationPitch = toPitch,
        });
        stream.Synchronize();
        byte[] expected = new byte[size];
        expected.AsSpan().Fill(0xEE);
        for (int row = 0; row < rows; row++)
        {
            from.Slice(fromOffset + (row * fromPitch), rowBytes).CopyTo(expected.AsSpan(toOffset + (row * toPitch)));
        }

        Assert.True(to.Slice(0, size).SequenceEqual(expected));

        // What lies beside the rows on the device is as it was.
        stream.Copy(new CudaCopy
        {
            Source = second.Address,
            SourcePitch = size,
            SourceIsDevice = true,
            Destination = (ulong)to.Pointer,
            DestinationPitch = size,
            RowBytes = size,
            Rows = 1,
        });
        stream.Synchronize();
        expected.AsSpan().Fill(0xBB);
        for (int row = 0; row < rows; row++)
        {
            from.Slice(fromOffset + (row * fromPitch), rowBytes).CopyTo(expected.AsSpan(secondOffset + (row * secondPitch)));
        }

        Assert.True(to.Slice(0, size).SequenceEqual(expected));
    }

    [Fact]
    [Trait("needs", "gpu")]
    public void A_copy_from_nowhere_is_refused_with_both_sides_named()
    {
        using CudaStream stream = CudaStream.Create(_context);
        using CudaMemory memory = CudaMemory.Allocate(_context, 4096);
        CudaException error = Assert.Throws<CudaException>(() => stream.Copy(new CudaCopy
        {
            Source = 0x1000,
            SourcePitch = 64,
            SourceIsDevice = true,
            Destination = memory.Address,
            DestinationPitch = 64,
            DestinationIsDevice = true,
            RowBytes = 64,
            Rows = 64,
        }));
        Assert.StartsWith(
            "Cannot queue the copy of 64 rows of 64 bytes from device address 0x1000 (pitch 64) to device address 0x", error.Message,
            StringComparison.Ordinal);
    }

    [Fact]
    [Trait("needs", "gpu")]
    public void Many_threads_use_one_stream_and_one_memory()
    {
        using CudaStream stream = CudaStream.Create(_context);
        using CudaMemory memory = CudaMemory.Allocate(_context, 8 * 4096);
        using CudaHostMemory host = CudaHostMemory.Allocate(_context, 8 * 4096);
        Parallel.For(0, 8, index =>
        {
            ulong address = memory.Address + (ulong)(index * 4096);
            for (int round = 1; round <= 100; round++)
            {
                stream.Fill(address, (byte)(round + index), 4096);
                stream.Copy(new CudaCopy
                {
                    Source = address,
                    SourcePitch = 4096,
                    SourceIsDevice = true,
                    Destination = (ulong)(host.Pointer + (index * 4096)),
                    DestinationPitch = 4096,
                    RowBytes = 4096,
                    Rows = 1,
                });
                stream.Synchronize();
                Assert.False(host.Slice(index * 4096, 4096).ContainsAnyExcept((byte)(round + index)));
            }
        });
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Forget()
    {
        CudaContext context = TestCuda.Device.OpenContext();
        CudaStream stream = CudaStream.Create(context);
        CudaMemory memory = CudaMemory.CreateShareable(context, 1);
        _ = CudaMemory.ImportReadOnly(context, memory.ExportDescriptor(), memory.Size);
        _ = CudaMemory.Allocate(context, 4096);
        _ = CudaHostMemory.Allocate(context, 4096);
        _ = CudaEvent.Create(context);
        _ = CudaModule.Load(context, TestCuda.Kernels);
        stream.Fill(memory.Address, 1, memory.Size);
        stream.Synchronize();
    }
}
