using System.Text.Json;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Client.Tests;

/// <summary>Two processes that share nothing but the directory with the socket.</summary>
public class NamespaceTests
{
    private const string OtherUserId = "54321";
    private static readonly string[] Namespaces = ["pid", "ipc", "net", "mnt", "user", "uts"];
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public void A_reader_in_namespaces_of_its_own_reads()
    {
        using TestStream stream = new(TestStream.Small, new PublisherOptions { Readers = ReaderAccess.Everyone });
        stream.Publish();
        using PeerProcess reader = Isolated(stream.Directory.Path, "read", "--key", TestStream.Key, "--delivery", "inorder", "--leases", "2", "--hold", "2");
        RequireIsolated(reader.Expect("ready"));
        reader.Expect("connected");
        for (int i = 0; i < 200; i++)
        {
            stream.Publish();
        }

        JsonElement summary = reader.Ask("finish", "summary");
        Assert.True(StressReader.Get(summary, "frames") > 1, summary.ToString());
        Assert.Equal(201, StressReader.Get(summary, "last"));
        Assert.Equal(0, StressReader.Get(summary, "torn") + StressReader.Get(summary, "lost") + StressReader.Get(summary, "missedWrong"));
        Assert.Equal(uint.Parse(OtherUserId, System.Globalization.CultureInfo.InvariantCulture), Assert.Single(stream.Publisher.GetStatistics().Subscribers).UserId);
        Assert.Equal(0, reader.Exit());
    }

    [Fact]
    public void A_publisher_in_namespaces_of_its_own_is_read()
    {
        using TemporaryDirectory directory = new();
        File.SetUnixFileMode(directory.Path, (UnixFileMode)0b111_111_111);
        using PeerProcess publisher = Isolated(directory.Path, "publish", "--key", "inside", "--format", "nv12:321x181", "--fps", "300", "--slots", "4");
        RequireIsolated(publisher.Expect("ready"));
        using FrameSubscriber subscriber = FrameSubscriber.Connect("inside", new SubscriberOptions { Directory = directory.Path, Delivery = Protocol.Delivery.InOrder, Leases = 3 });
        FrameChecker checker = new();
        Queue<Frame> held = new();
        while (checker.Frames < 100)
        {
            Frame frame = subscriber.Next(Patience);
            checker.Take(frame);
            held.Enqueue(frame);
            if (held.Count == 3)
            {
                checker.Verify(held.Peek());
                held.Dequeue().Dispose();
            }
        }

        while (held.Count > 0)
        {
            held.Dequeue().Dispose();
        }

        Assert.True(checker.IsClean, string.Join('\n', checker.Faults));
        Assert.Equal(0, publisher.Exit());
    }

    /// <summary>
    /// Starts a peer in new PID, IPC, network, mount, UTS and user namespaces, as another user. It sees the directory at another place; the directory's own
    /// place and /dev/shm are hidden from it.
    /// </summary>
    private static PeerProcess Isolated(string directory, string command, params string[] options)
    {
        Assert.True(Environment.IsPrivilegedProcess, "This test changes users and has to run as root.");
        const string outer = """
            while [ -z "$(cat /proc/self/uid_map)" ] || [ -z "$(cat /proc/self/gid_map)" ]; do sleep 0.02; done
            exec unshare --pid --ipc --net --mount --uts --fork --kill-child --mount-proc sh -c "$0" sh "$@"
            """;
        const string inner = """
            set -e
            mount -t tmpfs none /mnt
            mkdir /mnt/frames
            mount --bind "$1" /mnt/frames
            mount -t tmpfs none "$1"
            mount -t tmpfs none /dev/shm
            shift
            exec "$@"
            """;
        PeerProcess peer = PeerProcess.StartUnder(
            ["unshare", "--user", "sh", "-c", outer, inner, directory],
            [command, "--dir", "/mnt/frames", "--user", OtherUserId, .. options]);

        // All users there are: the peer becomes another one inside. Only who has the rights outside can give such a map.
        string own = new FileInfo("/proc/self/ns/user").LinkTarget!;
        TestStream.Until(() => new FileInfo($"/proc/{peer.Id}/ns/user").LinkTarget is { } user && user != own, "a user namespace of its own");
        File.WriteAllText($"/proc/{peer.Id}/uid_map", "0 0 65536");
        File.WriteAllText($"/proc/{peer.Id}/gid_map", "0 0 65536");
        return peer;
    }

    private static void RequireIsolated(JsonElement ready)
    {
        JsonElement facts = ready.GetProperty("facts");
        Assert.Equal(OtherUserId, facts.GetProperty("uid").GetString());
        foreach (string name in Namespaces)
        {
            string inside = facts.GetProperty("ns:" + name).GetString()!;
            Assert.NotEmpty(inside);
            Assert.NotEqual(new FileInfo($"/proc/self/ns/{name}").LinkTarget, inside);
        }
    }
}
