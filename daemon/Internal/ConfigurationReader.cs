using System.Text;
using CuFrames.Client;
using CuFrames.Daemon.Internal.Access;
using CuFrames.Daemon.Internal.Limits;
using CuFrames.Daemon.Internal.Metrics;
using CuFrames.Daemon.Internal.Taps;
using CuFrames.Daemon.Internal.Web;
using CuFrames.Interop;
using CuFrames.Media;
using CuFrames.Protocol;

namespace CuFrames.Daemon.Internal;

/// <summary>Reads a configuration file: all of it is good, or every problem is reported.</summary>
internal sealed class ConfigurationReader
{
    /// <summary>A configuration of a thousand cameras is smaller; a larger file is another file.</summary>
    private const int MaxFileSize = 1 << 20;

    private const int MaxPasswordFileSize = 4096;

    private static readonly string[] TopKeys = ["directory", "state", "gpu", "taps", "web", "log", "metrics", "control", "permissions", "limits", "defaults", "cameras"];

    private readonly string _path;
    private readonly string _folder;
    private readonly PeerCredentials _own = PeerCredentials.OfThisProcess();
    private readonly Func<string, string?> _environment;
    private readonly List<ConfigurationProblem> _problems = [];

    private ConfigurationReader(string path, Func<string, string?> environment)
    {
        _path = Path.GetFullPath(path);
        _folder = Path.GetDirectoryName(_path)!;
        _environment = environment;
    }

    /// <summary>Reads a file's bytes.</summary>
    /// <param name="path">The file.</param>
    /// <param name="problem">Why they cannot be read, and what to do.</param>
    /// <returns>The bytes, or null.</returns>
    internal static byte[]? ReadContent(string path, out string problem)
    {
        problem = "";
        try
        {
            using FileStream file = File.OpenRead(path);
            byte[] content = ReadAll(file, MaxFileSize);
            if (content.Length <= MaxFileSize)
            {
                return content;
            }

            problem = $"{path}: the file has more than {MaxFileSize} bytes, which is no configuration of cuframesd.";
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            problem = $"{path}: the configuration cannot be read: {WhyUnreadable(path, error)} Name the file with --config or $CUFRAMES_CONFIG.";
        }

        return null;
    }

    /// <summary>Reads a configuration.</summary>
    /// <param name="path">The file that the bytes come from.</param>
    /// <param name="content">The bytes.</param>
    /// <param name="environment">Gives the value of a variable, or null.</param>
    /// <returns>The configuration, or null and the problems, one line each.</returns>
    internal static (DaemonConfiguration? Configuration, IReadOnlyList<string> Problems) Read(string path, byte[] content, Func<string, string?> environment)
    {
        ConfigurationReader reader = new(path, environment);
        DaemonConfiguration? configuration = reader.Read(content);
        return reader._problems.Count > 0
            ? (null, [.. reader._problems.OrderBy(problem => problem.Line).ThenBy(problem => problem.Column).Select(problem => problem.Describe(path))])
            : (configuration, []);
    }

    /// <summary>Reads a camera that stands elsewhere than in the file, with the file's defaults, as if it stood there.</summary>
    /// <param name="path">The configuration file: relative paths begin at its directory.</param>
    /// <param name="defaults">Its mapping <c>defaults</c>; null: there is none.</param>
    /// <param name="camera">Key and mapping.</param>
    /// <param name="keyPath">Where the mapping stands, as keys from the top; empty: it is the top.</param>
    /// <param name="place">The text that it stands in, for problems.</param>
    /// <param name="environment">Gives the value of a variable, or null.</param>
    /// <returns>The camera, or null and the problems, one line each.</returns>
    internal static (CameraConfiguration? Camera, IReadOnlyList<string> Problems) ReadCamera(
        string path, ConfigurationNode? defaults, (ConfigurationNode Key, ConfigurationNode Settings) camera, string keyPath, string place, Func<string, string?> environment)
    {
        // Values of the defaults report to a list of their own: they stand in the file.
        List<ConfigurationProblem> ofDefaults = [];
        ConfigurationSettings? standard = defaults is null
            ? null
            : ConfigurationSettings.Read(new ConfigurationValue(defaults, defaults, "defaults", "", false, environment, ofDefaults), CameraKey.All);
        ConfigurationReader reader = new(path, environment);
        ConfigurationValue value = new(camera.Key, camera.Settings, keyPath, "a mapping of keys to values", false, environment, reader._problems);
        RequireKey(camera.Key.Text, value);
        CameraConfiguration? read = reader.ReadCamera(camera.Key.Text, value, ConfigurationSettings.Read(value, CameraKey.All), standard);
        IReadOnlyList<string> problems =
        [
            .. reader._problems.OrderBy(problem => problem.Line).ThenBy(problem => problem.Column).Select(problem => problem.Describe(place)),
            .. ofDefaults.Select(problem => problem.Describe(path)),
        ];
        return problems.Count == 0 ? (read, []) : (null, problems);
    }

