import Posix

/// What happens to a connection that waits too long, or for which there is no room.
extension HTTPConnection {
    /// Looks whether somebody has waited too long, and when to look again.
    func look(at now: UInt64) {
        let isRefused = state.with { state in
            // An entry that an earlier look has replaced.
            guard state.nextLook <= now / DeadlineWheel.tick else { return false }
            state.nextLook = .max
            guard let deadline = state.deadline, !state.isClosed else { return false }
            guard deadline <= now else {
                look(by: deadline, &state)
                return false
            }
            guard state.readingSince != nil, state.finishingSince == nil, state.output.isEmpty,
                !state.isClosing
            else {
                close(&state)
                return false
            }
            refuse(HTTPError(408, "the request took too long to come"), &state)
            return true
        }
        if isRefused { run() }
    }

    /// Bytes of a request that has not come whole, or of an answer that is not taken.
    var unservedBytes: Int {
        state.with { $0.isClosed || $0.current != nil ? 0 : $0.held }
    }

    /// There is no room for those: the request's sender is told to come again; the answer ends.
    func giveUp() {
        let isRefused = state.with { state in
            guard !state.isClosed, state.current == nil else { return false }
            guard state.output.isEmpty, !state.isClosing else {
                close(&state)
                return false
            }
            refuse(HTTPError(503, "too many bytes of requests are on their way"), &state)
            state.parser.reset()
            return true
        }
        if isRefused { run() }
    }
}
