using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using CuFrames.Interop.Internal;

namespace CuFrames.Interop;

/// <summary>
/// Tells systemd about the state of this service, over the socket that $NOTIFY_SOCKET names (sd_notify(3)). Without
/// that variable every call does nothing and returns false. Any thread may call.
/// </summary>
public sealed class SystemdNotifier
{
    private readonly string? _address;

    private SystemdNotifier(string? address, TimeSpan? watchdogInterval)
    {
        _address = address;
        WatchdogInterval = watchdogInterval;
    }

    /// <summary>Whether systemd asked to be notified.</summary>
    public bool IsActive => _address is not null;

    /// <summary>
    /// The time within which systemd expects <see cref="Watchdog"/> again and again, from $WATCHDOG_USEC; call it twice
    /// as often. Null if no watchdog is set, or it is meant for another process ($WATCHDOG_PID).
    /// </summary>
    public TimeSpan? WatchdogInterval { get; }

    /// <summary>Reads $NOTIFY_SOCKET, $WATCHDOG_USEC and $WATCHDOG_PID as they are now.</summary>
    /// <returns>The notifier.</returns>
    public static SystemdNotifier FromEnvironment()
    {
        string? address = Environment.GetEnvironmentVariable("NOTIFY_SOCKET");
        TimeSpan? interval = null;
        string? owner = Environment.GetEnvironmentVariable("WATCHDOG_PID");
        string processId = Environment.ProcessId.ToString(CultureInfo.InvariantCulture);
        if ((string.IsNullOrEmpty(owner) || owner == processId) &&
            long.TryParse(
                Environment.GetEnvironmentVariable("WATCHDOG_USEC"),
                NumberStyles.None,
                CultureInfo.InvariantCulture,
                out long microseconds) &&
            microseconds is > 0 and <= long.MaxValue / TimeSpan.TicksPerMicrosecond)
        {
            interval = TimeSpan.FromTicks(microseconds * TimeSpan.TicksPerMicrosecond);
        }

        return new SystemdNotifier(string.IsNullOrEmpty(address) ? null : address, interval);
    }

    /// <summary>The service is ready: start-up or reload is over.</summary>
    /// <param name="status">One line for <c>systemctl status</c>, or null to leave it as it is.</param>
    /// <returns>False if systemd did not ask.</returns>
    /// <exception cref="LinuxException">The socket of $NOTIFY_SOCKET does not work.</exception>
    public bool Ready(string? status = null) =>
        Notify(status is null ? "READY=1" : $"READY=1\nSTATUS={OneLine(status)}");

    /// <summary>The service begins to reload its configuration; <see cref="Ready"/> says when that is done.</summary>
    /// <returns>False if systemd did not ask.</returns>
    /// <exception cref="LinuxException">The socket of $NOTIFY_SOCKET does not work.</exception>
    public bool Reloading() => Notify($"RELOADING=1\nMONOTONIC_USEC={MonotonicClock.NowNanoseconds / 1000}");

    /// <summary>The service begins to stop.</summary>
    /// <returns>False if systemd did not ask.</returns>
    /// <exception cref="LinuxException">The socket of $NOTIFY_SOCKET does not work.</exception>
    public bool Stopping() => Notify("STOPPING=1");

    /// <summary>The service is alive.</summary>
    /// <returns>False if systemd did not ask.</returns>
    /// <exception cref="LinuxException">The socket of $NOTIFY_SOCKET does not work.</exception>
    public bool Watchdog() => Notify("WATCHDOG=1");

    /// <summary>Sets the line that <c>systemctl status</c> shows.</summary>
    /// <param name="status">The line; line feeds in it become spaces.</param>
    /// <returns>False if systemd did not ask.</returns>
    /// <exception cref="LinuxException">The socket of $NOTIFY_SOCKET does not work.</exception>
    public bool Status(string status)
    {
        ArgumentNullException.ThrowIfNull(status);
        return Notify($"STATUS={OneLine(status)}");
    }

    private static string OneLine(string text) => text.ReplaceLineEndings(" ");

    private unsafe bool Notify(string state)
    {
        if (_address is null)
        {
            return false;
        }

        // A path, or '@' and an abstract name. Other schemes (vsock: in virtual machines) are not services of this
        // machine.
        if (_address[0] is not ('/' or '@') || !UnixAddress.Fits(_address))
        {
            throw new LinuxException("sendto", Errno.EAFNOSUPPORT, $"notify systemd at '{_address}'");
        }

        UnixAddress address = _address[0] == '@' ? UnixAddress.OfAbstractName(_address[1..]) : UnixAddress.OfPath(_address);
        using FileDescriptor socket = LibC.Socket(LibC.AF_UNIX, LibC.SOCK_DGRAM | LibC.SOCK_CLOEXEC, 0);
        if (socket.IsInvalid)
        {
            throw LinuxException.FromLastError("socket", "notify systemd");
        }

        byte[] message = Encoding.UTF8.GetBytes(state);
        fixed (byte* bytes = message)
        {
            nint sent;
            do
            {
                sent = LibC.SendTo(
                    socket, bytes, (nuint)message.Length, LibC.MSG_NOSIGNAL, address.Bytes, address.Length);
            }
            while (sent < 0 && Marshal.GetLastPInvokeError() == Errno.EINTR);

            return sent >= 0 ? true : throw LinuxException.FromLastError("sendto", $"notify systemd at '{_address}'");
        }
    }
}
