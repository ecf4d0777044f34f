using System.Diagnostics;
using System.Net.Sockets;
using CuFrames.Media;
using CuFrames.Protocol;

namespace CuFrames.Daemon.Tests;

/// <summary>Programs and sockets that read taps, and checks of what they get.</summary>
internal static class TapReader
{
    public static string PathOf(DaemonProcess daemon, string tap) => Path.Combine(daemon.RuntimeDirectory, "taps", tap);

    /// <summary>Connects to a tap's socket. It may be a moment until it is there.</summary>
    /// <param name="daemon">The daemon.</param>
    /// <param name="tap">Key and kind.</param>
    /// <param name="receiveBuffer">SO_RCVBUF; 0: the kernel's default.</param>
    public static Socket Connect(DaemonProcess daemon, string tap, int receiveBuffer = 0)
    {
        string path = PathOf(daemon, tap);
        Stopwatch time = Stopwatch.StartNew();
        while (true)
        {
            WaitForSocket(path);
            Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            if (receiveBuffer > 0)
            {
                socket.ReceiveBufferSize = receiveBuffer;
            }

            socket.ReceiveTimeout = (int)DaemonProcess.Patience.TotalMilliseconds;
            try
            {
                socket.Connect(new UnixDomainSocketEndPoint(path));
                return socket;
            }
            catch (SocketException error) when (error.SocketErrorCode == SocketError.ConnectionRefused && time.Elapsed < DaemonProcess.Patience)
            {
                // The path is there a moment before the daemon listens at it.
                socket.Dispose();
                Thread.Sleep(20);
            }
        }
    }

    public static void WaitForSocket(string path)
    {
        Stopwatch time = Stopwatch.StartNew();
        while (!File.Exists(path))
        {
            Assert.True(time.Elapsed < DaemonProcess.Patience, $"{path} does not come");
            Thread.Sleep(20); // A file that comes is not announced here.
        }
    }

    /// <summary>Reads until there are so many bytes, or the end.</summary>
    public static int ReadWhole(Socket socket, Span<byte> buffer)
    {
        int length = 0;
        while (length < buffer.Length && socket.Receive(buffer[length..]) is > 0 and int count)
        {
            length += count;
        }

        return length;
    }

    /// <summary>Reads to the end of the connection.</summary>
    public static int ReadToEnd(Socket socket)
    {
        byte[] buffer = new byte[1 << 16];
        int length = 0;
        try
        {
            while (socket.Receive(buffer) is > 0 and int count)
            {
                length += count;
            }
        }
        catch (SocketException error) when (error.SocketErrorCode == SocketError.ConnectionReset)
        {
            // It was closed with bytes of ours unread, which the kernel tells this way.
        }

        return length;
    }

    /// <summary>Runs a program to its end.</summary>
    /// <returns>Exit code, standard output, and standard error.</returns>
    public static (int ExitCode, byte[] Output, string Errors) Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true })!;
        process.StandardInput.Close();
        Task<string> errors = process.StandardError.ReadToEndAsync();
        using MemoryStream output = new();
        Task copy = process.StandardOutput.BaseStream.CopyToAsync(output);
        if (!process.WaitForExit(DaemonProcess.Patience))
        {
            process.Kill();
            throw new TimeoutException($"{program} {string.Join(' ', arguments)} does not end");
        }

        copy.GetAwaiter().GetResult();
        return (process.ExitCode, output.ToArray(), errors.Result);
    }

    /// <summary>Runs a program that has to end well.</summary>
    public static byte[] Get(string program, params string[] arguments)
    {
        (int exitCode, byte[] output, string errors) = Run(program, arguments);
        Assert.True(exitCode == 0, $"{program} {string.Join(' ', arguments)} ended with {exitCode}: {errors}");
        return output;
    }

    /// <summary>Numbers of test pictures, planes in order without padding; each must be whole, every sample compared.</summary>
    public static long[] NumbersOf(byte[] pictures, PixelFormat format, int width, int height)
    {
        int bytes = (int)PixelFormats.PictureBytes(format, width, height);
        Assert.Equal(0, pictures.Length % bytes);
        long[] numbers = new long[pictures.Length / bytes];
        for (int i = 0; i < numbers.Length; i++)
        {
            numbers[i] = NumberOf(pictures.AsSpan(i * bytes, bytes), format, width, height, isExact: true);
        }

        return numbers;
    }

    /// <summary>Number of a test picture.</summary>
    /// <param name="picture">Its planes in order without padding.</param>
    /// <param name="format">Its format.</param>
    /// <param name="width">Its columns.</param>
    /// <param name="height">Its rows.</param>
    /// <param name="isExact">Whether every sample must be right; otherwise the number alone is read, with its check value.</param>
    public static unsafe long NumberOf(ReadOnlySpan<byte> picture, PixelFormat format, int width, int height, bool isExact)
    {
        TestPattern pattern = new(format, width, height);
        PicturePlane[] planes = new PicturePlane[PixelFormats.PlaneCount(format)];
        fixed (byte* first = picture)
        {
            nint position = (nint)first;
            for (int plane = 0; plane < planes.Length; plane++)
            {
                int pitch = PixelFormats.RowBytes(format, plane, width);
                planes[plane] = new PicturePlane(position, (nuint)pitch);
                position += (nint)pitch * PixelFormats.Rows(format, plane, height);
            }

            Assert.True(pattern.TryReadNumber(planes, out long number), "no test picture, or a damaged one");
            string? difference = null;
            Assert.True(!isExact || pattern.Verify(planes, number, out difference), difference);
            return number;
        }
    }

    public static void AssertGrowing(IReadOnlyList<long> numbers)
    {
        for (int i = 1; i < numbers.Count; i++)
        {
            Assert.True(numbers[i] > numbers[i - 1], $"picture {numbers[i]} came after {numbers[i - 1]}");
        }
    }

}
