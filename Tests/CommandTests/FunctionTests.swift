import Foundation
import JSON
import Posix
import TestSupport
import Testing

/// Functions that behave and functions that do not, invoked as a user does.
@Suite struct FunctionTests {
    private static let hasNode = (ProcessEnvironment.value("PATH") ?? "").split(separator: ":")
        .contains { FileSystem.isExecutable("\($0)/node") }

    /// A stack of every fixture, deployed once.
    private static let stack = Result { try DeployedStack() }

    private final class DeployedStack: Sendable {
        let folder: TemporaryFolder

        init() throws {
            folder = try TemporaryFolder("functions")
            let fixtures = URL(filePath: #filePath).deletingLastPathComponent()
                .deletingLastPathComponent().appending(path: "Fixtures/functions").path
            let python = [
                "echo", "describe", "fail", "hang", "leave", "crash", "eat", "unserialisable",
                "large", "count", "missing", "browse", "result",
            ]
            var lambdas = JSONObject()
            func add(_ key: String, _ runtime: String, _ handler: String, _ code: String) {
                lambdas[key] = [
                    "functionName": .string("\(key)-function"), "runtime": .string(runtime),
                    "handler": .string(handler), "code": .string("\(fixtures)/\(code)"),
                    "timeout": key == "hang" ? 1 : 20,
                    "environment": ["GREETING": "hello"],
                ]
            }
            for name in python { add(name, "python3.12", "handler.\(name)", "python") }
            add("old-result", "python3.11", "handler.result", "python")
            add("lacking", "python3", "lacking.handler", "python")
            add("broken", "python3", "broken.handler", "python")
            add("malformed", "python3", "handler", "python")
            for name in ["echo", "later", "fail", "reject", "nothing", "inner.handler", "aws"] {
                let key = "node-" + name.prefix { $0 != "." }
                add(key, "nodejs22.x", "index.\(name)", "node")
            }
            add("node-modern", "nodejs", "modern.handler", "node")
            add("node-broken", "nodejs", "broken.handler", "node")
            add("node-lacking", "nodejs", "nowhere.handler", "node")
            add("node-missing", "nodejs", "index.nowhere", "node")
            if !FunctionTests.hasNode {
                lambdas = JSONObject(lambdas.members.filter { !$0.key.hasPrefix("node-") })
            }
            add("bootstrap", "provided.al2023", "", "bootstrap")
            add("silent", "provided", "", "silent")
            let json: JSONValue = [
                "lambdas": .object(lambdas), "queues": ["Known": [:]],
                // One fixture asks AWS without signing.
                "security": ["iam": "off"],
            ]
            try FileSystem.replace(
                folder.path + "/stack.json", with: Array(json.serialized().utf8))
            let result = try BuiltExecutable.run(
                BuiltExecutable.folder + "/msorch", ["deploy", "--quiet"], in: folder.path,
                inheritingPath: true)
            try #require(result.status == 0, "\(result.error)")
        }
    }

    private func run(_ arguments: [String], input: String = "") throws -> BuiltExecutable.Result {
        try BuiltExecutable.run(
            BuiltExecutable.folder + "/msorch", arguments,
            in: Self.stack.get().folder.path, input: input)
    }

    private func invoke(_ function: String, _ payload: String = "{}") throws -> JSONValue {
        let result = try run([
            "invoke", function, "--payload", payload, "--output", "json",
        ])
        return try JSONValue.parse(result.output)
    }

    @Test("a page in a browser gets nothing from the Runtime API")
    func browser() throws {
        let asked = """
            [{}, {"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Origin": "null"},
             {"Sec-Fetch-Site": "cross-site"}]
            """
        let answers = try invoke("browse", asked)["payload"]?.arrayValue?.map(\.intValue)
        #expect(answers == [404, 421, 403, 403, 403])
    }

