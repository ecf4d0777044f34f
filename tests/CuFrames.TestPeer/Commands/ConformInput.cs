namespace CuFrames.TestPeer.Commands;

/// <summary>Ends a command when whoever started it is gone: it holds the other end of the standard input.</summary>
internal static class ConformInput
{
    /// <summary>Cancels when the standard input is closed.</summary>
    public static void CancelAtEnd(CancellationTokenSource stop)
    {
        var reader = new Thread(() =>
        {
            while (Console.In.Read() >= 0)
            {
            }

            stop.Cancel();
        })
        {
            IsBackground = true,
            Name = "standard input",
        };
        reader.Start();
    }
}
