import Posix

/// The right to remove a state directory: while it is held no `serve` runs there and no deploy goes
/// on, and none begins.
package struct StackRemoval: ~Copyable {
    private let path: String
    /// The symbolic link that it was named by; `nil` if it was none.
    private let link: String?
    /// `nil` where a full disk has no room for it.
    private let deployLock: FileDescriptor?
    private let runFolder: RunFolder?

    /// - Parameters:
    ///   - stateDirectory: a `StateFolder.isState` without `foreignNames`.
    ///   - onWait: called once if a deploy goes on.
    /// - Throws: `ServerError.alreadyRunning`; `DeploymentError.interrupted` when a signal ends the
    ///   wait.
    package init(stateDirectory: String, onWait: (_ holder: Int32?) -> Void) throws {
        let named = FileSystem.absolute(stateDirectory)
        let path = FileSystem.resolved(stateDirectory) ?? named
        let deployLock = try Self.unlessFull { try Deployer.lock(path, onWait: onWait) }
        let runFolder = try Self.unlessFull { try RunFolder(path) }
        self.path = path
        link =
            FileSystem.linkTarget(named) != nil && FileSystem.resolved(named) == path ? named : nil
        self.deployLock = deployLock
        self.runFolder = runFolder
    }

    /// A lock for whose file a full disk has no room, nobody holds. Removing makes room.
    private static func unlessFull<Lock: ~Copyable>(_ take: () throws -> Lock) throws -> Lock? {
        do {
            return try take()
        } catch let error as SystemError where error.isNoSpace {
            return nil
        }
    }

    /// Removes everything. Out of sight in one step; a cut leaves only a folder that nobody looks
    /// into.
    package consuming func carryOut() throws {
        let grave = "\(path).removed-\(ProcessEnvironment.processID)"
        try FileSystem.rename(path, to: grave)
        if let link { try FileSystem.remove(link) }
        // Who has a queue open is told, as far as its journal can be ended: nothing more is
        // acknowledged into it.
        let queues = QueueDirectory(stateDirectory: grave)
        for name in (try? queues.names()) ?? [] { try? queues.end(name) }
        try FileSystem.removeTree(grave)
    }
}
