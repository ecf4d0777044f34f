using System.Runtime.ExceptionServices;

namespace CuFrames.Interop.Tests;

/// <summary>A thread whose kernel id and state are known, and whose failure is the test's failure.</summary>
internal sealed class BackgroundThread
{
    private readonly Thread _thread;
    private volatile int _id;
    private Exception? _failure;

    private BackgroundThread(Action action)
    {
        _thread = new Thread(() =>
        {
            _id = TestLibC.GetThreadId();
            try
            {
                action();
            }
            catch (Exception exception)
            {
                _failure = exception;
            }
        })
        {
            // A thread that is never woken must not keep a failed run from ending.
            IsBackground = true,
        };
        _thread.Start();
    }

    internal int Id
    {
        get
        {
            while (_id == 0)
            {
                Thread.Yield();
            }

            return _id;
        }
    }

    internal bool IsRunning => _thread.IsAlive;

    internal static BackgroundThread Start(Action action) => new(action);

    /// <summary>Returns when the thread sleeps in the kernel, or has ended.</summary>
    internal void WaitUntilAsleep()
    {
        string file = $"/proc/self/task/{Id}/stat";
        while (IsRunning)
        {
            try
            {
                string status = File.ReadAllText(file);
                if (status[status.LastIndexOf(')') + 2] == 'S')
                {
                    return;
                }
            }
            catch (IOException)
            {
                // The thread has ended meanwhile.
            }

            Thread.Yield();
        }
    }

    internal void Join()
    {
        _thread.Join();
        if (_failure is not null)
        {
            ExceptionDispatchInfo.Throw(_failure);
        }
    }
}