    @Test("the event goes in, the response comes out, the log on request")
    func echo() throws {
        let event = #"{"a": [1, 2.5, "ñ"]}"#
        let result = try run(["invoke", "echo", "--payload", event, "--log"])
        #expect(result.status == 0)
        let response = try JSONValue.parse(result.output)
        #expect(try response["event"] == JSONValue.parse(event))
        #expect(response["unicode"]?.stringValue == "ñandú 🦤")
        let log = result.error.split(separator: "\n").map(String.init)
        #expect(log.count == 6, "\(log)")
        #expect(log[0].hasPrefix("START RequestId: ") && log[0].hasSuffix(" Version: $LATEST"))
        #expect(log[1] == "plain line")
        #expect(log[2].hasPrefix("[WARNING]\t") && log[2].hasSuffix("\ttwo"))
        #expect(log[3] == "lines")
        #expect(log[4].hasPrefix("END RequestId: "))
        #expect(log[5].hasPrefix("REPORT RequestId: ") && log[5].contains("\tInit Duration: "))
    }

    @Test(
        "results are written as AWS's runtime for Python writes them",
        arguments: [
            ("bytes", #"{"raw":  1}"#),
            ("value", #"{"text": "é", "key": [""]}"#),
            ("decimals", "[12345678901234567.89, 5.0, 1E+3, -0, NaN, Infinity]"),
            (
                "named",
                #"[{"x": 1, "y": [19.90, "é"]}, {"deep": {"x": 1, "y": [19.90, "é"]}}, [1, 2]]"#
            ),
            (
                "plain",
                #"{"1": null, "null": 2.5, "a": [[], {}, "\"", "\\", "ñ🦤"], "list": [1, 1]}"#
            ),
        ])
    func results(event: String, written: String) throws {
        let new = try run(["invoke", "result", "--payload", "\"\(event)\""])
        #expect(new.output == written + "\n", "\(new)")
        let escaped = written.replacing("é", with: #"\u00e9"#)
            .replacing("ñ🦤", with: #"\u00f1\ud83e\udda4"#)
        let old = try run(["invoke", "old-result", "--payload", "\"\(event)\""])
        #expect(old.output == escaped + "\n", "\(old)")
    }

    @Test("payloads from a file and from standard input")
    func payloads() throws {
        let folder = try Self.stack.get().folder.path
        try FileSystem.replace(folder + "/event.json", with: Array("[1]".utf8))
        let file = try run(["invoke", "echo-function", "--payload", "@event.json"])
        #expect(try JSONValue.parse(file.output)["event"] == [1])
        let input = try run(["invoke", "echo", "--payload", "-"], input: "[2]")
        #expect(try JSONValue.parse(input.output)["event"] == [2])
        let none = try run(["invoke", "echo"])
        #expect(try JSONValue.parse(none.output)["event"] == [:])
        let bad = try run(["invoke", "echo", "--payload", "{no"])
        #expect(bad.status == 2 && bad.error.contains("line 1, column 2"), "\(bad)")
        let deep = String(repeating: "[", count: 500) + String(repeating: "]", count: 500)
        let taken = try run(["invoke", "echo", "--payload", "-"], input: deep)
        #expect(taken.status == 0 && taken.output.contains(deep.prefix(400)), "\(taken)")
        let tooDeep = try run(
            ["invoke", "echo", "--payload", "-"], input: String(repeating: "[", count: 600))
        #expect(tooDeep.status == 2 && !tooDeep.error.contains("not JSON"), "\(tooDeep)")
        #expect(tooDeep.error.contains("nested deeper than 512 levels"), "\(tooDeep)")
        let unknown = try run(["invoke", "ech"])
        #expect(unknown.status == 3 && unknown.error.contains("Did you mean 'echo'?"))
    }

    @Test("context and environment are AWS's, and nothing else is seen")
    func context() throws {
        let json = try #require(try invoke("describe")["payload"])
        #expect(json["name"] == "describe-function")
        #expect(json["version"] == "$LATEST")
        #expect(
            json["arn"]
                == "arn:aws:lambda:us-east-1:123456789012:function:describe-function")
        #expect(json["memory"] == "128")
        #expect(json["group"] == "/aws/lambda/describe-function")
        #expect(json["leader"] == true)
        let remaining = try #require(json["remaining"]?.intValue)
        #expect((1...20_000).contains(remaining))
        let variables = try #require(json["environment"]?.objectValue)
        let known: Set<String> = [
            "_HANDLER", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR", "AWS_LAMBDA_RUNTIME_API",
            "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_LOG_GROUP_NAME",
            "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_REGION",
            "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_EXECUTION_ENV",
            "_X_AMZN_TRACE_ID", "LANG", "TZ", "PATH", "LD_LIBRARY_PATH", "TMPDIR", "HOME",
            "GREETING", "LC_CTYPE",
        ]
        #expect(Set(variables.keys).subtracting(known).isEmpty)
        #expect(known.subtracting(variables.keys).subtracting(["LC_CTYPE"]).isEmpty)
        #expect(variables["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.12")
        #expect(json["folder"] == variables["LAMBDA_TASK_ROOT"])
        let temporary = try #require(variables["TMPDIR"]?.stringValue)
        #expect(!FileSystem.exists(temporary), "the private folder goes with its environment")
    }

    private static let failures:
        [(function: String, payload: String, type: String, message: String)] = [
            ("fail", #"{"why": 7}"#, "ValueError", "no good: 7"),
            ("hang", "{}", "Sandbox.Timedout", "Error: Task timed out after 1.00 seconds"),
            (
                "leave", "{}", "Runtime.ExitError",
                "Error: Runtime exited without providing a reason"
            ),
            (
                "leave", #"{"code": 3}"#, "Runtime.ExitError",
                "Error: Runtime exited with error: exit status 3"
            ),
            (
                "crash", "{}", "Runtime.ExitError",
                "Error: Runtime exited with error: signal: segmentation fault"
            ),
            (
                "eat", "{}", "Runtime.OutOfMemory",
                "Error: Runtime exited with error: signal: killed"
            ),
            (
                "unserialisable", "{}", "Runtime.MarshalError",
                "Unable to marshal response: Object of type object is not JSON serializable"
            ),
            (
                "result", #""circle""#, "Runtime.MarshalError",
                "Unable to marshal response: Circular reference detected"
            ),
            ("result", #""error""#, "Ошибка", "no good"),
            (
                "large", "{}", "Function.ResponseSizeTooLarge",
                "Response payload size exceeded maximum allowed payload size (6291556 bytes)."
            ),
            (
                "missing", "{}", "Runtime.HandlerNotFound",
                "Handler 'missing' missing on module 'handler'"
            ),
            (
                "lacking", "{}", "Runtime.ImportModuleError",
                "Unable to import module 'lacking': No module named 'does_not_exist_at_all'"
            ),
            ("broken", "{}", "Runtime.UserCodeSyntaxError", "Syntax error in module 'broken': "),
            (
                "malformed", "{}", "Runtime.MalformedHandlerName",
                "Bad handler 'handler': not enough values to unpack (expected 2, got 1)"
            ),
            (
                "silent", "{}", "Runtime.InvalidEntrypoint",
                "Error: Couldn't find valid bootstrap(s): [bootstrap]"
            ),
            ("node-fail", "{}", "RangeError", "no good"),
            ("node-reject", "{}", "Runtime.UnhandledPromiseRejection", "Error: nobody looks"),
            ("node-broken", "{}", "Runtime.UserCodeSyntaxError", "SyntaxError: Unexpected token"),
            (
                "node-lacking", "{}", "Runtime.ImportModuleError",
                "Error: Cannot find module 'nowhere'"
            ),
            (
                "node-missing", "{}", "Runtime.HandlerNotFound",
                "index.nowhere is undefined or not exported"
            ),
        ]

    @Test(
        "a function error prints AWS's error object and exits with 1",
        arguments: failures.indices.filter {
            hasNode || !failures[$0].function.hasPrefix("node-")
        })
    func failure(row: Int) throws {
        let (function, payload, type, message) = Self.failures[row]
        let result = try run(["invoke", function, "--payload", payload])
        #expect(result.status == 1, "\(result)")
        let object = try JSONValue.parse(result.output)
        #expect(object["errorType"]?.stringValue == type)
        let words = try #require(object["errorMessage"]?.stringValue)
        #expect(words.contains(message), "\(words)")
    }

    @Test("a failed init phase is run again within the invocation, and both are reported")
    func initPhase() throws {
        let json = try invoke("lacking")
        let log = (json["log"]?.arrayValue ?? []).compactMap(\.stringValue)
        let reports = log.filter { $0.hasPrefix("INIT_REPORT ") }
        #expect(reports.count == 2, "\(log)")
        #expect(reports.last?.contains("\tPhase: invoke\tStatus: error\tError Type: ") == true)
        #expect(log.last?.hasSuffix("Error Type: Runtime.ImportModuleError") == true)
    }

    @Test("a private folder that nobody holds any more is removed")
    func abandoned() throws {
        let left = try Self.stack.get().folder.path + "/.msorch/run/environments/left"
        try FileSystem.makeDirectory(left + "/cache")
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSinceNow: -120)], ofItemAtPath: left)
        _ = try invoke("echo")
        #expect(!FileSystem.exists(left))
    }

    @Test("a timeout takes as long as it says, and its children with it")
    func timeout() throws {
        let file = try Self.stack.get().folder.path + "/hang.pids"
        let json = try invoke("hang", #"{"file": "\#(file)"}"#)
        let duration = try #require(json["durationMilliseconds"]?.doubleValue)
        #expect((1000..<4000).contains(duration))
        let log = (json["log"]?.arrayValue ?? []).compactMap(\.stringValue)
        #expect(log.contains { $0.hasSuffix(" Task timed out after 1.00 seconds") })
        #expect(log.last?.hasSuffix("\tStatus: timeout") == true)
        #expect(try processes(file).allSatisfy { !FileSystem.exists("/proc/\($0)") })
    }

    @Test("kill -9 leaves nobody behind")
    func killed() throws {
        let file = try Self.stack.get().folder.path + "/killed.pids"
        let arguments = ["invoke", "hang", "--payload", #"{"file": "\#(file)"}"#]
        _ = try BuiltExecutable.run(
            BuiltExecutable.folder + "/msorch", arguments, in: Self.stack.get().folder.path
        ) { process in
            let isThere = eventually { FileSystem.exists(file) }
            #expect(isThere)
            kill(process, SIGKILL)
        }
        let processes = try processes(file)
        #expect(processes.count == 2)
        let areGone = eventually { !processes.contains { FileSystem.exists("/proc/\($0)") } }
        #expect(areGone)
    }

    private func processes(_ file: String) throws -> [Int32] {
        String(decoding: try FileSystem.read(file), as: UTF8.self).split(separator: " ")
            .compactMap { Int32($0) }
    }

    @Test(
        "Node.js: async, callback, no answer, nested, ESM, and requests for AWS",
        .enabled(if: hasNode))
    func node() throws {
        let echo = try invoke("node-echo", "[1]")
        #expect(echo["payload"]?["event"] == [1])
        let log = (echo["log"]?.arrayValue ?? []).compactMap(\.stringValue)
        #expect(log.contains { $0.hasSuffix("\tINFO\ttwo\nlines") }, "\(log)")
        #expect(try invoke("node-later")["payload"] == ["later": true])
        #expect(try invoke("node-nothing")["payload"] == .null)
        #expect(try invoke("node-inner")["payload"] == "inner")
        #expect(try invoke("node-modern", "2")["payload"] == ["module": true, "event": 2])
        let urls = try invoke("node-aws")["payload"]?["QueueUrls"]?.arrayValue
        #expect(urls == ["http://sqs.us-east-1.amazonaws.com/123456789012/Known"])
    }

    @Test("a bootstrap that calls out of order is answered in AWS's words")
    func bootstrap() throws {
        let json = try #require(try invoke("bootstrap", "[7]")["payload"])
        #expect(json["event"] == [7])
        #expect(json["early"] == 400)
        #expect(json["unknown"] == 404)
        #expect(json["again"]?["errorType"] == "InvalidStateTransition")
        #expect(
            json["wrong"] == [
                "errorMessage": "Invalid request ID", "errorType": "InvalidRequestID",
            ])
    }

    @Test("several invokes at once do not disturb each other")
    func parallel() async throws {
        try await withThrowingTaskGroup(of: JSONValue?.self) { group in
            for number in 0..<4 {
                group.addTask { try invoke("echo", "\(number)")["payload"]?["event"] }
            }
            var seen: Set<Int64> = []
            for try await event in group { seen.insert(event?.intValue ?? -1) }
            #expect(seen == [0, 1, 2, 3])
        }
    }
}
