import Foundation
import JSON
import Posix
import QueueModel
import Services
import TestSupport
import Testing

/// Deploys that change, are refused, are cut, and run at once.
@Suite struct DeployTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder("deploy")
        try write("f/handler.py", "def handle(event, context):\n    return 1\n")
    }

    private func write(_ name: String, _ text: String) throws {
        let path = "\(folder.path)/\(name)"
        try FileSystem.makeDirectory(FileSystem.parent(of: path))
        try FileSystem.replace(path, with: Array(text.utf8))
    }

    private func stack(timeout: Int = 3, queues: String = #""A": {}, "B": {}"#) throws {
        try write(
            "stack.json",
            """
            {"lambdas": {"F": {"runtime": "python3", "handler": "handler.handle", "code": "f",
              "timeout": \(timeout)}}, "queues": {\(queues)}}
            """)
    }

    private func msorch(
        _ arguments: String..., onStart: (Int32) -> Void = { _ in }
    ) throws -> BuiltExecutable.Result {
        try BuiltExecutable.run(
            BuiltExecutable.folder + "/msorch", arguments, in: folder.path, inheritingPath: true,
            onStart: onStart)
    }

    @Test("what changes is shown from and to; messages stay")
    func change() throws {
        try stack()
        let plan = try msorch("deploy", "--plan")
        #expect(plan.status == 10)
        #expect(!FileSystem.exists(folder.path + "/.msorch"), "a plan leaves nothing")
        #expect(try msorch("deploy").status == 0)
        #expect(try msorch("deploy", "--plan").status == 0)
        _ = try msorch("send", "A", "stays")
        try stack(timeout: 5, queues: #""A": {"visibilityTimeout": 60}, "B": {}"#)
        let second = try msorch("deploy")
        #expect(
            second.output == """
                ~ queue A
                    visibilityTimeout: 30 → 60
                ~ function F
                    timeout: 3 → 5

                """)
        let stats = try JSONValue.parse(
            try msorch("queue", "stats", "A", "--output", "json").output)
        #expect(stats.arrayValue?.first?["visible"] == 1)
        #expect(stats.arrayValue?.first?["settings"]?["visibilityTimeout"] == 60)
        try write("f/handler.py", "def handle(event, context):\n    return 2\n")
        #expect(try msorch("deploy").output.contains("codeSha256"))
        #expect(try msorch("invoke", "F").output == "2\n")
    }

    @Test("a queue that was removed, or told otherwise, since the deploy is among the changes")
    func drift() throws {
        try stack(queues: #""A": {"visibilityTimeout": 60, "tags": {}}, "B": {"delay": 5}"#)
        #expect(try msorch("deploy").status == 0)
        #expect(try msorch("queue", "rm", "B", "--force").status == 0)
        let state = QueueDirectory(stateDirectory: folder.path + "/.msorch")
        try state.change("A") {
            $0.visibilityTimeoutSeconds = 7
            $0.keptAttributes["Policy"] = "{}"
            $0.tags["team"] = "a"
        }
        let plan = try msorch("deploy", "--plan", "--output", "json")
        #expect(plan.status == 10)
        #expect(
            try JSONValue.parse(plan.output)["changes"] == [
                [
                    "resource": "queue", "name": "A", "action": "change",
                    "changes": [
                        ["path": "visibilityTimeout", "from": 7, "to": 60],
                        ["path": "tags.team", "from": "a", "to": nil],
                        ["path": "keptAttributes", "from": ["Policy": "{}"], "to": nil],
                    ],
                ],
                ["resource": "queue", "name": "B", "action": "create"],
            ])
        #expect(try msorch("queue", "ls").output == "A\n", "a plan changes nothing")
        let deploy = try msorch("deploy")
        #expect(deploy.output.contains("visibilityTimeout: 7 → 60\n"), "\(deploy)")
        #expect(deploy.output.hasSuffix("+ queue B\n"), "\(deploy)")
        #expect(try state.queue("A").settings.visibilityTimeoutSeconds == 60)
        #expect(try state.queue("B").settings.delaySeconds == 5)
        #expect(try msorch("deploy", "--plan").status == 0)

        // Somebody set it by hand, and then wrote it down.
        try state.change("A") { $0.visibilityTimeoutSeconds = 9 }
        try stack(queues: #""A": {"visibilityTimeout": 9, "tags": {}}, "B": {"delay": 5}"#)
        #expect(try msorch("deploy").output.contains("visibilityTimeout: 60 → 9\n"))
        #expect(try msorch("deploy", "--plan").status == 0)
    }

    @Test("a queue that holds messages is removed by force only")
    func removal() throws {
        try stack()
        _ = try msorch("deploy")
        _ = try msorch("send", "B", "precious")
        try stack(queues: #""A": {}"#)
        let refused = try msorch("deploy")
        #expect(refused.status == 4 && refused.error.contains("'B' holds 1"), "\(refused)")
        #expect(try msorch("queue", "ls").output == "A\nB\n")
        #expect(try msorch("deploy", "--force").status == 0)
        #expect(try msorch("queue", "ls").output == "A\n")
    }

    @Test("a stack with mistakes changes nothing")
    func invalid() throws {
        try stack()
        _ = try msorch("deploy")
        try stack(timeout: 9000)
        let result = try msorch("deploy")
        #expect(result.status == 2 && result.error.contains("timeout is 9000"), "\(result)")
        try stack()
        try FileSystem.removeTree(folder.path + "/f")
        let missing = try msorch("deploy")
        #expect(missing.status == 2 && missing.error.contains("no such folder"), "\(missing)")
        #expect(try msorch("invoke", "F").output == "1\n", "the old deployment stands")
    }

    @Test("deploys that are killed at any moment leave the old or the new one, and can be repeated")
    func killed() throws {
        try stack()
        _ = try msorch("deploy")
        for round in 0..<12 {
            let timeout = round % 2 == 0 ? 7 : 3
            let extra = round % 2 == 0 ? #", "C": {}"# : #", "D": {}"#
            try stack(timeout: timeout, queues: #""A": {}, "B": {}"# + extra)
            _ = try msorch("deploy") { process in
                SystemClock.pause(microseconds: UInt32(round * 6000))
                kill(process, SIGKILL)
            }
            let text = try FileSystem.read(folder.path + "/.msorch/deployment.json")
            let deployed = try JSONValue.parse(text)["stack"]?["lambdas"]?["F"]?["timeout"]
            #expect(deployed == 7 || deployed == 3)
            #expect(try msorch("invoke", "F").output == "1\n")
            #expect(try msorch("deploy").status == 0)
            #expect(try msorch("deploy", "--plan").status == 0)
            let expected = round % 2 == 0 ? "A\nB\nC\n" : "A\nB\nD\n"
            #expect(try msorch("queue", "ls").output == expected)
        }
    }

    @Test("deploys at once come one after the other")
    func atOnce() async throws {
        try stack()
        let codes = await withTaskGroup(of: Int32.self) { group in
            for _ in 0..<6 {
                group.addTask { (try? msorch("deploy").status) ?? -1 }
            }
            return await group.reduce(into: [Int32]()) { $0.append($1) }
        }
        #expect(codes == [0, 0, 0, 0, 0, 0])
        let history = try FileSystem.read(folder.path + "/.msorch/deployments.jsonl")
        #expect(history.count { $0 == 0x0A } == 1, "one deployed, the others had nothing to do")
    }

    @Test("packages: installed once, and a failed install leaves the old deployment")
    func packages() throws {
        try stack()
        _ = try msorch("deploy")
        try write("f/requirements.txt", "./does-not-exist-1.0-py3-none-any.whl\n")
        let failed = try msorch("deploy")
        #expect(failed.status == 1 && failed.error.contains("could not be installed"), "\(failed)")
        #expect(try msorch("invoke", "F").output == "1\n")
        let wheel = """
            import zipfile
            with zipfile.ZipFile('tiny-1.0-py3-none-any.whl', 'w') as wheel:
                wheel.writestr('tiny.py', 'answer = 42\\n')
                wheel.writestr('tiny-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: tiny\\nVersion: 1.0\\n')
                wheel.writestr('tiny-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
                wheel.writestr('tiny-1.0.dist-info/RECORD', '')
            """
        try write("wheel.py", wheel)
        _ = try BuiltExecutable.run(
            "/bin/bash", ["-c", "python3 wheel.py"], in: folder.path, inheritingPath: true)
        try write("f/requirements.txt", "\(folder.path)/tiny-1.0-py3-none-any.whl\n")
        try write(
            "f/handler.py",
            "import tiny\n\ndef handle(event, context):\n    return tiny.answer\n")
        let installed = try msorch("deploy")
        #expect(installed.status == 0 && installed.error.contains("installing"), "\(installed)")
        #expect(try msorch("invoke", "F").output == "42\n")
        try stack(timeout: 4)
        #expect(try !msorch("deploy").error.contains("installing"), "once per content")
        // What the file names changes; the file itself does not.
        try write("f/requirements.txt", "-r base.txt\n")
        try write("f/base.txt", "\(folder.path)/tiny-1.0-py3-none-any.whl\n")
        #expect(try msorch("deploy").error.contains("installing"))
        let newer = wheel.replacing("tiny-1.0", with: "tiny-2.0")
            .replacing("tiny\\nVersion: 1.0", with: "tiny\\nVersion: 2.0")
        try write("wheel.py", newer.replacing("42", with: "43"))
        _ = try BuiltExecutable.run(
            "/bin/bash", ["-c", "python3 wheel.py"], in: folder.path, inheritingPath: true)
        try write("f/base.txt", "\(folder.path)/tiny-2.0-py3-none-any.whl\n")
        #expect(try msorch("deploy").status == 0)
        #expect(try msorch("invoke", "F").output == "43\n")
    }

    @Test("destroy removes state folders, however they are spelled, and nothing else")
    func destroyed() throws {
        try stack()
        #expect(try msorch("deploy", "--state-dir", "st/").status == 0)
        let mistaken = try msorch("destroy", "--yes", "--state-dir", "f")
        #expect(mistaken.status == 3 && mistaken.error.contains("no deployment"), "\(mistaken)")
        #expect(try FileSystem.list(folder.path + "/f") == ["handler.py"])
        let destroyed = try msorch("destroy", "--yes", "--state-dir", "st/")
        #expect(destroyed.status == 0, "\(destroyed)")
        #expect(try FileSystem.list(folder.path).filter { $0.hasPrefix("st") } == ["stack.json"])
    }

    @Test("destroy leaves what only looks like a state folder, and what holds more than msorch's")
    func foreign() throws {
        try write("looks/queues/job.txt", "work\n")
        try write("looks/deployment.json", #"{"kind": "Deployment"}"#)
        let mistaken = try msorch("destroy", "--yes", "--state-dir", "looks")
        #expect(mistaken.status == 3 && mistaken.error.contains("no deployment"), "\(mistaken)")
        #expect(try FileSystem.list(folder.path + "/looks") == ["deployment.json", "queues"])
        let state = "project"
        #expect(try msorch("queue", "create", "Q", "--state-dir", state).status == 0)
        for name in ["f/handler.py", "stack.json"] { try write("\(state)/\(name)", "") }
        let before = try FileSystem.list("\(folder.path)/\(state)")
        let mixed = try msorch("destroy", "--yes", "-C", state, "--state-dir", ".")
        #expect(mixed.status == 4, "\(mixed)")
        #expect(mixed.error.contains("is not of msorch: f, stack.json.\n"), "\(mixed)")
        #expect(try FileSystem.list("\(folder.path)/\(state)") == before)
        for name in ["a", "b"] { try write("\(state)/\(name)", "") }
        let more = try msorch("destroy", "--yes", "--state-dir", state)
        #expect(more.error.contains("is not of msorch: a, b, f and 1 more.\n"), "\(more)")
        for name in ["a", "b", "f", "stack.json"] {
            try FileSystem.removeTree("\(folder.path)/\(state)/\(name)")
        }
        #expect(try msorch("destroy", "--yes", "--state-dir", state).status == 0)
        #expect(!FileSystem.exists("\(folder.path)/\(state)"))
    }

    @Test("while destroy asks, others go on; it says what it removed in the end")
    func asking() throws {
        try stack()
        #expect(try msorch("deploy").status == 0)
        try stack(timeout: 4)
        try write(
            "ask.py",
            #"""
            import os, pty, subprocess
            def run(*arguments):
                done = subprocess.run(
                    ["msorch", *arguments], stdout=subprocess.DEVNULL, timeout=30)
                print(arguments[0], done.returncode, flush=True)
            pid, terminal = pty.fork()
            if pid == 0:
                os.execvp("msorch", ["msorch", "destroy"])
            text = b""
            while not text.endswith(b"[y/N] "):
                text += os.read(terminal, 1000)
            run("deploy")
            run("send", "A", "hi")
            os.write(terminal, b"y\n")
            text = b""
            try:
                while more := os.read(terminal, 1000):
                    text += more
            except OSError:
                pass  # it has ended
            print(text.decode().splitlines()[-1])
            """#)
        let asked = try BuiltExecutable.run(
            "/bin/bash", ["-c", "python3 ask.py"], in: folder.path)
        #expect(
            asked.output == """
                deploy 0
                send 0
                Removed ./.msorch with 2 queues and 1 messages.

                """, "\(asked)")
        #expect(!FileSystem.exists(folder.path + "/.msorch"))
    }

    @Test("destroy asks, init begins")
    func beginningAndEnd() throws {
        try stack()
        #expect(try msorch("destroy", "--yes").status == 3)
        _ = try msorch("deploy")
        let asked = try msorch("destroy")
        #expect(asked.status == 4 && asked.error.contains("2 queues and 0 messages"), "\(asked)")
        #expect(try msorch("destroy", "--yes").status == 0)
        #expect(!FileSystem.exists(folder.path + "/.msorch"))
        #expect(try msorch("init").status == 4, "a stack is there already")
        #expect(try msorch("init", "new").status == 0)
        #expect(try msorch("-C", "new", "deploy").status == 0)
        let hello = try msorch("-C", "new", "invoke", "Hello", "--payload", #"{"name": "Ada"}"#)
        #expect(hello.output == "{\"greeting\": \"Hello, Ada!\"}\n")
        _ = try msorch("-C", "new", "send", "Greetings", "{}")
        #expect(try msorch("-C", "new", "drain").status == 0)
        #expect(try msorch("status", "--stack", "new/stack.json").output.contains("Hello"))
    }
}
