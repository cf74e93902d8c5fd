import Journal

/// The pretend event loop of a pretend process. Whoever submits work on it does so in a round, at
/// the end of which it does itself what it can; what it is handed later are rounds of their own.
final class SimulatedLoop: JournalLoop, @unchecked Sendable {
    // Safe to share: a simulation has one thread.
    private weak var process: SimulatedProcess?
    private(set) var isOnLoop = false
    private var last: [@Sendable () -> Void] = []

    init(of process: SimulatedProcess) { self.process = process }

    func execute(_ work: @escaping @Sendable () -> Void) -> Bool {
        guard let process, process.isAlive else { return false }
        process.execute { self.round(work) }
        return true
    }

    func atEndOfRound(_ work: @escaping @Sendable () -> Void) {
        precondition(isOnLoop, "only on the loop")
        last.append(work)
    }

    /// Later, once in four times because it has too much to do.
    func whenIdle(_ work: @escaping @Sendable (_ isIdle: Bool) -> Void) {
        precondition(isOnLoop, "only on the loop")
        process?.execute { [weak process] in
            guard let process else { return }
            self.round { work(!process.isBusy) }
        }
    }

    func round(_ body: () -> Void) {
        stand(onLoop: true) {
            body()
            while process?.isAlive == true, !last.isEmpty { last.removeFirst()() }
        }
    }

    /// Another thread does something meanwhile.
    func aside(_ body: () -> Void) { stand(onLoop: false, body) }

    private func stand(onLoop: Bool, _ body: () -> Void) {
        let before = isOnLoop
        isOnLoop = onLoop
        defer { isOnLoop = before }
        body()
    }
}