    private static void RequireKey(string key, ConfigurationValue value)
    {
        if (!StreamKey.IsValid(key))
        {
            value.ReportKey(
                $"'{key}' is not a stream key",
                $"1 to {StreamKey.MaxNameLength} of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit, such as front-door");
        }
    }

    private static byte[] ReadAll(FileStream file, int limit)
    {
        // The length of what is no regular file is not known in advance.
        byte[] buffer = new byte[limit + 1];
        int length = file.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
        return buffer[..length];
    }

    private static string WhyUnreadable(string path, Exception error) => error switch
    {
        FileNotFoundException => "there is no such file.",
        DirectoryNotFoundException => "its directory does not exist.",
        UnauthorizedAccessException => Directory.Exists(path) ? "it is a directory." : "this user may not read it.",
        _ => error.Message,
    };

    private DaemonConfiguration? Read(byte[] content)
    {
        if (ConfigurationText.Parse(content, _problems) is not { } top)
        {
            return null;
        }

        string? directory = null;
        string? state = null;
        ConfigurationValue? defaultsPlace = null;
        ConfigurationValue? camerasPlace = null;
        ConfigurationSettings? gpu = null;
        TapConfiguration taps = TapConfiguration.Default;
        WebConfiguration web = WebConfiguration.Default;
        LogConfiguration log = LogConfiguration.Default;
        MetricsConfiguration metrics = MetricsConfiguration.Default;
        LimitsConfiguration limits = LimitsConfiguration.Default;
        AccessConfiguration access = PermissionKey.DefaultOf(_path);
        ControlConfiguration control = ControlConfiguration.Default;
        ConfigurationValue? controlPlace = null;
        ConfigurationValue whole = new(top, top, "", $"a mapping with the keys {string.Join(", ", TopKeys)}", false, _environment, _problems) { File = _path };
        whole.Keys(TopKeys, (name, value) =>
        {
            switch (name)
            {
                case "directory":
                    directory = (value with { Accepted = "an absolute path" }).Text(text => Path.IsPathFullyQualified(text) ? null : "a relative path");
                    break;
                case "state":
                    state = (value with { Accepted = "an absolute path" }).Text(text => Path.IsPathFullyQualified(text) ? null : "a relative path");
                    break;
                case "gpu":
                    gpu = ConfigurationSettings.Read(value, GpuKey.All);
                    break;
                case "taps":
                    taps = TapKey.Read(value);
                    break;
                case "web":
                    web = WebKey.Read(value);
                    break;
                case "log":
                    log = LogKey.Read(value);
                    break;
                case "metrics":
                    metrics = MetricsKey.Read(value);
                    break;
                case "control":
                    control = ControlKey.Read(value, _folder, _own);
                    controlPlace = value;
                    break;
                case "permissions":
                    access = PermissionKey.Read(value, _path, _own);
                    break;
                case "limits":
                    limits = LimitsKey.Read(value);
                    break;
                case "defaults":
                    defaultsPlace = value;
                    break;
                case "cameras":
                    camerasPlace = value with { Accepted = "a mapping of stream keys to cameras" };
                    break;
            }

            return true;
        });
        if (camerasPlace is null && _problems.Count == 0)
        {
            whole.Report("the key 'cameras' is missing", "cameras: and below it one key per camera; cameras: {} for none");
        }

        if (control.Tcp is not null && access.Tokens.Count == 0 && _problems.Count == 0)
        {
            controlPlace!.Report("by TCP a token is asked for, and permissions.tokens names none", "tcp: off, or a token with 'may: view' or 'may: control'");
        }

        ConfigurationSettings? defaults = defaultsPlace is null ? null : ConfigurationSettings.Read(defaultsPlace, CameraKey.All);
        List<CameraConfiguration> cameras = [];
        Dictionary<string, ConfigurationValue> places = [];
        camerasPlace?.Keys(null, (key, value) =>
        {
            places.Add(key, value);
            RequireKey(key, value);
            if (ReadCamera(key, value, ConfigurationSettings.Read(value, CameraKey.All), defaults) is { } camera)
            {
                cameras.Add(camera);
            }

            return true;
        });
        if (places.Count > limits.Cameras)
        {
            camerasPlace!.Report($"{places.Count} cameras, and limits.{LimitsKey.Cameras} is {limits.Cameras}", "fewer cameras, or a higher limit");
        }

        foreach (CameraConfiguration camera in cameras)
        {
            foreach (RenditionConfiguration rendition in camera.Renditions)
            {
                if (places.TryGetValue($"{camera.Key}@{rendition.Name}", out ConfigurationValue? place))
                {
                    place.ReportKey($"this is the key of camera {camera.Key}'s rendition {rendition.Name} too", "another key, or another name of the rendition");
                }
            }
        }

        return new DaemonConfiguration(directory, ReadGpu(gpu), taps, web, log, metrics, cameras)
        {
            Access = access,
            Control = control,
            State = state,
            Limits = limits,
            Defaults = defaultsPlace?.Node,
            Settings = places.ToDictionary(place => place.Key, place => place.Value.Node),
        };
    }

