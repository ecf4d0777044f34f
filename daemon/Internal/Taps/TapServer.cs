using CuFrames.Client;
using CuFrames.Daemon.Internal.Access;
using CuFrames.Daemon.Internal.Limits;
using CuFrames.Interop;

namespace CuFrames.Daemon.Internal.Taps;

/// <summary>
/// The taps of all streams that this daemon publishes now: streams of bytes for programs that know nothing of CuFrames, on sockets and by HTTP. Each
/// client is a reader of the stream like any other. The control thread uses it.
/// </summary>
internal sealed class TapServer : IDisposable
{
    /// <summary>Folder of the sockets in the runtime directory.</summary>
    internal const string Folder = "taps";

    private const long Second = 1_000_000_000;

    private readonly uint _own = PeerCredentials.OfThisProcess().UserId;
    private readonly Log _log;
    private readonly Func<AccessControl> _access;
    private readonly DescriptorGate _gate;
    private readonly TapClients _clients;
    private readonly TapSockets _sockets;
    private readonly Dictionary<string, string> _troubles = [];
    private TapHttp? _http;

    /// <summary>By key. The control thread replaces the whole; HTTP's threads read it.</summary>
    private volatile IReadOnlyDictionary<string, TapPoint> _points = new Dictionary<string, TapPoint>();
    private string? _folder;
    private long _nextCheck;

    /// <summary>Makes a server without taps.</summary>
    /// <param name="log">The log.</param>
    /// <param name="access">Who a caller by HTTP is.</param>
    /// <param name="quotas">Quotas for each user.</param>
    /// <param name="gate">Lets connections in while there are descriptors.</param>
    internal TapServer(Log log, Func<AccessControl> access, ReaderQuotas quotas, DescriptorGate gate)
    {
        (_log, _access, _gate) = (log, access, gate);
        _clients = new TapClients(log, quotas);
        _sockets = new TapSockets(_clients, gate, log);
    }

    /// <summary>Makes the taps those of the streams that are published now.</summary>
    /// <param name="directory">The runtime directory.</param>
    /// <param name="configuration">What the configuration says of taps.</param>
    /// <param name="streams">The streams, each published by this process: so nobody else uses the names of their taps.</param>
    /// <param name="now">CLOCK_MONOTONIC in nanoseconds.</param>
    internal void Update(string directory, TapConfiguration configuration, IEnumerable<TapStream> streams, long now)
    {
        _clients.Limits = configuration;
        Dictionary<string, TapPoint> points = [];
        bool isChanged = false;
        foreach (TapStream stream in configuration.IsEnabled ? streams : [])
        {
            bool isSame = _points.TryGetValue(stream.Key, out TapPoint? point) && point.Stream == stream && point.Directory == directory;
            points.Add(stream.Key, isSame ? point! : new TapPoint(directory, stream));
            isChanged |= !isSame;
        }

        if (isChanged || points.Count != _points.Count || now >= _nextCheck)
        {
            IEnumerable<TapPoint> before = _points.Values;
            _points = points;
            End(before.Except(points.Values));
            _nextCheck = now + Second;
            UpdateSockets(directory);
        }

        if (_http?.Address.Equals(configuration.Http) != true && (_http is not null || configuration.Http is not null))
        {
            _http?.Dispose();
            _http = configuration.Http is { } address ? new TapHttp(address, _clients, () => _points, _access, _gate, _log) : null;
        }
    }

    /// <summary>Ends all taps.</summary>
    public void Dispose()
    {
        End(_points.Values);
        _sockets.Dispose();
        _http?.Dispose();
        if (_folder is not null)
        {
            RemoveIfEmpty(_folder);
        }
    }

    private static void End(IEnumerable<TapPoint> points)
    {
        foreach (TapPoint point in points)
        {
            point.Ending.Cancel();
        }
    }

    private static void RemoveIfEmpty(string folder)
    {
        try
        {
            Directory.Delete(folder);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // Another daemon's taps are in it, or it was not made by this user: it stays.
        }
    }

    private void UpdateSockets(string directory)
    {
        Dictionary<string, (TapPoint Point, TapKind Kind)> wanted = [];
        foreach (TapPoint point in _points.Values)
        {
            foreach (TapKind kind in point.Stream.Kinds)
            {
                wanted.Add(point.SocketPath(kind), (point, kind));
            }
        }

        _sockets.Keep(wanted);
        if (wanted.Count > 0 && !TryMakeFolder(Path.Combine(directory, Folder)))
        {
            return;
        }

        foreach ((string path, (TapPoint point, TapKind kind)) in wanted)
        {
            try
            {
                _sockets.Listen(path, point, kind);
                _troubles.Remove(path);
            }
            catch (LinuxException error)
            {
                Report(path, error.Message, point.Stream.Key);
            }
        }
    }

    private bool TryMakeFolder(string folder)
    {
        string? problem = FindStranger(folder);
        if (problem is null && RuntimeDirectory.Ensure(folder, out problem) == false)
        {
            // It was there, perhaps since a moment ago.
            problem = FindStranger(folder);
        }

        if (problem is not null)
        {
            Report(folder, problem, null);
            return false;
        }

        _troubles.Remove(folder);
        _folder = folder;
        return true;
    }

    /// <summary>
    /// Where others may publish, one of them may have made the folder, or a link in its place. Whoever owns it could put sockets of his own where ours are looked for.
    /// </summary>
    private string? FindStranger(string folder) =>
        FileStatus.At(folder)?.UserId is { } user && user != 0 && user != _own && user != FileStatus.At(Path.GetDirectoryName(folder)!)?.UserId
            ? $"The folder of the taps, {folder}, belongs to user {user}, who could replace what is in it. Remove it as root."
            : null;

    /// <summary>Logs a trouble once, not at every attempt.</summary>
    private void Report(string path, string text, string? key)
    {
        if (!_troubles.TryGetValue(path, out string? before) || before != text)
        {
            _troubles[path] = text;
            _log.Write(LogEvents.TapsUnavailable, $"{text} Tried again every second.", key);
        }
    }
}
