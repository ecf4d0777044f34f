using System.Globalization;
using System.Text;
using CuFrames.Benchmarks.Gpu.Running;
using CuFrames.Benchmarks.Running;
using CuFrames.TestKit;

namespace CuFrames.Benchmarks.Gpu.Cameras;

/// <summary>cuframesd with a number of cameras that play the same clip, and GPU reader processes of all its streams.</summary>
internal sealed class CameraDaemon : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly string[] _keys;
    private readonly List<Peer> _readers = [];
    private readonly Peer _daemon;

    private CameraDaemon(PartContext context, string clip, int cameras, bool isPaced, Func<int, string>? more, IReadOnlyDictionary<string, string?> environment)
    {
        _keys = [.. Enumerable.Range(1, cameras).Select(KeyOf)];
        StringBuilder configuration = new();
        configuration.Append(CultureInfo.InvariantCulture, $"directory: {_directory.Path}\ndefaults:\n  memory: {context.Options.Memory}\n  decode: {context.Options.Decode}\ncameras:\n");
        foreach ((int index, string key) in _keys.Index())
        {
            // As fast as it goes: with two threads, as ffmpeg chooses by itself. A camera at its own pace has no use for them.
            configuration.Append(CultureInfo.InvariantCulture, $"  {key}:\n    source: {clip}\n    paced: {(isPaced ? "true" : "false")}\n    decode_threads: {(isPaced ? 1 : 2)}\n    loop: true\n");
            if (more is not null)
            {
                configuration.Append(CultureInfo.InvariantCulture, $"    {more(index + 1)}\n");
            }
        }

        string file = Path.Combine(_directory.Path, "cuframes.yaml");
        File.WriteAllText(file, configuration.ToString());
        _daemon = Peer.Program("cuframesd", "env", [.. environment.Select(variable => $"{variable.Key}={variable.Value}"), FindProgram(), "--config", file]);
    }

    public int ProcessId => _daemon.ProcessId;

    /// <summary>Where its sockets are.</summary>
    public string Directory => _directory.Path;

    /// <summary>Keys of the cameras.</summary>
    public IReadOnlyList<string> Keys => _keys;

    /// <summary>What the daemon and its readers have said.</summary>
    public string Errors => string.Join('\n', [_daemon.Errors, .. _readers.Select(reader => reader.Errors)]);

    public IReadOnlyList<int> ReaderProcessIds => [.. _readers.Select(reader => reader.ProcessId)];

    /// <summary>Starts the daemon. Every camera delivers when this returns.</summary>
    public static CameraDaemon Start(PartContext context, string clip, int cameras, bool isPaced)
    {
        CameraDaemon daemon = new(context, clip, cameras, isPaced, null, new Dictionary<string, string?>());
        try
        {
            foreach (string key in daemon._keys)
            {
                // Each camera says once that its frames come.
                if (!daemon._daemon.WaitForError($"] {key}: Frames of ", seconds: 60))
                {
                    throw new InvalidOperationException($"The camera {key} delivers nothing. {daemon.Errors}");
                }
            }

            return daemon;
        }
        catch
        {
            daemon.Dispose();
            throw;
        }
    }

    /// <summary>Starts the daemon with cameras at their own pace. It has taken its configuration when this returns; no camera has to deliver.</summary>
    /// <param name="context">Of the part.</param>
    /// <param name="clip">What they play.</param>
    /// <param name="cameras">How many.</param>
    /// <param name="more">One more line of configuration for a camera, by its number from 1 on; null: none.</param>
    /// <param name="environment">What the daemon has more in its environment.</param>
    public static CameraDaemon StartWith(PartContext context, string clip, int cameras, Func<int, string>? more, IReadOnlyDictionary<string, string?> environment)
    {
        CameraDaemon daemon = new(context, clip, cameras, isPaced: true, more, environment);
        if (!daemon._daemon.WaitForError("[101 ready]", seconds: 30))
        {
            string errors = daemon.Errors;
            daemon.Dispose();
            throw new InvalidOperationException($"The daemon does not start. {errors}");
        }

        return daemon;
    }

    /// <summary>The key of a camera, by its number from 1 on.</summary>
    public static string KeyOf(int camera) => FormattableString.Invariant($"camera-{camera}");

    /// <summary>Adds a process that reads all streams. It has a frame of each when this returns.</summary>
    public void AddReader() => AddReaders([_keys]);

    /// <summary>Adds a process for each list of streams. Each has a frame of each of its streams when this returns.</summary>
    /// <param name="keys">The streams of each process.</param>
    public void AddReaders(IEnumerable<string[]> keys)
    {
        Peer[] readers = [.. keys.Select(streams => Peer.Start(PeerRoles.StreamReader, [_directory.Path, .. streams]))];
        _readers.AddRange(readers);
        foreach (Peer reader in readers)
        {
            try
            {
                reader.Expect("READY", seconds: 30);
            }
            catch (InvalidOperationException error)
            {
                throw new InvalidOperationException($"{error.Message} {_daemon.Errors}", error);
            }
        }
    }

    /// <summary>Where each reader is in each stream.</summary>
    public StreamPoint[][] Mark()
    {
        foreach (Peer reader in _readers)
        {
            reader.Send("MARK");
        }

        return [.. _readers.Select(reader => reader.Expect("POINTS").Select(Parse).ToArray())];
    }

    public void Dispose()
    {
        foreach (Peer reader in _readers)
        {
            reader.Dispose();
        }

        _daemon.Dispose();
        _directory.Dispose();
    }

    private static StreamPoint Parse(string text)
    {
        string[] words = text.Split(':');
        return new StreamPoint(
            ulong.Parse(words[0], CultureInfo.InvariantCulture), long.Parse(words[1], CultureInfo.InvariantCulture), long.Parse(words[2], CultureInfo.InvariantCulture));
    }

    /// <summary>In the bundle the daemon lies beside this program's folder, in the repository where the build puts it.</summary>
    private static string FindProgram()
    {
        string[] places =
        [
            Path.Combine(AppContext.BaseDirectory, "..", "cuframesd", "cuframesd"),
            Path.Combine(AppContext.BaseDirectory, "..", "..", "..", "..", "..", "daemon", "bin", "Release", "net10.0", "cuframesd"),
        ];
        return Path.GetFullPath(places.FirstOrDefault(File.Exists) ??
            throw new FileNotFoundException("The daemon is not built: dotnet build -c Release daemon/CuFrames.Daemon.csproj", places[1]));
    }
}
