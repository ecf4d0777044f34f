using CuFrames.Interop;
using CuFrames.Protocol;

namespace CuFrames.Client;

/// <summary>
/// A limit of the descriptors of this process that several publishers share. It is lower than the kernel's, so that newcomers are refused in order and those who are
/// there do not suffer. Thread-safe.
/// </summary>
/// <param name="limit">Descriptors, greater than zero.</param>
public sealed class DescriptorLimit(int limit)
{
    // Any thread may set it, any may read it; a word of its own.
    private int _limit = Positive(limit);

    /// <summary>Descriptors that may be open, greater than zero.</summary>
    public int Limit
    {
        get => Volatile.Read(ref _limit);
        set => Volatile.Write(ref _limit, Positive(value));
    }

    /// <summary>Fails when so many more would be too many. It counts those that are open, which takes a moment.</summary>
    /// <param name="who">Who asks, for the text: <c>Camera 'front'</c>.</param>
    /// <param name="count">How many it needs.</param>
    /// <exception cref="CuFramesException">OUT_OF_RESOURCES: the limit, what is in use, and what to do.</exception>
    public void Require(string who, int count)
    {
        int inUse = ProcessFacts.CountOpenDescriptors();
        if (inUse + count > Limit)
        {
            throw new CuFramesException(ErrorCode.OutOfResources, Text(who, count, inUse));
        }
    }

    /// <summary>The same for a peer whose connection was accepted just now. The kernel gives the lowest number that is free, so this costs nothing.</summary>
    /// <param name="who">Who asks, for the text.</param>
    /// <param name="accepted">Number of the connection's descriptor.</param>
    /// <returns>Why it must go; null: there is room.</returns>
    internal string? FindObstacle(string who, int accepted) =>
        accepted < Limit ? null : Text(who, 1, ProcessFacts.CountOpenDescriptors());

    private static int Positive(int limit) =>
        limit > 0 ? limit : throw new ArgumentOutOfRangeException(nameof(limit), limit, "A limit of descriptors is greater than zero.");

    private string Text(string who, int count, int inUse) =>
        $"{who} needs {count} more file descriptor{(count == 1 ? "" : "s")}; the limit of the process is {Limit}, in use are {inUse}. " +
        "Raise the limit (of cuframesd: limits.descriptors, and LimitNOFILE= of its service or ulimit -n), or end readers or cameras.";
}
