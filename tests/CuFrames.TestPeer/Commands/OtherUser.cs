using System.Globalization;
using System.Runtime.InteropServices;
using CuFrames.Client;
using CuFrames.Protocol;
using CuFrames.TestKit;

namespace CuFrames.TestPeer.Commands;

/// <summary>Lets a peer run as another user, and says where it runs.</summary>
internal static unsafe partial class OtherUser
{
    private static readonly string[] Namespaces = ["pid", "ipc", "net", "mnt", "user", "uts"];

    /// <summary>With --user N [--group N]: becomes that user for good.</summary>
    public static void BecomeIfAsked(PeerArguments arguments)
    {
        if (arguments.Number("user", 0) is not (var user and > 0))
        {
            return;
        }

        // The other user may not be able to read the folder that this program lies in: what is needed is loaded before.
        Rehearse(arguments.Memory() != FrameMemory.Host);
        uint group = (uint)arguments.Number("group", user);
        if (SetGroups(0, null) < 0 || SetGroupId(group) < 0 || SetUserId((uint)user) < 0)
        {
            throw new InvalidOperationException($"Cannot become user {user}: {Marshal.GetLastPInvokeErrorMessage()}");
        }
    }

    /// <summary>Publishes and reads frames in this process.</summary>
    public static void Rehearse(bool inDeviceMemory)
    {
        using TemporaryDirectory directory = new();
        using FramePublisher publisher = FramePublisher.Create("rehearsal", new StreamFormat(PixelFormat.Nv12, 32, 16), new PublisherOptions
        {
            Directory = directory.Path,
            Memory = inDeviceMemory ? FrameMemory.Cuda : FrameMemory.Host,
        });
        using DevicePublisher? device = inDeviceMemory ? new DevicePublisher(publisher) : null;
        using FrameSubscriber subscriber = FrameSubscriber.Connect("rehearsal", new SubscriberOptions { Directory = directory.Path });
        FrameChecker checker = new();
        using DeviceReader? reader = inDeviceMemory ? new DeviceReader(subscriber.Cuda!, checker, 2) : null;
        for (int i = 0; i < 3; i++)
        {
            if (device is not null)
            {
                device.Publish();
            }
            else
            {
                StampedFrames.Publish(publisher);
            }

            using Frame frame = subscriber.Next(TimeSpan.FromSeconds(90));
            if (reader is not null)
            {
                checker.Count(frame);
                reader.Enqueue(frame);
                reader.VerifyAll();
            }
            else
            {
                checker.Take(frame);
                checker.Verify(frame);
            }
        }

        PeerArguments.Say(new { kind = "rehearsed", checker.IsClean, stats = publisher.GetStatistics() });
    }

    /// <summary>User and namespaces of this process.</summary>
    public static Dictionary<string, string> Facts()
    {
        Dictionary<string, string> facts = new()
        {
            ["uid"] = GetUserId().ToString(CultureInfo.InvariantCulture),
            ["pid"] = Environment.ProcessId.ToString(CultureInfo.InvariantCulture),
        };
        foreach (string name in Namespaces)
        {
            facts["ns:" + name] = new FileInfo($"/proc/self/ns/{name}").LinkTarget ?? "";
        }

        return facts;
    }

    [LibraryImport("libc", EntryPoint = "setgroups", SetLastError = true)]
    private static partial int SetGroups(nuint count, uint* groups);

    [LibraryImport("libc", EntryPoint = "setgid", SetLastError = true)]
    private static partial int SetGroupId(uint group);

    [LibraryImport("libc", EntryPoint = "setuid", SetLastError = true)]
    private static partial int SetUserId(uint user);

    [LibraryImport("libc", EntryPoint = "getuid")]
    private static partial uint GetUserId();
}
