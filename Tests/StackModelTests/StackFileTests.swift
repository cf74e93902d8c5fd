import Foundation
import JSON
import StackModel
import Testing

@Suite struct StackFileTests {
    static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    static func fixtures(_ kind: String) -> [String] {
        let folder = root.appending(path: "Tests/Fixtures/stacks/\(kind)").path
        return ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
    }

    private func check(_ text: String) -> [String] {
        StackFile(Array(text.utf8)).diagnostics.map { $0.line(file: "s") }
    }

    @Test("the lab is valid, without a warning")
    func lab() throws {
        let bytes = try Data(contentsOf: Self.root.appending(path: "stack.json"))
        let file = StackFile(Array(bytes))
        #expect(file.diagnostics.isEmpty)
        #expect(file.json?["lambdas"]?["CreateOrder"]?["functionName"] == "CreateOrderService")
    }

    @Test("good stacks have no errors", arguments: fixtures("good"))
    func good(name: String) throws {
        let path = Self.root.appending(path: "Tests/Fixtures/stacks/good/\(name)")
        #expect(StackFile(Array(try Data(contentsOf: path))).isValid)
    }

    @Test("bad stacks have exactly one", arguments: fixtures("bad"))
    func bad(name: String) throws {
        let path = Self.root.appending(path: "Tests/Fixtures/stacks/bad/\(name)")
        let errors = StackFile(Array(try Data(contentsOf: path))).diagnostics
            .filter { $0.severity == .error }
        #expect(errors.count == 1, "\(errors)")
    }

    @Test("docs/stack.schema.json is what the validator knows")
    func schema() throws {
        let path = Self.root.appending(path: "docs/stack.schema.json")
        if ProcessInfo.processInfo.environment["MSORCH_RECORD"] == "1" {
            try StackSchema.document.write(to: path, atomically: true, encoding: .utf8)
        }
        #expect(try String(contentsOf: path, encoding: .utf8) == StackSchema.document)
    }

