using System.CommandLine;
using CuFrames.Cli.Internal;
using CuFrames.Interop;

namespace CuFrames.Cli.Commands;

/// <summary>A process of <see cref="DoctorCommand"/> that tries one GPU, from a step on, and says of each step at once what it found.</summary>
internal static class DoctorGpuCommand
{
    public static Command Create()
    {
        Argument<int> ordinal = new("DEVICE");
        Argument<int> first = new("STEP");
        Command command = new("doctor-gpu") { ordinal, first };
        command.Hidden = true;
        command.SetAction(parse => Run(parse.GetValue(ordinal), parse.GetValue(first)));
        return command;
    }

    private static int Run(int ordinal, int first)
    {
        ProbeProcess.EndWithParent();
        using GpuProbe probe = new(CudaDriver.Devices[ordinal]);

        // With a broken context every later step would fail: a new process takes them.
        for (int step = first; step < GpuProbe.StepCount && !probe.IsBroken; step++)
        {
            JsonLine.Write(probe.Run(step));
        }

        return ExitCode.Success;
    }
}
