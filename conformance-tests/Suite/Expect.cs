using System.Diagnostics.CodeAnalysis;

namespace CuFrames.Conformance.Suite;

/// <summary>Conditions of a check. Each throws <see cref="CheckException"/> when it does not hold.</summary>
internal static class Expect
{
    public static void That([DoesNotReturnIf(false)] bool condition, string expected, string found)
    {
        if (!condition)
        {
            throw Failure(expected, found);
        }
    }

    public static void Equal<T>(T expected, T found, string what)
    {
        if (!EqualityComparer<T>.Default.Equals(expected, found))
        {
            throw Failure($"{what} {expected}", $"{found}");
        }
    }

    public static CheckException Failure(string expected, string found) =>
        new(Outcome.Failed, $"expected {expected}; found {found}");

    /// <summary>The implementation does not offer what the paragraph is about.</summary>
    public static CheckException Skip(string reason) => new(Outcome.Skipped, reason);

    /// <summary>The situation could not be brought about.</summary>
    public static CheckException NotProvoked(string reason) => new(Outcome.NotProvoked, "not provoked: " + reason);
}
