using System.CommandLine;
using CuFrames.Cli.Internal;

namespace CuFrames.Cli.Commands;

/// <summary>A process of <see cref="DoctorCommand"/> that initialises CUDA and says what it found.</summary>
internal static class DoctorDriverCommand
{
    public static Command Create()
    {
        Command command = new("doctor-driver");
        command.Hidden = true;
        command.SetAction(_ =>
        {
            ProbeProcess.EndWithParent();
            JsonLine.Write(GpuDriver.Read());
            return ExitCode.Success;
        });
        return command;
    }
}
