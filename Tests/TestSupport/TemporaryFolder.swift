import Posix
import Synchronization

/// A private folder that is gone when the test is.
package final class TemporaryFolder: Sendable {
    private static let counter = Atomic<Int>(0)
    package let path: String

    package init(_ name: String = "msorch") throws {
        let number = Self.counter.add(1, ordering: .relaxed).newValue
        let base = ProcessEnvironment.value("TMPDIR") ?? "/tmp"
        path = "\(base)/\(name)-\(ProcessEnvironment.processID)-\(number)"
        try FileSystem.removeTree(path)
        try FileSystem.makeDirectory(path)
    }

    deinit { try? FileSystem.removeTree(path) }
}
