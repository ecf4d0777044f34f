using CuFrames.Control.Internal;
using CuFrames.Control.V1;

namespace CuFrames.Control;

/// <summary>
/// Talks to a cuframesd over its control socket, or by TCP with TLS and a token. Safe for any thread; calls may go side by side. Connects with the first call and again whenever the
/// connection is gone, so a client outlives restarts of the daemon: only the calls under way fail, with <see cref="RpcStatus.Unavailable"/>.
/// </summary>
public sealed class ControlClient : IDisposable
{
    /// <summary>Name of the socket in the runtime directory. No stream can have it: keys have no dot before <c>.sock</c>'s own.</summary>
    public const string SocketName = "cuframesd.control";

    private readonly RpcChannel _channel;

    /// <summary>Talks to a daemon of this machine. It knows by the kernel's word who calls.</summary>
    /// <param name="socket">The socket: <see cref="SocketName"/> in the daemon's runtime directory.</param>
    public ControlClient(string socket) => _channel = new RpcChannel(socket);

    /// <summary>Talks to a daemon by TCP.</summary>
    /// <param name="server">Where it is, how its certificate is checked, and the token that it is sent.</param>
    public ControlClient(ControlServer server)
    {
        ArgumentNullException.ThrowIfNull(server);
        _channel = new RpcChannel(server);
    }

    /// <summary>How long a call may take, <see cref="WatchEventsAsync"/> excepted. Default: 10 s.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <inheritdoc/>
    public void Dispose() => _channel.Dispose();

    /// <summary>What runs there.</summary>
    /// <param name="cancellation">Gives the call up.</param>
    /// <exception cref="RpcException">UNAVAILABLE: no daemon. PERMISSION_DENIED. DEADLINE_EXCEEDED. CANCELLED.</exception>
    public Task<V1.Daemon> GetDaemonAsync(CancellationToken cancellation = default) => _channel.CallAsync(ControlMethods.GetDaemon, new GetDaemonRequest(), Timeout, cancellation);

    /// <summary>All cameras, in the order of the configuration.</summary>
    /// <inheritdoc cref="GetDaemonAsync"/>
    public async Task<IReadOnlyList<Camera>> ListCamerasAsync(CancellationToken cancellation = default) =>
        (await _channel.CallAsync(ControlMethods.ListCameras, new ListCamerasRequest(), Timeout, cancellation).ConfigureAwait(false)).Cameras;

    /// <summary>One camera.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="cancellation">Gives the call up.</param>
    /// <exception cref="RpcException">NOT_FOUND; and as <see cref="GetDaemonAsync"/>.</exception>
    public Task<Camera> GetCameraAsync(string key, CancellationToken cancellation = default) =>
        _channel.CallAsync(ControlMethods.GetCamera, new GetCameraRequest { Key = key }, Timeout, cancellation);

    /// <summary>Adds a camera, which stays when the daemon is started again.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="settings">The mapping of one camera as in the configuration file, in YAML or JSON, without the key. At most 64 KiB.</param>
    /// <param name="cancellation">Gives the call up.</param>
    /// <returns>The camera, which has just been begun.</returns>
    /// <exception cref="RpcException">
    /// INVALID_ARGUMENT: every problem of key and settings, a line each. ALREADY_EXISTS. FAILED_PRECONDITION: it could not be kept. And as
    /// <see cref="GetDaemonAsync"/>.
    /// </exception>
    public Task<Camera> AddCameraAsync(string key, string settings, CancellationToken cancellation = default) =>
        _channel.CallAsync(ControlMethods.AddCamera, new AddCameraRequest { Key = key, Settings = settings }, Timeout, cancellation);

    /// <summary>Gives a camera other settings, which take the place of all it had. It is started anew unless only its renditions differ.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="settings">As in <see cref="AddCameraAsync"/>. A source or password as <see cref="Camera.Settings"/> has it, with <c>***</c>, stands for the present one.</param>
    /// <param name="cancellation">Gives the call up.</param>
    /// <returns>The camera.</returns>
    /// <exception cref="RpcException">
    /// NOT_FOUND. INVALID_ARGUMENT: every problem. FAILED_PRECONDITION: it is in the configuration file, or the change cannot be kept. And as
    /// <see cref="GetDaemonAsync"/>.
    /// </exception>
    public Task<Camera> UpdateCameraAsync(string key, string settings, CancellationToken cancellation = default) =>
        _channel.CallAsync(ControlMethods.UpdateCamera, new UpdateCameraRequest { Key = key, Settings = settings }, Timeout, cancellation);

    /// <summary>Ends a camera and its streams for good.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="cancellation">Gives the call up.</param>
    /// <exception cref="RpcException">NOT_FOUND. FAILED_PRECONDITION: as <see cref="UpdateCameraAsync"/>. And as <see cref="GetDaemonAsync"/>.</exception>
    public Task RemoveCameraAsync(string key, CancellationToken cancellation = default) =>
        _channel.CallAsync(ControlMethods.RemoveCamera, new RemoveCameraRequest { Key = key }, Timeout, cancellation);

