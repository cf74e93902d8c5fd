import Foundation
import JSON
import TestSupport
import Testing

private enum Bash {
    /// Whether this system lets a test mount in a namespace of its own.
    static let canMount =
        (try? run("unshare -rm mount -t tmpfs tmpfs /mnt", in: "/tmp"))?.status == 0
    /// Whether a test can become somebody else: root ignores modes.
    static let canChangeUser =
        getuid() == 0
        && (try? run("setpriv --reuid=65534 --clear-groups true", in: "/tmp"))?.status == 0

    static func run(_ script: String, in folder: String) throws -> BuiltExecutable.Result {
        try BuiltExecutable.run("/bin/bash", ["-c", script], in: folder)
    }
}

/// The built binary on file systems that refuse: full, limited, read-only, somebody else's.
@Suite struct FullDiskTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder("full") }

    private func shell(_ script: String) throws -> BuiltExecutable.Result {
        try Bash.run(script, in: folder.path)
    }

    /// Fills a queue until it refuses, works on it, and empties it; what that says goes to `../out`.
    private static let work = #"""
        mkdir -p "$OUT"
        line=$(printf 'x%.0s' {1..1000})
        msorch queue create q --quiet --visibility-timeout 0
        yes "$line" | head -4000 | msorch send q - --quiet > /dev/null 2> "$OUT/refusal"
        echo "fill ${PIPESTATUS[2]}"
        for n in {1..2000}; do
            msorch send q "$line" --quiet > /dev/null 2> /dev/null || { echo "send $?"; break; }
        done
        msorch queue stats q --output json | cat > "$OUT/stats"; echo "stats ${PIPESTATUS[0]}"
        msorch queue receive q --quiet > /dev/null; echo "receive $?"
        handle=$(msorch queue receive q --output json | grep -o '"ReceiptHandle":"[^"]*' | cut -c18-)
        msorch queue delete q "$handle" --quiet; echo "delete $?"
        msorch poll q --all --delete --output json | wc -l > "$OUT/drained"
        echo "drain ${PIPESTATUS[0]}"
        """#

    private static let lines = [
        "fill 74", "send 74", "stats 0", "receive 0", "delete 0", "drain 0",
    ]

    private func expectDrained(_ result: BuiltExecutable.Result, _ refusal: String) throws {
        func text(_ name: String) throws -> String {
            try String(contentsOfFile: folder.path + "/out/" + name, encoding: .utf8)
        }
        let refused = try text("refusal")
        #expect(refused.hasSuffix(refusal), "\(refused)")
        let stats = try JSONValue.parse(Array(try text("stats").utf8)).arrayValue?.first
        let sent = try #require(stats?["visible"]?.intValue)
        #expect(sent > 100, "\(result)")
        let drained = try text("drained").filter(\.isNumber)
        #expect(Int64(drained) == sent - 1, "one was deleted before")
    }

    @Test(
        "a full disk refuses sends; all else goes on until the queue is empty",
        .enabled(if: Bash.canMount))
    func full() throws {
        try Self.work.write(
            toFile: folder.path + "/work.sh", atomically: true, encoding: .utf8)
        let script = """
            export OUT=$PWD/out; mkdir disk; mount -t tmpfs -o size=3m tmpfs disk; cd disk
            . ../work.sh
            mount -o remount,size=8m "$PWD"
            msorch send q later --quiet > /dev/null; echo "later $?"
            msorch poll q --all --delete --output json | grep -c later
            msorch queue verify q --quiet > /dev/null; echo "verify $?"
            """
        try script.write(toFile: folder.path + "/full.sh", atomically: true, encoding: .utf8)
        let result = try shell("exec unshare -rm bash full.sh")
        #expect(
            result.output.split(separator: "\n").map(String.init) == Self.lines + [
                "later 0", "1", "verify 0",
            ], "\(result)")
        try expectDrained(
            result,
            """
            error: No space left on device (pwrite).
            hint: This was not accepted. Receiving, deleting and purging go on; free some space \
            for the rest.

            """)
    }

    @Test("a limit on files' sizes: sends are refused, all else goes on in another segment")
    func limited() throws {
        let result = try shell(
            "export OUT=$PWD/out; (ulimit -f 600; \(Self.work)\n); "
                + "msorch queue verify q --quiet > /dev/null; echo \"verify $?\"")
        #expect(
            result.output.split(separator: "\n").map(String.init) == Self.lines + ["verify 0"],
            "\(result)")
        try expectDrained(
            result,
            """
            error: File too large (pwrite).
            hint: This was not accepted. A limit on files' sizes is set: see 'ulimit -f'.

            """)
    }

    @Test(
        "a full disk: serve starts all the same, also where a killed one has left its record",
        .enabled(if: Bash.canMount))
    func serve() throws {
        let script = #"""
            call() {
                curl -s "$1" -H 'Content-Type: application/x-amz-json-1.0' \
                    -H "X-Amz-Target: AmazonSQS.$2" -d "$3"
            }
            serve() {
                msorch serve --port 0 --gateway-port 0 --ready-file ../ready 2> ../words & pid=$!
                for n in {1..3000}; do [ -s ../ready ] && return; sleep 0.01; done
            }
            fill() { cat /dev/zero 2> /dev/null > zero; df --output=avail . | tail -1; }
            mkdir disk; mount -t tmpfs -o size=3m tmpfs disk; cd disk
            echo '{"lambdas": {}, "queues": {"q": {}}, "security": {"iam": "off"}}' > stack.json
            msorch deploy --quiet > /dev/null; msorch send q hi > /dev/null
            serve > /dev/null; kill -9 $pid; wait $pid; rm ../ready
            fill; serve > /dev/null; msorch status --output json | grep -c "\"pid\":$pid,"
            kill $pid; wait $pid; echo "end $?"; rm ../ready
            fill; serve > /dev/null; head -1 ../words | sed "s|$PWD|DISK|"
            url=$(grep -o 'http://[^"]*' ../ready | head -1)
            queue="\"QueueUrl\": \"$url/123456789012/q\""
            handle=$(call $url ReceiveMessage "{$queue}" | grep -o '"ReceiptHandle":"[^"]*')
            call $url DeleteMessage "{$queue, $handle\"}"
            kill $pid; wait $pid; echo "end $?"
            msorch queue stats q --output json | grep -o '"visible":[0-9]*,"inFlight":[0-9]*'
            """#
        try script.write(toFile: folder.path + "/serve.sh", atomically: true, encoding: .utf8)
        let result = try shell("exec unshare -rm bash serve.sh")
        #expect(
            result.output == #"""
                    0
                1
                end 0
                    0
                Other commands will not find this server: No space left on device: \#
                DISK/.msorch/run/serve.json (write).
                end 0
                "visible":0,"inFlight":0

                """#, "\(result)")
    }

    @Test(
        "a full disk: destroy makes room, although there is none for its locks",
        .enabled(if: Bash.canMount))
    func destroy() throws {
        let script = #"""
            mkdir disk; mount -t tmpfs -o nr_inodes=64 tmpfs disk; cd disk
            msorch queue create q --quiet; msorch send q hi > /dev/null
            mkdir zeros; for n in {1..64}; do : > zeros/$n || break; done 2> /dev/null
            msorch destroy --yes; echo "destroy $?"; ls -A
            """#
        try script.write(toFile: folder.path + "/destroy.sh", atomically: true, encoding: .utf8)
        let result = try shell("exec unshare -rm bash destroy.sh")
        #expect(result.output == "destroy 0\nzeros\n", "\(result)")
        #expect(result.error.contains("with 1 queues and 1 messages"), "\(result)")
    }

    @Test(
        "a state folder on a file system where nothing may be executed",
        .enabled(if: Bash.canMount))
    func nothingExecutable() throws {
        let script = #"""
            mkdir f state; mount -t tmpfs -o noexec tmpfs state
            printf '#!/bin/sh\n' > f/tool.sh; chmod +x f/tool.sh
            printf 'def handle(event, context):\n    return 1\n' > f/handler.py
            echo '{"queues": {}, "lambdas": {"F": {"runtime": "python3",
                "handler": "handler.handle", "code": "f"}}}' > stack.json
            export MSORCH_STATE_DIR=$PWD/state
            msorch deploy --quiet > /dev/null; echo "deploy $?"; msorch invoke F
            stat -c %A state/functions/F/*/tool.sh
            """#
        try script.write(toFile: folder.path + "/deploy.sh", atomically: true, encoding: .utf8)
        let result = try shell("exec unshare -rm bash deploy.sh")
        #expect(result.output == "deploy 0\n1\n-rwx------\n", "\(result)")
    }

    @Test("what cannot be written out is not deleted")
    func output() throws {
        let result = try shell(
            """
            msorch queue create q --quiet --visibility-timeout 0
            yes x | head -100 | msorch send q - --quiet > /dev/null
            msorch poll q --all --delete > /dev/full; echo "poll $?"
            msorch queue stats q --output json
            """)
        #expect(result.output.hasPrefix("poll 74\n"))
        #expect(result.output.contains(#""visible":100,"#), "\(result)")
        #expect(
            result.error == """
                error: No space left on device (write to standard output).
                hint: What could not be written out was not deleted, and comes back.

                """)
    }

    @Test("what was sent before the disk was full is told, and a replay goes on behind it")
    func begun() throws {
        let result = try shell(
            """
            for q in q into; do msorch queue create $q --quiet; done
            yes "$(printf 'x%.0s' {1..1000})" | head -900 | msorch send q - --quiet
            visible() { msorch queue stats $1 --output json | grep -o '"visible":[0-9]*'; }
            (ulimit -f 600; msorch queue replay q --from oldest --limit 890 --into into \
                --output json)
            echo "replay $?"; visible into
            """)
        let lines = result.output.split(separator: "\n").map(String.init)
        try #require(lines.count == 3 && lines[1] == "replay 74", "\(result)")
        let told = try JSONValue.parse(lines[0])
        let sent = try #require(told["sent"]?.intValue)
        let last = try #require(told["last"]?.intValue)
        let to = try #require(told["to"]?.intValue)
        let rest = try #require(result.error.firstMatch(of: /goes on with (.*)\.\n/)?.output.1)
        #expect(rest.hasPrefix("--from \(last + 1) --to \(to) --limit "), "\(result)")
        let end = "It goes on with \(rest).\nerror: File too large"
        #expect(result.error.contains("\(sent) sent to into.\n\(end)"), "\(result)")
        #expect(sent > 0 && sent < 890 && told["failed"]?.intValue == 0, "\(told)")
        #expect(lines[2] == "\"visible\":\(sent)")
        let more = try shell(
            """
            msorch queue replay q \(rest) --quiet; visible() { \
            msorch queue stats $1 --output json | grep -o '"visible":[0-9]*'; }; visible into
            msorch queue create other --quiet; msorch queue export q > lines
            (ulimit -f 600; msorch queue import other --output json --quiet < lines)
            echo "import $?"; visible other
            """)
        let then = more.output.split(separator: "\n").map(String.init)
        try #require(then.count == 4, "\(more)")
        // What was sent of half a record, before the end, comes again.
        let visible = try #require(Int(then[0].filter(\.isNumber)))
        #expect((890..<900).contains(visible), "\(more)")
        let imported = try #require(try JSONValue.parse(then[1])["sent"]?.intValue)
        #expect(imported > 0 && imported < 900)
        #expect(then[2...] == ["import 74", "\"visible\":\(imported)"])
    }

    @Test("an export from under which messages are taken says so, and how far it came")
    func taken() throws {
        let result = try shell(
            """
            export MSORCH_SEGMENT_BYTES=100000
            msorch queue create q --quiet --history 0
            yes "$(printf 'x%.0s' {1..1000})" | head -2000 | msorch send q - --quiet
            # It waits for its reader: a pipe holds 64 KiB.
            msorch queue export q | (head -c 100 > /dev/null; msorch queue purge q --quiet; wc -l)
            echo "export ${PIPESTATUS[0]}"
            """)
        let lines = result.output.split(separator: "\n").map(String.init)
        try #require(lines.count == 2 && lines[1] == "export 1", "\(result)")
        let count = try #require(Int(lines[0].filter(\.isNumber)))
        #expect(count > 0 && count < 2000)
        #expect(
            result.error.hasPrefix(
                "error: Messages of 'q' were taken out while they were exported; "), "\(result)")
    }

    @Test("a message whose id cannot be written out was sent, and the hint says so")
    func sent() throws {
        let result = try shell(
            """
            msorch queue create q --quiet
            msorch send q hi > /dev/full; echo "send $?"
            seq 3 | msorch send q - --output json > /dev/full; echo "lines $?"
            msorch queue ls > /dev/full; echo "ls $?"
            msorch queue stats q --output json | grep -o '"visible":[0-9]*'
            """)
        #expect(result.output == "send 74\nlines 74\nls 74\n\"visible\":4\n")
        let full = "error: No space left on device (write to standard output).\n"
        #expect(
            result.error == full + "hint: The message was sent.\n" + full
                + "hint: 3 were sent.\n" + full)
    }

    struct Mistake: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var script: String
        var message: String
        var status: Int32 = 74
    }

    private static let settings =
        "msorch queue create q --quiet; msorch send q x --quiet >/dev/null; "

    /// The message's record becomes one of a kind that nobody knows.
    private static let zap = #"""
        cd .msorch/queues/q; rm -f checkpoint.json
        python3 - <<'END'
        import re, zlib
        name = '00000000000000000001.jsonl'
        lines = open(name, 'rb').read().split(b'\n')
        line = re.sub(b'"op":"send".*', b'"op":"zap"', lines[1])
        lines[1] = line + b',"crc":"%08x"}' % zlib.crc32(line)
        open(name, 'wb').write(b'\n'.join(lines))
        END
        cd ../../..

        """#

    @Test(
        "what the system refuses is one sentence and a hint",
        arguments: [
            Mistake(
                testDescription: "a directory in place of the lock",
                script: "rm .msorch/queues/q/lock; mkdir .msorch/queues/q/lock; msorch send q y",
                message: """
                    error: Is a directory: ./.msorch/queues/q/lock (open).
                    hint: Nothing was changed. Something else has this name; move it away.

                    """),
            Mistake(
                testDescription: "a directory in place of a segment",
                script: """
                    rm .msorch/queues/q/0*1.jsonl; mkdir .msorch/queues/q/00000000000000000001.jsonl
                    msorch queue stats q
                    """,
                message: """
                    error: Is a directory: ./.msorch/queues/q/00000000000000000001.jsonl (open).
                    hint: Nothing was changed. Something else has this name; move it away.

                    """),
            Mistake(
                testDescription: "a file in place of the queues' folder",
                script: "rm -r .msorch/queues; touch .msorch/queues; msorch queue create r",
                message: """
                    error: Not a directory: ./.msorch/queues (mkdir).
                    hint: Nothing was changed. Something else has this name; move it away.

                    """),
            Mistake(
                testDescription: "a directory in place of the deployment",
                script: "mkdir .msorch/deployment.json; msorch keys list",
                message: """
                    error: Is a directory: ./.msorch/deployment.json (pread).
                    hint: Nothing was changed. Something else has this name; move it away.

                    """),
            Mistake(
                testDescription: "a journal of a newer msorch",
                script: #"""
                    cd .msorch/queues/q; rm -f checkpoint.json reserve lock
                    python3 - <<'END'
                    import zlib
                    name = '00000000000000000001.jsonl'
                    lines = open(name, 'rb').read().split(b'\n')
                    line = lines[0][:-18].replace(b'"format":1', b'"format":2')
                    lines[0] = line + b',"crc":"%08x"}' % zlib.crc32(line)
                    open(name, 'wb').write(b'\n'.join(lines))
                    END
                    cd ../../..; msorch queue stats q
                    """#,
                message: """
                    error: ./.msorch/queues/q/00000000000000000001.jsonl cannot be read: this \
                    journal has format 2; this msorch reads format 1.
                    hint: Nothing was changed. Use the msorch that wrote it, or a newer one.

                    """, status: 5),
            Mistake(
                testDescription: "a record of a newer msorch",
                script: zap + "msorch queue stats q",
                message: """
                    error: ./.msorch/queues/q/00000000000000000001.jsonl cannot be read: a \
                    record of a kind this msorch does not know: 'zap'.
                    hint: Nothing was changed. Use the msorch that wrote it, or a newer one.

                    """, status: 5),
            Mistake(
                testDescription: "a check of a record of a newer msorch",
                script: zap + "msorch queue verify q >&2",
                message: """
                    2 good records in 1 segments
                    00000000000000000001.jsonl at byte 325: a record of a kind this msorch does \
                    not know: 'zap'
                      records 2 to 2, 60 bytes
                    error: The journal of 'q' may be of a newer msorch.
                    hint: Nothing was changed. Use the msorch that wrote it, or a newer one.

                    """, status: 5),
        ])
    func mistakes(mistake: Mistake) throws {
        let result = try shell(Self.settings + mistake.script)
        #expect(result.status == mistake.status, "\(result)")
        #expect(result.error == mistake.message)
    }

    @Test(
        "somebody else's state folder", .enabled(if: Bash.canChangeUser),
        arguments: ["send q y", "queue receive q", "queue stats q", "queue verify q"])
    func otherUser(command: String) throws {
        let result = try shell(
            Self.settings + "chmod 755 . .msorch .msorch/queues .msorch/queues/q; "
                + "exec setpriv --reuid=65534 --clear-groups $(which msorch) \(command)")
        #expect(result.status == 74, "\(result)")
        #expect(
            result.error == """
                error: Permission denied: ./.msorch/queues/q/lock (open).
                hint: Nothing was changed. Is the state folder not yours? --state-dir names \
                another.

                """)
    }

    @Test("a read-only file system", .enabled(if: Bash.canMount))
    func readOnly() throws {
        let result = try shell(
            """
            exec unshare -rm bash -c '\(Self.settings) mount --bind . .; cd "$PWD"
            mount -o remount,ro,bind .; msorch send q y'
            """)
        #expect(result.status == 74, "\(result)")
        #expect(
            result.error == """
                error: Read-only file system: ./.msorch/queues/q/lock (open).
                hint: Nothing was changed. --state-dir names a folder elsewhere.

                """)
    }
}
