import Foundation
import JSON
import Journal
import Posix
import QueueModel
import TestSupport
import Testing

@testable import Services

/// A stack is removed while others use it, or are about to.
@Suite struct StackRemovalTests {
    private let folder: TemporaryFolder
    private let queues: QueueDirectory

    init() throws {
        folder = try TemporaryFolder("removal")
        queues = QueueDirectory(stateDirectory: folder.path + "/state")
        try queues.create("Q", QueueSettings())
    }

    private var state: String { folder.path + "/state" }

    @Test("every name that the sources make in the state folder is known to be msorch's")
    func names() throws {
        let root = #filePath.components(separatedBy: "/Tests/")[0] + "/Sources"
        let path = /"\\\((?:[a-z.]*stateDirectory|state)\)\/([A-Za-z.-]+)/
        var made: Set<String> = []
        for file in FileManager.default.enumerator(atPath: root)?.allObjects ?? [] {
            guard let name = file as? String, name.hasSuffix(".swift") else { continue }
            let text = String(decoding: try FileSystem.read("\(root)/\(name)"), as: UTF8.self)
            made.formUnion(text.matches(of: path).map { String($0.1) })
        }
        #expect(made == StateFolder.names)
        for name in ["users.json.lock", "usage.json.new-17"] { try write(name) }
        #expect(try StateFolder.foreignNames(state).isEmpty)
        for name in ["users", ".git", "usage.json~"] { try write(name) }
        #expect(try StateFolder.foreignNames(state) == [".git", "usage.json~", "users"])
    }

    private func write(_ name: String) throws {
        try FileSystem.replace("\(state)/\(name)", with: [])
    }

    @Test("a folder is a state folder while a queue is in it, and when there was one")
    func isState() throws {
        #expect(StateFolder.isState(state))
        try queues.remove("Q", force: false)
        #expect(StateFolder.isState(state))
        try FileSystem.makeDirectory(folder.path + "/other/queues/jobs")
        #expect(!StateFolder.isState(folder.path + "/other"))
    }

    @Test("a removal waits for a deploy, and goes on when that has ended")
    func deploying() throws {
        let lock = try FileDescriptor(appendingTo: state + "/deploy.lock")
        #expect(try lock.tryLock())
        var waits = 0
        let removal = try StackRemoval(stateDirectory: state + "/") { holder in
            #expect(holder == ProcessEnvironment.processID)
            waits += 1
            lock.unlock()
        }
        #expect(waits == 1)
        try removal.carryOut()
        #expect(try FileSystem.list(folder.path).isEmpty)
    }

    @Test("of a symbolic link, both go: the link, and the folder that it leads to")
    func linked() throws {
        let link = folder.path + "/link"
        try FileManager.default.createSymbolicLink(
            atPath: link, withDestinationPath: "state")
        try StackRemoval(stateDirectory: link + "/") { _ in }.carryOut()
        #expect(try FileSystem.list(folder.path).isEmpty)
    }

    @Test("the link to a folder above stays")
    func linkedAbove() throws {
        let parent = folder.path + "/parent"
        try FileManager.default.createSymbolicLink(atPath: parent, withDestinationPath: ".")
        try StackRemoval(stateDirectory: parent + "/state") { _ in }.carryOut()
        #expect(try FileSystem.list(folder.path) == ["parent"])
    }

    @Test("a serve that says nowhere that it runs keeps its stack")
    func served() throws {
        let server = try RunFolder(state)
        #expect(throws: ServerError.self) {
            _ = try StackRemoval(stateDirectory: state) { _ in }
        }
        #expect(try queues.names() == ["Q"])
        withExtendedLifetime(server) {}
    }

    @Test("a deploy that waited for a removal begins with a folder of its own")
    func deployedAfter() throws {
        var removal: StackRemoval? = try StackRemoval(stateDirectory: state) { _ in }
        let deployer = try Deployer(stateDirectory: state, queues: queues) { _ in
            try? removal.take()?.carryOut()
        }
        let other = try FileDescriptor(appendingTo: state + "/deploy.lock")
        #expect(try !other.tryLock(), "its lock is the one that others meet")
        let plan = try deployer.plan(["queues": ["New": [:]]], folder: folder.path)
        try deployer.apply(plan, force: false) { _ in }
        #expect(try queues.names() == ["New"])
    }

    @Test("who has a queue open is told that it is gone")
    func told() throws {
        let queue = try queues.queue("Q")
        try StackRemoval(stateDirectory: state) { _ in }.carryOut()
        #expect(throws: JournalError.removed) {
            try queue.send([SendEntry(escapedBody: [0x61], size: 1)])
        }
    }

    @Test("also where its journal can be read by nobody else")
    func unreadable() throws {
        let queue = try queues.queue("Q")
        let segment = state + "/queues/Q/00000000000000000001.jsonl"
        try FileSystem.rename(segment, to: folder.path + "/segment")
        try FileSystem.makeDirectory(segment)
        try StackRemoval(stateDirectory: state) { _ in }.carryOut()
        #expect(throws: JournalError.removed) {
            try queue.send([SendEntry(escapedBody: [0x61], size: 1)])
        }
    }
}
