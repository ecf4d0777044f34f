using System.Globalization;
using CuFrames.Conformance.Memory;
using CuFrames.Conformance.Spec;

namespace CuFrames.Conformance.SubscriberChecks;

/// <summary>Looks at a subscriber's page over and over, on a thread of its own, and notes what must not be there.</summary>
internal sealed class PageWatcher : IDisposable
{
    private readonly SubscriberPage _page;
    private readonly ControlBlock _control;
    private readonly uint _granted;
    private readonly uint _wakes;
    private readonly Thread _thread;
    private readonly ulong[] _words = new ulong[Layout.ControlBlock.SlotCount];

    // Written by the owner, read by the watching thread; no order with other data matters.
    private volatile bool _stop;

    // Written by the watching thread, read by the owner.
    private volatile bool _hasSeenLease;
    private volatile int _looks;
    private volatile int _leasesSeen;
    private ulong _lastLease;

    public PageWatcher(StageSession session, uint wakes)
    {
        _page = session.Page;
        _control = session.Ring.Control;
        _granted = session.Granted;
        _wakes = wakes;
        _thread = new Thread(Watch) { IsBackground = true, Name = "page watcher" };
        _thread.Start();
    }

    /// <summary>The first thing that broke 5.1 (the cursor); null if nothing did. Valid after <see cref="Stop"/>.</summary>
    public string? CursorFault { get; private set; }

    /// <summary>The first thing that broke 5.2 (a lease word); null if nothing did.</summary>
    public string? LeaseFault { get; private set; }

    /// <summary>The first thing that broke 6.6 (the quota); null if nothing did.</summary>
    public string? QuotaFault { get; private set; }

    /// <summary>The first thing that broke 8.1; null if nothing did.</summary>
    public string? WaitingFault { get; private set; }

    /// <summary>Whether a lease word was seen set. Valid at any time.</summary>
    public bool HasSeenLease => _hasSeenLease;

    /// <summary>How many leases lasted for a whole look at the page, those of one frame counted once. Valid at any time.</summary>
    public int LeasesSeen => _leasesSeen;

    public void Stop()
    {
        _stop = true;
        _thread.Join();
    }

    /// <summary>Returns when the whole page has been looked at once more.</summary>
    public void AwaitLook()
    {
        int before = _looks;
        while (_looks - before < 2)
        {
            Thread.Yield();
        }
    }

    public void Dispose() => Stop();

    private void Watch()
    {
        ulong lastCursor = 0;
        while (!_stop)
        {
            ulong cursor = _page.Cursor;
            ulong head = _control.Head;
            if (cursor < lastCursor || cursor > head)
            {
                CursorFault ??= string.Create(CultureInfo.InvariantCulture, $"cursor {cursor} after {lastCursor}, head {head}");
            }

            lastCursor = cursor;
            uint waiting = _page.Waiting;
            if (waiting != 0 && ((waiting & 3) is not (Limits.WakeFutex or Limits.WakeDoorbell) || ((waiting & 3) & _wakes) == 0))
            {
                WaitingFault ??= $"waiting 0x{waiting:x} with WAKES 0x{_wakes:x}";
            }

            WatchLeases();
            _looks++;
            Thread.Yield();
        }
    }

    private void WatchLeases()
    {
        for (int slot = 0; slot < _words.Length; slot++)
        {
            _words[slot] = _page.GetLease(slot);
        }

        // A word that holds the same before and after the look at the others was set all the time: leases that follow one
        // another are not counted as held at once.
        int both = 0;
        for (int slot = 0; slot < _words.Length; slot++)
        {
            ulong word = _words[slot];
            if (word == 0)
            {
                continue;
            }

            _hasSeenLease = true;
            bool lasts = _page.GetLease(slot) == word;
            both += lasts ? 1 : 0;
            if (lasts && word != _lastLease)
            {
                _lastLease = word;
                _leasesSeen++;
            }

            if (word > _control.Head)
            {
                LeaseFault ??= $"lease word {word} of slot {slot} with head {_control.Head}";
            }
        }

        if (both > _granted)
        {
            QuotaFault ??= $"{both} leases";
        }
    }
}
