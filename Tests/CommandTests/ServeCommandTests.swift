import Foundation
import HTTP
import JSON
import Posix
import TestSupport
import Testing

/// Commands beside a `serve` that runs: they find it, and make use of it.
@Suite struct ServeCommandTests {
    private let folder: TemporaryFolder

    private static let worker = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Fixtures/functions/worker").path

    init() throws { folder = try TemporaryFolder("serve-commands") }

    private func run(
        _ arguments: [String], environment: [String: String] = [:]
    ) throws -> BuiltExecutable.Result {
        try BuiltExecutable.run(
            BuiltExecutable.folder + "/msorch", arguments, in: folder.path, inheritingPath: true,
            environment: environment)
    }

    private func deploy(
        handler: String = "show", more: String = "", iam: String = "enforce", rest: String = ""
    ) throws {
        let stack = """
            {"lambdas": {"Worker": {"functionName": "WorkerService", "runtime": "python3",
              "handler": "handler.\(handler)", "code": "\(Self.worker)", "timeout": 20\(more)}},
             "queues": {"Failures": {}}, "security": {"iam": "\(iam)"}\(rest)}
            """
        try FileSystem.replace(folder.path + "/stack.json", with: Array(stack.utf8))
        let result = try run(["deploy", "--quiet"])
        try #require(result.status == 0, "\(result.error)")
    }

    private func json(_ arguments: [String]) throws -> JSONValue {
        let result = try run(arguments + ["--output", "json"])
        return (try? JSONValue.parse(result.output)) ?? .string(result.error)
    }

    @Test("status shows it, and no longer when it has ended")
    func status() throws {
        try deploy()
        #expect(try json(["status"])["serve"] == .null)
        let serve = try RunningServe(in: folder.path)
        #expect(try json(["status"])["serve"] == serve.record)
        #expect(try run(["status"]).output.contains(serve.endpointURL))
        #expect(serve.end(by: SIGKILL) == 137)
        #expect(try json(["status"])["serve"] == .null)
    }