    private static GpuConfiguration ReadGpu(ConfigurationSettings? settings)
    {
        return new GpuConfiguration(Get(GpuKey.Device, new GpuSelection(0, null)), Get(GpuKey.MemoryLimit, 0L), Get(GpuKey.MaxDecoders, 0));

        T Get<T>(string name, T otherwise) => settings is not null && settings.TryGet(name, out T? value) ? value! : otherwise;
    }

    /// <summary>Puts a camera's keys and the defaults together. What follows from several keys is judged where each of them is good.</summary>
    private CameraConfiguration? ReadCamera(string key, ConfigurationValue place, ConfigurationSettings own, ConfigurationSettings? defaults)
    {
        if (IsBad(CameraKey.Source) || place.Node.Kind is ConfigurationNodeKind.Scalar or ConfigurationNodeKind.List)
        {
            return null;
        }

        ConfigurationSettings? holder = own.Has(CameraKey.Source) ? own : defaults?.Has(CameraKey.Source) == true ? defaults : null;
        if (holder is null)
        {
            place.ReportKey("the key 'source' is missing", CameraKey.All[0].Accepted);
            return null;
        }

        int before = _problems.Count;
        holder.TryGet(CameraKey.Source, out string? sourceText);
        ConfigurationValue sourcePlace = holder.PlaceOf(CameraKey.Source);
        RedactedUrl? url = null;
        TestPatternOptions? pattern = null;
        if (TestPatternOptions.IsPattern(sourceText!))
        {
            if (!TestPatternOptions.TryParse(sourceText!, out pattern, out string? fault))
            {
                sourcePlace.Report($"found {fault}", sourcePlace.Accepted);
                return null;
            }
        }
        else if ((url = ReadUrl(sourceText!, sourcePlace)) is null)
        {
            return null;
        }

        bool isFile = url is { IsFile: true };
        bool isCamera = url is not null && !isFile;
        if (!isCamera)
        {
            RequireNot(CameraKey.Username, CameraKey.Password, CameraKey.PasswordFile, CameraKey.Transport);
        }

        if (pattern is not null)
        {
            RequireNot(CameraKey.Decode, CameraKey.DecodeThreads, CameraKey.Loop, CameraKey.OpenTimeout, CameraKey.StallTimeout, CameraKey.Packets);
        }

        TimeSpan lossless = Get(CameraKey.Lossless, TimeSpan.Zero);
        if (isCamera)
        {
            if (own.Has(CameraKey.Lossless) && lossless > TimeSpan.Zero)
            {
                own.PlaceOf(CameraKey.Lossless).Report("a live source cannot wait for its readers", "false, unless the source is a file or the test pattern");
            }

            lossless = TimeSpan.Zero;
            if (!IsBad(CameraKey.Username) && !IsBad(CameraKey.Password) && !IsBad(CameraKey.PasswordFile))
            {
                url = ReadCredentials(url!, own, defaults);
            }
        }

        int slots = Get(CameraKey.Slots, 6);
        int maxSlots = Get(CameraKey.MaxSlots, Math.Max(24, slots));
        if (slots > maxSlots && !IsBad(CameraKey.Slots) && !IsBad(CameraKey.MaxSlots))
        {
            (own.Has(CameraKey.MaxSlots) ? own.PlaceOf(CameraKey.MaxSlots) : own.Has(CameraKey.Slots) ? own.PlaceOf(CameraKey.Slots) : place)
                .Report($"max_slots is {maxSlots} and slots is {slots}", "a limit that is not below the number of slots to begin with");
        }

        // Among the defaults they are passed over where there can be none.
        List<RenditionConfiguration> renditions = Get<List<RenditionConfiguration>>(CameraKey.Renditions, []);
        FrameMemory memory = Get(CameraKey.Memory, FrameMemory.Host);
        if (key.Contains('@', StringComparison.Ordinal) && renditions.Count > 0)
        {
            if (own.Has(CameraKey.Renditions))
            {
                own.PlaceOf(CameraKey.Renditions).Report("the key of a stream has one '@' at most, and this camera's has it", "the key only where the camera's key has no '@'");
            }

            renditions = [];
        }

        if (memory == FrameMemory.Host && !IsBad(CameraKey.Memory) && renditions.Find(rendition => rendition.Memory is not (null or FrameMemory.Host)) is { } onDevice)
        {
            // What a detector is to find in device memory must not be in main memory without a word, also where the defaults say it.
            (own.Has(CameraKey.Renditions) ? own.PlaceOf(CameraKey.Renditions) : place).Report(
                $"rendition {onDevice.Name} has {RenditionKey.Memory}: {CameraConfiguration.NameOf(onDevice.Memory!.Value)}, and the camera's own frames lie in main memory",
                "memory: cuda or cuda-ipc of the camera too, or memory: host of the rendition");
        }

        DecodeConfiguration decode = pattern is null ? Get(CameraKey.Decode, DecodeConfiguration.Default) : DecodeConfiguration.Default;
        PacketConfiguration? packets = pattern is null ? Get<object>(CameraKey.Packets, PacketKey.Default) as PacketConfiguration : null;
        if (decode.OnDemand && packets is null)
        {
            (own.Has(CameraKey.Decode) ? own.PlaceOf(CameraKey.Decode) : own.Has(CameraKey.Packets) ? own.PlaceOf(CameraKey.Packets) : place)
                .Report("decode: on-demand and packets: off", "on-demand only with packets: who comes gets the picture of a key frame in their ring");
        }

        TimeSpan longest = TimeSpan.FromTicks(Math.Max(
            Get(CameraKey.OpenTimeout, TimeSpan.FromSeconds(10)).Ticks, Get(CameraKey.StallTimeout, TimeSpan.FromSeconds(5)).Ticks));
        TimeSpan stuck = Get(CameraKey.StuckTimeout, TimeSpan.FromTicks(Math.Max(TimeSpan.FromSeconds(30).Ticks, (longest + TimeSpan.FromSeconds(10)).Ticks)));
        if (stuck > TimeSpan.Zero && stuck <= longest && pattern is null && !IsBad(CameraKey.StuckTimeout) && !IsBad(CameraKey.OpenTimeout) && !IsBad(CameraKey.StallTimeout))
        {
            (own.Has(CameraKey.StuckTimeout) ? own.PlaceOf(CameraKey.StuckTimeout) : place).Report(
                $"stuck_timeout is {stuck.TotalSeconds:0.###} s, and a source may take {longest.TotalSeconds:0.###} s to open or to go on",
                "a time that is longer than open_timeout and stall_timeout, or off");
        }

        if (_problems.Count > before)
        {
            return null;
        }

        return new CameraConfiguration
        {
            Key = key,
            Url = url,
            Pattern = pattern,
            Enabled = Get(CameraKey.Enabled, true),
            Transport = Get(CameraKey.Transport, MediaTransport.Tcp),
            Decode = decode,
            DecodeThreads = Get(CameraKey.DecodeThreads, 1),
            Paced = Get<object>(CameraKey.Paced, CameraKey.Auto) as bool?,
            Loop = Get(CameraKey.Loop, false),
            Memory = memory,
            Slots = slots,
            MaxSlots = maxSlots,
            MemoryLimit = Get(CameraKey.MemoryLimit, 0L),
            OpenTimeout = Get(CameraKey.OpenTimeout, TimeSpan.FromSeconds(10)),
            StallTimeout = Get(CameraKey.StallTimeout, TimeSpan.FromSeconds(5)),
            LeaseTimeout = Get(CameraKey.LeaseTimeout, TimeSpan.FromSeconds(5)),
            LosslessTimeout = lossless,
            Readers = Get(CameraKey.Readers, ReaderAccess.OwnUserAndGroup with { Place = $"the default of cameras.{key}.readers, which {_path} does not set" }),
            Renditions = renditions,
            Packets = packets,
            Isolated = Get(CameraKey.Isolated, false),
            StuckTimeout = stuck,
        };

        bool IsBad(string name) => own.IsBad(name) || defaults?.IsBad(name) == true;

        T Get<T>(string name, T otherwise) =>
            own.TryGet(name, out T? value) || (defaults is not null && defaults.TryGet(name, out value)) ? value! : otherwise;

        // Among the defaults, a key that does not concern this source is passed over.
        void RequireNot(params ReadOnlySpan<string> names)
        {
            foreach (string name in names)
            {
                if (own.Has(name))
                {
                    own.PlaceOf(name).Report($"the key has no meaning for {(isFile ? "a file" : "the test pattern")}", "the key only where the source is a camera's URL" +
                        (pattern is null || name is CameraKey.Username or CameraKey.Password or CameraKey.PasswordFile or CameraKey.Transport ? "" : " or a file"));
                }
            }
        }
    }

