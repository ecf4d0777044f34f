using CuFrames.Interop;

namespace CuFrames.Daemon.Internal.Access;

/// <summary>Gives the runtime directory the mode and the group that <c>permissions.publish</c> asks for. The control thread uses it.</summary>
/// <param name="own">This daemon.</param>
/// <param name="log">The log.</param>
internal sealed class PublishDirectory(PeerCredentials own, Log log)
{
    private const uint ModeBits = 0xFFF;

    private (string Path, PublishAccess Publish)? _done;
    private string _trouble = "";

    /// <summary>Looks whether the directory is as asked for, once for each configuration, and makes it so.</summary>
    /// <param name="path">The directory. It is there.</param>
    /// <param name="publish">What is asked for; null: nothing, and it stays as it is.</param>
    internal void Update(string path, PublishAccess? publish)
    {
        if (publish is null || _done == (path, publish))
        {
            _done = publish is null ? null : _done;
            return;
        }

        string? problem = TryChange(path, publish, out bool isChanged);
        if (problem is null)
        {
            (_done, _trouble) = ((path, publish), "");
            if (isChanged)
            {
                log.Write(LogEvents.PublishChanged, $"{path} has the mode {Convert.ToString((uint)publish.Mode, 8)} now{(publish.Group is { } group ? $" and the group {group}" : "")}, as permissions.publish asks for.");
            }
        }
        else if (problem != _trouble)
        {
            // Tried again with each round of the control thread; said once.
            _trouble = problem;
            log.Write(LogEvents.PublishUnavailable, problem);
        }
    }

    private string? TryChange(string path, PublishAccess publish, out bool isChanged)
    {
        isChanged = false;
        try
        {
            if (FileStatus.At(path) is not { } status)
            {
                return $"The runtime directory {path} is gone.";
            }

            uint group = publish.Group ?? status.GroupId;
            if ((status.Mode & ModeBits) == (uint)publish.Mode && status.GroupId == group)
            {
                return null;
            }

            string octal = Convert.ToString((uint)publish.Mode, 8);
            string advice = $"chmod {octal} {path}{(publish.Group is null ? "" : $", and chgrp {group} {path}")}";
            if (own.UserId != 0 && own.UserId != status.UserId)
            {
                return $"The runtime directory {path} belongs to user {status.UserId}, and this daemon runs as user {own.UserId}: permissions.publish cannot be set. Do it as its owner: {advice}.";
            }

            if (status.GroupId != group)
            {
                if (own.UserId != 0 && !own.IsInGroup(group))
                {
                    return $"The runtime directory {path} cannot be given to group {group}, of which this daemon's user {own.UserId} is no member: permissions.publish cannot be set. Make it one (SupplementaryGroups= in the unit), or do it as root: {advice}.";
                }

                FileStatus.SetGroup(path, group);
            }

            File.SetUnixFileMode(path, publish.Mode);
            isChanged = true;
            return null;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return $"permissions.publish cannot be set for {path}: {error.Message}";
        }
    }
}
