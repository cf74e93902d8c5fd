import Foundation
import JSON
import Journal
import Posix
import QueueModel
import StackModel
import TestSupport
import Testing

@testable import Services

/// Triggers of a runtime that is retired.
@Suite struct DeliveryTests {
    /// Answers its first event once the test says so.
    private static let bootstrap = """
        #!/usr/bin/env python3
        import http.client, os, time
        folder = os.environ['FOLDER']
        def call(method, path, body=None):
            server = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
            server.request(method, '/2018-06-01/runtime/invocation/' + path, body)
            return server.getresponse()
        event = call('GET', 'next')
        open(folder + '/begun', 'w').close()
        while not os.path.exists(folder + '/go'): time.sleep(0.005)
        call('POST', event.headers['Lambda-Runtime-Aws-Request-Id'] + '/response', '{}')
        call('GET', 'next')
        """

    /// Never gets ready.
    private static let slowBootstrap = """
        #!/usr/bin/env python3
        import os, time
        open(os.environ['FOLDER'] + '/begun', 'w').close()
        time.sleep(60)
        """

    private static func runtime(
        _ fixture: HostFixture, _ bootstrap: String = bootstrap,
        after previous: StackRuntime? = nil
    ) throws -> StackRuntime {
        let state = fixture.folder.path
        let code = state + "/functions/F/code"
        try FileSystem.makeDirectory(code)
        try FileSystem.replace(code + "/bootstrap", with: Array(bootstrap.utf8))
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o755], ofItemAtPath: code + "/bootstrap")
        try CredentialStore(stateDirectory: state).ensure(["developer", "F"])
        let stack = Stack(json: [
            "lambdas": [
                "F": [
                    "runtime": "provided", "handler": "h", "code": "c", "codeSha256": "code",
                    "timeout": 30, "environment": ["FOLDER": .string(state)],
                    "triggers": [["queue": "Q"]],
                ]
            ], "queues": ["Q": [:]],
        ])
        var host = fixture.host
        host.guardExecutable = BuiltExecutable.folder + "/msorch"
        return try StackRuntime(
            Deployment(
                stateDirectory: state, stack: stack, code: [:],
                deployedAt: Timestamp(milliseconds: 0), removing: []), on: host,
            after: previous)
    }

    /// A queue `Q` whose trigger delivers: the function has begun with its first message, and waits
    /// for the file `go`.
    private static func begun(_ fixture: HostFixture) throws -> (Queue, StackRuntime) {
        try fixture.queues.create("Q", QueueSettings())
        let queue = try fixture.queues.queue("Q")
        let runtime = try runtime(fixture)
        runtime.startDelivery()
        _ = try queue.send([SendEntry(escapedBody: Array("a".utf8), size: 1)])
        guard eventually({ FileSystem.exists(fixture.folder.path + "/begun") }) else {
            runtime.stop()
            throw Missing()
        }
        return (queue, runtime)
    }

    private struct Missing: Error {}

    @Test("a runtime is not gone before it is written what became of its last batch")
    func settles() throws {
        let fixture = try HostFixture("delivery")
        let (queue, runtime) = try Self.begun(fixture)
        defer { runtime.stop() }
        // Who is to delete the message has to wait.
        let lock = try FileDescriptor(
            updating: fixture.folder.path + "/queues/Q/lock", creating: false)
        let isLocked = try lock.lock(milliseconds: 10_000)
        try #require(isLocked)
        try FileSystem.replace(fixture.folder.path + "/go", with: [])
        let isRetired = ThreadCondition(false)
        let thread = try Thread(name: "retire") {
            runtime.retire(upTo: .seconds(20))
            isRetired.withLock { $0 = true }
            isRetired.signal()
        }
        #expect(isRetired.wait(upTo: .seconds(1)) { $0 ? true : nil } == nil)
        lock.unlock()
        thread.join()
        let counts = try queue.statistics().counts
        #expect(counts.visible == 0 && counts.inFlight == 0)
    }

    @Test(
        "what is done is deleted as soon as that can be written; if it comes again that is told",
        arguments: [false, true])
    func cannotDelete(isLate: Bool) throws {
        let fixture = try HostFixture("delivery")
        let (queue, runtime) = try Self.begun(fixture)
        defer { runtime.stop() }
        let lock = try FileDescriptor(
            updating: fixture.folder.path + "/queues/Q/lock", creating: false)
        let isLocked = try lock.lock(milliseconds: 10_000)
        try #require(isLocked)
        if isLate { fixture.clock.step(.seconds(30)) }
        try FileSystem.replace(fixture.folder.path + "/go", with: [])
        // Longer than a journal waits for its lock.
        let word = fixture.words.wait(upTo: .seconds(isLate ? 60 : 8)) { words in
            words.first { $0.hasPrefix("A message of Q that F has done may come again: ") }
        }
        lock.unlock()
        #expect((word != nil) == isLate)
        if !isLate {
            let isDeleted = eventually {
                guard let counts = try? queue.statistics().counts else { return false }
                return counts.visible == 0 && counts.inFlight == 0
            }
            #expect(isDeleted)
        }
    }

    @Test("what is done and cannot be deleted is told at the end, also where no receive worked")
    func cannotReceive() throws {
        var options = JournalOptions()
        options.lockTimeout = .milliseconds(200)
        let fixture = try HostFixture("delivery", options)
        let (queue, runtime) = try Self.begun(fixture)
        defer { runtime.stop() }
        var later = SendEntry(escapedBody: Array("b".utf8), size: 1)
        later.delaySeconds = 1
        _ = try queue.send([later])
        let lock = try FileDescriptor(
            updating: fixture.folder.path + "/queues/Q/lock", creating: false)
        let isLocked = try lock.lock(milliseconds: 10_000)
        try #require(isLocked)
        fixture.clock.step(.seconds(2))
        try FileSystem.replace(fixture.folder.path + "/go", with: [])
        let haveFailed = fixture.words.wait(upTo: .seconds(60)) { words in
            words.filter { $0.hasPrefix("Nothing is delivered from Q to F for now: ") }.count > 1
                ? true : nil
        }
        try #require(haveFailed == true)
        runtime.retire(upTo: .seconds(20))
        let words = fixture.words.withLock { $0 }
        #expect(
            words.last?.hasPrefix("A message of Q that F has done may come again: ") == true,
            "\(words)")
    }

    @Test("a batch that waited for a cold start when all ended is visible at once")
    func givenUp() throws {
        let fixture = try HostFixture("delivery")
        try fixture.queues.create("Q", QueueSettings())
        let queue = try fixture.queues.queue("Q")
        let runtime = try Self.runtime(fixture, Self.slowBootstrap)
        runtime.startDelivery()
        _ = try queue.send([SendEntry(escapedBody: Array("a".utf8), size: 1)])
        let hasBegun = eventually { FileSystem.exists(fixture.folder.path + "/begun") }
        try #require(hasBegun)
        #expect(try queue.statistics().counts.inFlight == 1)
        runtime.retire(upTo: .seconds(60), isHurried: { true })
        let counts = try queue.statistics().counts
        #expect(counts.visible == 1 && counts.inFlight == 0)
    }

    @Test(
        "a runtime that was replaced waits for batches in functions that go on, unless hurried",
        arguments: [false, true])
    func sharedFunctions(isHurried: Bool) throws {
        let fixture = try HostFixture("delivery")
        try fixture.queues.create("Q", QueueSettings())
        let queue = try fixture.queues.queue("Q")
        let runtime = try Self.runtime(fixture)
        let successor = try Self.runtime(fixture, after: runtime)
        defer { successor.stop() }
        runtime.startDelivery()
        _ = try queue.send([SendEntry(escapedBody: Array("a".utf8), size: 1)])
        let hasBegun = eventually { FileSystem.exists(fixture.folder.path + "/begun") }
        try #require(hasBegun)
        let hurry = ThreadCondition(false)
        let isRetired = ThreadCondition(false)
        let thread = try Thread(name: "retire") {
            runtime.retire(upTo: .seconds(60), for: successor) { hurry.withLock { $0 } }
            isRetired.withLock { $0 = true }
            isRetired.signal()
        }
        let patience = Duration.seconds(isHurried ? 1 : 6)
        #expect(isRetired.wait(upTo: patience) { $0 ? true : nil } == nil)
        if isHurried {
            hurry.withLock { $0 = true }
        } else {
            try FileSystem.replace(fixture.folder.path + "/go", with: [])
        }
        #expect(isRetired.wait(upTo: .seconds(3)) { $0 ? true : nil } == true)
        thread.join()
        let counts = try queue.statistics().counts
        #expect(counts.visible == 0 && counts.inFlight == (isHurried ? 1 : 0))
    }
}
