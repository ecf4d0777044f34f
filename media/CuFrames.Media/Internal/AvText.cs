using System.Text;
using CuFrames.Interop;

namespace CuFrames.Media.Internal;

/// <summary>Sentences for the shim's errors: what was tried, what was found, what to do.</summary>
internal static class AvText
{
    /// <summary>Makes the exception for a failed open or read.</summary>
    internal static MediaException SourceError(AvSourceHandle handle, int result, MediaSourceOptions options)
    {
        string cause = Cause(handle, options);
        MediaError error = ErrorOf(result);
        string sentence = options.Url.Redact(Sentence(error, options));
        return new MediaException(error, cause.Length == 0 ? sentence : $"{sentence} (libav: {cause})");
    }

    /// <summary>What the shim says of the last error: the beginning of no sentence.</summary>
    internal static unsafe string Cause(AvSourceHandle handle, MediaSourceOptions options)
    {
        const int Capacity = 1024;
        byte* buffer = stackalloc byte[Capacity];
        int length = (int)AvNative.ErrorText(handle, buffer, Capacity);
        return options.Url.Redact(Encoding.UTF8.GetString(buffer, length));
    }

    /// <summary>Makes the exception for a source that would exceed the limit of decoder sessions.</summary>
    internal static MediaException NotAdmitted(MediaSourceOptions options, int limit, int inUse) => new(
        MediaError.NotAdmitted,
        options.Url.Redact(
            $"{options.Url.Display} cannot be decoded by NVDEC now: the limit is {limit} decoder sessions at once, {inUse} are in use, and this would be number {inUse + 1}. Raise the limit, or decode a camera in software."));

    /// <summary>Makes the exception for a source for which the device has no memory.</summary>
    internal static MediaException NotAdmitted(MediaSourceOptions options, CudaException cause) =>
        new(MediaError.NotAdmitted, options.Url.Redact($"{Sentence(MediaError.NotAdmitted, options)} {cause.Message}"), cause);

    /// <summary>Makes the exception for a source whose packets give no picture.</summary>
    internal static MediaException NotDecodable(MediaSourceOptions options) => new(
        MediaError.NotDecodable,
        options.Url.Redact($"{options.Url.Display} sends packets, but no picture could be decoded from them for {Seconds(options.StallTimeout)}. The codec may have changed; if this repeats, check the camera's video settings."));

    /// <summary>Makes the exception for a failed picture function with a text buffer.</summary>
    internal static unsafe MediaException PictureError(string what, int result, byte* text, int capacity)
        => new(ErrorOf(result), $"{what}: {AvNative.TextOf(new ReadOnlySpan<byte>(text, capacity))}.");

    internal static MediaError ErrorOf(int result) =>
        result is (< 0 and >= -22) or AvNative.NvdecUnsupported or AvNative.NvdecBusy ? (MediaError)(-result) : MediaError.Internal;

    private static string Sentence(MediaError error, MediaSourceOptions options)
    {
        string url = options.Url.Display;
        string host = options.Url.Host;
        return error switch
        {
            MediaError.FileNotFound => $"Cannot open {url}: the file does not exist. Check the path; a relative path starts at {Environment.CurrentDirectory}.",
            MediaError.AccessDenied => $"Cannot open {url}: this user ({Environment.UserName}) may not read it. Change the owner or the permissions.",
            MediaError.NameNotResolved => $"Cannot connect to {url}: the name {host} has no address. Check the spelling and the DNS, or use the address itself.",
            MediaError.ConnectionRefused => $"Cannot connect to {url}: {host} answers, but nothing listens on that port. Check the port, and that the service is switched on in the camera.",
            MediaError.Unreachable => $"Cannot connect to {url}: there is no way to {host}. Check the network, the address and that the camera is on.",
            MediaError.ConnectTimeout => $"Cannot connect to {url}: no answer within {Seconds(options.OpenTimeout)}. Check the address, the firewall and that the camera is on.",
            MediaError.NoData => options.Url.IsFile
                ? $"Cannot read {url}: no picture found within {Seconds(options.OpenTimeout)}."
                : $"Connected to {url}, but no picture came within {Seconds(options.OpenTimeout)}. Check that the camera sends video{(options.Transport == MediaTransport.Udp ? ", and that UDP reaches this machine, or use TCP" : string.Empty)}.",
            MediaError.Stalled => $"{url} sent no picture for {Seconds(options.StallTimeout)}. Check the camera and the network.",
            MediaError.Unauthorized => options.Url.HasCredentials
                ? $"Cannot open {url}: the camera refused the user name or the password (401). Correct them; some cameras lock an account after a few attempts."
                : $"Cannot open {url}: the camera asks for a user name and a password (401). Give both.",
            MediaError.Forbidden => $"Cannot open {url}: this user may not see the stream (403). Give the user that right in the camera.",
            MediaError.RemoteNotFound => $"Cannot open {url}: {host} does not know that path (404). Look up the stream's path in the camera's manual.",
            MediaError.RemoteRefused => $"Cannot open {url}: {host} refused the request. Check the path and the camera's limit of connections.",
            MediaError.NoVideo => $"Opened {url}, but it has no video stream. Choose a source with video.",
            MediaError.UnsupportedCodec => $"Opened {url}, but the installed libavcodec cannot decode its video. Install a libavcodec with that decoder, or set the camera to H.264 or H.265.",
            MediaError.UnsupportedProtocol => $"Cannot open {url}: the installed libavformat does not know the scheme. Check the spelling of the URL's beginning.",
            MediaError.InvalidData => $"Cannot read {url}: the content is not a media format that libav knows, or is damaged at its beginning.",
            MediaError.Aborted => $"Reading {url} was stopped.",
            MediaError.UnsupportedFormat => $"Opened {url}, but its pixel format cannot be carried or converted. Set the camera to 4:2:0 video.",
            MediaError.NvdecUnsupported => $"{url} cannot be decoded by NVDEC. Change the camera's video settings, or decode it in software.",
            MediaError.NotAdmitted => $"{url} cannot be decoded by NVDEC now: decoder sessions or memory of {Device(options)} have run out. Use fewer or smaller cameras on it, or decode one in software.",
            MediaError.OutOfMemory => $"Memory ran out while reading {url}.",
            MediaError.InvalidArgument => $"Cannot open {url}: an option is out of range.",
            _ => $"Cannot read {url}: the connection or the file failed.",
        };
    }

    private static string Device(MediaSourceOptions options) => options.Cuda is { } cuda ? $"{cuda.Device.Name} ({cuda.Device.UuidText})" : "the GPU";

    private static string Seconds(TimeSpan time) => $"{time.TotalSeconds:0.###} s";
}
