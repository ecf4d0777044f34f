using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.TestKit;

namespace CuFrames.TestPeer.Commands;

/// <summary>
/// A reader of frames in device memory that does what it is told, line by line, and answers each line with its name and what came of it; with
/// "failed" when it threw. "connect", "take N", "try" (takes one frame if there is one), "next-epoch" (reads on until the publisher's next run
/// has come), "copy" (enqueues a copy of every held frame), "spin MS", "hang", "release" (behind the stream's work), "drop" (by the CPU),
/// "settle" (waits for the copies and looks at them), "write kernel|fill" (to the first held frame), "leave" (disposes of the subscriber, not of
/// the frames), "end" (disposes of the stream, too), "create" and "publish N" and "close" (a publisher in this process), "event" (the handle of
/// an event of this process), "live" (objects of the double, descriptors), "exit".
/// </summary>
internal sealed class DeviceCommand(PeerArguments arguments) : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly FrameChecker _checker = new();
    private readonly List<Frame> _held = [];
    private readonly List<string> _events = [];
    private FrameSubscriber? _subscriber;
    private DeviceReader? _reader;
    private FramePublisher? _publisher;
    private DevicePublisher? _device;
    private CudaContext? _eventContext;
    private CudaEvent? _event;

    public static int Run(PeerArguments arguments)
    {
        using DeviceCommand command = new(arguments);
        PeerArguments.Say(new { kind = "ready", facts = OtherUser.Facts() });
        while (Console.ReadLine() is { } line && line != "exit")
        {
            string[] words = line.Split(' ');
            try
            {
                command.Act(words);
            }
            catch (CuFramesException error)
            {
                CudaException? cuda = error as CudaException;
                PeerArguments.Say(new
                {
                    kind = "failed",
                    code = error.Code.ToString(),
                    result = cuda is null ? 0 : (int)cuda.Result,
                    isSticky = cuda?.IsSticky ?? false,
                    text = error.Message,
                });
            }
        }

        return 0;
    }

    /// <summary>What the reader has goes with the process: a GPU that hangs keeps it from being given back.</summary>
    public void Dispose()
    {
        _device?.Dispose();
        _publisher?.Dispose();
        _event?.Dispose();
        _eventContext?.Dispose();
    }

    private void Act(string[] words)
    {
        switch (words)
        {
            case ["connect"]:
                Connect();
                break;
            case ["take", var count]:
                Take(int.Parse(count, CultureInfo.InvariantCulture));
                break;
            case ["try"]:
                bool hasFrame = _subscriber!.TryTake(out Frame taken);
                if (hasFrame)
                {
                    _checker.Count(taken);
                    _held.Add(taken);
                }

                Answer("try", hasFrame ? "frame" : "none");
                break;
            case ["next-epoch"]:
                NextEpoch();
                break;
            case ["copy"]:
                _held.ForEach(_reader!.Enqueue);
                Answer("copy");
                break;
            case ["spin", var milliseconds]:
                _reader!.Spin(TimeSpan.FromMilliseconds(int.Parse(milliseconds, CultureInfo.InvariantCulture)));
                Answer("spin");
                break;
            case ["hang"]:
                _reader!.Hang();
                Answer("hang");
                break;
            case ["release"]:
                _held.ForEach(frame => frame.Release(_reader!.Stream));
                _held.Clear();
                Answer("release");
                break;
            case ["drop"]:
                _held.ForEach(frame => frame.Dispose());
                _held.Clear();
                Answer("drop");
                break;
            case ["settle"]:
                _reader!.VerifyAll();
                Answer("settle");
                break;
            case ["write", var way]:
                Write(way);
                Answer("write");
                break;
            case ["leave"]:
                _subscriber!.Dispose();
                Answer("leave");
                break;
            case ["end"]:
                _reader?.Dispose();
                _reader = null;
                Answer("end");
                break;
            case ["create"]:
                Create();
                break;
            case ["publish", var count]:
                _device!.Publish(int.Parse(count, CultureInfo.InvariantCulture));
                Answer("publish");
                break;
            case ["close"]:
                _device?.Dispose();
                _device = null;
                _publisher?.Dispose();
                Answer("close");
                break;
            case ["event"]:
                MakeEvent();
                break;
            case ["live"]:
                Answer("live");
                break;
            default:
                throw new ArgumentException($"'{string.Join(' ', words)}' is no command");
        }
    }

    private void Connect()
    {
        _subscriber = FrameSubscriber.Connect(arguments.Required("key"), new SubscriberOptions
        {
            Directory = arguments.Required("dir"),
            Delivery = Enum.Parse<Delivery>(arguments.Text("delivery") ?? "InOrder", ignoreCase: true),
            Leases = arguments.Number("leases", 2),
            Fences = arguments.Fences(),
            Program = arguments.Text("program"),
            OnEvent = happened => _events.Add($"{happened.Kind} {happened.Code}"),
        });
        _checker.Restart();
        _reader ??= new DeviceReader(_subscriber.Cuda!, _checker, 16);
        Answer("connect", $"{_subscriber.ReleaseFence} {_subscriber.ReleaseFenceReason}".Trim());
    }

    private void Take(int count)
    {
        for (int i = 0; i < count; i++)
        {
            Frame frame = _subscriber!.Next(Patience);
            _checker.Count(frame);
            _checker.NoteContent(StampedFrames.FindMetadataFault(frame));
            _held.Add(frame);
        }

        Answer("take");
    }

    private void Create()
    {
        _publisher = FramePublisher.Create(arguments.Required("key"), arguments.Formats()[0], new PublisherOptions
        {
            Directory = arguments.Required("dir"),
            Memory = arguments.Memory(),
        });
        try
        {
            _device = new DevicePublisher(_publisher);
        }
        catch
        {
            _publisher.Dispose();
            throw;
        }

        Answer("create");
    }

    private void MakeEvent()
    {
        CudaDriver.Initialise();
        _eventContext = CudaDriver.Devices[0].OpenContext();
        _event = CudaEvent.Create(_eventContext, interprocess: true);
        byte[] handle = new byte[Wire.CudaIpcHandleSize];
        _event.CopyHandleTo(handle);
        Answer("event", Convert.ToHexString(handle));
    }

    /// <summary>Reads on beside the frames that are held until one of the next run of the publisher has come.</summary>
    private void NextEpoch()
    {
        for (long epochs = _checker.Epochs; _checker.Epochs == epochs;)
        {
            using Frame frame = _subscriber!.Next(Patience);
            _checker.Count(frame);
            _reader!.Enqueue(frame);
            _reader.VerifyAll();
        }

        Answer("next-epoch");
    }

    private unsafe void Write(string way)
    {
        DevicePlane plane = _held[0].DevicePlane(0);
        if (way == "fill")
        {
            _reader!.Stream.Fill(plane.Address, 0x5A, 64);
        }
        else
        {
            using CudaModule module = CudaModule.Load(_subscriber!.Cuda!, TestCuda.Kernels);
            _reader!.Stream.Launch(module.Function("write_one"), 1, 1, plane.Address, 0x5A5A5A5A);
            _reader.Stream.Synchronize();
        }

        _reader.Stream.Synchronize();
    }

    private void Answer(string kind, string text = "") => PeerArguments.Say(new
    {
        kind,
        text,
        at = Stopwatch.GetTimestamp(),
        held = _subscriber?.HeldFrames ?? 0,
        frames = _checker.Frames,
        last = _checker.Last,
        torn = _checker.Torn,
        isClean = _checker.IsClean,
        faults = _checker.Faults,
        epochs = _checker.Epochs,
        areValid = _held.TrueForAll(frame => frame.IsValid),
        events = _events,
        live = TestCuda.IsReal ? 0 : Live(),
        descriptors = Descriptors(),
    });

    /// <summary>Objects of the double that were made in this process and not destroyed.</summary>
    private static unsafe long Live() =>
        (long)((delegate* unmanaged<ulong>)NativeLibrary.GetExport(NativeLibrary.Load("libcuda.so.1"), "fakecuda_live_objects"))();

    /// <summary>Sockets and memory files that this process has open.</summary>
    private static int Descriptors()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        int count = 0;
        foreach (string entry in Directory.GetFileSystemEntries("/proc/self/fd"))
        {
            try
            {
                string? target = new FileInfo(entry).LinkTarget;
                count += target is not null && (target.Contains("memfd:", StringComparison.Ordinal) || target.StartsWith("socket:", StringComparison.Ordinal)) ? 1 : 0;
            }
            catch (IOException)
            {
                // The listing's own descriptor is gone by now.
            }
        }

        return count;
    }
}