    /// <summary>Starts a camera anew: its source is opened again, and its readers connect again.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="cancellation">Gives the call up.</param>
    /// <exception cref="RpcException">NOT_FOUND. FAILED_PRECONDITION: it is disabled. And as <see cref="GetDaemonAsync"/>.</exception>
    public Task RestartCameraAsync(string key, CancellationToken cancellation = default) =>
        _channel.CallAsync(ControlMethods.RestartCamera, new RestartCameraRequest { Key = key }, Timeout, cancellation);

    /// <summary>Rates, latencies and counters.</summary>
    /// <param name="camera">Key of a camera; null: all.</param>
    /// <param name="cancellation">Gives the call up.</param>
    /// <exception cref="RpcException">NOT_FOUND: there is no such camera; and as <see cref="GetDaemonAsync"/>.</exception>
    public Task<Statistics> GetStatisticsAsync(string? camera = null, CancellationToken cancellation = default) =>
        _channel.CallAsync(ControlMethods.GetStatistics, new GetStatisticsRequest { Camera = camera ?? "" }, Timeout, cancellation);

    /// <summary>The newest frame of a stream as a picture.</summary>
    /// <param name="stream">Its key.</param>
    /// <param name="format">JPEG or PNG.</param>
    /// <param name="maxWidth">A wider picture is scaled down in its proportions; 0: none is.</param>
    /// <param name="cancellation">Gives the call up.</param>
    /// <exception cref="RpcException">
    /// NOT_FOUND: no such stream. UNAVAILABLE: no frame came in time. FAILED_PRECONDITION: its frames cannot be made a picture.
    /// RESOURCE_EXHAUSTED: it has more than 32 MiB, or there are too many snapshots at once. And as <see cref="GetDaemonAsync"/>.
    /// </exception>
    public Task<Snapshot> TakeSnapshotAsync(string stream, PictureFormat format = PictureFormat.Jpeg, int maxWidth = 0, CancellationToken cancellation = default) =>
        _channel.CallAsync(ControlMethods.TakeSnapshot, new TakeSnapshotRequest { Stream = stream, Format = format, MaxWidth = (uint)maxWidth }, Timeout, cancellation);

    /// <summary>Which lines the daemon's log has from now on, until it ends or the configuration says otherwise.</summary>
    /// <param name="level">The least severity.</param>
    /// <param name="cancellation">Gives the call up.</param>
    /// <exception cref="RpcException">INVALID_ARGUMENT: the level; and as <see cref="GetDaemonAsync"/>.</exception>
    public Task SetLogLevelAsync(Severity level, CancellationToken cancellation = default) =>
        _channel.CallAsync(ControlMethods.SetLogLevel, new SetLogLevelRequest { Level = level }, Timeout, cancellation);

    /// <summary>Readers of frames and packets.</summary>
    /// <param name="stream">Key of a stream; null: all.</param>
    /// <param name="cancellation">Gives the call up.</param>
    /// <exception cref="RpcException">NOT_FOUND: there is no such stream; and as <see cref="GetDaemonAsync"/>.</exception>
    public async Task<IReadOnlyList<Reader>> ListReadersAsync(string? stream = null, CancellationToken cancellation = default) =>
        (await _channel.CallAsync(ControlMethods.ListReaders, new ListReadersRequest { Stream = stream ?? "" }, Timeout, cancellation).ConfigureAwait(false)).Readers;

    /// <summary>Disconnects a reader, which is told so.</summary>
    /// <param name="reader">As <see cref="ListReadersAsync"/> gave it.</param>
    /// <param name="reason">Told to the reader and logged; at most 200 bytes of UTF-8.</param>
    /// <param name="cancellation">Gives the call up.</param>
    /// <exception cref="RpcException">NOT_FOUND: it is gone. INVALID_ARGUMENT: the reason. And as <see cref="GetDaemonAsync"/>.</exception>
    public Task EvictReaderAsync(Reader reader, string reason, CancellationToken cancellation = default) =>
        _channel.CallAsync(
            ControlMethods.EvictReader,
            new EvictReaderRequest { Stream = reader.Stream, ReadsPackets = reader.ReadsPackets, Id = reader.Id, Reason = reason },
            Timeout,
            cancellation);

    /// <summary>What happens from now on, until the caller stops or the daemon ends.</summary>
    /// <param name="camera">Only events of this camera and its renditions; null: all.</param>
    /// <param name="past">How many of the past events come first, at most 1,000.</param>
    /// <param name="pastOnly">Only those: it ends instead of waiting for more.</param>
    /// <param name="cancellation">Ends it, with CANCELLED.</param>
    /// <exception cref="RpcException">UNAVAILABLE: the daemon is not there, or has ended. NOT_FOUND, PERMISSION_DENIED, CANCELLED.</exception>
    public IAsyncEnumerable<Event> WatchEventsAsync(string? camera = null, int past = 0, bool pastOnly = false, CancellationToken cancellation = default) =>
        _channel.StreamAsync(ControlMethods.WatchEvents, new WatchEventsRequest { Camera = camera ?? "", Past = (uint)past, PastOnly = pastOnly }, null, cancellation);
}
