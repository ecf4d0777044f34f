using System.Globalization;
using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Media;

namespace CuFrames.Daemon.Internal;

/// <summary>The keys that a camera may have.</summary>
internal static class CameraKey
{
    private static readonly TimeSpan Tenth = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan TenMinutes = TimeSpan.FromMinutes(10);

    /// <summary>Value of a key whose default depends on the source.</summary>
    internal const string Auto = "auto";

    internal const string Source = "source";
    internal const string Enabled = "enabled";
    internal const string Transport = "transport";
    internal const string Username = "username";
    internal const string Password = "password";
    internal const string PasswordFile = "password_file";
    internal const string Decode = "decode";
    internal const string DecodeThreads = "decode_threads";
    internal const string Paced = "paced";
    internal const string Loop = "loop";
    internal const string Memory = "memory";
    internal const string Slots = "slots";
    internal const string MaxSlots = "max_slots";
    internal const string MemoryLimit = "memory_limit";
    internal const string OpenTimeout = "open_timeout";
    internal const string StallTimeout = "stall_timeout";
    internal const string LeaseTimeout = "lease_timeout";
    internal const string Lossless = "lossless";
    internal const string Readers = "readers";
    internal const string Renditions = "renditions";
    internal const string Packets = "packets";
    internal const string Isolated = "isolated";
    internal const string StuckTimeout = "stuck_timeout";

    /// <summary>Value of a time that does not end.</summary>
    internal const string Off = "off";

    /// <summary>The kinds of memory as one writes them in the configuration.</summary>
    internal static IReadOnlyList<(string Name, object Memory)> Memories { get; } =
        [("host", FrameMemory.Host), ("cuda", FrameMemory.Cuda), ("cuda-ipc", FrameMemory.CudaIpc)];

    /// <summary>All keys, in the order in which they are shown.</summary>
    internal static IReadOnlyList<ConfigurationKey> All { get; } =
    [
        new(Source, "-", "a URL (rtsp://, http://, ...), a file's path, or test[:[FORMAT@]WIDTHxHEIGHT[@RATE]]", value => value.Text()),
        new(Enabled, "true", "true, false", value => value.Boolean()),
        new(Transport, "tcp", "tcp, udp", value => value.Choice(("tcp", MediaTransport.Tcp), ("udp", MediaTransport.Udp))),
        new(Username, "-", "a text without a colon", value => value.Text(text => text.Contains(':', StringComparison.Ordinal) ? "a colon in it" : null)),
        new(Password, "-", "a text", value => value.Text()),
        new(PasswordFile, "-", "the path of a file that holds the password", value => value.Text()),
        new(Decode, Auto, DecodeConfiguration.Accepted, DecodeConfiguration.Read),
        new(DecodeThreads, "1", "a whole number from 0 (one per core) to 64", value => value.Integer(0, 64)),
        new(Paced, Auto, "auto, true, false", value => value.Choice((Auto, Auto), ("true", true), ("false", (object)false))),
        new(Loop, "false", "true, false", value => value.Boolean()),
        new(Memory, "host", "host, cuda, cuda-ipc", value => value.Choice([.. Memories])),
        new(Slots, "6", $"a whole number from 2 to {PublisherOptions.SlotLimit}", value => value.Integer(2, PublisherOptions.SlotLimit)),
        new(MaxSlots, "24", $"a whole number from 2 to {PublisherOptions.SlotLimit}", value => value.Integer(2, PublisherOptions.SlotLimit)),
        new(MemoryLimit, Auto, "auto, or a size from 1MiB to 1024GiB, such as 256MiB or 2GiB", value => value.IsText(Auto) ? 0L : value.Size(1L << 20, 1L << 40)),
        new(OpenTimeout, "10s", "a time from 100ms to 10min, such as 500ms or 10s", value => value.Time(Tenth, TenMinutes)),
        new(StallTimeout, "5s", "a time from 100ms to 10min, such as 500ms or 10s", value => value.Time(Tenth, TenMinutes)),
        new(LeaseTimeout, "5s", "a time from 100ms to 10min, such as 500ms or 10s", value => value.Time(Tenth, TenMinutes)),
        new(Lossless, "false", "false, true (5s), or a time from 100ms to 10min, such as 500ms or 10s", ParseLossless),
        new(Readers, "own", "own, everyone, or {users: [...], groups: [...]} with names or ids", ParseReaders),
        new(Renditions, "-", "a mapping of names to renditions, such as {small: {size: 640x360}}", ParseRenditions),
        new(Packets, PacketKey.On, "on, off, or a mapping with the keys memory, time, readers, such as {memory: 64MiB}", PacketKey.Read),
        new(Isolated, "false", "true, false", value => value.Boolean()),
        new(StuckTimeout, "30s", "off, or a time from 1s to 1h that is longer than open_timeout and stall_timeout", ParseStuckTimeout),
    ];

    private static object? ParseLossless(ConfigurationValue value) =>
        value.IsText("false") ? TimeSpan.Zero
        : value.IsText("true") ? TimeSpan.FromSeconds(5)
        : value.Time(Tenth, TenMinutes);

    private static object? ParseStuckTimeout(ConfigurationValue value) =>
        value.IsText(Off) || value.IsText("false") ? TimeSpan.Zero : value.Time(TimeSpan.FromSeconds(1), TimeSpan.FromHours(1));

    private static List<RenditionConfiguration>? ParseRenditions(ConfigurationValue value)
    {
        List<RenditionConfiguration> renditions = [];
        bool isGood = value.Keys(null, (name, rendition) =>
        {
            if (RenditionKey.Read(name, rendition) is { } read)
            {
                renditions.Add(read);
                return true;
            }

            return false;
        });
        return isGood ? renditions : null;
    }

    internal static object? ParseReaders(ConfigurationValue value)
    {
        if (value.Node.Kind != ConfigurationNodeKind.Mapping)
        {
            return value.Choice(("own", ReaderAccess.OwnUserAndGroup with { Place = value.Place }), ("everyone", ReaderAccess.Everyone));
        }

        List<uint> users = [], groups = [];
        bool isGood = value.Keys(["users", "groups"], (name, list) =>
            list.Items(item => ParseAccount(item, isGroup: name == "groups", name == "groups" ? groups : users)));
        if (isGood && users.Count + groups.Count == 0)
        {
            value.Report("no user and no group is named", value.Accepted);
            return null;
        }

        return isGood ? new ReaderAccess { Users = users, Groups = groups, Place = value.Place } : null;
    }

    /// <summary>Reads the name or the id of a user or a group.</summary>
    internal static bool ParseAccount(ConfigurationValue item, bool isGroup, List<uint> ids)
    {
        string what = isGroup ? "group" : "user";
        item = item with { Accepted = $"the name or the id of a {what} of this machine" };
        if (item.Text() is not { } text)
        {
            return false;
        }

        try
        {
            if (uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out uint id) ||
                (isGroup ? AccountNames.TryFindGroup(text, out id) : AccountNames.TryFindUser(text, out id)))
            {
                ids.Add(id);
                return true;
            }

            item.Report($"there is no {what} '{item.Node.Text}'", item.Accepted);
        }
        catch (LinuxException error)
        {
            item.Report(error.Message, item.Accepted);
        }

        return false;
    }
}
