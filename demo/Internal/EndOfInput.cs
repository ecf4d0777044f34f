namespace CuFrames.Demo.Internal;

/// <summary>A child ends when its standard input does: however the demo ends, no process of it stays behind.</summary>
internal static class EndOfInput
{
    /// <summary>Gives an event that is set at the end of standard input.</summary>
    public static ManualResetEventSlim Watch()
    {
        ManualResetEventSlim stopped = new();
        Thread thread = new(() =>
        {
            while (Console.In.ReadLine() is not null)
            {
            }

            stopped.Set();
        })
        { IsBackground = true };
        thread.Start();
        return stopped;
    }
}
