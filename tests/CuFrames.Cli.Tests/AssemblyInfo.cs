// Every test starts processes: more than two at a time would only wait for the cores.
[assembly: CollectionBehavior(MaxParallelThreads = 2)]
