using System.Runtime.InteropServices;
using CuFrames.Interop;

namespace CuFrames.Benchmarks.Gpu.Scale;

/// <summary>CUDA events that keep the time, which CuFrames itself has no use for.</summary>
internal sealed unsafe partial class TimedEvents : IDisposable
{
    private const string Library = "libcuda.so.1";
    private const int NotReady = 600;
    private const double NanosecondsPerMillisecond = 1e6;

    private readonly CudaContext _context;
    private readonly nint[] _events;

    /// <summary>Makes so many.</summary>
    public TimedEvents(CudaContext context, int count)
    {
        (_context, _events) = (context, new nint[count]);
        using CudaContext.Scope scope = context.Push();
        fixed (nint* events = _events)
        {
            for (int i = 0; i < count; i++)
            {
                Check(EventCreate(events + i, 0), "cuEventCreate");
            }
        }
    }

    public void Record(int number, CudaStream stream)
    {
        using CudaContext.Scope scope = _context.Push();
        Check(EventRecord(_events[number], stream.Handle), "cuEventRecord");
    }

    /// <summary>Whether what was queued before the recording is still under way.</summary>
    public bool IsPending(int number)
    {
        using CudaContext.Scope scope = _context.Push();
        int result = EventQuery(_events[number]);
        return result == NotReady || (result == 0 ? false : throw new InvalidOperationException($"cuEventQuery answered {result}."));
    }

    /// <summary>Nanoseconds on the device from one to the other.</summary>
    public double Between(int first, int last)
    {
        using CudaContext.Scope scope = _context.Push();
        float milliseconds;
        Check(EventElapsedTime(&milliseconds, _events[first], _events[last]), "cuEventElapsedTime");
        return milliseconds * NanosecondsPerMillisecond;
    }

    public void Dispose()
    {
        using CudaContext.Scope scope = _context.Push();
        foreach (nint each in _events)
        {
            Check(EventDestroy(each), "cuEventDestroy");
        }
    }

    private static void Check(int result, string call)
    {
        if (result != 0)
        {
            throw new InvalidOperationException($"{call} answered {result}.");
        }
    }

    [LibraryImport(Library, EntryPoint = "cuEventCreate")]
    private static partial int EventCreate(nint* made, uint flags);

    [LibraryImport(Library, EntryPoint = "cuEventRecord")]
    private static partial int EventRecord(nint recorded, nint stream);

    [LibraryImport(Library, EntryPoint = "cuEventQuery")]
    private static partial int EventQuery(nint asked);

    [LibraryImport(Library, EntryPoint = "cuEventElapsedTime")]
    private static partial int EventElapsedTime(float* milliseconds, nint first, nint last);

    [LibraryImport(Library, EntryPoint = "cuEventDestroy_v2")]
    private static partial int EventDestroy(nint destroyed);
}
