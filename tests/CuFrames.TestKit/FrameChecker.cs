using CuFrames.Client;

namespace CuFrames.TestKit;

/// <summary>Checks what a reader takes: every byte of every frame, the order, and the count of missed frames.</summary>
public sealed class FrameChecker
{
    private const int MaxFaults = 5;

    private ulong _epoch;
    private ulong _last;

    public long Frames { get; private set; }

    public long Missed { get; private set; }

    /// <summary>Frames whose content was not theirs.</summary>
    public long Torn { get; private set; }

    /// <summary>Frames that were lost while they were held.</summary>
    public long Lost { get; private set; }

    public long Repeated { get; private set; }

    public long OutOfOrder { get; private set; }

    /// <summary>Frames whose number is not the last one's plus one plus the missed ones.</summary>
    public long MissedWrong { get; private set; }

    public long Epochs { get; private set; }

    /// <summary>The first faults, as sentences.</summary>
    public List<string> Faults { get; } = [];

    public ulong Last => _last;

    /// <summary>Whether nothing was wrong.</summary>
    public bool IsClean => Torn + Lost + Repeated + OutOfOrder + MissedWrong == 0;

    /// <summary>Checks a frame that was just taken.</summary>
    /// <param name="frame">The frame.</param>
    /// <param name="dwell">How long to wait between asking for the first plane and reading it: a slow reader.</param>
    public void Take(Frame frame, TimeSpan dwell = default)
    {
        Count(frame);
        Verify(frame, dwell);
    }

    /// <summary>The next frame comes from a new subscriber: it may come from any place in the stream.</summary>
    public void Restart() => _epoch = 0;

    /// <summary>Checks a frame's place in the stream only.</summary>
    /// <param name="frame">The frame, just taken.</param>
    public void Count(Frame frame)
    {
        Frames++;
        ulong missed = frame.Missed;
        Missed += (long)missed;
        if (frame.Epoch != _epoch)
        {
            _epoch = frame.Epoch;
            Epochs++;
        }
        else if (frame.Sequence == _last)
        {
            Repeated++;
            Note($"frame {frame.Sequence} came twice");
        }
        else if (frame.Sequence < _last)
        {
            OutOfOrder++;
            Note($"frame {frame.Sequence} came after {_last}");
        }
        else if (frame.Sequence != _last + 1 + missed)
        {
            MissedWrong++;
            Note($"frame {frame.Sequence} came after {_last} and says that {missed} were missed");
        }

        _last = frame.Sequence;
    }

    /// <summary>Notes what was found in the copy of a frame.</summary>
    /// <param name="fault">What is wrong with it; null when every byte is right.</param>
    public void NoteContent(string? fault)
    {
        if (fault is not null)
        {
            Torn++;
            Note(fault);
        }
    }

    /// <summary>Notes that a frame was lost while it was held.</summary>
    /// <param name="text">How that was told.</param>
    public void NoteLost(string text)
    {
        Lost++;
        Note(text);
    }

    /// <summary>Checks a held frame again, as before its release.</summary>
    public void Verify(Frame frame, TimeSpan dwell = default)
    {
        try
        {
            ulong number = StampedFrames.Number(frame.Epoch, frame.Sequence);
            FramePlane first = frame.Plane(0);
            if (dwell > TimeSpan.Zero)
            {
                // A slow reader is what is simulated.
                Thread.Sleep(dwell);
            }

            string? fault = FrameStamp.FindFault(first, 0, number);
            if (fault is not null)
            {
                Torn++;
                Note(fault);
                return;
            }

            if (StampedFrames.FindFault(frame) is { } second)
            {
                Torn++;
                Note(second);
            }

            frame.ThrowIfInvalid();
        }
        catch (FrameLostException error)
        {
            NoteLost(error.Message);
        }
    }

    private void Note(string fault)
    {
        if (Faults.Count < MaxFaults)
        {
            Faults.Add(fault);
        }
    }
}
