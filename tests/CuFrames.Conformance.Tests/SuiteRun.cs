using CuFrames.Conformance.PublisherChecks;
using CuFrames.Conformance.SubscriberChecks;
using CuFrames.Conformance.Suite;

namespace CuFrames.Conformance.Tests;

/// <summary>Runs a suite inside this process, on subjects in processes of their own.</summary>
internal static class SuiteRun
{
    private const int StartSpacingMilliseconds = 250;

    // Runs wait most of the time. More at once would make time-outs mean the machine's load.
    private static readonly SemaphoreSlim Room = new(16);

    // Processes that start cost the most; they do it one after the other.
    private static readonly SemaphoreSlim Start = new(1);

    public static Task<IReadOnlyList<CheckResult>> Publisher(Func<PublisherProcess> start, bool formatChange = false, string? only = null) =>
        InTurn(() =>
        {
            using PublisherProcess publisher = start();
            return CheckRunner.Run(PublisherSuite.Checks, new PublisherContext(publisher.SocketPath, formatChange), only, _ => { });
        });

    public static Task<IReadOnlyList<CheckResult>> Subscriber(params string[] command) => InTurn(() =>
    {
        using var context = new SubscriberContext(command);
        return CheckRunner.Run(SubscriberSuite.Checks, context, null, _ => { });
    });

    /// <summary>Ids of the checks that count as failed.</summary>
    public static IEnumerable<string> Failed(IEnumerable<CheckResult> results) =>
        results.Where(result => result.Outcome is Outcome.Failed or Outcome.NotProvoked).Select(result => result.Id).Order(StringComparer.Ordinal);

    /// <summary>What went wrong, for a message.</summary>
    public static string Describe(IEnumerable<CheckResult> results) => string.Join(Environment.NewLine,
        results.Where(result => result.Outcome is not Outcome.Passed).Select(result => $"{result.Outcome} {result.Id}: {result.Detail}"));

    private static async Task<IReadOnlyList<CheckResult>> InTurn(Func<IReadOnlyList<CheckResult>> run)
    {
        await Room.WaitAsync();
        try
        {
            await Start.WaitAsync();
            _ = Task.Delay(StartSpacingMilliseconds).ContinueWith(_ => Start.Release(), TaskScheduler.Default);
            return await Task.Factory.StartNew(run, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }
        finally
        {
            Room.Release();
        }
    }
}
