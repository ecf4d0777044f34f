using System.Text;
using CuFrames.Interop;

namespace CuFrames.Daemon.Internal.State;

/// <summary>
/// The file of the cameras that the control API added, as it is at one moment: good, or broken with the reasons. Immutable. The file is replaced as a
/// whole (<see cref="DurableFile"/>), so that SIGKILL and a loss of power at any moment leave the content before or after a change.
/// </summary>
internal sealed class StateContent
{
    /// <summary>Name of the file in the state directory.</summary>
    internal const string FileName = "cameras.yaml";

    /// <summary>Bytes that the file may have: ten thousand cameras.</summary>
    internal const int MaxBytes = 4 << 20;

    /// <summary>Settings hold passwords.</summary>
    private const uint Mode = 0b110_000_000;

    private const string CamerasKey = "cameras";

    private const string Heading = """
        # Cameras that were added by the control API of cuframesd, which writes this file: docs/control.md.
        # What is changed here by hand is read at the next change by the API, after SIGHUP and at the next start.

        """;

    private readonly byte[] _bytes;

    private StateContent(string? directory, byte[] bytes, IReadOnlyList<(ConfigurationNode Key, ConfigurationNode Settings)> cameras, IReadOnlyList<string> problems) =>
        (Directory, _bytes, Cameras, Problems) = (directory, bytes, cameras, problems);

    /// <summary>The directory; null: there is none that could be written.</summary>
    internal string? Directory { get; }

    /// <summary>The file.</summary>
    internal string FilePath => Path.Combine(Directory ?? "", FileName);

    /// <summary>Keys and mappings of the cameras, in the order in which they were added.</summary>
    internal IReadOnlyList<(ConfigurationNode Key, ConfigurationNode Settings)> Cameras { get; }

    /// <summary>Why the file cannot be used, a line each; empty: it can.</summary>
    internal IReadOnlyList<string> Problems { get; }

    /// <summary>Bytes of the file.</summary>
    internal int Size => _bytes.Length;

    /// <summary>Reads the file. One that is not there has no cameras.</summary>
    /// <param name="directory">The directory; null: there is none.</param>
    internal static StateContent Load(string? directory)
    {
        if (directory is null)
        {
            return new StateContent(null, [], [], []);
        }

        string path = Path.Combine(directory, FileName);
        try
        {
            using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            byte[] bytes = new byte[Math.Min(file.Length, MaxBytes) + 1];
            int length = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            return length > MaxBytes
                ? new StateContent(directory, [], [], [$"{path}: the file has more than {MaxBytes} bytes, which cuframesd has not written."])
                : Parse(directory, bytes[..length]);
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            return new StateContent(directory, [], [], []);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return new StateContent(directory, [], [], [$"{path}: the file cannot be read: {error.Message}"]);
        }
    }

    /// <summary>Whether this is the content of the same file with the same bytes.</summary>
    internal bool IsSameAs(StateContent other) =>
        Directory == other.Directory && _bytes.AsSpan().SequenceEqual(other._bytes) && Problems.SequenceEqual(other.Problems);

    /// <summary>The content with a camera that has other settings, or one more.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="settings">Its mapping.</param>
    internal StateContent With(string key, ConfigurationNode settings)
    {
        ConfigurationNode name = new(ConfigurationNodeKind.Scalar, 1, 1, key);
        bool isThere = Cameras.Any(camera => camera.Key.Text == key);
        return Write(isThere
            ? Cameras.Select(camera => camera.Key.Text == key ? (camera.Key, settings) : camera)
            : Cameras.Append((name, settings)));
    }

    /// <summary>The content without a camera.</summary>
    /// <param name="key">Its key.</param>
    internal StateContent Without(string key) => Write(Cameras.Where(camera => camera.Key.Text != key));

    /// <summary>Puts it in the place of the file. When this returns, it is on the disk.</summary>
    /// <exception cref="IOException">Nothing was changed: why.</exception>
    internal void Save()
    {
        StateDirectory.Ensure(Directory!);
        DurableFile.Replace(FilePath, _bytes, Mode);
    }

    private StateContent Write(IEnumerable<(ConfigurationNode Key, ConfigurationNode Settings)> cameras)
    {
        ConfigurationNode all = new(ConfigurationNodeKind.Mapping, 1, 1, "");
        all.Pairs.AddRange(cameras);
        ConfigurationNode top = new(ConfigurationNodeKind.Mapping, 1, 1, "");
        top.Pairs.Add((new ConfigurationNode(ConfigurationNodeKind.Scalar, 1, 1, CamerasKey), all));

        // Read again from its bytes: what the file says, and in which line, is what holds.
        return Parse(Directory!, Encoding.UTF8.GetBytes(Heading + SettingsWriter.Write(top)));
    }

    private static StateContent Parse(string directory, byte[] bytes)
    {
        string path = Path.Combine(directory, FileName);
        List<ConfigurationProblem> problems = [];
        ConfigurationNode? top = ConfigurationText.Parse(bytes, problems, allowsAliases: false);
        List<(ConfigurationNode Key, ConfigurationNode Settings)> cameras = [];
        if (top is not null)
        {
            ConfigurationValue whole = new(top, top, "", $"a mapping with the key {CamerasKey}", IsSecret: false, _ => null, problems);
            whole.Keys([CamerasKey], (_, value) => (value with { Accepted = "a mapping of keys to cameras" }).Keys(null, (_, camera) =>
            {
                cameras.Add((camera.Key, camera.Node));
                return true;
            }));
        }

        return problems.Count == 0
            ? new StateContent(directory, bytes, cameras, [])
            : new StateContent(directory, bytes, [], [.. problems.Select(problem => problem.Describe(path))]);
    }
}
