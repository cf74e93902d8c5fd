import CPosix

extension ProcessEnvironment {
    /// Lets the threads of this process share a heap for each processor beside the main thread's:
    /// those that start first, event loops, do not get the same one, and wait for each other. By
    /// itself glibc gives each thread one of its own, and memory that many threads pass on lies
    /// scattered in all of them: a process that runs for long grows, though nothing is kept
    /// (mallopt(3)).
    package static func shareHeaps() {
        mallopt(msorch_most_heaps, CInt(clamping: processorCount + 1))
    }

    /// Gives the system back what lies free in the heaps, between what is in use: it would stay at
    /// what the busiest moment took (malloc_trim(3)). Takes a millisecond or two.
    package static func giveBackMemory() { malloc_trim(0) }
}