    @Test("messages say what, where, and what is allowed")
    func messages() {
        let text = """
            {
              "lambdas": {
                "CreateOrder": {"runtime": "python3", "handler": "h.f", "code": "c",
                  "timeout": 9000, "memorySiz": 128}
              },
              "queues": {"Q": {}, "Q": {"redrive": {"deadLetterQueue": "R", "maxReceiveCount": 0}}},
              "routes": {"POST /orders": {"lambda": "CreateOrdr"}}
            }
            """
        #expect(
            check(text) == [
                "s:4:18: error: lambdas.CreateOrder.timeout is 9000; allowed: 1 to 900 (seconds)",
                "s:4:24: error: lambdas.CreateOrder.memorySiz is not a key that msorch knows; "
                    + "did you mean 'memorySize'?",
                "s:6:23: error: queues.Q stands twice; first in line 6",
                "s:6:60: error: queues.Q.redrive.deadLetterQueue is 'R', and there is no such queue; "
                    + "did you mean 'Q'?",
                "s:6:84: error: queues.Q.redrive.maxReceiveCount is 0; allowed: 1 to 1000",
                "s:7:41: error: routes.POST /orders.lambda is 'CreateOrdr', and there is no such "
                    + "function; did you mean 'CreateOrder'?",
            ])
    }

    @Test("a queue has at most fifty tags")
    func tags() {
        func text(_ count: Int) -> String {
            let tags = (0..<count).map { "\"t\($0)\": \"v\"" }.joined(separator: ", ")
            return "{\"queues\": {\"Q\": {\"tags\": {\(tags)}}}}"
        }
        #expect(check(text(50)).filter { $0.contains("tags") }.isEmpty)
        #expect(check(text(51)).contains { $0.contains("queues.Q.tags has 51 members") })
    }

    private static func alarm(_ more: String) -> String {
        """
        , "alarms": {"A": {"lambda": "F", "metric": "Errors", "statistic": "Sum", "period": 60,
          "evaluationPeriods": 1, "threshold": 1, "comparison": "GreaterThanThreshold", \(more)}}
        """
    }

    struct Crossing: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var function = ""
        var queues = #""Q": {}"#
        var rest = ""
        var expected: String
    }

    @Test(
        "what does not go together",
        arguments: [
            Crossing(
                testDescription: "visibility below the timeout",
                function: #""timeout": 120, "triggers": [{"queue": "Q"}]"#,
                expected: "Queue visibility timeout: 30 seconds is less than Function timeout: 120"),
            Crossing(
                testDescription: "little visibility",
                function: #""timeout": 6, "triggers": [{"queue": "Q"}]"#,
                expected: "warning: lambdas.F.triggers[0]: the visibility timeout of 'Q' is 30"),
            Crossing(
                testDescription: "a function by the developer's name",
                function: #""functionName": "developer""#,
                expected: "lambdas.F has the function name 'developer', which stands for whoever"),
            Crossing(
                testDescription: "a quota of a standard queue",
                queues: #""Q": {"enforceQuota": true}"#,
                expected: "queues.Q.enforceQuota is for FIFO queues only"),
            Crossing(
                testDescription: "a quota of high throughput",
                queues:
                    #""Q.fifo": {"enforceQuota": true, "throughputLimit": "perMessageGroupId", "deduplicationScope": "messageGroup"}"#,
                expected: "queues.Q.fifo.enforceQuota is true, and high throughput"),
            Crossing(
                testDescription: "a tag of AWS's own", queues: #""Q": {"tags": {"aws:x": "v"}}"#,
                expected: "queues.Q.tags.aws:x begins with 'aws:'"),
            Crossing(
                testDescription: "an alarm that tells nobody there is",
                rest: Self.alarm(#""alarmActions": ["F", "G"]"#),
                expected: "alarms.A.alarmActions[1] is 'G', and there is no such function"),
            Crossing(
                testDescription: "an alarm that tells more than five",
                rest: Self.alarm(#""okActions": ["F", "F", "F", "F", "F", "F"]"#),
                expected: "alarms.A.okActions has 6 elements; allowed: 5"),
            Crossing(
                testDescription: "a large batch without a window",
                function: #""triggers": [{"queue": "Q", "batchSize": 11}]"#,
                expected: "Maximum batch window in seconds must be greater than 0"),
            Crossing(
                testDescription: "a large FIFO batch",
                function: #""triggers": [{"queue": "Q.fifo", "batchSize": 11}]"#,
                queues: #""Q.fifo": {}"#, expected: "allowed for a FIFO queue: 1 to 10"),
            Crossing(
                testDescription: "a FIFO window",
                function: #""triggers": [{"queue": "Q.fifo", "batchWindow": 1}]"#,
                queues: #""Q.fifo": {}"#, expected: "a FIFO queue has no batch window"),
            Crossing(
                testDescription: "two triggers on a pair",
                function: #""triggers": [{"queue": "Q"}, {"queue": "Q"}]"#,
                expected: "lambdas.F.triggers[1] is a second trigger for the queue 'Q'"),
            Crossing(
                testDescription: "a trigger without its permissions",
                function:
                    #""policies": [{"Effect": "Allow", "Action": "sqs:Receive*", "Resource": "*"}], "triggers": [{"queue": "Q"}]"#,
                expected: "lambdas.F.triggers[0]: the function's policies do not allow "
                    + "sqs:DeleteMessage on 'Q', which its trigger needs"),
            Crossing(
                testDescription: "a condition that nobody knows",
                function:
                    #""policies": [{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"Bool": {"k": true}}}, {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"Maybe": {"k": "v"}}}]"#,
                expected: "lambdas.F.policies[1].Condition: 'Maybe' is no condition operator"),
            Crossing(
                testDescription: "a condition's key twice",
                function:
                    #""policies": [{"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"Bool": {"k": true, "k": false}}}]"#,
                expected: "lambdas.F.policies[0].Condition: 'k' stands twice"),
            Crossing(
                testDescription: "a statement's effect twice",
                function:
                    #""policies": [{"Effect": "Deny", "Effect": "Allow", "Action": "*", "Resource": "*"}]"#,
                expected: "lambdas.F.policies[0].Effect stands twice"),
            Crossing(
                testDescription: "a statement about no action",
                function: #""policies": [{"Effect": "Allow", "Resource": "*"}]"#,
                expected: "lambdas.F.policies[0].Action or NotAction is missing"),
            Crossing(
                testDescription: "a statement about some resources and about all but some",
                function:
                    #""policies": [{"Effect": "Deny", "Action": "*", "Resource": "*", "NotResource": "*"}]"#,
                expected: "lambdas.F.policies[0] has Resource and NotResource; allowed: one of them"
            ),
            Crossing(
                testDescription: "a statement about what is no action",
                function:
                    #""policies": [{"Effect": "Deny", "Action": ["sqs:*", "SendMessage"], "Resource": "*"}]"#,
                expected: "lambdas.F.policies[0].Action: 'SendMessage' is no action"),
            Crossing(
                testDescription: "a statement about all but what is no resource",
                function:
                    #""policies": [{"Effect": "Allow", "Action": "*", "NotResource": "Q"}]"#,
                expected: "lambdas.F.policies[0].NotResource: 'Q' is no ARN"),
            Crossing(
                testDescription: "a dead-letter queue of the other type",
                queues:
                    #""Q": {"redrive": {"deadLetterQueue": "D.fifo", "maxReceiveCount": 1}}, "D.fifo": {}"#,
                expected: "is 'D.fifo', a FIFO queue"),
            Crossing(
                testDescription: "its own dead-letter queue",
                queues: #""Q": {"redrive": {"deadLetterQueue": "Q", "maxReceiveCount": 1}}"#,
                expected: "is the queue itself"),
            Crossing(
                testDescription: "a FIFO setting on a standard queue",
                queues: #""Q": {"contentBasedDeduplication": true}"#,
                expected: "queues.Q.contentBasedDeduplication is for FIFO queues only"),
            Crossing(
                testDescription: "fifo against the name", queues: #""Q": {"fifo": true}"#,
                expected: "a FIFO queue's name ends in '.fifo'"),
            Crossing(
                testDescription: "names that Unicode takes for the same",
                rest:
                    ", \"routes\": {\"GET /caf\u{E9}\": {\"lambda\": \"F\"}, "
                    + "\"GET /cafe\u{301}\": {\"lambda\": \"F\"}}",
                expected: "routes.GET /cafe\u{301} stands twice"),
            Crossing(
                testDescription: "a reserved variable",
                function: #""environment": {"AWS_REGION": "x"}"#,
                expected: "lambdas.F.environment.AWS_REGION is a name that Lambda reserves"),
            Crossing(
                testDescription: "an odd period",
                rest:
                    #", "alarms": {"A": {"lambda": "F", "metric": "Errors", "statistic": "Sum", "period": 90, "evaluationPeriods": 1, "threshold": 0, "comparison": "GreaterThanThreshold"}}"#,
                expected: "alarms.A.period is 90; allowed: 10, 20, 30 or a multiple of 60"),
            Crossing(
                testDescription: "more datapoints than periods",
                rest:
                    #", "alarms": {"A": {"lambda": "F", "metric": "Errors", "statistic": "Sum", "period": 60, "evaluationPeriods": 1, "datapointsToAlarm": 2, "threshold": 0, "comparison": "GreaterThanThreshold"}}"#,
                expected: "alarms.A.datapointsToAlarm is 2, more than evaluationPeriods, 1"),
        ])
    func crossing(crossing: Crossing) {
        var function = crossing.function.isEmpty ? "" : ", " + crossing.function
        if !function.contains("policies") {
            function += #", "policies": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]"#
        }
        let text =
            #"{"lambdas": {"F": {"runtime": "python3", "handler": "h.f", "code": "c"\#(function)}}, "queues": {\#(crossing.queues)}\#(crossing.rest)}"#
        let found = check(text)
        #expect(found.count == 1)
        #expect(found.first?.contains(crossing.expected) == true, "\(found)")
    }

    @Test(
        "a trigger's permissions may hang on conditions; a Deny without one is the end",
        arguments: [
            (
                #"{"Effect": "Allow", "Action": "sqs:*", "Resource": "*", "Condition": \#(past)}"#,
                true
            ),
            (
                #"{"Effect": "Allow", "Action": "sqs:*", "Resource": "arn:aws:sqs:${aws:RequestedRegion}:${aws:PrincipalAccount}:Q"}"#,
                true
            ),
            ("\(all), \(all.replacing("Allow", with: "Deny"))", false),
            (
                #"{"Effect": "Allow", "NotAction": "sqs:Send*", "NotResource": "arn:aws:sqs:*:*:R"}"#,
                true
            ),
            (
                #"\#(all), {"Effect": "Deny", "NotAction": ["sqs:Receive*"], "NotResource": "*:R"}"#,
                false
            ),
            (
                #"\#(all), {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": \#(past)}"#,
                true
            ),
            (
                #"{"Effect": "Allow", "Action": "sqs:*", "Resource": "arn:aws:sqs:*:*:R", "Condition": \#(past)}"#,
                false
            ),
        ])
    func conditional(policies: String, isFine: Bool) {
        let found = check(
            #"{"lambdas": {"F": {"runtime": "python3", "handler": "h.f", "code": "c", "policies": [\#(policies)], "triggers": [{"queue": "Q"}]}}, "queues": {"Q": {}}}"#
        )
        #expect(found.isEmpty == isFine, "\(found)")
    }

    private static let all = #"{"Effect": "Allow", "Action": "*", "Resource": "*"}"#
    private static let past = #"{"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}"#

    @Test(
        "hostile files are refused where they go wrong",
        arguments: [
            (Array(#"{"lambdas": {"a"#.utf8) + [0xFF], "s:1:16: error: invalid UTF-8"),
            (
                Array(String(repeating: "[", count: 100_000).utf8),
                "s:1:513: error: nested deeper than 512 levels"
            ),
            ([], "s:1:1: error: the text ends where a value is expected"),
            (Array("[]".utf8), "s:1:1: error: the file is a list; allowed: an object"),
        ] as [([UInt8], String)])
    func hostile(bytes: [UInt8], expected: String) {
        #expect(StackFile(bytes).diagnostics.map { $0.line(file: "s") } == [expected])
    }

    @Test(
        arguments: [
            ("OrdrQueue", "OrderQueue"), ("orderqueue", "OrderQueue"), ("xyz", nil),
            ("PaymnetQueue", "PaymentQueue"), ("OrderQueue", nil),
        ] as [(String, String?)])
    func closest(typed: String, meant: String?) {
        #expect(closestMatch(to: typed, among: ["OrderQueue", "PaymentQueue"]) == meant)
    }
}
