import Posix

#if DEBUG
    import Synchronization

    /// Places where a debug build can be made to end as by `kill -9`: `MSORCH_CRASH=after-sync:3`
    /// ends it when it passes `after-sync` for the third time.
    private enum CrashPoints {
        static let armed: (name: String, pass: Int)? = {
            let parts = ProcessEnvironment.value("MSORCH_CRASH")?.split(separator: ":") ?? []
            guard let name = parts.first else { return nil }
            return (String(name), parts.count > 1 ? Int(parts[1]) ?? 1 : 1)
        }()
        static let passed = Atomic<Int>(0)

        static func pass(_ name: StaticString) -> Bool {
            guard let armed, armed.name == "\(name)" else { return false }
            return passed.add(1, ordering: .relaxed).newValue == armed.pass
        }
    }

    extension JournalOptions {
        /// What a debug build's environment says of sizes, so that crash tests see segments roll.
        package init(environment value: (String) -> String?) {
            self.init()
            func number(_ name: String) -> UInt64? { value(name).flatMap { UInt64($0) } }
            segmentBytes = number("MSORCH_SEGMENT_BYTES") ?? segmentBytes
            historyBytes = number("MSORCH_HISTORY_BYTES") ?? historyBytes
            checkpointBytes = number("MSORCH_CHECKPOINT_BYTES") ?? checkpointBytes
            emptyBytes = number("MSORCH_SEGMENT_BYTES") ?? emptyBytes
            if let bytes = number("MSORCH_PREPARED_BYTES") {
                preparedBytes = bytes
                preparingSyncs = 1
            }
        }
    }
#endif

/// In a debug build that was told to, the process ends here as if it was killed.
@inline(__always)
package func crashPoint(_ name: StaticString) {
    #if DEBUG
        if CrashPoints.pass(name) { ProcessEnvironment.killSelf() }
    #endif
}

/// Whether the process is about to end at a point, whose first half the caller then does.
@inline(__always)
func isCrashPoint(_ name: StaticString) -> Bool {
    #if DEBUG
        CrashPoints.pass(name)
    #else
        false
    #endif
}
