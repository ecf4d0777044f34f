namespace CuFrames.Media;

/// <summary>What a camera's thread does, coarsely: for whoever looks whether it is stuck.</summary>
public enum CameraStep
{
    /// <summary>It waits as it should, for a time, a reader or the next attempt; or it has not begun or has ended.</summary>
    Waiting,

    /// <summary>It opens the source: resolves its name, connects, finds out what it sends, opens a decoder.</summary>
    Opening,

    /// <summary>It reads and decodes.</summary>
    Reading,

    /// <summary>It copies a frame into its slot, makes renditions, publishes.</summary>
    Publishing,

    /// <summary>It closes the source and its decoder.</summary>
    Closing,
}
