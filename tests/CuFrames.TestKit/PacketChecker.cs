using CuFrames.Client;

namespace CuFrames.TestKit;

/// <summary>Checks stamped packets as a subscriber takes them: every byte and field, the order, and that losses were told exactly, for each track.</summary>
/// <param name="subscriber">The subscriber that takes them.</param>
/// <param name="largest">Bytes of the largest packet.</param>
public sealed class PacketChecker(PacketSubscriber subscriber, int largest)
{
    private readonly ulong[] _missedBefore = new ulong[2];
    private ulong _epoch;
    private bool _hasLostLast;

    /// <summary>Packets whose bytes and fields were right.</summary>
    public long Whole { get; private set; }

    /// <summary>Packets that were overwritten while they were read, and said so.</summary>
    public long Overwritten { get; private set; }

    public ulong Missed { get; private set; }

    /// <summary>How often packets were lost.</summary>
    public long Gaps { get; private set; }

    /// <summary>The first packet taken.</summary>
    public ulong First { get; private set; }

    public ulong Last { get; private set; }

    public int Epochs { get; private set; }

    public List<string> Faults { get; } = [];

    public bool IsClean => Faults.Count == 0;

    /// <summary>Checks a packet that was just taken.</summary>
    /// <param name="packet">The packet.</param>
    /// <param name="dwell">How long it is read.</param>
    public void Take(in Packet packet, TimeSpan dwell = default)
    {
        CheckOrder(packet);
        bool hasRightBytes = StampedPackets.HasRightBytes(packet.Data, packet.Sequence, largest);
        if (dwell > TimeSpan.Zero)
        {
            // A slow reader is what this is.
            Thread.Sleep(dwell);
            hasRightBytes &= StampedPackets.HasRightBytes(packet.Data, packet.Sequence, largest);
        }

        _hasLostLast = !packet.IsValid;
        if (_hasLostLast)
        {
            Overwritten++;
        }
        else if (!hasRightBytes)
        {
            Add($"packet {packet.Sequence} is torn and said to be whole");
        }
        else
        {
            Whole++;
        }

        // The fields are a copy that is whole whatever became of the bytes.
        if (StampedPackets.FindFault(packet) is { } fault)
        {
            Add(fault);
        }
    }

    private void CheckOrder(in Packet packet)
    {
        ulong[] missed = [subscriber.MissedOn(0) - _missedBefore[0], subscriber.MissedOn(1) - _missedBefore[1]];
        if (packet.Epoch != _epoch)
        {
            _epoch = packet.Epoch;
            Epochs++;
            if (!StampedPackets.IsKey(packet.Sequence))
            {
                Add($"packet {packet.Sequence} is the first of an epoch and no key frame");
            }
        }
        else
        {
            ulong expected = packet.Sequence - Last - 1;
            bool isExact = packet.Sequence > Last && packet.Missed == expected;
            for (int track = 0; track < 2; track++)
            {
                ulong own = track == packet.Track.Number ? 1UL : 0;
                isExact &= missed[track] == StampedPackets.CountOf(track, packet.Sequence) - StampedPackets.CountOf(track, Last) - own;
            }

            if (!isExact)
            {
                Add($"packet {packet.Sequence} comes after {Last}, and {packet.Missed} were said to be lost, {missed[0]} and {missed[1]} on the tracks");
            }

            Gaps += expected > 0 ? 1 : 0;
            if (expected > 0 || _hasLostLast)
            {
                if (!StampedPackets.IsKey(packet.Sequence))
                {
                    Add($"packet {packet.Sequence} is the first after a loss and no key frame");
                }
            }
        }

        First = First == 0 ? packet.Sequence : First;
        Missed += packet.Missed;
        Last = packet.Sequence;
        _missedBefore[0] = subscriber.MissedOn(0);
        _missedBefore[1] = subscriber.MissedOn(1);
    }

    private void Add(string fault)
    {
        if (Faults.Count < 20)
        {
            Faults.Add(fault);
        }
    }
}
