using System.Security.Cryptography;
using CuFrames.Client;

namespace CuFrames.Demo.Internal;

/// <summary>A clip that ffmpeg decoded before: every picture must be one of its pictures, bit for bit.</summary>
internal sealed class PictureCheck : IContentCheck
{
    private readonly HashSet<string> _known;
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private string _taken = "";

    /// <summary>Reads the hashes.</summary>
    /// <param name="path">One hash a line, as <see cref="ReferenceClip"/> writes them.</param>
    public PictureCheck(string path) => _known = [.. File.ReadLines(path)];

    public string? FindFault(Frame frame, bool isDamaged)
    {
        _taken = HashOf(frame);
        return isDamaged || _known.Contains(_taken) ? null : $"is none of the {_known.Count} pictures that ffmpeg decodes from the clip";
    }

    public string? FindChange(Frame frame) => HashOf(frame) == _taken ? null : "changed while it was held";

    /// <summary>Hashes the visible picture: planes in order, rows without padding, as ffmpeg writes raw video.</summary>
    private string HashOf(Frame frame)
    {
        for (int index = 0; index < frame.PlaneCount; index++)
        {
            FramePlane plane = frame.Plane(index);
            for (int row = 0; row < plane.Rows; row++)
            {
                _hash.AppendData(plane.Row(row));
            }
        }

        return Convert.ToHexString(_hash.GetHashAndReset());
    }
}