    private RedactedUrl? ReadUrl(string text, ConfigurationValue place)
    {
        try
        {
            RedactedUrl url = new(text);
            // A daemon's working directory is no place that people think of.
            return url.IsFile && !Path.IsPathFullyQualified(url.Reveal()) ? new RedactedUrl(Path.Combine(_folder, url.Reveal())) : url;
        }
        catch (MediaException error)
        {
            place.Report(error.Message.TrimEnd('.'), place.Accepted);
            return null;
        }
    }

    /// <summary>Puts user name and password into the URL, from the camera's own keys, else the defaults.</summary>
    private RedactedUrl ReadCredentials(RedactedUrl url, ConfigurationSettings own, ConfigurationSettings? defaults)
    {
        bool hasOwn = own.Has(CameraKey.Username) || own.Has(CameraKey.Password) || own.Has(CameraKey.PasswordFile);
        if (url.HasCredentials)
        {
            if (hasOwn)
            {
                string name = own.Has(CameraKey.Username) ? CameraKey.Username : own.Has(CameraKey.Password) ? CameraKey.Password : CameraKey.PasswordFile;
                own.PlaceOf(name).Report("the source's URL holds a user name already", "the credentials either in the URL or in keys of their own");
            }

            return url;
        }

        ConfigurationSettings? userHolder = Holder(CameraKey.Username);
        ConfigurationSettings? passwordHolder = own.Has(CameraKey.Password) || own.Has(CameraKey.PasswordFile) ? own : Holder(CameraKey.Password) ?? Holder(CameraKey.PasswordFile);
        if (userHolder is null && passwordHolder is null)
        {
            return url;
        }

        if (userHolder is null || passwordHolder is null)
        {
            ConfigurationValue place = (userHolder ?? passwordHolder!).PlaceOf(
                userHolder is not null ? CameraKey.Username : passwordHolder!.Has(CameraKey.Password) ? CameraKey.Password : CameraKey.PasswordFile);
            place.Report(
                userHolder is null ? "a password without the key 'username'" : "a user name without the key 'password' or 'password_file'",
                "a user name together with a password");
            return url;
        }

        if (passwordHolder.Has(CameraKey.Password) && passwordHolder.Has(CameraKey.PasswordFile))
        {
            passwordHolder.PlaceOf(CameraKey.PasswordFile).Report("the key 'password' stands beside it", "one of the two");
            return url;
        }

        if (!passwordHolder.TryGet(CameraKey.Password, out string? password))
        {
            password = ReadPasswordFile(passwordHolder);
        }

        userHolder.TryGet(CameraKey.Username, out string? user);
        return password is null ? url : url.WithCredentials(user!, password);

        ConfigurationSettings? Holder(string name) => own.Has(name) ? own : defaults?.Has(name) == true ? defaults : null;
    }

    private string? ReadPasswordFile(ConfigurationSettings holder)
    {
        ConfigurationValue place = holder.PlaceOf(CameraKey.PasswordFile);
        holder.TryGet(CameraKey.PasswordFile, out string? path);
        path = Path.Combine(_folder, path!);
        try
        {
            using FileStream file = File.OpenRead(path);
            byte[] content = ReadAll(file, MaxPasswordFileSize);
            string text = Encoding.UTF8.GetString(content).TrimEnd('\r', '\n');
            if (content.Length <= MaxPasswordFileSize && text.Length > 0 && !text.AsSpan().ContainsAnyInRange('\0', '\x1f'))
            {
                return text;
            }

            place.Report($"the file {path} is empty, has several lines or more than {MaxPasswordFileSize} bytes", "a file with the password in one line");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            place.Report($"{path} cannot be read: {WhyUnreadable(path, error).TrimEnd('.')}", place.Accepted);
        }

        return null;
    }
}
