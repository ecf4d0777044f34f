using System.Text;
using Microsoft.Win32.SafeHandles;

namespace CuFrames.Cli.Internal;

/// <summary>Lines for people, on standard output and standard error.</summary>
internal static class Output
{
    private const int StandardOutput = 1;

    /// <summary>Errno of a pipe whose reader has gone.</summary>
    private const int BrokenPipe = 32;

    /// <summary>
    /// Lets a write fail when whoever reads the output has gone. .NET's console takes no notice of that, and <c>cuframes events | head -1</c> would go on
    /// for ever.
    /// </summary>
    public static void NoticeBrokenPipes()
    {
        if (!Console.IsOutputRedirected)
        {
            return;
        }

        FileStream stream = new(new SafeFileHandle(StandardOutput, ownsHandle: false), FileAccess.Write, bufferSize: 0);
        if (stream.CanSeek)
        {
            // A file has no reader who could go, and keeps the place where others write into it too.
            return;
        }

        Console.SetOut(new StreamWriter(stream, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false)) { AutoFlush = true });
    }

    /// <summary>Whether an error says that whoever read the output has gone.</summary>
    public static bool IsBrokenPipe(Exception error) => error is IOException { HResult: BrokenPipe };

    /// <summary>Writes a line to standard output.</summary>
    public static void Line(string text) => Console.Out.WriteLine(PlainText.Of(text));

    /// <summary>Writes a line that is no part of the result to standard error.</summary>
    public static void Remark(string text) => Console.Error.WriteLine(PlainText.Of(text));
}
