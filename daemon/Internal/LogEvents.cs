namespace CuFrames.Daemon.Internal;

/// <summary>Every kind of line that cuframesd logs. docs/configuration.md lists the same; a test compares them.</summary>
internal static class LogEvents
{
    internal static readonly LogEvent Starting = new(100, "starting", LogLevel.Information, "The daemon starts: version, configuration, runtime directory.");
    internal static readonly LogEvent Ready = new(101, "ready", LogLevel.Information, "Every camera was started.");
    internal static readonly LogEvent Stopping = new(102, "stopping", LogLevel.Information, "A signal asks the daemon to end.");
    internal static readonly LogEvent Stopped = new(103, "stopped", LogLevel.Information, "The daemon ends; which cameras did not end in time.");
    internal static readonly LogEvent LinesLost = new(104, "lines-lost", LogLevel.Warning, "Standard error could not be written, or not fast enough.");
    internal static readonly LogEvent SystemdFailed = new(105, "systemd-failed", LogLevel.Warning, "The socket of $NOTIFY_SOCKET does not work.");
    internal static readonly LogEvent DirectoryUnusable = new(106, "directory-unusable", LogLevel.Error, "The runtime directory is missing and cannot be made. It is tried again every second.");
    internal static readonly LogEvent DirectoryMade = new(107, "directory-made", LogLevel.Information, "The runtime directory was made.");
    internal static readonly LogEvent InternalError = new(108, "internal-error", LogLevel.Error, "A fault of the daemon, which goes on. Please report it.");

    internal static readonly LogEvent ConfigurationLoaded = new(200, "configuration-loaded", LogLevel.Information, "A new configuration holds: what was added, changed and removed.");
    internal static readonly LogEvent ConfigurationInvalid = new(201, "configuration-invalid", LogLevel.Error, "One problem of the configuration file: file, line, column, key, what was found, what is accepted.");
    internal static readonly LogEvent ConfigurationKept = new(202, "configuration-kept", LogLevel.Error, "The file has problems, so the configuration before it stays.");
    internal static readonly LogEvent WatchFailed = new(203, "watch-failed", LogLevel.Warning, "Changes of the configuration file are not noticed for now; SIGHUP still works.");

    internal static readonly LogEvent CameraStarted = new(300, "camera-started", LogLevel.Information, "The stream can be connected to; the source is being opened.");
    internal static readonly LogEvent CameraLive = new(301, "camera-live", LogLevel.Information, "Frames come: their format.");
    internal static readonly LogEvent CameraLost = new(302, "camera-lost", LogLevel.Warning, "The source cannot be opened or was lost: why, and when it is tried again.");
    internal static readonly LogEvent CameraEnded = new(303, "camera-ended", LogLevel.Information, "The file came to its end.");
    internal static readonly LogEvent CameraFailed = new(304, "camera-failed", LogLevel.Error, "The camera is given up until its configuration changes: why.");
    internal static readonly LogEvent CameraFault = new(305, "camera-fault", LogLevel.Error, "The camera's thread met an internal error; the camera is started again.");
    internal static readonly LogEvent CameraStopped = new(306, "camera-stopped", LogLevel.Information, "The stream has ended, because the configuration says so or the daemon ends.");
    internal static readonly LogEvent CameraUnavailable = new(307, "camera-unavailable", LogLevel.Error, "The stream cannot be published: another publisher has its key, or the directory may not be written. It is tried again every second.");
    internal static readonly LogEvent CameraSocketGone = new(308, "camera-socket-gone", LogLevel.Warning, "Somebody removed the stream's socket; the stream is started again.");
    internal static readonly LogEvent CameraNotAdmitted = new(309, "camera-not-admitted", LogLevel.Warning, "There is no room for the camera, in GPU memory, in the stream's own limit or among the decoders: the limit, what is in use, what was asked for. It is tried again.");
    internal static readonly LogEvent CameraWithoutGpu = new(310, "camera-without-gpu", LogLevel.Error, "The camera needs the GPU, which cannot be used: why. It is started when the GPU can be used.");
    internal static readonly LogEvent CameraDecoder = new(311, "camera-decoder", LogLevel.Information, "What decodes the camera's video and why, and where its frames lie.");
    internal static readonly LogEvent CameraFallback = new(312, "camera-fallback", LogLevel.Warning, "NVDEC was to decode if it can, and software does: why.");

