namespace CuFrames.Media;

/// <summary>What went wrong with a camera, file or picture. Values are stable.</summary>
public enum MediaError
{
    /// <summary>A fault inside the libraries.</summary>
    Internal = 1,

    /// <summary>Memory is exhausted.</summary>
    OutOfMemory = 2,

    /// <summary>A caller's mistake: an option or argument is out of range.</summary>
    InvalidArgument = 3,

    /// <summary>The file does not exist.</summary>
    FileNotFound = 4,

    /// <summary>This user may not read the file.</summary>
    AccessDenied = 5,

    /// <summary>The host's name has no address.</summary>
    NameNotResolved = 6,

    /// <summary>The host answers, but nothing listens on that port.</summary>
    ConnectionRefused = 7,

    /// <summary>There is no way to the host.</summary>
    Unreachable = 8,

    /// <summary>No answer within the open time-out.</summary>
    ConnectTimeout = 9,

    /// <summary>Connected, but no picture came within the open time-out.</summary>
    NoData = 10,

    /// <summary>Pictures came, then none within the stall time-out.</summary>
    Stalled = 11,

    /// <summary>User name or password are wrong or missing (401).</summary>
    Unauthorized = 12,

    /// <summary>The user may not see this stream (403).</summary>
    Forbidden = 13,

    /// <summary>The host does not know the path (404).</summary>
    RemoteNotFound = 14,

    /// <summary>The host refused the request with another status.</summary>
    RemoteRefused = 15,

    /// <summary>The source has no video stream.</summary>
    NoVideo = 16,

    /// <summary>The installed libavcodec cannot decode the video.</summary>
    UnsupportedCodec = 17,

    /// <summary>The installed libavformat does not know the URL's scheme.</summary>
    UnsupportedProtocol = 18,

    /// <summary>The content is not media, or is damaged beyond reading.</summary>
    InvalidData = 19,

    /// <summary>Somebody called Abort.</summary>
    Aborted = 20,

    /// <summary>Any other failure of the file or the connection.</summary>
    InputOutput = 21,

    /// <summary>The decoder's pixel format cannot be carried or converted.</summary>
    UnsupportedFormat = 22,

    /// <summary>libcuframes_av.so or a libav library is missing or does not fit.</summary>
    LibraryMissing = 23,

    /// <summary>Packets come, but no picture could be decoded from them within the stall time-out.</summary>
    NotDecodable = 24,

    /// <summary>NVDEC was asked for, and this libavcodec, driver or GPU cannot decode the video with it.</summary>
    NvdecUnsupported = 25,

    /// <summary>NVDEC can decode the video, but decoder sessions or device memory have run out. Later there may be room.</summary>
    NotAdmitted = 26,

    /// <summary>A container cannot carry a track's codec. The text names the containers that can.</summary>
    NotCarried = 27,

    /// <summary>A track's parameters changed, and the container cannot go on with the new ones. Begin another file.</summary>
    ParametersChanged = 28,
}
