namespace CuFrames.Client;

/// <summary>What one user may have at once of all the streams that share a <see cref="ReaderQuotas"/>. Null: as much as there is.</summary>
public sealed record ReaderQuota
{
    /// <summary>Most readers, of frames and of packets together.</summary>
    public int? Readers { get; init; }

    /// <summary>Most leases that its readers are granted together. Who asks for more than are left is granted what is left; when none is left, it is refused.</summary>
    public int? Leases { get; init; }

    /// <summary>Most streams that it reads. The packets of a stream and its frames are one; a rendition is a stream of its own.</summary>
    public int? Streams { get; init; }

    /// <summary>Where the quota stands, for the text of a refusal: <c>permissions.quotas in /etc/cuframes/cuframes.yaml</c>. Empty: in the publishing program.</summary>
    public string Place { get; init; } = "";
}
