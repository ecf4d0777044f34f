namespace CuFrames.Client.Internal;

/// <summary>
/// Takes single steps of the lease protocol out, so that a test can show that its stress run finds torn frames without them.
/// </summary>
/// <remarks>
/// Off unless the runtime option <c>CuFrames.FaultInjection</c> is true (only the tests' peer sets it, in its project file) and the
/// environment variable <c>CUFRAMES_FAULT</c> names a fault: <c>skip-lease-scan</c> (the publisher does not look at leases) or
/// <c>skip-recheck</c> (the reader does not look at the slot's state again after it has set its lease word, and is slow before it
/// sets it), or <c>skip-completion-wait</c> (a frame that a GPU writes is announced before it is written),
/// or <c>skip-oldest</c> (a packet overwrites others that readers are not told of), or <c>camera-exception:KEY</c> (the thread of that camera throws). The fields are constants to the compiler of the hot path.
/// </remarks>
internal static class FaultInjection
{
    /// <summary>How long a faulty reader hesitates, in turns of a spin loop: long enough for a fast publisher to go round its ring.</summary>
    public const int WindowSpins = 50_000;

    public static readonly bool SkipLeaseScan = IsChosen("skip-lease-scan");

    public static readonly bool SkipRecheck = IsChosen("skip-recheck");

    public static readonly bool SkipCompletionWait = IsChosen("skip-completion-wait");

    public static readonly bool SkipOldest = IsChosen("skip-oldest");

    /// <summary>The camera whose thread throws; null: none.</summary>
    public static readonly string? FaultyCamera = FindFaultyCamera();

    private static string? FindFaultyCamera()
    {
        const string Prefix = "camera-exception:";
        string? fault = Environment.GetEnvironmentVariable("CUFRAMES_FAULT");
        return fault?.StartsWith(Prefix, StringComparison.Ordinal) == true && IsChosen(fault) ? fault[Prefix.Length..] : null;
    }

    private static bool IsChosen(string fault) =>
        AppContext.TryGetSwitch("CuFrames.FaultInjection", out bool isAllowed) && isAllowed &&
        Environment.GetEnvironmentVariable("CUFRAMES_FAULT") == fault;
}
