namespace CuFrames.Media;

/// <summary>How the samples of a picture are weighed that becomes smaller or larger. Numbers are those of <c>cuframes_av_filter</c>.</summary>
public enum ScalingFilter
{
    /// <summary>Bicubic: sharp, and right for everything that looks at details.</summary>
    Bicubic = 0,

    /// <summary>
    /// The mean of what a sample of the result covers; bilinear where the result is larger. A little softer, and a third of the work where a picture
    /// becomes a quarter as wide: right for small pictures that people look at.
    /// </summary>
    Area = 1,
}
