import Glibc
import JSON
import Posix
import QueueModel
import StackModel
import TestSupport
import Testing

@testable import Services

/// What a deploy does to queues and code, step by step.
@Suite struct DeployerTests {
    private let folder: TemporaryFolder
    private let clock = SteppedClock()
    private let queues: QueueDirectory

    init() throws {
        folder = try TemporaryFolder("deployer")
        var environment = QueueEnvironment()
        environment.clock = clock.clock
        queues = QueueDirectory(stateDirectory: folder.path + "/state", environment: environment)
    }

    private var state: String { folder.path + "/state" }

    @Test(
        "which requirements name files",
        arguments: [
            ("requests==2.31.0\nboto3[crt]>=1 ; python_version < '4'  # or /more\n# -r x\n", false),
            ("a==1 \\\n  --hash=sha256:0 \\\r\n  --hash=sha256:1\n-i https://h/x\n", false),
            ("a @ https://h/a.whl\ngit+https://h/b\n--no-binary :all:", false),
            ("-f https://h/a.html\na==1\n--find-links=https://h/b", false),
            ("-c https://h/c.txt\n-rhttps://h/r.txt", false),
            ("-e git+https://h/b#egg=b\nhttps://h/a-1.0-py3-none-any.whl", false),
            ("-r base.txt  # as https://h/x", true), ("-e git+file:///b", true),
            ("-f file:///wheels", true), ("-r base.txt -f https://h/x", true),
            ("-r base.txt", true), ("a\r\n-cbounds.txt", true), ("  --requirement=b", true),
            ("--find-links wheels", true), ("-e .", true), ("./a", true), ("a @ file:b", true),
            ("a-1.0-py3-none-any.whl", true), ("-r \\\n base.txt", true),
        ])
    func requirements(text: String, namesFiles: Bool) {
        #expect(PythonPackages.namesFiles(text) == namesFiles)
    }

    private func write(_ name: String, _ text: String) throws {
        let path = "\(folder.path)/\(name)"
        try FileSystem.makeDirectory(FileSystem.parent(of: path))
        try FileSystem.replace(path, with: Array(text.utf8))
    }

    /// - Parameters:
    ///   - meanwhile: runs once it is known what is to be done.
    ///   - beforeSwitch: runs while it is done, before the new deployment stands.
    private func deploy(
        queues wanted: JSONValue = [:], functions: JSONValue = [:], force: Bool = false,
        meanwhile: () throws -> Void = {}, beforeSwitch: @escaping @Sendable () -> Void = {}
    ) throws {
        let file: JSONValue = ["name": "s", "queues": wanted, "lambdas": functions]
        let clock = clock.clock
        let deployer = try Deployer(
            stateDirectory: state, queues: queues,
            clock: StackClock {
                beforeSwitch()
                return clock.now()
            }, onWait: { _ in })
        let plan = try deployer.plan(file, folder: folder.path)
        try meanwhile()
        try deployer.apply(plan, force: force) { _ in }
    }

    @Test("a harmed dead-letter queue goes with those whose dead letters wait for it")
    func removedWithHarmedTaker() throws {
        let redrive: JSONValue = ["redrive": ["deadLetterQueue": "D", "maxReceiveCount": 1]]
        try deploy(queues: ["A": redrive, "D": [:]])
        let queue = try queues.queue("A")
        _ = try queue.send([SendEntry(escapedBody: [0x61], size: 1)])
        for _ in 0..<2 { _ = try queue.receive(upTo: 1, timeoutSeconds: 0) }
        let segment = "\(state)/queues/D/00000000000000000001.jsonl"
        try FileSystem.replace(segment, with: Array("not a record\n".utf8))
        // As a command finds them that has none of them open.
        for name in ["A", "D"] { queues.forget(name) }
        try deploy(force: true)
        #expect(try queues.names() == [])
    }

    @Test("a new queue may send dead letters to one that takes them from this deploy on")
    func allowedWithIt() throws {
        let redrive: JSONValue = ["redrive": ["deadLetterQueue": "D", "maxReceiveCount": 2]]
        try deploy(queues: ["A": redrive, "D": ["redriveAllow": ["A"]]])
        try deploy(queues: ["A": redrive, "B": redrive, "D": ["redriveAllow": ["A", "B"]]])
        #expect(try queues.queue("B").settings.redrivePolicy?.deadLetterQueue == "D")
        #expect(try queues.queue("D").settings.redriveAllow == .queues(["A", "B"]))
    }

    @Test("what is sent to a queue while a deploy is about to remove it is not lost")
    func filledMeanwhile() throws {
        try deploy(queues: ["A": [:], "Old": [:]])
        let old = try queues.queue("Old")
        let error = #expect(throws: DeploymentError.self) {
            try deploy(
                queues: ["A": [:]],
                beforeSwitch: {
                    _ = try? old.send([SendEntry(escapedBody: [0x61], size: 1)])
                })
        }
        guard case .filledMeanwhile(let kept)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(kept.map(\.queue) == ["Old"])
        #expect(kept.map(\.count) == [1])
        #expect(try queues.queue("Old").messageCount == 1)
        #expect(try Deployment.load(state)?.stack.queues.map(\.name) == ["A"], "the rest is done")

