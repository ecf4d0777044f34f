using System.CommandLine;
using CuFrames.Cli.Internal;
using CuFrames.Control;
using CuFrames.Control.V1;
using CuFrames.Protocol;

namespace CuFrames.Cli.Commands;

/// <summary><c>cuframes camera</c>: the daemon's cameras: lists, shows, adds, changes, removes, starts anew.</summary>
internal static class CameraCommand
{
    public static Command Create() => new("camera", "The daemon's cameras: list, show, add, update, remove, restart.")
    {
        CreateList(), CreateShow(), CreateAdd(), CreateUpdate(), CreateRemove(), CreateRestart(),
    };

    private static Command CreateList()
    {
        Option<bool> json = Options.Json("One JSON object.");
        Command command = new("list", "List the cameras.") { json };
        command.Aliases.Add("ls");
        command.SetAction((parse, _) => RunAsync(async (client, cancellation) =>
        {
            IReadOnlyList<Camera> cameras = await client.ListCamerasAsync(cancellation).ConfigureAwait(false);
            if (parse.GetValue(json))
            {
                JsonLine.Write(new { Cameras = cameras.Select(CameraReport.From) });
            }
            else
            {
                Print(cameras);
            }
        }));
        return command;
    }

    private static Command CreateShow()
    {
        Argument<string> key = Options.Camera();
        Option<bool> json = Options.Json("One JSON object.");
        Command command = new("show", "Show a camera with its settings.") { key, json };
        command.SetAction((parse, _) => RunAsync(async (client, cancellation) =>
            Report(await client.GetCameraAsync(parse.GetRequiredValue(key), cancellation).ConfigureAwait(false), "", parse.GetValue(json))));
        return command;
    }

    private static Command CreateAdd()
    {
        Argument<string> key = Options.Camera();
        Argument<string?> source = new("SOURCE") { Description = "A URL, a file's path, or test[:[FORMAT@]WIDTHxHEIGHT[@RATE]].", Arity = ArgumentArity.ZeroOrOne };
        Option<string[]> set = SetOption();
        Option<string?> file = FileOption();
        Option<bool> json = Options.Json("One JSON object.");
        Command command = new("add", "Add a camera, which stays when the daemon is started again.") { key, source, set, file, json };
        command.Validators.Add(result =>
        {
            if (result.GetValue(file) is null && result.GetValue(source) is null)
            {
                result.AddError("A SOURCE or --settings FILE is needed.");
            }
        });
        command.SetAction((parse, _) =>
        {
            string settings = Compose(CameraSettings.Empty(), parse.GetValue(source), parse.GetValue(set), [], parse.GetValue(file));
            return RunAsync(async (client, cancellation) =>
            {
                Camera camera = await client.AddCameraAsync(parse.GetRequiredValue(key), settings, cancellation).ConfigureAwait(false);
                Report(camera, $"Camera {camera.Key} was added.", parse.GetValue(json));
            });
        });
        return command;
    }

    private static Command CreateUpdate()
    {
        Argument<string> key = Options.Camera();
        Argument<string?> source = new("SOURCE") { Description = "Another source.", Arity = ArgumentArity.ZeroOrOne };
        Option<string[]> set = SetOption();
        Option<string[]> unset = new("--unset") { Description = "Takes a setting away, so that its default holds. May be repeated.", HelpName = "NAME" };
        Option<string?> file = FileOption();
        Option<bool> json = Options.Json("One JSON object.");
        Command command = new("update", "Change settings of a camera that was added.") { key, source, set, unset, file, json };
        command.SetAction((parse, _) =>
        {
            string name = parse.GetRequiredValue(key);
            string ComposeFrom(CameraSettings before) => Compose(before, parse.GetValue(source), parse.GetValue(set), parse.GetValue(unset), parse.GetValue(file));
            string? whole = parse.GetValue(file) is null ? null : ComposeFrom(CameraSettings.Empty());
            return RunAsync(async (client, cancellation) =>
            {
                // Secrets stay as they are: the daemon knows what *** stands for.
                string settings = whole ?? ComposeFrom(CameraSettings.Parse((await client.GetCameraAsync(name, cancellation).ConfigureAwait(false)).Settings));
                Camera camera = await client.UpdateCameraAsync(name, settings, cancellation).ConfigureAwait(false);
                Report(camera, $"Camera {camera.Key} was changed.", parse.GetValue(json));
            });
        });
        return command;
    }

    private static Command CreateRemove()
    {
        Argument<string> key = Options.Camera();
        Option<bool> json = Options.Json("One JSON object.");
        Command command = new("remove", "Remove a camera that was added, and end its streams.") { key, json };
        command.Aliases.Add("rm");
        command.SetAction((parse, _) => RunAsync(async (client, cancellation) =>
        {
            string name = parse.GetRequiredValue(key);
            await client.RemoveCameraAsync(name, cancellation).ConfigureAwait(false);
            ReportDone(new { Key = name, Removed = true }, $"Camera {name} was removed.", parse.GetValue(json));
        }));
        return command;
    }

