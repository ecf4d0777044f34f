namespace CuFrames.Benchmarks.OnDemand;

/// <summary>One coming of a reader; times in nanoseconds.</summary>
/// <param name="IsOnDemand">Whether the camera's decoder had to be woken, or was at work all the time.</param>
/// <param name="Key">The camera.</param>
/// <param name="First">From before the reader connected until it had a frame.</param>
/// <param name="Age">How old that frame's picture was then, since its packet had arrived.</param>
/// <param name="Live">From before the reader connected until it had a frame whose packet arrived after that.</param>
internal readonly record struct WakeSample(bool IsOnDemand, string Key, long First, long Age, long Live)
{
    public const string Header = "camera,key,first_ns,age_ns,live_ns";

    public override string ToString() => FormattableString.Invariant($"{(IsOnDemand ? "on-demand" : "always")},{Key},{First},{Age},{Live}");
}
