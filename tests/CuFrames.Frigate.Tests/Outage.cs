namespace CuFrames.Frigate.Tests;

/// <summary>A time in which a camera sent nothing, or nobody passed it on. Seconds of the wall clock.</summary>
/// <param name="Camera">The camera.</param>
/// <param name="From">When it was taken away.</param>
/// <param name="To">When the daemon had its frames again.</param>
internal sealed record Outage(string Camera, double From, double To)
{
    /// <summary>Now.</summary>
    public static double Now => (DateTime.UtcNow - DateTime.UnixEpoch).TotalSeconds;

    /// <summary>Whether it may show in what happened between two times: a segment begins with a key frame of before, and a process is started again up to 10 s later.</summary>
    public bool Touches(double from, double to) => From - 5 <= to && To + NvrProcess.NoFrame >= from;

    public override string ToString() => FormattableString.Invariant($"{Camera} from {From:0.0} to {To:0.0}");
}
