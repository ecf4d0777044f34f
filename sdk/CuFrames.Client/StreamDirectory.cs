using System.Runtime.CompilerServices;
using CuFrames.Client.Internal;
using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.Protocol.Messages;

namespace CuFrames.Client;

/// <summary>Lists and watches the streams of this machine: the sockets in the runtime directory. Safe for any thread.</summary>
public static class StreamDirectory
{
    private const string Extension = ".sock";
    private static readonly TimeSpan WatchInterval = TimeSpan.FromMilliseconds(250);

    /// <summary>The runtime directory (docs/protocol.md 1.2): <c>$CUFRAMES_DIR</c>, else <c>/run/cuframes</c> if it exists, else
    /// <c>$XDG_RUNTIME_DIR/cuframes</c>, else <c>/run/cuframes</c>, which then is missing.</summary>
    public static string RuntimeDirectory
    {
        get
        {
            const string system = "/run/cuframes";
            if (Environment.GetEnvironmentVariable("CUFRAMES_DIR") is { Length: > 0 } chosen)
            {
                return chosen;
            }

            return !Directory.Exists(system) && Environment.GetEnvironmentVariable("XDG_RUNTIME_DIR") is { Length: > 0 } user
                ? Path.Combine(user, "cuframes")
                : system;
        }
    }

    /// <summary>Keys of which a socket is there, sorted. The socket may be dead: <see cref="Probe"/> tells.</summary>
    /// <param name="directory">The directory; null: <see cref="RuntimeDirectory"/>.</param>
    /// <exception cref="StreamUnavailableException">The directory does not exist or may not be read.</exception>
    public static IReadOnlyList<string> Keys(string? directory = null)
    {
        directory ??= RuntimeDirectory;
        try
        {
            List<string> keys = [];
            foreach (string path in Directory.EnumerateFiles(directory, "*" + Extension))
            {
                string key = Path.GetFileNameWithoutExtension(path);
                if (StreamKey.IsValid(key))
                {
                    keys.Add(key);
                }
            }

            keys.Sort(StringComparer.Ordinal);
            return keys;
        }
        catch (DirectoryNotFoundException error)
        {
            throw new StreamUnavailableException(ErrorCode.StreamNotFound,
                $"The runtime directory {directory} does not exist. Start cuframesd, which makes it, or set CUFRAMES_DIR to the directory that the publishers use.", error);
        }
        catch (UnauthorizedAccessException error)
        {
            throw new StreamUnavailableException(ErrorCode.AccessDenied,
                $"The runtime directory {directory} may not be read by this user. Add the user to the directory's group.", error);
        }
    }

    /// <summary>The streams that are published now. Sockets of dead publishers are left out.</summary>
    /// <param name="directory">The directory; null: <see cref="RuntimeDirectory"/>.</param>
    /// <inheritdoc cref="Keys" path="/exception"/>
    public static IReadOnlyList<StreamInfo> List(string? directory = null)
    {
        List<StreamInfo> streams = [];
        foreach (string key in Keys(directory))
        {
            StreamInfo stream = Probe(key, directory);
            if (stream.ErrorCode != ErrorCode.StreamNotFound)
            {
                streams.Add(stream);
            }
        }

        return streams;
    }

    /// <summary>Asks a publisher for its stream's description. Does not throw for a publisher's fault: <see cref="StreamInfo.Error"/> says it.</summary>
    /// <param name="key">The stream's key.</param>
    /// <param name="directory">The directory; null: <see cref="RuntimeDirectory"/>.</param>
    /// <exception cref="CuFramesException">INVALID_KEY.</exception>
    public static StreamInfo Probe(string key, string? directory = null)
    {
        StreamKey.Require(key);
        try
        {
            WelcomeMessage welcome = StreamConnection.Probe(key, directory ?? RuntimeDirectory, "probe");
            return new StreamInfo
            {
                Key = key,
                Description = welcome.Description,
                Epoch = welcome.Epoch,
                Program = welcome.Program,
                Source = welcome.Source,
                StateText = welcome.StateText,
            };
        }
        catch (CuFramesException error)
        {
            return new StreamInfo { Key = key, ErrorCode = error.Code, Error = error.Message };
        }
        catch (LinuxException error)
        {
            return new StreamInfo { Key = key, ErrorCode = ErrorCode.SystemCallFailed, Error = error.Message };
        }
    }

    /// <summary>Asks a publisher of packets for the stream's description. Does not throw for a publisher's fault: <see cref="PacketStreamInfo.Error"/> says it.</summary>
    /// <param name="key">The stream's key.</param>
    /// <param name="directory">The directory; null: <see cref="RuntimeDirectory"/>.</param>
    /// <exception cref="CuFramesException">INVALID_KEY.</exception>
    public static PacketStreamInfo ProbePackets(string key, string? directory = null)
    {
        StreamKey.Require(key);
        try
        {
            PacketWelcomeMessage welcome = PacketConnection.Probe(key, directory ?? RuntimeDirectory, "probe");
            return new PacketStreamInfo
            {
                Key = key,
                Description = welcome.Description,
                Tracks = welcome.Tracks,
                Epoch = welcome.Epoch,
                Program = welcome.Program,
                Source = welcome.Source,
                StateText = welcome.StateText,
            };
        }
        catch (CuFramesException error)
        {
            return new PacketStreamInfo { Key = key, ErrorCode = error.Code, Error = error.Message };
        }
        catch (LinuxException error)
        {
            return new PacketStreamInfo { Key = key, ErrorCode = ErrorCode.SystemCallFailed, Error = error.Message };
        }
    }

    /// <summary>The streams there are, as additions, and then every change, as it happens (looked for four times a second).</summary>
    /// <param name="directory">The directory; null: <see cref="RuntimeDirectory"/>. It need not exist yet.</param>
    /// <param name="cancellation">Ends the enumeration with <see cref="OperationCanceledException"/>.</param>
    public static async IAsyncEnumerable<StreamChange> WatchAsync(
        string? directory = null, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        Dictionary<string, StreamInfo> known = [];
        while (true)
        {
            Dictionary<string, StreamInfo> now = [];
            try
            {
                foreach (StreamInfo stream in List(directory))
                {
                    now.Add(stream.Key, stream);
                }
            }
            catch (StreamUnavailableException)
            {
                // No directory, no streams: whoever watches wants to be told when they come.
            }

            foreach ((string key, StreamInfo stream) in known)
            {
                if (!now.ContainsKey(key))
                {
                    yield return new StreamChange(StreamChangeKind.Removed, stream);
                }
            }

            foreach ((string key, StreamInfo stream) in now)
            {
                if (!known.TryGetValue(key, out StreamInfo? before))
                {
                    yield return new StreamChange(StreamChangeKind.Added, stream);
                }
                else if (IsDifferent(before, stream))
                {
                    yield return new StreamChange(StreamChangeKind.Changed, stream);
                }
            }

            known = now;
            await Task.Delay(WatchInterval, cancellation).ConfigureAwait(false);
        }
    }

    private static bool IsDifferent(StreamInfo before, StreamInfo now) =>
        before.Epoch != now.Epoch || before.StateText != now.StateText || before.ErrorCode != now.ErrorCode ||
        (before.Description?.State, before.Description?.PixelFormat, before.Description?.Width, before.Description?.Height, before.Description?.Slots, before.Description?.Subscribers) !=
        (now.Description?.State, now.Description?.PixelFormat, now.Description?.Width, now.Description?.Height, now.Description?.Slots, now.Description?.Subscribers);
}
