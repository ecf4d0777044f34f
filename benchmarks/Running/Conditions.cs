namespace CuFrames.Benchmarks.Running;

/// <summary>What else went on while a benchmark ran.</summary>
/// <param name="Started">UTC.</param>
/// <param name="Seconds">How long it took.</param>
/// <param name="Commit">Version that was measured.</param>
/// <param name="LoadBefore">Load average over one minute before.</param>
/// <param name="BusyBefore">Share of all cores that others used in the second before, 0 to 1.</param>
/// <param name="BusyOthers">Share of all cores that other processes used meanwhile, 0 to 1.</param>
/// <param name="Stolen">Share of all cores' time that the hypervisor took meanwhile, 0 to 1.</param>
internal sealed record Conditions(DateTime Started, double Seconds, string Commit, double LoadBefore, double BusyBefore, double BusyOthers, double Stolen);
