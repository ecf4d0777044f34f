using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace CuFrames.TestKit;

/// <summary>Ports for servers that other processes start later.</summary>
public static class Ports
{
    /// <summary>Behind the last one that Chromium refuses to connect to.</summary>
    private const int First = 10_081;

    /// <summary>
    /// A port that is free for TCP and UDP, and that no connection of another program gets from the kernel before the server listens there, or between two servers that
    /// listen there one after the other: those of connections lie above.
    /// </summary>
    public static int Free()
    {
        int end = int.Parse(File.ReadAllText("/proc/sys/net/ipv4/ip_local_port_range").Split('\t', ' ')[0], CultureInfo.InvariantCulture);
        while (true)
        {
            int port = Random.Shared.Next(First, end);
            using Socket tcp = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            using Socket udp = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
            try
            {
                tcp.Bind(new IPEndPoint(IPAddress.Any, port));
                udp.Bind(new IPEndPoint(IPAddress.Any, port));
                return port;
            }
            catch (SocketException error) when (error.SocketErrorCode == SocketError.AddressAlreadyInUse)
            {
                // Another one.
            }
        }
    }
}
