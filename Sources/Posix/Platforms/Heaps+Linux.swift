import CPosix

extension ProcessEnvironment {
    /// Lets the threads of this process share a heap for each processor. By itself glibc gives
    /// each thread one of its own, and memory that many threads pass on lies scattered in all of
    /// them: a process that runs for long grows, though nothing is kept (mallopt(3)).
    package static func shareHeaps() {
        mallopt(msorch_most_heaps, CInt(clamping: processorCount))
    }
}
