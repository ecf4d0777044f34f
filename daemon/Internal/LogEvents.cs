namespace CuFrames.Daemon.Internal;

/// <summary>Every kind of line that cuframesd logs. docs/operations.md lists the same; a test compares them.</summary>
internal static class LogEvents
{
    internal static readonly LogEvent Starting = new(100, "starting", LogLevel.Information, "The daemon starts: version, configuration, runtime directory.");
    internal static readonly LogEvent Ready = new(101, "ready", LogLevel.Information, "Every camera was started, and what the daemon serves is served or cannot be now.");
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

    internal static readonly LogEvent WorkerStarted = new(320, "worker-started", LogLevel.Information, "A worker process was started for a camera with isolated: true: which.");
    internal static readonly LogEvent WorkerEnded = new(321, "worker-ended", LogLevel.Error, "A worker process crashed, was killed or cannot be started: by which signal or with which exit code, and when another one is started. Other cameras go on.");
    internal static readonly LogEvent WorkerQuiet = new(322, "worker-quiet", LogLevel.Warning, "How many lines of a worker were left out.");
    internal static readonly LogEvent CameraStuck = new(323, "camera-stuck", LogLevel.Error, "A camera's thread has made no step for stuck_timeout: what it was doing. Another thread, or another worker, takes its place.");
    internal static readonly LogEvent CameraGivenUp = new(324, "camera-given-up", LogLevel.Error, "Several threads of a camera are stuck, so no more are started until one ends. Make the camera isolated: true.");
    internal static readonly LogEvent ThreadFault = new(325, "thread-fault", LogLevel.Error, "An error that nobody handles ends the daemon or a worker. Please report it.");

    internal static readonly LogEvent ReaderJoined = new(400, "reader-joined", LogLevel.Information, "A reader connected.");
    internal static readonly LogEvent ReaderLeft = new(401, "reader-left", LogLevel.Information, "A reader left or died.");
    internal static readonly LogEvent ReaderEvicted = new(402, "reader-evicted", LogLevel.Warning, "A reader was evicted: why.");
    internal static readonly LogEvent ReaderRefused = new(403, "reader-refused", LogLevel.Warning, "A reader was refused: why.");
    internal static readonly LogEvent ReadersQuiet = new(404, "readers-quiet", LogLevel.Warning, "How many lines about readers were left out in the last ten seconds.");
    internal static readonly LogEvent RingResized = new(405, "ring-resized", LogLevel.Information, "The ring grew or shrank.");
    internal static readonly LogEvent RingStarved = new(406, "ring-starved", LogLevel.Warning, "The ring should have grown and could not.");
    internal static readonly LogEvent PublisherError = new(407, "publisher-error", LogLevel.Error, "The publisher met an error and goes on.");
    internal static readonly LogEvent FramesDropped = new(408, "frames-dropped", LogLevel.Warning, "A stream dropped frames, because readers held every slot: how many since the line before, and who holds some now. At most one line a minute and stream.");

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

    internal static readonly LogEvent ControlReady = new(700, "control-ready", LogLevel.Information, "The control API is served: where, and to whom.");
    internal static readonly LogEvent ControlUnavailable = new(701, "control-unavailable", LogLevel.Error, "The control socket cannot be made: why. It is tried again. Cameras and readers do not need it.");
    internal static readonly LogEvent ControlRefused = new(702, "control-refused", LogLevel.Warning, "A call was refused, because its user may not control the daemon.");
    internal static readonly LogEvent ControlDone = new(703, "control-done", LogLevel.Information, "A call changed something: what, and which user's process made it.");
    internal static readonly LogEvent ControlQuiet = new(704, "control-quiet", LogLevel.Warning, "How many lines about refused calls were left out.");

    internal static readonly LogEvent StateBroken = new(710, "state-broken", LogLevel.Error, "The file of added cameras cannot be used: one problem of it. The cameras of the configuration run; none is added, changed or removed until the file is mended or removed.");
    internal static readonly LogEvent StateCameraInvalid = new(711, "state-camera-invalid", LogLevel.Error, "The settings of an added camera do not hold any more: one problem of them. It does not run until it is updated.");
    internal static readonly LogEvent StateCameraHidden = new(712, "state-camera-hidden", LogLevel.Warning, "A camera was added, and the configuration file has one of that key too: the file's runs.");
    internal static readonly LogEvent StateUnwritable = new(713, "state-unwritable", LogLevel.Error, "A camera was to be added, changed or removed, and that could not be kept: why. Nothing was changed.");

