using System.CommandLine;
using System.Globalization;
using CuFrames.Cli.Internal;
using CuFrames.Control;
using CuFrames.Control.V1;

namespace CuFrames.Cli.Commands;

/// <summary><c>cuframes evict STREAM ID</c>: disconnects a reader.</summary>
internal static class EvictCommand
{
    public static Command Create()
    {
        Argument<string> stream = new("STREAM") { Description = "The stream's key, for example front or front@small." };
        Argument<ulong> id = new("ID")
        {
            Description = "The reader's number, as 'cuframes readers' lists it.",
            CustomParser = result =>
            {
                if (ulong.TryParse(result.Tokens[0].Value, NumberStyles.None, CultureInfo.InvariantCulture, out ulong number))
                {
                    return number;
                }

                result.AddError($"ID is a reader's number, as 'cuframes readers' lists it, found '{result.Tokens[0].Value}'.");
                return 0;
            },
        };
        Option<bool> packets = new("--packets") { Description = "A reader of packets; without it one of frames." };
        Option<string?> reason = new("--reason") { Description = "Told to the reader and logged; up to 200 bytes.", HelpName = "TEXT" };
        Option<bool> json = Options.Json("One JSON object.");
        Command command = new("evict", "Disconnect a reader, which is told why and may come back.") { stream, id, packets, reason, json };
        command.SetAction((parse, cancellation) => RunAsync(
            new Reader { Stream = parse.GetRequiredValue(stream), Id = parse.GetRequiredValue(id), ReadsPackets = parse.GetValue(packets) },
            parse.GetValue(reason) ?? "",
            parse.GetValue(json)));
        return command;
    }

    private static async Task<int> RunAsync(Reader reader, string reason, bool json)
    {
        using Interruption interruption = new();
        using ControlClient client = ControlSocket.Connect();
        await client.EvictReaderAsync(reader, reason, interruption.Token).ConfigureAwait(false);
        if (json)
        {
            JsonLine.Write(new { reader.Stream, reader.Id, Reads = reader.ReadsPackets ? "packets" : "frames", Evicted = true });
        }
        else
        {
            Output.Line($"Reader {reader.Id} of {reader.Stream} was evicted.");
        }

        return ExitCode.Success;
    }
}
