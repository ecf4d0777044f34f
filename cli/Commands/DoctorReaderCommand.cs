using System.CommandLine;
using CuFrames.Cli.Internal;

namespace CuFrames.Cli.Commands;

/// <summary>The second process of <see cref="DoctorGpuCommand"/>: a reader in the place of one of another container.</summary>
internal static class DoctorReaderCommand
{
    public static Command Create()
    {
        Argument<string> kind = new("KIND");
        Argument<string> path = new("SOCKET");
        Argument<string> device = new("DEVICE");
        Argument<long> size = new("SIZE");
        Command command = new("doctor-reader") { kind, path, device, size };
        command.Hidden = true;
        command.SetAction(parse =>
        {
            ProbeProcess.EndWithParent();
            JsonLine.Write(GpuReader.Run(parse.GetRequiredValue(kind), parse.GetRequiredValue(path), parse.GetRequiredValue(device), parse.GetValue(size)));
            return ExitCode.Success;
        });
        return command;
    }
}
