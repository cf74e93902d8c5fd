import Foundation
import JSON
import Posix
import TestSupport
import Testing

/// Messages on their way to functions: partial failures, dead letters, filters, windows, groups.
@Suite struct DrainTests {
    private let folder: TemporaryFolder

    private static let worker = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Fixtures/functions/worker").path

    init() throws { folder = try TemporaryFolder("drain") }

    private func run(_ arguments: [String], input: String = "") throws -> BuiltExecutable.Result {
        try BuiltExecutable.run(
            BuiltExecutable.folder + "/msorch", arguments, in: folder.path, input: input,
            inheritingPath: true)
    }

    /// One function on one queue.
    ///
    /// - Parameter comesBack: the queue hides what it hands out for a second alone: for messages
    ///   that are to be seen again. Others must not be, however slow the machine is.
    private func deploy(
        handler: String = "handle", queue: String = "Work", trigger: String = "",
        settings: String = "", comesBack: Bool = true
    ) throws {
        let seconds = comesBack ? 1 : 60
        let dead = queue.hasSuffix(".fifo") ? "Dead.fifo" : "Dead"
        let stack = """
            {"lambdas": {"Worker": {"runtime": "python3", "handler": "handler.\(handler)",
              "code": "\(Self.worker)", "timeout": \(seconds),
              "policies": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}],
              "triggers": [{"queue": "\(queue)"\(trigger)}]}},
             "queues": {"\(queue)": {"visibilityTimeout": \(seconds)\(settings)},
              "\(dead)": {}, "Free": {}}}
            """
        try FileSystem.replace(folder.path + "/stack.json", with: Array(stack.utf8))
        let result = try run(["deploy", "--quiet"])
        try #require(result.status == 0, "\(result.error)")
    }

    private func send(_ bodies: [String], _ options: [String] = [], to queue: String = "Work")
        throws
    {
        let result = try run(
            ["send", queue, "-", "--quiet"] + options, input: bodies.joined(separator: "\n"))
        try #require(result.status == 0, "\(result.error)")
    }

    private func drain(_ options: [String] = []) throws -> (status: Int32, summary: JSONValue) {
        let result = try run(["drain", "--output", "json"] + options)
        return (result.status, (try? JSONValue.parse(result.output)) ?? .string(result.error))
    }

    /// The ids of each batch, as the worker logged them.
    private func batches() throws -> [[Int64]] {
        let result = try run(["logs", "Worker", "--filter", "batch"])
        return try result.output.split(separator: "\n").map { line in
            (try JSONValue.parse(String(line))["batch"]?.arrayValue ?? []).compactMap(\.intValue)
        }
    }