    internal static readonly LogEvent WebReady = new(720, "web-ready", LogLevel.Information, "The web server is there: where, and what it serves.");
    internal static readonly LogEvent WebUnavailable = new(721, "web-unavailable", LogLevel.Error, "The web server's address cannot be used, or its certificate: why. It is tried again. Cameras and readers do not need it.");
    internal static readonly LogEvent WebRefused = new(722, "web-refused", LogLevel.Warning, "The web server refused a request: who may not, or which page of another site asked.");
    internal static readonly LogEvent WebLogin = new(723, "web-login", LogLevel.Information, "Somebody logged in to the dashboard with a token: which token, and from where.");
    internal static readonly LogEvent WebQuiet = new(724, "web-quiet", LogLevel.Warning, "How many lines about refused requests were left out.");

    internal static readonly LogEvent AuditUnavailable = new(730, "audit-unavailable", LogLevel.Error, "The audit file cannot be opened or written: why. Its lines are counted until it can.");
    internal static readonly LogEvent AuditRestored = new(731, "audit-restored", LogLevel.Warning, "The audit file is written again: how many lines were lost. It stands in the audit too.");
    internal static readonly LogEvent PublishUnavailable = new(732, "publish-unavailable", LogLevel.Error, "The runtime directory cannot be given the mode and the group that permissions.publish asks for: why, and what to do.");
    internal static readonly LogEvent PublishChanged = new(733, "publish-changed", LogLevel.Information, "The runtime directory was given the mode and the group that permissions.publish asks for.");
    internal static readonly LogEvent PeersUnknown = new(734, "peers-unknown", LogLevel.Warning, "The kernel does not say which user connects by TCP, so only tokens count there: why, and what to do.");

    internal static readonly LogEvent MetricsPushed = new(750, "metrics-pushed", LogLevel.Information, "A collector takes the metrics that are pushed, for the first time or again.");
    internal static readonly LogEvent MetricsNotPushed = new(751, "metrics-not-pushed", LogLevel.Warning, "A collector cannot be reached, or did not take all metrics: why. Tried again every 15 seconds.");

    internal static readonly LogEvent CeilingsSet = new(760, "ceilings-set", LogLevel.Information, "What all cameras and readers may take together: main memory, file descriptors, cameras.");
    internal static readonly LogEvent ConnectionClosed = new(761, "connection-closed", LogLevel.Warning, "A connection to the control API, the web server or a tap was closed at once, because limits.descriptors is reached.");

    /// <summary>All of them, by id.</summary>
    internal static IReadOnlyList<LogEvent> All { get; } =
    [
        Starting, Ready, Stopping, Stopped, LinesLost, SystemdFailed, DirectoryUnusable, DirectoryMade, InternalError,
        ConfigurationLoaded, ConfigurationInvalid, ConfigurationKept, WatchFailed,
        CameraStarted, CameraLive, CameraLost, CameraEnded, CameraFailed, CameraFault, CameraStopped, CameraUnavailable, CameraSocketGone,
        CameraNotAdmitted, CameraWithoutGpu, CameraDecoder, CameraFallback,
        RenditionStarted, RenditionStopped, RenditionUnavailable, RenditionFailed, CameraIdle,
        WorkerStarted, WorkerEnded, WorkerQuiet, CameraStuck, CameraGivenUp, ThreadFault,
        ReaderJoined, ReaderLeft, ReaderEvicted, ReaderRefused, ReadersQuiet, RingResized, RingStarved, PublisherError, FramesDropped,
        GpuOpened, GpuUnavailable, GpuBroken,
        TapsHttp, TapsUnavailable, TapJoined, TapLeft, TapCut, TapRefused, TapsQuiet,
        ControlReady, ControlUnavailable, ControlRefused, ControlDone, ControlQuiet,
        StateBroken, StateCameraInvalid, StateCameraHidden, StateUnwritable,
        WebReady, WebUnavailable, WebRefused, WebLogin, WebQuiet,
        AuditUnavailable, AuditRestored, PublishUnavailable, PublishChanged, PeersUnknown,
        MetricsPushed, MetricsNotPushed,
        CeilingsSet, ConnectionClosed,
    ];
}
