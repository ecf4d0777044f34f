using CuFrames.Client;
using CuFrames.Daemon.Internal.Taps;
using CuFrames.Media;
using CuFrames.Protocol;

namespace CuFrames.Daemon.Internal.Web;

/// <summary>Makes the pictures that one page waits for, one after the other: what an encoder needs is then still in the processor's caches.</summary>
internal sealed class TileMaker : IDisposable
{
    private readonly JpegEncoder _encoder = new();
    private byte[] _samples = [];
    private FrameMetadata _metadata;

    /// <inheritdoc/>
    public void Dispose() => _encoder.Dispose();

    /// <summary>Makes a JPEG of a frame.</summary>
    /// <param name="key">Key of its stream.</param>
    /// <param name="frame">The frame; it is let go of.</param>
    /// <returns>The JPEG, good until the next call.</returns>
    /// <exception cref="TapException">The frame has a format that no JPEG is made of.</exception>
    /// <exception cref="CuFramesException">The frame cannot be had.</exception>
    internal ReadOnlySpan<byte> Make(string key, Frame frame)
    {
        (PixelFormat format, int width, int height) = (frame.PixelFormat, frame.Width, frame.Height);
        _metadata = frame.Metadata;
        using (frame)
        {
            if (!JpegEncoder.CanEncode(format))
            {
                throw new TapException(TapException.Conflict, $"'{key}' has the format {PixelFormats.Name(format)}, of which no picture is made: its camera's own stream has one.");
            }

            int bytes = checked((int)PixelFormats.PictureBytes(format, width, height));
            _samples = _samples.Length >= bytes ? _samples : new byte[bytes];
            frame.CopyTo(_samples);
        }

        return _encoder.Encode(format, width, height, _samples, in _metadata);
    }
}
