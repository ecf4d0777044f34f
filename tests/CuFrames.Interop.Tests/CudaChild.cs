using System.Globalization;
using CuFrames.TestKit;

namespace CuFrames.Interop.Tests;

/// <summary>What a child process does with CUDA. Its output has one fact per line, name and value.</summary>
internal static class CudaChild
{
    internal static int Run(string[] arguments)
    {
        switch (arguments)
        {
            case ["initialise"]:
                return Initialise();
            case ["initialise-at-once"]:
                return InitialiseAtOnce();
            case ["scenario", var memoryHandle, var eventHandle]:
                return RunScenario(Convert.FromHexString(memoryHandle), Convert.FromHexString(eventHandle));
            case ["import", var path]:
                return Import(path);
            case ["break"]:
                return BreakContext();
            default:
                Console.Error.WriteLine($"unknown: {string.Join(' ', arguments)}");
                return 64;
        }
    }

    /// <summary>Says what initialising came to.</summary>
    private static int Initialise()
    {
        Say("before", CudaDriver.IsInitialised);
        bool works = CudaDriver.TryInitialise(out string? obstacle);
        Say("works", works);
        Say("after", CudaDriver.IsInitialised);
        if (!works)
        {
            Say("obstacle", obstacle!);
            try
            {
                CudaDriver.Initialise();
            }
            catch (CudaException error)
            {
                Say(error);
            }

            return 0;
        }

        Say("path", CudaDriver.LibraryPath);
        Say("version", CudaDriver.Version);
        foreach (CudaDevice device in CudaDriver.Devices)
        {
            Say("device", device.UuidText);
            Say("found", CudaDriver.FindDevice(device.Uuid) == device);
            Say("features", string.Create(
                CultureInfo.InvariantCulture,
                $"{device.HasVirtualMemory} {device.HasPosixHandles} {device.HasStreamMemoryOperations} {device.HasHostRegistration} {device.HasIpcEvents}"));
        }

        Say("found nothing", CudaDriver.FindDevice(Guid.Empty) is null);
        return 0;
    }

    /// <summary>Many threads ask at the same moment; the parent looks how often the driver was initialised.</summary>
    private static int InitialiseAtOnce()
    {
        using var start = new Barrier(8);
        int working = 0;
        Thread[] threads = [.. Enumerable.Range(0, 8).Select(_ => new Thread(() =>
        {
            start.SignalAndWait();
            if (CudaDriver.TryInitialise(out string? _) && CudaDriver.IsInitialised)
            {
                Interlocked.Increment(ref working);
            }
        }))];
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        Say("working", working);
        Say("cuInit", CudaProbe.CountOf("cuInit"));
        return 0;
    }

    /// <summary>Everything once, under the fault that the environment asks for, and what is left over afterwards.</summary>
    private static int RunScenario(byte[] memoryHandle, byte[] eventHandle)
    {
        try
        {
            CudaDriver.Initialise();
            Say("initialised", true);
        }
        catch (CudaException error)
        {
            Say(error);
            Say("initialised", false);
            Say("again", CudaDriver.TryInitialise(out string? _));
        }

        // The double and the runtime open what they keep before the count: for random numbers and the console.
        Say("lost", TestCuda.IsReal ? 0 : CudaProbe.LostObjects);
        SortedSet<int> before = Descriptors.Baseline();
        try
        {
            CudaScenario.Run(memoryHandle, eventHandle);
            Say("passed", true);
        }
        catch (CudaException error)
        {
            Say(error);
        }

        Say("live", CudaProbe.LiveObjects);
        Say("lost", TestCuda.IsReal ? 0 : CudaProbe.LostObjects);
        Say("descriptors", string.Join(' ', Descriptors.Open().Except(before).Select(DescribeDescriptor)));
        return 0;
    }

    private static string DescribeDescriptor(int number) =>
        string.Create(CultureInfo.InvariantCulture, $"{number}={new FileInfo($"/proc/self/fd/{number}").LinkTarget}");

    /// <summary>Imports what the parent sends, looks at it and tries to write to it.</summary>
    private static int Import(string path)
    {
        using UnixSocket socket = UnixSocket.Connect(path, 90_000);
        using var descriptors = new DescriptorSet();
        byte[] handles = new byte[128];
        if (socket.Receive(handles, descriptors, 90_000).Status != ReceiveStatus.Received)
        {
            return 1;
        }

        using FileDescriptor file = descriptors.Take(0);
        using CudaContext context = CudaDriver.Devices[0].OpenContext();
        using CudaStream stream = CudaStream.Create(context);
        using CudaHostMemory host = CudaHostMemory.Allocate(context, CudaSharingTests.Size);
        using CudaMemory imported = CudaMemory.ImportReadOnly(context, file, CudaSharingTests.Size);
        file.Dispose();
        try
        {
            // A segment that claims to be larger than its memory would let a frame lead us beyond it. Drivers round up to 2 MiB at least.
            CudaMemory.OpenInterprocess(context, handles.AsSpan(0, 64), CudaSharingTests.Size + (64 << 20)).Dispose();
            Say("tooLarge", "opened");
        }
        catch (CudaException error)
        {
            Say("tooLarge", error.Call);
        }

        using CudaMemory opened = CudaMemory.OpenInterprocess(context, handles.AsSpan(0, 64), CudaSharingTests.Size);
        using CudaEvent copied = CudaEvent.OpenInterprocess(context, handles.AsSpan(64, 64));
        copied.Synchronize();
        Say("imported", CudaSharingTests.FindFault(stream, host, imported.Address, 1) ?? "right");
        Say("opened", CudaSharingTests.FindFault(stream, host, opened.Address, 2) ?? "right");
        try
        {
            stream.Fill(imported.Address, 0, 64);
            stream.Synchronize();
            Say("written", true);
        }
        catch (CudaException error)
        {
            Say(error);
        }

        // The parent frees its memory now, or dies; the mapping is to stay as it is.
        Say("ready", true);
        _ = Console.In.ReadLine();
        Say("later", CudaSharingTests.FindFault(stream, host, imported.Address, 1) ?? "right");
        return 0;
    }

    /// <summary>A kernel writes where nothing is mapped: the context breaks, and everything can still be disposed of.</summary>
    private static int BreakContext()
    {
        using CudaContext context = CudaDriver.Devices[0].OpenContext();
        using CudaMemory memory = CudaMemory.CreateShareable(context, 1);
        using CudaHostMemory host = CudaHostMemory.Allocate(context, 4096);
        using CudaEvent mark = CudaEvent.Create(context);
        using CudaModule module = CudaModule.Load(context, TestCuda.Kernels);
        using CudaStream stream = CudaStream.Create(context);
        try
        {
            stream.Launch(module.Function("write_one"), 1, 1, 64, 1);
            stream.Synchronize();
        }
        catch (CudaException error)
        {
            Say(error);
        }

        try
        {
            stream.Fill(memory.Address, 0, 64);
        }
        catch (CudaException error)
        {
            Say(error);
        }

        return 0;
    }

    private static void Say(CudaException error)
    {
        Say("call", error.Call);
        Say("result", (int)error.Result);
        Say("code", error.Code);
        Say("sticky", error.IsSticky);
        Say("message", error.Message);
    }

    private static void Say(string name, object value)
    {
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name}: {value}"));
        Console.Out.Flush();
    }
}
