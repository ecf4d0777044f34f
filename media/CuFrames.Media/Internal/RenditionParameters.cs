using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace CuFrames.Media.Internal;

/// <summary>The argument of the kernel <c>rendition</c>: <c>struct rendition</c> of media/kernels/rendition.cu, which says what the fields mean.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct RenditionParameters
{
    /// <summary>Threads of a block.</summary>
    internal const int Threads = 256;

    /// <summary>Columns of the tile that a block makes.</summary>
    internal const int TileColumns = 64;

    /// <summary>Rows of the tile that a block makes.</summary>
    internal const int TileRows = 8;

    internal const int MostInputs = 3;
    internal const int MostOutputs = 4;
    internal const int MostJobs = 2;

    internal int Second;
    internal int Unused;
    internal JobList Jobs;

    /// <summary>What a sample of the result is.</summary>
    internal enum Kind
    {
        /// <summary>A byte.</summary>
        Byte = 0,

        /// <summary>10 bits in the upper end of a 16-bit word.</summary>
        Ten = 1,

        /// <summary>A half precision number.</summary>
        Half = 2,

        /// <summary>A single precision number.</summary>
        Single = 3,
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct Axis
    {
        internal ulong Starts;
        internal ulong Weights;
        internal int Taps;
        internal int Count;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct Input
    {
        internal ulong Address;
        internal long Pitch;
        internal Axis Across;
        internal Axis Down;
        internal int Elements;
        internal int Step;
        internal int Channels;
        internal int First;
        internal Offsets Offset;
        internal int IsWide;
        internal int IsAligned;
        internal int Unused;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct Output
    {
        internal ulong Address;
        internal long Pitch;
        internal int Step;
        internal Row Matrix;
        internal float Bias;
        internal float Black;
        internal float Gain;
        internal float Offset;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct Job
    {
        internal int TilesAcross;
        internal int Width;
        internal int Height;
        internal int Left;
        internal int Top;
        internal int ShownWidth;
        internal int ShownHeight;
        internal int InputCount;
        internal int OutputCount;
        internal Kind Kind;
        internal float Limit;
        internal int Unused;
        internal InputList Inputs;
        internal OutputList Outputs;
    }

    [InlineArray(MostJobs)]
    internal struct JobList
    {
        private Job _first;
    }

    [InlineArray(MostInputs)]
    internal struct InputList
    {
        private Input _first;
    }

    [InlineArray(MostOutputs)]
    internal struct OutputList
    {
        private Output _first;
    }

    [InlineArray(3)]
    internal struct Offsets
    {
        private int _first;
    }

    [InlineArray(3)]
    internal struct Row
    {
        private float _first;
    }
}
