using CuFrames.Control.V1;

namespace CuFrames.Cli.Internal;

/// <summary>A reader of the daemon's streams as it goes to JSON.</summary>
internal sealed record ReaderReport(
    string Stream, ulong Id, string Program, int? ProcessId, uint UserId, string Reads, string Delivery, ulong Lag, ulong Missed, ulong Taken, uint HeldLeases, uint GrantedLeases)
{
    public static ReaderReport From(Reader reader) => new(
        reader.Stream,
        reader.Id,
        reader.Program,
        reader.ProcessId == 0 ? null : reader.ProcessId,
        reader.UserId,
        reader.ReadsPackets ? "packets" : "frames",
        reader.Delivery,
        reader.Lag,
        reader.Missed,
        reader.Taken,
        reader.HeldLeases,
        reader.GrantedLeases);
}
