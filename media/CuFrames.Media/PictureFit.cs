namespace CuFrames.Media;

/// <summary>How a picture is brought to a size whose shape differs from its own.</summary>
public enum PictureFit
{
    /// <summary>All of the picture with its shape kept, as large as fits, in the middle; black around it.</summary>
    Letterbox,

    /// <summary>All of the picture; its shape changes.</summary>
    Stretch,

    /// <summary>The middle of the picture, as much of it as has the wanted shape.</summary>
    Crop,
}
