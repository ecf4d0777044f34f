using System.Globalization;
using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Protocol;

namespace CuFrames.Cli.Internal;

/// <summary>Looks at the runtime directory: is it there, may this user read and publish, do the sockets answer.</summary>
internal static class DirectoryChecks
{
    private const string Name = "runtime directory";

    public static IEnumerable<Check> All()
    {
        string path = StreamDirectory.RuntimeDirectory;
        string origin = Environment.GetEnvironmentVariable("CUFRAMES_DIR") is { Length: > 0 } ? " (CUFRAMES_DIR)" : "";
        yield return Identity();
        if (!Directory.Exists(path))
        {
            yield return Check.Warn(Name, $"{path}{origin} does not exist",
                "cuframesd makes it; else create it, or set CUFRAMES_DIR to the directory that the publishers use. In a container: mount it.");
            yield break;
        }

        UnixFileMode mode = File.GetUnixFileMode(path);
        string found = $"{path}{origin}, mode {Convert.ToString((int)mode, 8)}";
        IReadOnlyList<string> keys;
        Check? unreadable = null;
        try
        {
            keys = StreamDirectory.Keys(path);
        }
        catch (StreamUnavailableException error)
        {
            keys = [];
            unreadable = Check.Fail(Name, $"{found}: this user may not list it ({error.Message})",
                "Add the user to the directory's group, or set CUFRAMES_DIR.");
        }

        if (unreadable is not null)
        {
            yield return unreadable;
            yield break;
        }

        yield return (mode & (UnixFileMode.OtherWrite | UnixFileMode.StickyBit)) == UnixFileMode.OtherWrite
            ? Check.Warn(Name, $"{found}: every user may remove another user's sockets", $"chmod o-w {path}, or chmod +t {path}.")
            : Check.Ok(Name, found);
        yield return Publishing(path);
        yield return Sockets(keys);
    }

    private static Check Identity()
    {
        string[] status = File.ReadAllLines("/proc/self/status");
        string Field(string name) => status.FirstOrDefault(line => line.StartsWith(name, StringComparison.Ordinal))?[name.Length..].Trim() ?? "";
        string user = Field("Uid:").Split('\t')[0];
        string group = Field("Gid:").Split('\t')[0];
        return Check.Ok("user", $"{Environment.UserName} ({user}), group {group}, supplementary groups {(Field("Groups:") is { Length: > 0 } groups ? groups : "none")}");
    }

    /// <summary>Makes a lock and a socket there, as a publisher does, and removes them.</summary>
    private static Check Publishing(string path)
    {
        const string name = "publishing";
        string beside = Path.Combine(path, string.Create(CultureInfo.InvariantCulture, $".doctor-{Environment.ProcessId}"));
        try
        {
            using (FileLock? held = FileLock.TryAcquire(beside + ".lock"))
            using (UnixSocket socket = UnixSocket.Listen(beside + ".socket", 1, UnixFileMode.UserRead | UnixFileMode.UserWrite))
            using (UnixSocket client = UnixSocket.Connect(beside + ".socket", 1000))
            {
                return held is null
                    ? Check.Fail(name, $"a new lock file in {path} is held by somebody else", "Use a local file system for the runtime directory.")
                    : Check.Ok(name, "a lock and a socket can be made in the runtime directory");
            }
        }
        catch (Exception error) when (error is LinuxException or UnauthorizedAccessException or IOException)
        {
            return Check.Warn(name, error.Message, "This user can read streams, not publish them, which may be as intended.");
        }
        finally
        {
            RemoveIfThere(beside + ".lock");
            RemoveIfThere(beside + ".socket");
        }
    }

    private static void RemoveIfThere(string path)
    {
        if (File.Exists(path))
        {
            File.Delete(path);
        }
    }

    private static Check Sockets(IReadOnlyList<string> keys)
    {
        const string name = "streams";
        IReadOnlyList<StreamProbe> probes = StreamProbe.Ask(keys);
        int live = probes.Count(probe => probe.Info.Description is { State: StreamState.Live });
        string found = $"{probes.Count} published, {live} live" + (keys.Count > probes.Count ? $", {keys.Count - probes.Count} left by publishers that died, harmless" : "");
        StreamProbe? refused = probes.FirstOrDefault(probe => probe.Info.ErrorCode != ErrorCode.None);
        return refused is null
            ? Check.Ok(name, found)
            : Check.Warn(name, $"{found}; {refused.Info.Key} does not answer as it should: {refused.Info.Error}",
                AccessAdvice.For(probes) ?? "See 'cuframes ls' for all of them.");
    }
}
