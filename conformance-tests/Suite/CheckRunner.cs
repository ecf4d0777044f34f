using System.IO.Enumeration;
using CuFrames.Conformance.Wire;

namespace CuFrames.Conformance.Suite;

/// <summary>Runs checks one after the other; those that mostly wait run beside them from the start.</summary>
internal static class CheckRunner
{
    /// <summary>Runs the checks whose id fits one of the patterns.</summary>
    /// <param name="checks">All checks, in the order in which they are reported.</param>
    /// <param name="context">Given to each check.</param>
    /// <param name="only">Patterns with <c>*</c> and <c>?</c>; null for all.</param>
    /// <param name="report">Called with each result as soon as it is there and its turn has come.</param>
    public static IReadOnlyList<CheckResult> Run<TContext>(
        IReadOnlyList<Check<TContext>> checks, TContext context, string? only, Action<CheckResult> report)
    {
        List<Check<TContext>> chosen = checks
            .Where(check => only is null || FileSystemName.MatchesSimpleExpression(only, check.Id, ignoreCase: true))
            .ToList();
        var waiting = chosen.Where(check => check.Background).ToDictionary(
            check => check,
            check => Task.Factory.StartNew(
                () => RunOne(check, context), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default));
        var results = new List<CheckResult>();
        foreach (Check<TContext> check in chosen)
        {
            CheckResult result = waiting.TryGetValue(check, out Task<CheckResult>? task)
                ? task.GetAwaiter().GetResult()
                : RunOne(check, context);
            results.Add(result);
            report(result);
        }

        return results;
    }

    private static CheckResult RunOne<TContext>(Check<TContext> check, TContext context)
    {
        try
        {
            check.Run(context);
            return new CheckResult(check.Id, check.Paragraph, check.Title, Outcome.Passed, null);
        }
        catch (CheckException exception)
        {
            return new CheckResult(check.Id, check.Paragraph, check.Title, exception.Outcome, exception.Message);
        }
        catch (WireException exception)
        {
            return new CheckResult(check.Id, exception.Paragraph, check.Title, Outcome.Failed,
                $"expected a message as paragraph {exception.Paragraph} says; found {exception.Message}");
        }
        catch (Exception exception) when (exception is IOException or InvalidDataException)
        {
            // A system call failed in a way that a sound implementation does not cause: it refused a connection, say.
            return new CheckResult(check.Id, check.Paragraph, check.Title, Outcome.Failed,
                $"expected that the check can be carried out; found: {exception.Message}");
        }
    }
}
