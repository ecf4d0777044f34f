namespace CuFrames.Cli.Internal;

/// <summary>What <c>record</c> says of its work so far, as it goes to JSON.</summary>
/// <param name="Type"><c>interval</c> or <c>total</c>.</param>
/// <param name="Key">The stream.</param>
/// <param name="State">State of the stream now; <c>waiting</c> while there is no publisher.</param>
/// <param name="Seconds">Since the start of the command.</param>
/// <param name="Path">The file that is written now; null: none.</param>
/// <param name="Files">Files so far.</param>
/// <param name="Bytes">Bytes in all files.</param>
/// <param name="Published">Packets that were published from the first one taken on.</param>
/// <param name="Written">Packets in files.</param>
/// <param name="Held">Packets that will be in a file, or counted as missed: they wait for its beginning.</param>
/// <param name="Missed">Packets in no file, by reason.</param>
/// <param name="TimesRepaired">Packets that are written with times of their own, because the source's were missing or went back.</param>
/// <param name="Reconnects">How often the publisher came back.</param>
/// <param name="Event">The last thing that happened; null when nothing did.</param>
internal sealed record RecordReport(
    string Type,
    string Key,
    string State,
    double Seconds,
    string? Path,
    int Files,
    long Bytes,
    long Published,
    long Written,
    long Held,
    RecordMissed Missed,
    long TimesRepaired,
    int Reconnects,
    string? Event);
