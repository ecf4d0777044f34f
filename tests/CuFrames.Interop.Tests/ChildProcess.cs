using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace CuFrames.Interop.Tests;

/// <summary>The other process of a test: this executable with --child. Killed and reaped when disposed.</summary>
internal sealed class ChildProcess : IDisposable
{
    internal const uint OtherUser = 54321;
    internal const uint OtherGroup = 54322;

    private readonly Process _process;

    private ChildProcess(Process process) => _process = process;

    internal static uint[] OtherGroups { get; } = [54323, 54324, 54325];

    internal int Id => _process.Id;

    public void Dispose()
    {
        Kill();

        // Process leaves the streams open that somebody has asked it for.
        _process.StandardInput.Dispose();
        _process.StandardOutput.Dispose();
        _process.Dispose();
    }

    internal static ChildProcess Start(params string[] arguments) =>
        StartWith(new Dictionary<string, string?>(), arguments);

    /// <summary>Starts a child with variables of its own in its environment; null takes one away.</summary>
    internal static ChildProcess StartWith(IReadOnlyDictionary<string, string?> environment, params string[] arguments)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };

        foreach ((string name, string? value) in environment)
        {
            start.Environment[name] = value;
        }

        // "dotnet X.dll" and the built executable both have to work.
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
        {
            start.ArgumentList.Add(typeof(ChildProcess).Assembly.Location);
        }

        start.ArgumentList.Add("--child");
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        return new ChildProcess(Process.Start(start)!);
    }

    /// <summary>The next line that the child prints; null at its end.</summary>
    internal string? ReadLine() => _process.StandardOutput.ReadLine();

    /// <summary>What the child prints until it ends, and how it ends. It is told first that nothing more will come.</summary>
    internal (int ExitCode, string Output) Finish()
    {
        _process.StandardInput.Close();
        string output = _process.StandardOutput.ReadToEnd();
        _process.WaitForExit();
        return (_process.ExitCode, output);
    }

    /// <summary>SIGKILL, and wait until the kernel has cleaned up.</summary>
    internal void Kill()
    {
        _process.Kill();
        _process.WaitForExit();
    }

    /// <summary>What the child does.</summary>
    internal static int Run(string[] arguments)
    {
        switch (arguments)
        {
            case ["lock", var path]:
                FileLock? taken = FileLock.TryAcquire(path);
                Console.WriteLine(taken is null ? "taken by another" : "locked");
                WaitForEnd();
                return 0;
            case ["futex", var path]:
                return SleepOnFutex(path);
            case ["connect", var path]:
                using (UnixSocket socket = UnixSocket.Connect(path, 90_000))
                {
                    Console.WriteLine("connected");
                    WaitForEnd();
                }

                return 0;
            case ["connect-as-other-user", var path]:
                BecomeOtherUser();
                try
                {
                    using UnixSocket socket = UnixSocket.Connect(path, 90_000);
                    Console.WriteLine("connected");
                    WaitForEnd();
                }
                catch (LinuxException exception)
                {
                    Console.WriteLine($"{exception.Operation} {Errno.NameOf(exception.Errno)}");
                }

                return 0;
            case ["cuda", .. var rest]:
                return CudaChild.Run(rest);
            default:
                Console.Error.WriteLine($"unknown: {string.Join(' ', arguments)}");
                return 64;
        }
    }

    private static void WaitForEnd() => _ = Console.In.ReadToEnd();

    /// <summary>Receives a memory file, sleeps on its first word until woken, and says what it saw.</summary>
    private static unsafe int SleepOnFutex(string path)
    {
        using UnixSocket socket = UnixSocket.Connect(path, 90_000);
        using var descriptors = new DescriptorSet();
        byte[] buffer = new byte[16];
        if (socket.Receive(buffer, descriptors, 90_000).Status != ReceiveStatus.Received)
        {
            return 1;
        }

        using FileDescriptor file = descriptors.Take(0);
        MemoryFile.RequireSeals(file, MemoryFileSeals.FutureWrite | MemoryFileSeals.Shrink);
        using MemoryMapping mapping = MemoryMapping.Map(file, 4096, MappingAccess.ReadOnly);
        uint* word = (uint*)mapping.Pointer;
        Console.WriteLine("sleeping");
        FutexWaitResult result = Futex.Wait(word, 0, 90_000_000_000);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{result} {Volatile.Read(ref *word)}"));
        WaitForEnd();
        return 0;
    }

    private static unsafe void BecomeOtherUser()
    {
        if (TestLibC.GetEffectiveUserId() != 0)
        {
            return;
        }

        fixed (uint* groups = OtherGroups)
        {
            if (TestLibC.SetGroups((nuint)OtherGroups.Length, groups) < 0 ||
                TestLibC.SetGroupId(OtherGroup) < 0 ||
                TestLibC.SetUserId(OtherUser) < 0)
            {
                throw new InvalidOperationException($"Cannot change the user: {Marshal.GetLastPInvokeErrorMessage()}");
            }
        }
    }
}
