using System.Globalization;

namespace CuFrames.TestKit;

/// <summary>
/// Adds up for how long the threads of a process were ready to run and got no processor, by the kernel's own account: what a guarantee in seconds cannot be
/// blamed for. Next to nothing on a machine that has a processor to spare; more than what went by where several threads wait at the same time. The thread
/// that looks counts too: what others waited for while it waited itself, it may find out too late, when the process has ended.
/// </summary>
public sealed class MachineDelay : IDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10);

    private readonly string _folder;
    private readonly Dictionary<string, (long First, long Last)> _threads = [];
    private readonly Thread _thread;

    // Nanoseconds. Written by the thread only.
    private long _total;

    // The same, of the thread itself; nobody else uses it once that runs.
    private long _own;
    private volatile bool _isEnded;

    /// <summary>Begins to measure.</summary>
    /// <param name="processId">The process; it may end meanwhile.</param>
    public MachineDelay(int processId)
    {
        _folder = string.Create(CultureInfo.InvariantCulture, $"/proc/{processId}/task");
        Look(isFirst: true);
        _thread = new Thread(Run) { IsBackground = true };
        _thread.Start();
    }

    /// <summary>The sum so far.</summary>
    public TimeSpan Total => TimeSpan.FromMicroseconds(Interlocked.Read(ref _total) / 1000);

    /// <summary>Ends the measurement.</summary>
    public void Dispose()
    {
        _isEnded = true;
        _thread.Join();
    }

    private void Run()
    {
        do
        {
            Thread.Sleep(Pause); // A thread's account ends with the thread.
            _own = OwnWait();
            Look(isFirst: false);
        }
        while (!_isEnded);
    }

    /// <summary>For how long this thread has waited for a processor since it was made.</summary>
    private static long OwnWait()
    {
        try
        {
            return long.Parse(File.ReadAllText("/proc/thread-self/schedstat").Split(' ')[1], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            // The kernel keeps no such account.
            return 0;
        }
    }

    private void Look(bool isFirst)
    {
        try
        {
            foreach (string thread in Directory.GetDirectories(_folder))
            {
                // proc(5), schedstat: time on a processor, time of waiting for one, both in nanoseconds.
                long waited = long.Parse(File.ReadAllText(Path.Combine(thread, "schedstat")).Split(' ')[1], CultureInfo.InvariantCulture);

                // A thread that comes later has waited for nothing before.
                _threads[thread] = (_threads.TryGetValue(thread, out (long First, long Last) known) ? known.First : isFirst ? waited : 0, waited);
            }
        }
        catch (IOException)
        {
            // The process, or one of its threads, has ended.
        }

        Interlocked.Exchange(ref _total, _own + _threads.Values.Sum(account => account.Last - account.First));
    }
}
