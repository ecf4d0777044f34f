using CuFrames.Interop;
using CuFrames.Protocol;

namespace CuFrames.Client.Internal;

/// <summary>Wakes the subscribers of frames or packets that wait (docs/protocol.md 8). Used by the publishing thread. No system call when nobody waits.</summary>
/// <param name="table">The subscribers.</param>
/// <param name="futexWord">The word that they sleep on, in the memory that they read; mapped as long as this object is used.</param>
internal sealed unsafe class SubscriberWaker(SubscriberTable table, uint* futexWord)
{
    private static readonly byte[] Doorbell = MakeDoorbell();

    private readonly SubscriberTable _table = table;
    private readonly uint* _word = futexWord;
    private uint _futexWord;

    /// <summary>Something was published (steps 7 and 8 of 6.5): the fence pairs with the one between a reader's <c>waiting</c> and its last look at <c>head</c>.</summary>
    public void Wake()
    {
        Volatile.Write(ref *_word, ++_futexWord);

        // Enter is a full fence.
        _table.Enter();
        bool someoneSleeps = false;
        foreach (SubscriberSession session in _table.Active)
        {
            uint waiting = session.Page.Waiting;
            if (waiting == 0)
            {
                continue;
            }

            if ((waiting & 3) == (uint)Protocol.Wake.Futex)
            {
                someoneSleeps = true;
            }
            else if (waiting != session.LastRung)
            {
                Ring(session, waiting);
            }
        }

        _table.Exit();
        if (someoneSleeps)
        {
            Futex.Wake(_word, int.MaxValue);
        }
    }

    /// <summary>Wakes those who sleep on the futex, a moment before something is published (8.2).</summary>
    public void WakeAhead()
    {
        bool someoneSleeps = false;
        _table.Enter();
        foreach (SubscriberSession session in _table.Active)
        {
            someoneSleeps |= (session.Page.Waiting & 3) == (uint)Protocol.Wake.Futex;
        }

        _table.Exit();
        if (someoneSleeps)
        {
            Volatile.Write(ref *_word, ++_futexWord);
            Futex.Wake(_word, int.MaxValue);
        }
    }

    private static byte[] MakeDoorbell()
    {
        byte[] buffer = new byte[MessageHeaderLayout.Size];
        new TlvWriter(buffer, MessageType.Doorbell).Finish();
        return buffer;
    }

    private static void Ring(SubscriberSession session, uint waiting)
    {
        try
        {
            // A full queue needs no doorbell: there is something to read already.
            _ = session.Socket.TrySendSmall(Doorbell);
            session.LastRung = waiting;
        }
        catch (LinuxException)
        {
            // ENOBUFS, ENOMEM: the next frame rings again, because this value of the word has not been answered.
        }
    }
}
