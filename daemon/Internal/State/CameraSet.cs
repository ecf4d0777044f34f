using CuFrames.Daemon.Internal.Limits;

namespace CuFrames.Daemon.Internal.State;

/// <summary>
/// The cameras of the configuration file and those that the control API added, put together: what is to run. Immutable. The file comes first: a key that
/// it has hides the added camera of that key.
/// </summary>
internal sealed class CameraSet
{
    private readonly Dictionary<string, ConfiguredCamera> _byKey = [];
    private readonly Func<string, string?> _environment;

    private CameraSet(string path, DaemonConfiguration file, StateContent state, Func<string, string?> environment, CameraSet? previous)
    {
        (ConfigurationPath, File, State, _environment) = (path, file, state, environment);
        List<ConfiguredCamera> all = [];

        // Streams of the cameras before, and whose they are.
        Dictionary<string, string> streams = [];
        foreach (CameraConfiguration camera in file.Cameras)
        {
            all.Add(new ConfiguredCamera(camera.Key, CameraOrigin.Configuration, file.Settings[camera.Key], camera, []));
            foreach (string stream in camera.StreamKeys)
            {
                streams[stream] = camera.Key;
            }
        }

        HashSet<string> ofFile = [.. file.Cameras.Select(camera => camera.Key)];
        List<string> hidden = [];
        foreach ((ConfigurationNode key, ConfigurationNode settings) in state.Cameras)
        {
            if (ofFile.Contains(key.Text))
            {
                hidden.Add(key.Text);
                continue;
            }

            ConfiguredCamera camera = previous is not null && previous.TryReuse(key.Text, settings, file) is { } known ? known : Read(key, settings);
            if (camera.Configuration?.StreamKeys.FirstOrDefault(streams.ContainsKey) is { } taken)
            {
                string problem = $"{state.FilePath}:{key.Line}:{key.Column}: cameras.{key.Text}: the stream '{taken}' is one of camera {streams[taken]} too. Accepted: another key, or another name of the rendition.";
                camera = camera with { Configuration = null, Problems = [problem] };
            }

            if (camera.Configuration is not null && all.Count >= file.Limits.Cameras)
            {
                string problem = $"{state.FilePath}:{key.Line}:{key.Column}: cameras.{key.Text}: {all.Count} cameras stand before it, and limits.{LimitsKey.Cameras} of {path} is {file.Limits.Cameras}. Accepted: fewer cameras, or a higher limit.";
                camera = camera with { Configuration = null, Problems = [problem] };
            }

            all.Add(camera);
            foreach (string stream in camera.Configuration?.StreamKeys ?? [])
            {
                streams[stream] = camera.Key;
            }
        }

        (All, Hidden) = (all, hidden);
        Configuration = file with { Cameras = [.. all.Select(camera => camera.Configuration).OfType<CameraConfiguration>()] };
        all.ForEach(camera => _byKey.Add(camera.Key, camera));
    }

    /// <summary>The configuration file.</summary>
    internal string ConfigurationPath { get; }

    /// <summary>What the configuration file says.</summary>
    internal DaemonConfiguration File { get; }

    /// <summary>The cameras that were added.</summary>
    internal StateContent State { get; }

    /// <summary>All cameras: those of the file in its order, then the others in the order in which they were added.</summary>
    internal IReadOnlyList<ConfiguredCamera> All { get; }

    /// <summary>Keys of added cameras that do not count, because the file has them too.</summary>
    internal IReadOnlyList<string> Hidden { get; }

    /// <summary>What holds: the file's configuration with every camera whose settings hold.</summary>
    internal DaemonConfiguration Configuration { get; }

    /// <summary>Puts a configuration and the added cameras together.</summary>
    /// <param name="path">The configuration file.</param>
    /// <param name="file">What it says.</param>
    /// <param name="state">The added cameras.</param>
    /// <param name="environment">Gives the value of a variable, or null.</param>
    /// <param name="previous">The set before, of which is taken what cannot have changed; null: none, so everything is read.</param>
    internal static CameraSet Compose(string path, DaemonConfiguration file, StateContent state, Func<string, string?> environment, CameraSet? previous = null) =>
        new(path, file, state, environment, previous);

    /// <summary>The set with other added cameras.</summary>
    /// <param name="state">They.</param>
    internal CameraSet With(StateContent state) => new(ConfigurationPath, File, state, _environment, this);

    /// <summary>The set with another configuration file.</summary>
    /// <param name="file">What it says.</param>
    internal CameraSet With(DaemonConfiguration file) => new(ConfigurationPath, file, State, _environment, previous: null);

    /// <summary>The camera of a key, or null.</summary>
    internal ConfiguredCamera? Find(string key) => _byKey.GetValueOrDefault(key);

    /// <summary>What no longer holds of cameras that held in a set before, a line for each problem.</summary>
    /// <param name="before">That set.</param>
    internal IReadOnlyList<string> ProblemsSince(CameraSet before) =>
        [.. All.Where(camera => camera.Configuration is null && before.Find(camera.Key)?.Configuration is not null).SelectMany(camera => camera.Problems)];

    /// <summary>Reads settings that somebody wants a camera to have.</summary>
    /// <param name="key">The camera's key.</param>
    /// <param name="settings">The mapping.</param>
    /// <param name="place">What stands before line and column of a problem.</param>
    /// <returns>The problems, a line each.</returns>
    internal IReadOnlyList<string> Check(string key, ConfigurationNode settings, string place) => ConfigurationReader.ReadCamera(
        ConfigurationPath, File.Defaults, (new ConfigurationNode(ConfigurationNodeKind.Scalar, 1, 1, key), settings), "", place, _environment).Problems;

    /// <summary>A camera whose settings and defaults are the same need not be read again: files of passwords are read anew by a reload only.</summary>
    private ConfiguredCamera? TryReuse(string key, ConfigurationNode settings, DaemonConfiguration file) =>
        ReferenceEquals(file, File) && Find(key) is { Origin: CameraOrigin.Api, Configuration: not null } known && known.Settings.SaysTheSameAs(settings)
            ? known with { Settings = settings }
            : null;

    private ConfiguredCamera Read(ConfigurationNode key, ConfigurationNode settings)
    {
        (CameraConfiguration? camera, IReadOnlyList<string> problems) = ConfigurationReader.ReadCamera(
            ConfigurationPath, File.Defaults, (key, settings), $"cameras.{key.Text}", State.FilePath, _environment);
        return new ConfiguredCamera(key.Text, CameraOrigin.Api, settings, camera, problems);
    }
}
