#pragma warning disable CA1050 // The runtime looks for a type of this name outside of any namespace.

/// <summary>Runs in the daemon before its own code (DOTNET_STARTUP_HOOKS): lets it take faults, which no released program does.</summary>
internal static class StartupHook
{
    /// <summary>Called by the runtime.</summary>
    public static void Initialize()
    {
        AppContext.SetSwitch("CuFrames.FaultInjection", true);
        if (Environment.GetEnvironmentVariable("RESILIENCE_THROW") is { Length: > 0 } file)
        {
            new Thread(() =>
            {
                while (!File.Exists(file))
                {
                    // The file is the test's signal; nothing else tells of it here.
                    Thread.Sleep(20);
                }

                throw new InvalidOperationException($"An injected fault, with {File.ReadAllText(file)}");
            })
            { IsBackground = true, Name = "faulty" }.Start();
        }
    }
}
