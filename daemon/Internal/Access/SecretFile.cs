using CuFrames.Interop;

namespace CuFrames.Daemon.Internal.Access;

/// <summary>
/// Reads files with secrets: tokens, keys of certificates. They must be out of the reach of others: owned by root or the daemon's user, and either without any
/// right for group and others, or owned by root and readable for the daemon's own group (0640), as packages install them.
/// </summary>
internal static class SecretFile
{
    private const uint GroupAndOthers = 0b111_111;
    private const uint AllButGroupsReading = 0b011_111;

    /// <summary>Reads a file whole.</summary>
    /// <param name="path">The file.</param>
    /// <param name="limit">Most bytes that it may have.</param>
    /// <param name="own">This daemon.</param>
    /// <param name="problem">What is wrong with it and what to do, as the beginning of a sentence; never what it holds.</param>
    /// <returns>Its content, or null.</returns>
    internal static byte[]? Read(string path, int limit, PeerCredentials own, out string problem)
    {
        try
        {
            // Of a pipe the opening would wait for somebody who writes.
            if (FileStatus.At(File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path) is { IsRegularFile: false } && !Directory.Exists(path))
            {
                problem = $"{path} is no regular file";
                return null;
            }

            // The file that was opened is the one that is judged, whatever the path names by then.
            using FileStream file = File.OpenRead(path);
            problem = FindFault(path, FileStatus.Of(file.SafeFileHandle), own) ?? "";
            if (problem.Length > 0)
            {
                return null;
            }

            byte[] buffer = new byte[limit + 1];
            int length = file.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
            if (length <= limit)
            {
                return buffer[..length];
            }

            problem = $"{path} has more than {limit} bytes";
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            problem = $"{path} cannot be read: " + error switch
            {
                FileNotFoundException => "there is no such file",
                DirectoryNotFoundException => "its directory does not exist",
                UnauthorizedAccessException => Directory.Exists(path) ? "it is a directory" : $"this user ({Environment.UserName}) may not read it",
                _ => error.Message.TrimEnd('.'),
            };
        }

        return null;
    }

    /// <summary>Judges owner and mode.</summary>
    /// <returns>What is wrong with them, or null.</returns>
    internal static string? FindFault(string path, FileStatus status, PeerCredentials own)
    {
        string mode = Convert.ToString(status.Mode & 0xFFF, 8).PadLeft(4, '0');
        if (!status.IsRegularFile)
        {
            return $"{path} is no regular file";
        }

        if (status.UserId != 0 && status.UserId != own.UserId)
        {
            return $"{path} belongs to user {status.UserId}, who could change it: make root or user {own.UserId} the owner (chown root {path})";
        }

        bool isForOwnGroup = status.UserId == 0 && status.GroupId == own.GroupId && (status.Mode & AllButGroupsReading) == 0;
        return (status.Mode & GroupAndOthers) == 0 || isForOwnGroup
            ? null
            : $"{path} has the mode {mode} and the group {status.GroupId}, so others than the daemon may get at it: chmod 0600 {path}, or 0640 with owner root and group {own.GroupId}";
    }
}