        #expect(throws: DeploymentError.self) { try deploy(queues: ["A": [:]]) }
        try deploy(queues: ["A": [:]], force: true)
        #expect(try queues.names() == ["A"])
    }

    private static let function: JSONValue = ["runtime": "provided.al2023", "code": "."]

    private func codeFolder(of function: String) throws -> String {
        let stack = try #require(try Deployment.load(state)?.stack)
        let hash = try #require(stack.functions.first { $0.key == function }?.codeSHA256)
        return "\(state)/functions/\(function)/\(hash)"
    }

    @Test("code is deployed whole: what lies too deep, or leads back to itself, is refused")
    func depth() throws {
        let functions: JSONValue = ["F": ["runtime": "provided.al2023", "code": "code"]]
        let deepest = "code/" + String(repeating: "d/", count: 32) + "file"
        try write(deepest, "")
        try deploy(functions: functions)
        let code = try codeFolder(of: "F") + deepest.dropFirst("code".count)
        #expect(FileSystem.exists(code))
        try write("code/" + String(repeating: "d/", count: 33) + "file", "")
        func refused() -> String? {
            let error = #expect(throws: DeploymentError.self) { try deploy(functions: functions) }
            guard case .codeTooDeep("F", let folder, 32)? = error else { return nil }
            return folder
        }
        #expect(refused()?.hasSuffix("/code" + String(repeating: "/d", count: 33)) == true)
        try FileSystem.removeTree("\(folder.path)/code/d")
        try #require(symlink(".", "\(folder.path)/code/a") == 0)
        #expect(refused() != nil)
    }

    @Test("code that holds the state folder is deployed without it")
    func codeAroundState() throws {
        try write("bootstrap", "#!/bin/sh\n")
        try write(".msorch/credentials", "{}")
        try deploy(functions: ["F": Self.function])
        let first = try codeFolder(of: "F")
        #expect(try FileSystem.list(first) == ["bootstrap"])
        try deploy(queues: ["A": [:]], functions: ["F": Self.function])
        #expect(try codeFolder(of: "F") == first, "the same code has the same digest")
    }

    @Test("code that is edited while it is deployed is not kept under the digest of what it was")
    func codeEditedMeanwhile() throws {
        try write("bootstrap", "#!/bin/sh\n")
        #expect(throws: DeploymentError.self) {
            try deploy(
                queues: ["A": [:]], functions: ["F": Self.function],
                meanwhile: { try write("bootstrap", "#!/bin/bash\n") })
        }
        #expect(try Deployment.load(state) == nil)
        #expect(try FileSystem.list(state + "/functions/F").isEmpty)
        #expect(try queues.names().isEmpty, "nothing was changed")
        try deploy(functions: ["F": Self.function])
        let copy = try codeFolder(of: "F") + "/bootstrap"
        #expect(try FileSystem.read(copy) == Array("#!/bin/bash\n".utf8))
    }

    @Test("the code of a deployment stays while an invocation of it may run")
    func oldCode() throws {
        var folders: [String] = []
        func deploy(_ version: Int) throws {
            try write("bootstrap", "#!/bin/sh\n# \(version)\n")
            try self.deploy(functions: ["F": Self.function])
            folders.append(try codeFolder(of: "F"))
        }
        for version in 0..<4 {
            try deploy(version)
            clock.step(.seconds(60))
        }
        #expect(folders.allSatisfy(FileSystem.isDirectory))

        // 0 and 1 were replaced 16 and 15 minutes before.
        clock.step(.seconds(13 * 60))
        try deploy(4)
        #expect(folders.map(FileSystem.isDirectory) == [false, false, true, true, true])
        let history = try FileSystem.read(state + "/deployments.jsonl")
        #expect(history.count { $0 == 0x0A } == 3, "nobody asks for the others any more")
    }

    /// What a deploy that was killed before its end leaves.
    private func leaveRemoval(of queue: String) throws {
        var deployment = try #require(try Deployment.load(state))
        deployment.removing = [queue]
        try deployment.save()
    }

    @Test("a removal that was cut is finished, and no later queue of that name is removed")
    func cutRemoval() throws {
        try queues.create("Old", QueueSettings())
        clock.step(.seconds(1))
        try deploy(queues: ["A": [:]])
        try leaveRemoval(of: "Old")
        try deploy(queues: ["A": [:]])
        #expect(try queues.names() == ["A"])

        // Killed after the removal: the name is free.
        try leaveRemoval(of: "Old")
        clock.step(.seconds(1))
        try queues.create("Old", QueueSettings())
        try deploy(queues: ["A": [:], "B": [:]])
        #expect(try queues.names() == ["A", "B", "Old"])

        // And if nothing is to be done, the name is forgotten.
        try leaveRemoval(of: "Gone")
        try deploy(queues: ["A": [:], "B": [:]])
        #expect(try Deployment.load(state)?.removing == [])
    }
}