    @Test("invoke runs a warm function, and looks as it does without a serve")
    func invoke() throws {
        try deploy(handler: "short", more: #", "environment": {"A": "b"}"#)
        func invoke() throws -> (JSONValue, BuiltExecutable.Result) {
            let arguments = ["invoke", "Worker", "--payload", #"{"Records": []}"#]
            return (try json(arguments), try run(arguments + ["--log"]))
        }
        let (alone, aloneText) = try invoke()
        let serve = try RunningServe(in: folder.path)
        _ = try invoke()
        let (served, servedText) = try invoke()
        #expect(served["payload"] == alone["payload"] && served["statusCode"] == 200)
        #expect(alone["initMilliseconds"] != nil && served["initMilliseconds"] == nil)
        #expect(served["log"]?.arrayValue?.count == alone["log"]?.arrayValue?.count)
        #expect(servedText.output == aloneText.output && servedText.status == 0)
        #expect(servedText.error.contains("begun\n") && servedText.error.contains("REPORT"))
        let reports = try run(["logs", "Worker", "--filter", "REPORT"]).output
        #expect(reports.split(separator: "\n").count == 6, "each is written before its answer")
        let unknown = try run(["invoke", "Wrker"])
        #expect(unknown.status == 3)
        #expect(serve.end(by: SIGTERM) == 0)
    }

    @Test("a deploy counts for the very next invoke; failures keep their exit codes")
    func invokeAfterDeploy() throws {
        try deploy()
        let serve = try RunningServe(in: folder.path)
        #expect(try run(["invoke", "Worker"]).status == 0)
        try deploy(handler: "handle")
        let failed = try run(["invoke", "Worker"])
        #expect(failed.status == 1 && failed.error.contains("failed: KeyError"), "\(failed)")
        try deploy(handler: "strange")
        #expect(try run(["invoke", "Worker"]).output.contains("nobody knows"))
        #expect(serve.end(by: SIGTERM) == 0)
    }

    @Test("simulate asks the queue's own policy, too, whoever set it")
    func simulate() throws {
        let all = #", "policies": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]"#
        try deploy(more: all, iam: "off")
        let arn = "arn:aws:sqs:us-east-1:123456789012:Failures"
        func simulate(_ resource: String, _ more: [String] = []) throws -> [JSONValue?] {
            let command = ["iam", "simulate", "Worker", "sqs:SendMessage", resource] + more
            let json = try json(command)
            return [
                json["decision"], json["statement"]?["Sid"], .int(Int64(try run(command).status)),
            ]
        }
        #expect(try simulate("Failures") == ["allowed", nil, 0])
        let serve = try RunningServe(in: folder.path)
        for (condition, secure) in [
            ("", "explicitDeny"),
            (#", "Condition": {"Bool": {"aws:SecureTransport": "false"}}"#, "allowed"),
        ] {
            let policy = """
                {"Version": "2012-10-17", "Statement": {"Sid": "Shut", "Effect": "Deny",
                  "Principal": "*", "Action": "sqs:SendMessage", "Resource": "\(arn)"\(condition)}}
                """
            let parameters = [
                "Action=SetQueueAttributes", "QueueUrl=/123456789012/Failures",
                "Attribute.1.Name=Policy", "Attribute.1.Value=\(PercentEncoding.encode(policy))",
            ]
            #expect(try serve.get("/?" + parameters.joined(separator: "&")).status == 200)
            for resource in ["Failures", arn] {
                #expect(try simulate(resource) == ["explicitDeny", "Shut", 1])
            }
            #expect(try simulate("\(arn)2") == ["allowed", nil, 0])
            let context = ["--context", "AWS:SecureTransport=true"]
            #expect(try simulate("Failures", context)[0] == .string(secure))
        }
        #expect(serve.end(by: SIGTERM) == 0)
        #expect(try simulate("Failures") == ["explicitDeny", "Shut", 1])
    }

    @Test("env is for a shell, and refuses where nobody serves")
    func env() throws {
        try deploy()
        let refused = try run(["env"])
        #expect(refused.status == 3 && refused.error.contains("--port"), "\(refused)")
        #expect(try json(["env", "--port", "4566"])["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566")
        let serve = try RunningServe(in: folder.path)
        let script = """
            eval "$(msorch env)" && echo "$AWS_ENDPOINT_URL $AWS_DEFAULT_REGION" && type aws &&
            env | grep -E "left over|AWS_ENDPOINT_URL_" | sort &&
            echo "${#AWS_ACCESS_KEY_ID} ${#AWS_SECRET_ACCESS_KEY}"
            """
        let left = [
            "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ENDPOINT_URL_SQS",
            "AWS_ENDPOINT_URL_LAMBDA", "AWS_ENDPOINT_URL_STS",
            "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
            "AWS_SECURITY_TOKEN", "AWS_CREDENTIAL_EXPIRATION",
        ]
        let shell = try BuiltExecutable.run(
            "/bin/sh", ["-c", script], in: folder.path,
            environment: Dictionary(
                uniqueKeysWithValues: (left + ["AWS_ENDPOINT_URL_S3"]).map { ($0, "left over") }))
        #expect(shell.output.hasPrefix("\(serve.endpointURL) us-east-1\n"), "\(shell)")
        // Whoever is not served here stays where it is.
        #expect(shell.output.hasSuffix("\nAWS_ENDPOINT_URL_S3=left over\n20 40\n"), "\(shell)")
        #expect(shell.output.split(separator: "\n").count == 4, "\(shell)")
        #expect(shell.output.contains("aws is a"), "\(shell)")
        let role = try json(["env", "--as", "Worker"])
        #expect(role["AWS_ACCESS_KEY_ID"]?.stringValue?.hasPrefix("ASIA") == true)
        #expect(role["AWS_SESSION_TOKEN"] != nil)
        let fish = try run(["env", "--shell", "fish"]).output
        #expect(fish.contains("set -gx AWS_ENDPOINT_URL '\(serve.endpointURL)'"))
        #expect(left.allSatisfy { fish.contains("\nset -e \($0)\n") }, "\(fish)")
        #expect(try run(["env", "--as", "Wrker"]).error.contains("There is no key"))
    }

    @Test("curl prints the body, tells the status, and fails with it")
    func curl() throws {
        try deploy()
        #expect(try run(["curl", "GET", "/prod/orders"]).status == 3)
        let serve = try RunningServe(in: folder.path)
        let unknown = try run(["curl", "GET", "/prod/orders", "-i", "-H", "X-Test: 1"])
        #expect(unknown.status == 1)
        #expect(unknown.output == "{\"message\":\"Missing Authentication Token\"}\n")
        #expect(unknown.error.hasPrefix("HTTP/1.1 403\n"))
        #expect(try json(["curl", "get", "/prod/orders", "--unsigned"])["status"] == 403)
        #expect(try run(["curl", "GET", "orders"]).status == 2)
        #expect(try run(["curl", "G ET", "/orders"]).status == 2)
        #expect(try run(["curl", "GET", "/orders", "-H", "nothing"]).status == 2)
        #expect(serve.end(by: SIGTERM) == 0)
    }

    @Test("destroy leaves a stack alone that is being served")
    func destroy() throws {
        try deploy()
        let serve = try RunningServe(in: folder.path)
        // As where a full disk kept it from saying where it is.
        try FileSystem.remove(folder.path + "/.msorch/run/serve.json")
        let result = try run(["destroy", "--yes"])
        #expect(result.status == 4 && result.error.contains("process \(serve.pid)"))
        #expect(serve.end(by: SIGTERM) == 0)
        #expect(try run(["destroy", "--yes"]).status == 0)
    }

    /// Lambda's Invoke API, as an SDK calls it; signatures are off.
    private func event(_ payload: String, _ serve: RunningServe) throws -> HTTPResponse {
        try serve.endpoint.send(
            HTTPRequest(
                method: "POST", target: "/2015-03-31/functions/WorkerService/invocations",
                headers: ["X-Amz-Invocation-Type": "Event"], body: Array(payload.utf8)),
            timeout: .seconds(20))
    }

    @Test("an event that was accepted is run, whoever dies before")
    func eventSurvives() throws {
        try deploy(handler: "slow", iam: "off")
        let serve = try RunningServe(in: folder.path)
        #expect(try event(#"{"Records": []}"#, serve).status == 202)
        #expect(serve.end(by: SIGKILL) == 137)
        // What was cut off is hidden for the function's timeout and a cold start: here another.
        try deploy(iam: "off")
        let next = try RunningServe(in: folder.path)
        let answer = try event(#"{"later": 1}"#, next)
        #expect(answer.status == 202)
        let id = try #require(answer.headers["x-amzn-RequestId"])
        let isRun = eventually {
            ((try? run(["logs", "WorkerService"]).output) ?? "").contains("END RequestId: \(id)")
        }
        #expect(isRun, "\(next.words)")
        #expect(next.end(by: SIGTERM) == 0)
        let events = try FileSystem.list(folder.path + "/.msorch/events/queues")
        #expect(events.filter { !$0.hasPrefix(".") } == ["WorkerService"])
    }

    @Test("an event that fails for good tells its destination")
    func destination() throws {
        let more = #", "maximumRetryAttempts": 0, "onFailure": "Failures""#
        try deploy(handler: "handle", more: more, iam: "off")
        let serve = try RunningServe(in: folder.path)
        #expect(try event(#"{"order": 7}"#, serve).status == 202)
        let polled = try run(["poll", "Failures", "--wait", "20", "--output", "json"]).output
        let body = try JSONValue.parse(polled)["Body"]?.stringValue ?? ""
        let record = try JSONValue.parse(body)
        #expect(record["version"] == "1.0" && record["requestPayload"] == ["order": 7])
        #expect(record["requestContext"]?["condition"] == "RetriesExhausted")
        #expect(record["requestContext"]?["approximateInvokeCount"] == 1)
        #expect(record["responseContext"]?["functionError"] == "Unhandled")
        #expect(record["responsePayload"]?["errorType"] == "KeyError")
        #expect(serve.end(by: SIGTERM) == 0)
        #expect(try run(["metrics", "WorkerService"]).output.contains("AsyncEventsDropped"))
    }

    @Test("an event that no concurrency is left for tells its destination; later ones run")
    func stopped() throws {
        let more = #", "reservedConcurrency": 0, "onFailure": "Failures""#
        try deploy(more: more, iam: "off")
        let serve = try RunningServe(in: folder.path)
        #expect(try event(#"{"order": 7}"#, serve).status == 202)
        let polled = try run(["poll", "Failures", "--wait", "20", "--output", "json"]).output
        let body = try JSONValue.parse(polled)["Body"]?.stringValue ?? ""
        #expect(try JSONValue.parse(body)["requestPayload"] == ["order": 7])
        try deploy(iam: "off")
        let isReplaced = eventually { serve.words.contains("took over") }
        #expect(isReplaced)
        let id = try #require(
            try event(#"{"Records": []}"#, serve).headers["x-amzn-RequestId"])
        let isRun = eventually {
            ((try? run(["logs", "WorkerService"]).output) ?? "").contains("END RequestId: \(id)")
        }
        #expect(isRun, "\(serve.words)")
        #expect(serve.end(by: SIGTERM) == 0)
    }

    @Test("serve writes how deep a queue is that nobody uses")
    func idleDepth() throws {
        try deploy()
        #expect(try run(["send", "Failures", "x"]).status == 0)
        try FileManager.default.removeItem(atPath: folder.path + "/.msorch/metrics")
        let serve = try RunningServe(in: folder.path)
        let isWritten = eventually {
            let metrics = (try? run(["metrics", "Failures"]).output) ?? ""
            return metrics.contains("ApproximateNumberOfMessagesVisible")
        }
        #expect(isWritten, "\(serve.words)")
        #expect(serve.end(by: SIGTERM) == 0)
    }

    @Test("an alarm under serve: told by its log, in the history, and to its function")
    func alarm() throws {
        let alarm = """
            , "alarms": {"Deep": {"queue": "Failures", "statistic": "Maximum", "period": 10,
              "metric": "ApproximateNumberOfMessagesVisible", "evaluationPeriods": 1,
              "threshold": 2, "comparison": "GreaterThanThreshold", "alarmActions": ["Worker"]}}
            """
        try deploy(rest: alarm)
        let serve = try RunningServe(in: folder.path)
        // The depth that a command sees at its end is the metric.
        for number in 0..<3 { #expect(try run(["send", "Failures", "\(number)"]).status == 0) }
        let isTold = eventually { serve.words.contains("Deep is ALARM: Threshold Crossed") }
        #expect(isTold, "\(serve.words)")
        let alarms = try json(["alarms"]).arrayValue
        #expect(alarms?.first?["state"] == "ALARM", "\(String(describing: alarms))")
        let isRun = eventually {
            let logs = (try? run(["logs", "WorkerService"]).output) ?? ""
            return logs.contains(":alarm:Deep") && logs.contains("aws.cloudwatch")
        }
        #expect(isRun, "\(serve.words)")
        #expect(serve.end(by: SIGTERM) == 0)
    }

    @Test("what an alarm finds without a serve waits for one")
    func alarmWaits() throws {
        let alarm = """
            , "alarms": {"Calm": {"queue": "Failures", "statistic": "Sum", "period": 10,
              "metric": "NumberOfMessagesSent", "evaluationPeriods": 1, "threshold": 0,
              "comparison": "GreaterThanThreshold", "treatMissingData": "notBreaching",
              "okActions": ["Worker"]}}
            """
        try deploy(rest: alarm)
        // At the first whole ten seconds after the deploy.
        var judged = try run(["alarms"])
        let isJudged = eventually {
            if let again = try? run(["alarms"]) { judged = again }
            return judged.error.contains("waits for Worker")
        }
        #expect(isJudged && judged.status == 0, "\(judged)")
        #expect(!(try run(["alarms"]).error.contains("waits for")))
        let serve = try RunningServe(in: folder.path)
        let isRun = eventually {
            ((try? run(["logs", "WorkerService"]).output) ?? "").contains(":alarm:Calm")
        }
        #expect(isRun, "\(serve.words)")
        #expect(serve.end(by: SIGTERM) == 0)
    }
}
