using CuFrames.Protocol;

namespace CuFrames.TestPeer.Commands;

/// <summary>Commands that are answered one by one, as tests/native-peers/README.md says.</summary>
internal static class StepLoop
{
    // The native library's own codes (cuframes.h) for what C# says with exceptions of the runtime.
    private const int InvalidArgument = 1000;
    private const int InvalidHandle = 1001;

    public static int Run(Action<string[]> act)
    {
        PeerArguments.Say(new { kind = "ready" });
        while (Console.ReadLine() is { } line && line != "exit")
        {
            try
            {
                act(line.Split(' ', 4));
            }
            catch (CuFramesException error)
            {
                Refuse((int)error.Code, error.Code.ToString(), error.Message);
            }
            catch (TimeoutException error)
            {
                Refuse((int)ErrorCode.TimedOut, nameof(ErrorCode.TimedOut), error.Message);
            }
            catch (KeyNotFoundException error)
            {
                Refuse(InvalidHandle, nameof(InvalidHandle), error.Message);
            }
            catch (ArgumentException error)
            {
                Refuse(InvalidArgument, nameof(InvalidArgument), error.Message);
            }
        }

        return 0;
    }

    private static void Refuse(int code, string name, string text) => PeerArguments.Say(new { kind = "error", code, name, text });
}
