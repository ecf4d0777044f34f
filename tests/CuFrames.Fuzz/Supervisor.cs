using System.Diagnostics;

namespace CuFrames.Fuzz;

/// <summary>
/// Runs the work in a process of its own. A read outside of mapped memory kills that process; this one then finds the input that did it in
/// the lanes' memory.
/// </summary>
internal static class Supervisor
{
    private const int LastOrdinaryExitCode = 2;

    public static int Run(string[] arguments)
    {
        string folder = Directory.CreateTempSubdirectory("cuframes-fuzz-").FullName;
        try
        {
            int exitCode = StartWorker([.. arguments, "--worker", folder]);
            if (exitCode <= LastOrdinaryExitCode)
            {
                return exitCode;
            }

            foreach (string path in Directory.EnumerateFiles(folder, "*.lane"))
            {
                (int target, byte[] input) = LaneMemory.Read(path);
                if (target < 0)
                {
                    continue;
                }

                string hex = Path.Combine(folder, "replay.hex");
                File.WriteAllText(hex, Convert.ToHexString(input));
                string name = TargetList.Names[target];
                if (StartWorker(["--target", name, "--replay", hex, "--worker", folder]) > LastOrdinaryExitCode)
                {
                    Failure.Report(name, input, $"The process ended with code {exitCode} while this input was tried.");
                    return 1;
                }
            }

            Console.WriteLine($"FAILED: the process ended with code {exitCode}, and no lane's last input does that again.");
            return 1;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static int StartWorker(string[] arguments)
    {
        // Under "dotnet CuFrames.Fuzz.dll" the process is dotnet and needs the assembly's path first.
        string program = Environment.ProcessPath!;
        string[] prefix = Path.GetFileNameWithoutExtension(program) == "dotnet" ? [Path.Combine(AppContext.BaseDirectory, "CuFrames.Fuzz.dll")] : [];
        using Process worker = Process.Start(new ProcessStartInfo(program, [.. prefix, .. arguments]))!;
        worker.WaitForExit();
        return worker.ExitCode;
    }
}
