using CuFrames.Fuzz;

FuzzOptions options;
try
{
    options = FuzzOptions.Parse(args);
}
catch (FormatException error)
{
    Console.Error.WriteLine(error.Message);
    Console.Error.WriteLine(FuzzOptions.Usage);
    return 2;
}

if (options.Worker is null)
{
    return Supervisor.Run(args);
}

if (options.Replay is { } input)
{
    using FuzzTarget target = TargetList.Make(options.Targets[0]);
    try
    {
        target.Run(input, new OutcomeMap());
    }
    catch (Exception error)
    {
        Console.Error.WriteLine(error);
        Console.WriteLine($"FAILED: {target.Name} with an input of {input.Length} bytes");
        return 1;
    }

    Console.WriteLine($"passed: {target.Name} with an input of {input.Length} bytes");
    return 0;
}

for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
{
    if (File.Exists(Path.Combine(folder.FullName, "CuFrames.sln")))
    {
        return new FuzzRun(options, folder.FullName).Run();
    }
}

Console.Error.WriteLine($"No folder above {AppContext.BaseDirectory} holds CuFrames.sln; the test vectors and the kept inputs are in the repository.");
return 2;
