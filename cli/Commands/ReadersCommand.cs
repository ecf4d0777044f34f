using System.CommandLine;
using CuFrames.Cli.Internal;
using CuFrames.Control;
using CuFrames.Control.V1;

namespace CuFrames.Cli.Commands;

/// <summary><c>cuframes readers [STREAM]</c>: who reads the daemon's streams, and how well.</summary>
internal static class ReadersCommand
{
    public static Command Create()
    {
        Argument<string?> stream = new("STREAM") { Description = "Only of this stream, for example front or front@small.", Arity = ArgumentArity.ZeroOrOne };
        Option<bool> json = Options.Json("One JSON object.");
        Command command = new("readers", "List who reads the daemon's streams.") { stream, json };
        command.SetAction((parse, cancellation) => RunAsync(parse.GetValue(stream), parse.GetValue(json)));
        return command;
    }

    private static async Task<int> RunAsync(string? stream, bool json)
    {
        using Interruption interruption = new();
        using ControlClient client = ControlSocket.Connect();
        IReadOnlyList<Reader> readers = await client.ListReadersAsync(stream, interruption.Token).ConfigureAwait(false);
        if (json)
        {
            JsonLine.Write(new { Readers = readers.Select(ReaderReport.From) });
            return ExitCode.Success;
        }

        if (readers.Count == 0)
        {
            Output.Remark(stream is null ? "Nobody reads." : $"Nobody reads {stream}.");
            return ExitCode.Success;
        }

        TextTable table = new("STREAM", "#ID", "PROGRAM", "#PROCESS", "#USER", "READS", "DELIVERY", "#LAG", "#MISSED", "#TAKEN", "#HELD");
        foreach (Reader reader in readers)
        {
            table.Add(
                reader.Stream,
                $"{reader.Id}",
                reader.Program,
                reader.ProcessId == 0 ? "-" : $"{reader.ProcessId}",
                $"{reader.UserId}",
                reader.ReadsPackets ? "packets" : "frames",
                reader.Delivery.Replace('_', ' '),
                $"{reader.Lag}",
                $"{reader.Missed}",
                $"{reader.Taken}",
                reader.ReadsPackets ? "" : $"{reader.HeldLeases} of {reader.GrantedLeases}");
        }

        table.Write();
        return ExitCode.Success;
    }
}
