namespace CuFrames.Daemon.Internal.Access;

/// <summary>What a line of the audit says.</summary>
/// <param name="Id">Id of the event's kind.</param>
/// <param name="Text">A sentence without secrets.</param>
/// <param name="Stream">The stream that it is about; null: none.</param>
/// <param name="Caller">Who did it, for people; null: see the user.</param>
/// <param name="User">The user; null: not known.</param>
/// <param name="Process">The process; 0: not known.</param>
/// <param name="Program">What it calls itself; null: it did not say.</param>
/// <param name="Reader">The reader's number; 0: none.</param>
/// <param name="Status">The name of the error; null: there was none.</param>
internal sealed record AuditEntry(
    int Id, string Text, string? Stream = null, string? Caller = null, uint? User = null, int Process = 0, string? Program = null, ulong Reader = 0, string? Status = null);
