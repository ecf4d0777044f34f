namespace CuFrames.Daemon.Internal;

/// <summary>
/// Tells when the configuration file may have changed. Watches the directories and not the file: editors rename a new file over the old one, and
/// config maps swap a symbolic link beside it.
/// </summary>
internal sealed class ConfigurationWatcher : IDisposable
{
    private readonly string _path;
    private readonly Action _onChange;
    private readonly Action _onFailure;
    private readonly List<FileSystemWatcher> _watchers = [];

    /// <summary>Makes a watcher that is not armed yet.</summary>
    /// <param name="path">The file.</param>
    /// <param name="onChange">Is told of every change nearby, on any thread.</param>
    /// <param name="onFailure">Is told that nothing is watched any more, on any thread.</param>
    internal ConfigurationWatcher(string path, Action onChange, Action onFailure)
    {
        _path = path;
        _onChange = onChange;
        _onFailure = onFailure;
    }

    /// <summary>Begins to watch, or begins anew: where links lead to may have changed. Call it before the file is read.</summary>
    /// <returns>Null, or why nothing is watched.</returns>
    internal string? Arm()
    {
        Dispose();
        try
        {
            HashSet<string> folders = [Path.GetDirectoryName(_path)!];
            if (File.ResolveLinkTarget(_path, returnFinalTarget: true) is { } target)
            {
                folders.Add(Path.GetDirectoryName(target.FullName)!);
            }

            foreach (string folder in folders)
            {
                FileSystemWatcher watcher = new(folder)
                {
                    NotifyFilter = NotifyFilters.FileName | NotifyFilters.DirectoryName | NotifyFilters.LastWrite | NotifyFilters.Size | NotifyFilters.CreationTime,
                };
                _watchers.Add(watcher);
                watcher.Changed += (_, _) => _onChange();
                watcher.Created += (_, _) => _onChange();
                watcher.Deleted += (_, _) => _onChange();
                watcher.Renamed += (_, _) => _onChange();
                watcher.Error += (_, _) => _onFailure();
                watcher.EnableRaisingEvents = true;
            }

            return null;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException)
        {
            Dispose();
            return error.Message;
        }
    }

    /// <summary>Ends the watch.</summary>
    public void Dispose()
    {
        _watchers.ForEach(watcher => watcher.Dispose());
        _watchers.Clear();
    }
}