    private static Command CreateRestart()
    {
        Argument<string> key = Options.Camera();
        Option<bool> json = Options.Json("One JSON object.");
        Command command = new("restart", "Start a camera anew: its source is opened again.") { key, json };
        command.SetAction((parse, _) => RunAsync(async (client, cancellation) =>
        {
            string name = parse.GetRequiredValue(key);
            await client.RestartCameraAsync(name, cancellation).ConfigureAwait(false);
            ReportDone(new { Key = name, Restarted = true }, $"Camera {name} is started anew.", parse.GetValue(json));
        }));
        return command;
    }

    private static Option<string[]> SetOption() => new("--set", "-s")
    {
        Description = "A setting as in the configuration file; VALUE is YAML. May be repeated. Other users can see command lines: give passwords by --settings.",
        HelpName = "NAME=VALUE",
    };

    private static Option<string?> FileOption() => new("--settings")
    {
        Description = "All settings, as YAML or JSON, from a file; -: from standard input. SOURCE and --set do not go with it.",
        HelpName = "FILE",
    };

    /// <summary>Puts the settings together. Standard input is read before <see cref="RunAsync"/> takes signals over: Ctrl-C ends the wait for it.</summary>
    private static string Compose(CameraSettings settings, string? source, string[]? set, string[]? unset, string? file)
    {
        if (file is not null)
        {
            return source is null && set is null or [] && unset is null or []
                ? file == "-" ? Console.In.ReadToEnd() : ReadSettings(file)
                : throw new CuFramesException(ErrorCode.ConfigurationInvalid, "--settings has all settings; SOURCE, --set and --unset do not go with it.");
        }

        if (source is not null)
        {
            settings.SetSource(source);
        }

        foreach (string assignment in set ?? [])
        {
            settings.Set(assignment);
        }

        foreach (string key in unset ?? [])
        {
            settings.Unset(key);
        }

        return settings.ToString();
    }

    private static string ReadSettings(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (IOException error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new CuFramesException(ErrorCode.ConfigurationInvalid, $"The file with the settings does not exist: {path}.");
        }
    }

    private static async Task<int> RunAsync(Func<ControlClient, CancellationToken, Task> work)
    {
        using Interruption interruption = new();
        using ControlClient client = ControlSocket.Connect();
        await work(client, interruption.Token).ConfigureAwait(false);
        return ExitCode.Success;
    }

    private static void Print(IReadOnlyList<Camera> cameras)
    {
        if (cameras.Count == 0)
        {
            Output.Remark("The daemon has no camera.");
            return;
        }

        TextTable table = new("KEY", "STATE", "#FOR", "ORIGIN", "#READERS", "SOURCE", "~REASON");
        foreach (Camera camera in cameras)
        {
            table.Add(
                camera.Key,
                Words.Of(camera.State),
                camera.StateMs == 0 ? "" : Words.Duration(camera.StateMs / 1000.0),
                OriginOf(camera),
                $"{camera.Streams.Sum(stream => stream.Readers) + (camera.Packets?.Readers ?? 0)}",
                camera.Source,
                camera.State is CameraState.Live ? "" : camera.Reason);
        }

        table.Write();
    }

    private static void Report(Camera camera, string done, bool json)
    {
        if (json)
        {
            JsonLine.Write(CameraReport.From(camera));
            return;
        }

        if (done.Length > 0)
        {
            Output.Line(done);
            return;
        }

        Output.Line($"{camera.Key}: {Words.Of(camera.State)}{(camera.Reason.Length > 0 ? $" ({camera.Reason})" : "")}");
        Output.Line($"{OriginOf(camera)}{(camera.Isolated ? $", in a process of its own ({camera.WorkerProcessId})" : "")}");
        foreach (Control.V1.Stream stream in camera.Streams)
        {
            string format = stream.Format.Length > 0 ? $"{stream.Format} {stream.Width}x{stream.Height} in {stream.Memory} memory" : "no frame yet";
            Output.Line(
                $"  {stream.Key}: {format}, {stream.Published} published, {stream.Dropped} dropped, {stream.HeldSlots} of {stream.Slots} slots held, readers: {stream.Readers}");
        }

        if (camera.Packets is { } packets)
        {
            Output.Line($"  packets: {packets.Published} published, {packets.BufferedMs / 1000.0:0.0} s kept, readers: {packets.Readers}");
        }

        Output.Line("settings:");
        foreach (string line in camera.Settings.TrimEnd('\n').Split('\n'))
        {
            Output.Line($"  {line}");
        }
    }

    private static void ReportDone(object report, string done, bool json)
    {
        if (json)
        {
            JsonLine.Write(report);
        }
        else
        {
            Output.Line(done);
        }
    }

    private static string OriginOf(Camera camera) => camera.Origin == Origin.Api ? "added" : "configuration";
}
