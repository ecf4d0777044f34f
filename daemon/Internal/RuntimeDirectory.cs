using CuFrames.Client;

namespace CuFrames.Daemon.Internal;

/// <summary>The directory of the sockets: made when it is missing.</summary>
internal static class RuntimeDirectory
{
    /// <summary>Everybody may look; who may read a stream is decided in the handshake.</summary>
    private const UnixFileMode Mode = (UnixFileMode)0b111_101_101;

    private const string Otherwise = "or choose another directory with --directory, with 'directory' in the configuration or with $CUFRAMES_DIR.";

    /// <summary>The directory that holds: the option, else the configuration, else docs/protocol.md 1.2.</summary>
    internal static string Choose(string? option, DaemonConfiguration configuration) =>
        Path.GetFullPath(option ?? configuration.Directory ?? StreamDirectory.RuntimeDirectory);

    /// <summary>Why no stream can be published in a directory that is not in use yet. It is made if it is missing, and stays.</summary>
    /// <param name="path">The directory.</param>
    internal static string? FindObstacle(string path)
    {
        if (Ensure(path, out string? problem) is null)
        {
            return problem;
        }

        try
        {
            // Rights are not all: the file system may be read-only or full.
            // A new file: another user who may write here could have laid out a link with its name.
            string probe = Path.Combine(path, $".probe-{Guid.NewGuid():N}");
            new FileStream(probe, FileMode.CreateNew).Dispose();
            File.Delete(probe);
            return null;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return $"{error.Message} {AdviceFor(path)}";
        }
    }

    /// <summary>Makes the directory if it is missing; not its parents, which would hide a misspelt path.</summary>
    /// <param name="path">The directory.</param>
    /// <param name="problem">Why there is none, and what to do.</param>
    /// <returns>True if it was made now, false if it was there, null if there is a problem.</returns>
    internal static bool? Ensure(string path, out string? problem)
    {
        problem = null;
        if (Directory.Exists(path))
        {
            return false;
        }

        string parent = Path.GetDirectoryName(path) ?? "/";
        if (File.Exists(path))
        {
            problem = $"The runtime directory {path} is a file. Remove it, {Otherwise}";
        }
        else if (!Directory.Exists(parent))
        {
            problem = $"The runtime directory {path} cannot be made: its parent {parent} does not exist, or this user may not look into it. Make it, {Otherwise}";
        }
        else
        {
            try
            {
                // At no moment more than that, also without a umask; and then that, whatever the umask.
                Directory.CreateDirectory(path, Mode);
                File.SetUnixFileMode(path, Mode);
                return true;
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                string why = error is UnauthorizedAccessException ? $"this user ({Environment.UserName}) may not write in {parent}" : error.Message.TrimEnd('.');
                problem = $"The runtime directory {path} cannot be made: {why}. Make it for this user (install -d -m 0755 -o {Environment.UserName} {path}), {Otherwise}";
            }
        }

        return null;
    }

    /// <summary>What to do about a directory that is there but cannot be written.</summary>
    internal static string AdviceFor(string path) =>
        $"This user ({Environment.UserName}) must be able to write in {path}: make it the owner (chown {Environment.UserName} {path}), {Otherwise}";
}