    internal static readonly LogEvent RenditionStarted = new(313, "rendition-started", LogLevel.Information, "A rendition's stream can be connected to.");
    internal static readonly LogEvent RenditionStopped = new(314, "rendition-stopped", LogLevel.Information, "A rendition's stream has ended, because the configuration says so.");
    internal static readonly LogEvent RenditionUnavailable = new(315, "rendition-unavailable", LogLevel.Error, "A rendition cannot be published: another publisher has its key, or the directory may not be written. It is tried again every second.");
    internal static readonly LogEvent RenditionFailed = new(316, "rendition-failed", LogLevel.Warning, "A rendition that somebody reads cannot be made: why. It is tried again every second; the camera goes on.");

    internal static readonly LogEvent CameraIdle = new(317, "camera-idle", LogLevel.Information, "Nobody reads a camera with decode: on-demand: its decoder is closed. Packets go on.");

    internal static readonly LogEvent ReaderJoined = new(400, "reader-joined", LogLevel.Information, "A reader connected.");
    internal static readonly LogEvent ReaderLeft = new(401, "reader-left", LogLevel.Information, "A reader left or died.");
    internal static readonly LogEvent ReaderEvicted = new(402, "reader-evicted", LogLevel.Warning, "A reader was evicted: why.");
    internal static readonly LogEvent ReaderRefused = new(403, "reader-refused", LogLevel.Warning, "A reader was refused: why.");
    internal static readonly LogEvent ReadersQuiet = new(404, "readers-quiet", LogLevel.Warning, "How many lines about readers were left out in the last ten seconds.");
    internal static readonly LogEvent RingResized = new(405, "ring-resized", LogLevel.Information, "The ring grew or shrank.");
    internal static readonly LogEvent RingStarved = new(406, "ring-starved", LogLevel.Warning, "The ring should have grown and could not.");
    internal static readonly LogEvent PublisherError = new(407, "publisher-error", LogLevel.Error, "The publisher met an error and goes on.");

    internal static readonly LogEvent GpuOpened = new(500, "gpu-opened", LogLevel.Information, "The first camera that needs it opens the GPU: device, driver, limits.");
    internal static readonly LogEvent GpuUnavailable = new(501, "gpu-unavailable", LogLevel.Error, "The GPU cannot be used: why. It is tried again.");
    internal static readonly LogEvent GpuBroken = new(502, "gpu-broken", LogLevel.Error, "The CUDA context of the process is broken, which only a new process mends. The daemon ends with exit code 3.");

    internal static readonly LogEvent TapsHttp = new(600, "taps-http", LogLevel.Information, "Taps are served by HTTP: the address.");
    internal static readonly LogEvent TapsUnavailable = new(601, "taps-unavailable", LogLevel.Error, "A tap's socket cannot be made, or the address of HTTP cannot be used: why. It is tried again.");
    internal static readonly LogEvent TapJoined = new(602, "tap-joined", LogLevel.Information, "A client of a tap connected: who it is.");
    internal static readonly LogEvent TapLeft = new(603, "tap-left", LogLevel.Information, "A client of a tap has gone, has what it came for, or was told the stream's end: what it got, and why it ended.");
    internal static readonly LogEvent TapCut = new(604, "tap-cut", LogLevel.Warning, "A client of a tap was disconnected, or got nothing: why. It took nothing for 30 s, or the tap cannot give what it asks for.");
    internal static readonly LogEvent TapRefused = new(605, "tap-refused", LogLevel.Warning, "A client of a tap was turned away: a limit is reached, or it may not read the stream.");
    internal static readonly LogEvent TapsQuiet = new(606, "taps-quiet", LogLevel.Warning, "How many lines about clients of taps were left out.");

    /// <summary>All of them, by id.</summary>
    internal static IReadOnlyList<LogEvent> All { get; } =
    [
        Starting, Ready, Stopping, Stopped, LinesLost, SystemdFailed, DirectoryUnusable, DirectoryMade, InternalError,
        ConfigurationLoaded, ConfigurationInvalid, ConfigurationKept, WatchFailed,
        CameraStarted, CameraLive, CameraLost, CameraEnded, CameraFailed, CameraFault, CameraStopped, CameraUnavailable, CameraSocketGone,
        CameraNotAdmitted, CameraWithoutGpu, CameraDecoder, CameraFallback,
        RenditionStarted, RenditionStopped, RenditionUnavailable, RenditionFailed, CameraIdle,
        ReaderJoined, ReaderLeft, ReaderEvicted, ReaderRefused, ReadersQuiet, RingResized, RingStarved, PublisherError,
        GpuOpened, GpuUnavailable, GpuBroken,
        TapsHttp, TapsUnavailable, TapJoined, TapLeft, TapCut, TapRefused, TapsQuiet,
    ];
}