    @Test("a message that fails comes back by itself; the others of its batch are done")
    func partialFailure() throws {
        try deploy(trigger: #", "reportBatchItemFailures": true"#)
        try send((1...5).map { #"{"id": \#($0), "fail": \#($0 == 3 ? 1 : 0)}"# })
        let (status, summary) = try drain()
        #expect(status == 0)
        #expect(summary["succeeded"] == 5 && summary["failed"] == 1, "\(summary)")
        #expect(summary["failedBatches"] == 0 && summary["waiting"] == 0)
        #expect(try batches() == [[1, 2, 3, 4, 5], [3]])
    }

    @Test("a function error brings the whole batch back")
    func functionError() throws {
        try deploy(trigger: #", "reportBatchItemFailures": true"#)
        try send([#"{"id": 1}"#, #"{"id": 2, "raise": 1}"#])
        let (status, summary) = try drain()
        #expect(status == 0)
        #expect(summary["succeeded"] == 2 && summary["failed"] == 2, "\(summary)")
        #expect(summary["failedBatches"] == 1)
    }

    @Test("an answer that names unknown messages fails the batch, and dead letters are told")
    func deadLetters() throws {
        try deploy(
            handler: "strange", trigger: #", "reportBatchItemFailures": true"#,
            settings: #", "redrive": {"deadLetterQueue": "Dead", "maxReceiveCount": 2}"#)
        try send([#"{"id": 1}"#])
        let result = try run(["drain"])
        #expect(result.status == 1)
        #expect(result.error.contains("1 messages went to dead-letter queues"), "\(result)")
        let dead = try run(["poll", "Dead", "--wait", "0", "--output", "json"])
        #expect(try JSONValue.parse(dead.output)["Body"] == #"{"id": 1}"#)
    }

    @Test("what does not fit into one event comes with the next, on the same receive")
    func largeMessages() throws {
        try deploy(
            settings: #", "redrive": {"deadLetterQueue": "Dead", "maxReceiveCount": 1}"#,
            comesBack: false)
        let padding = String(repeating: "x", count: 700_000)
        try send((1...10).map { #"{"id": \#($0), "padding": "\#(padding)"}"# })
        let (status, summary) = try drain()
        #expect(status == 0)
        #expect(summary["succeeded"] == 10 && summary["failed"] == 0, "\(summary)")
        let batches = try batches()
        #expect(batches.count == 2 && batches.flatMap { $0 }.sorted() == Array(1...10))
    }

    @Test("a batch is full at 6 MB, and does not wait for the end of its window")
    func fullInBytes() throws {
        try deploy(trigger: #", "batchSize": 10000, "batchWindow": 300"#, comesBack: false)
        let padding = String(repeating: "x", count: 700_000)
        try send((1...10).map { #"{"id": \#($0), "padding": "\#(padding)"}"# })
        let (status, summary) = try drain(["--timeout", "120"])
        #expect(status == 0 && summary["succeeded"] == 10, "\(summary)")
        #expect(summary["batches"] == 2, "\(summary)")
    }

    @Test("what of a group does not fit into one event comes once that is done, not received again")
    func largeGroup() throws {
        try deploy(
            queue: "Work.fifo",
            settings: #"""
                , "contentBasedDeduplication": true,
                "redrive": {"deadLetterQueue": "Dead.fifo", "maxReceiveCount": 1}
                """#, comesBack: false)
        let padding = String(repeating: "x", count: 700_000)
        try send(
            (1...10).map { #"{"id": \#($0), "padding": "\#(padding)"}"# }, ["--group", "a"],
            to: "Work.fifo")
        let (status, summary) = try drain()
        #expect(status == 0 && summary["succeeded"] == 10, "\(summary)")
        #expect(summary["failed"] == 0 && summary["deadLetters"] == 0, "\(summary)")
        let batches = try batches()
        #expect(batches.count == 2 && batches.flatMap { $0 } == Array(1...10), "\(batches)")
    }

    @Test("without reports, what a function returns does not matter")
    func withoutReports() throws {
        try deploy(handler: "strange", comesBack: false)
        try send([#"{"id": 1}"#])
        let (status, summary) = try drain()
        #expect(status == 0 && summary["succeeded"] == 1, "\(summary)")
    }

    @Test("what a filter drops is deleted and never seen")
    func filter() throws {
        try deploy(
            trigger: #", "filter": {"body": {"id": [{"numeric": [">", 2]}]}}"#, comesBack: false)
        try send((1...4).map { #"{"id": \#($0)}"# } + ["no JSON"])
        let (status, summary) = try drain()
        #expect(status == 0)
        #expect(summary["filtered"] == 3 && summary["succeeded"] == 2, "\(summary)")
        #expect(try batches() == [[3, 4]])
    }

    @Test("a window fills larger batches, and a full one does not wait for its end")
    func window() throws {
        try deploy(
            trigger: #", "batchSize": 25, "batchWindow": 300"#, settings: #", "delay": 0"#,
            comesBack: false)
        try send((1...25).map { #"{"id": \#($0)}"# })
        let (status, summary) = try drain()
        #expect(status == 0 && summary["batches"] == 1, "\(summary)")
    }

    @Test("a group's messages come in order, also behind one that fails")
    func groups() throws {
        try deploy(
            queue: "Work.fifo", trigger: #", "reportBatchItemFailures": true, "batchSize": 1"#,
            settings: #", "contentBasedDeduplication": true"#)
        for group in ["a", "b"] {
            let base = group == "a" ? 0 : 10
            try send(
                (1...3).map { #"{"id": \#(base + $0), "fail": \#($0 == 1 ? 1 : 0)}"# },
                ["--group", group], to: "Work.fifo")
        }
        let (status, summary) = try drain()
        #expect(status == 0 && summary["succeeded"] == 6, "\(summary)")
        let seen = try batches().flatMap { $0 }
        #expect(seen.filter { $0 < 10 } == [1, 1, 2, 3])
        #expect(seen.filter { $0 > 10 } == [11, 11, 12, 13])
    }

    @Test("the record is AWS's, attributes and all")
    func record() throws {
        try deploy(handler: "show", comesBack: false)
        _ = try run(["send", "Work", "body", "--attributes", #"{"n": 7, "t": "x"}"#])
        #expect(try drain().status == 0)
        let log = try run(["logs", "Worker", "--filter", "Records"]).output
        let record = try #require(try JSONValue.parse(log)["Records"]?.arrayValue?.first)
        #expect(record["body"] == "body" && record["eventSource"] == "aws:sqs")
        #expect(record["eventSourceARN"] == "arn:aws:sqs:us-east-1:123456789012:Work")
        #expect(record["awsRegion"] == "us-east-1")
        #expect(record["md5OfBody"] == "841a2d689ad86bd1611447453c22c6fc")
        #expect(record["attributes"]?["ApproximateReceiveCount"] == "1")
        #expect(
            record["messageAttributes"]?["n"] == [
                "stringValue": "7", "stringListValues": [], "binaryListValues": [],
                "dataType": "Number",
            ])
        #expect(record["md5OfMessageAttributes"]?.stringValue?.count == 32)
    }

    @Test("the record of a dead letter says where it came from")
    func deadLetter() throws {
        try deploy(handler: "show", comesBack: false)
        let settings = ["--max-receive-count", "1", "--visibility-timeout", "0"]
        let made = try run(["queue", "create", "Giver", "--dead-letter-queue", "Work"] + settings)
        #expect(made.status == 0, "\(made)")
        try send(["letter"], to: "Giver")
        for _ in 0..<2 { #expect(try run(["queue", "receive", "Giver"]).status == 0) }
        #expect(try drain().status == 0)
        let log = try run(["logs", "Worker", "--filter", "Records"]).output
        let record = try #require(try JSONValue.parse(log)["Records"]?.arrayValue?.first)
        #expect(
            record["attributes"]?["DeadLetterQueueSourceArn"]
                == "arn:aws:sqs:us-east-1:123456789012:Giver")
    }

    @Test("time runs out, names are wrong: one clear sentence each")
    func mistakes() throws {
        #expect(try run(["drain"]).status == 3)
        try deploy()
        try send([#"{"id": 1, "raise": 100}"#])
        let late = try run(["drain", "--timeout", "1"])
        #expect(late.status == 1 && late.error.contains("1 messages are left"), "\(late)")
        let free = try run(["drain", "Free"])
        #expect(free.status == 2 && free.error.contains("has no trigger"), "\(free)")
        #expect(try run(["drain", "Wrk"]).status == 3)
    }

    @Test("SIGTERM ends the functions, and the messages come back")
    func terminated() throws {
        try deploy(handler: "slow")
        try send([#"{"id": 1}"#])
        let result = try BuiltExecutable.run(
            BuiltExecutable.folder + "/msorch", ["drain"], in: folder.path
        ) { process in
            let isRunning = eventually { ProcessTree.descendants(of: process).count >= 2 }
            #expect(isRunning)
            kill(process, SIGTERM)
        }
        #expect(result.status == 143)
        let environments = folder.path + "/.msorch/run/environments"
        #expect(try FileSystem.list(environments).isEmpty)
        let back = try run(["poll", "Work", "--wait", "5"])
        #expect(back.output.contains(#"{"id": 1}"#))
    }
}
