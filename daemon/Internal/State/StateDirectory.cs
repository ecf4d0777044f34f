using CuFrames.Interop;

namespace CuFrames.Daemon.Internal.State;

/// <summary>The directory in which the daemon keeps what must outlive it.</summary>
internal static class StateDirectory
{
    private const string Standard = "/var/lib/cuframes";
    private const string Name = "cuframes";

    /// <summary>Only the daemon's user: settings hold passwords.</summary>
    private const UnixFileMode Mode = (UnixFileMode)0b111_000_000;

    /// <summary>
    /// The directory that holds: the configuration's <c>state</c>, else <c>$STATE_DIRECTORY</c>, else /var/lib/cuframes if it can be written, else
    /// <c>$XDG_STATE_HOME/cuframes</c>. It is made when something is kept in it.
    /// </summary>
    /// <param name="configured">What the configuration says; null: nothing.</param>
    /// <param name="environment">Gives the value of a variable, or null.</param>
    /// <returns>The directory; null: there is none.</returns>
    internal static string? Choose(string? configured, Func<string, string?> environment)
    {
        // systemd gives several, with colons between them, if the unit has several.
        string? given = configured ?? environment("STATE_DIRECTORY")?.Split(':')[0];
        if (!string.IsNullOrEmpty(given))
        {
            return Path.GetFullPath(given);
        }

        if (DurableFile.MayWriteIn(Standard) || (!Path.Exists(Standard) && DurableFile.MayWriteIn(Path.GetDirectoryName(Standard)!)))
        {
            return Standard;
        }

        string? home = environment("XDG_STATE_HOME");
        if (!string.IsNullOrEmpty(home) && Path.IsPathFullyQualified(home))
        {
            return Path.Combine(home, Name);
        }

        home = environment("HOME");
        return !string.IsNullOrEmpty(home) && DurableFile.MayWriteIn(home) ? Path.Combine(home, ".local", "state", Name) : null;
    }

    /// <summary>Makes the directory if it is missing.</summary>
    /// <param name="path">The directory.</param>
    /// <exception cref="IOException">It cannot be made.</exception>
    internal static void Ensure(string path)
    {
        if (!Directory.Exists(path))
        {
            try
            {
                Directory.CreateDirectory(path, Mode);
            }
            catch (UnauthorizedAccessException error)
            {
                throw new IOException($"{path} cannot be made: this user ({Environment.UserName}) may not write there", error);
            }
        }
    }
}
