import GatewayModel
import JSON
import Posix
import Synchronization

/// What throttling and quotas remember, also from one deployment to the next. Quotas' counts are
/// kept in `.msorch/usage.json`, written a second after they change: a process that is killed
/// forgets at most that (AWS's own counts are not exact, either).
package final class GatewayUsage: Sendable {
    /// Between two writes.
    package static let saveInterval = Duration.seconds(1)

    private struct State {
        var admission = Admission()
        var isDirty = false
        /// Somebody was asked to save.
        var isSaveAsked = false
    }

    private let path: String
    private let state = Mutex(State())
    private let saving = Mutex(())

    /// A file that cannot be read begins anew.
    package init(stateDirectory: String) {
        path = Self.path(stateDirectory)
        state.withLock { $0.admission = Self.load(stateDirectory) }
    }

    private static func path(_ stateDirectory: String) -> String { "\(stateDirectory)/usage.json" }

    /// What was written last.
    package static func load(_ stateDirectory: String) -> Admission {
        var admission = Admission()
        if let bytes = try? FileSystem.read(path(stateDirectory)),
            let json = try? JSONValue.parse(bytes)
        {
            admission.restore(json)
        }
        return admission
    }

    /// - Parameter now: asked when its turn has come: requests overtake each other, and time that
    ///   goes back would fill a bucket twice.
    /// - Returns: whether a save is due that nobody has asked for yet.
    /// - Throws: `throttled`, `quotaExceeded`.
    func admit(
        _ demands: [Admission.Demand], quota: Admission.QuotaDemand? = nil, at now: () -> Timestamp
    ) throws(GatewayFailure) -> Bool {
        try state.withLock { state throws(GatewayFailure) in
            try state.admission.admit(demands, quota: quota, at: now())
            guard quota != nil else { return false }
            state.isDirty = true
            defer { state.isSaveAsked = true }
            return !state.isSaveAsked
        }
    }

    /// Writes what has changed; blocks.
    package func save() throws(SystemError) {
        try saving.withLock { _ throws(SystemError) in
            let json = state.withLock { state -> JSONValue? in
                state.isSaveAsked = false
                guard state.isDirty else { return nil }
                state.isDirty = false
                return state.admission.json
            }
            guard let json else { return }
            do throws(SystemError) {
                try FileSystem.replace(path, with: Array((json.serialized() + "\n").utf8))
            } catch {
                state.withLock { $0.isDirty = true }
                throw error
            }
        }
    }
}
