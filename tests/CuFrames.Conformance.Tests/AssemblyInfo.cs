// Almost all of the time is waiting: for time-outs that the protocol names, and for the other process.
[assembly: CollectionBehavior(MaxParallelThreads = 8)]
