namespace CuFrames.Conformance.Suite;

/// <summary>How a check ended.</summary>
internal enum Outcome
{
    /// <summary>The implementation does what the paragraph says.</summary>
    Passed,

    /// <summary>It does something else.</summary>
    Failed,

    /// <summary>The paragraph is about something that this implementation does not offer.</summary>
    Skipped,

    /// <summary>The situation could not be brought about. Counts as failed unless that is allowed.</summary>
    NotProvoked,
}
