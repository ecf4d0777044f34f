namespace CuFrames.Media;

/// <summary>How an RTSP source sends its pictures. Other sources ignore it.</summary>
public enum MediaTransport
{
    /// <summary>Inside the RTSP connection: nothing is lost, passes firewalls.</summary>
    Tcp = 0,

    /// <summary>As datagrams: lower delay on a bad network, pictures may be damaged.</summary>
    Udp = 1,
}
