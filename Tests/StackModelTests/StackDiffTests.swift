import JSON
import QueueModel
import StackModel
import Testing

@Suite struct StackDiffTests {
    private static func stack(_ text: String) throws -> Stack {
        Stack(json: try JSONValue.parse(text))
    }

    private static func lines(_ diff: StackDiff) -> [String] {
        diff.entries.map { entry in
            switch entry.kind {
            case .created: return "+ \(entry.resource) \(entry.name)"
            case .removed: return "- \(entry.resource) \(entry.name)"
            case .changed(let changes):
                let list = changes.map {
                    let from = $0.from?.serialized() ?? "none"
                    return "\($0.path) \(from) → \($0.to?.serialized() ?? "none")"
                }
                return "~ \(entry.resource) \(entry.name): \(list.joined(separator: ", "))"
            }
        }
    }

    @Test(
        "a function is another where only the bytes of what it gets are",
        arguments: [#""handler": "\#u{E9}.f""#, #""environment": {"FOLDER": "caf\#u{E9}"}"#])
    func spelling(member: String) throws {
        func functions(_ member: String) throws -> [FunctionDefinition] {
            try Self.stack(#"{"lambdas": {"F": {\#(member)}}, "queues": {}}"#).functions
        }
        #expect(try functions(member) == functions(member))
        #expect(try functions(member) != functions(member.replacing("\u{E9}", with: "e\u{301}")))
    }

    @Test(
        "what a deploy would do",
        arguments: [
            (#"{"lambdas":{},"queues":{"A":{}}}"#, #"{"lambdas":{},"queues":{"A":{}}}"#, []),
            // A default spelled out is no change.
            (
                #"{"lambdas":{},"queues":{"A":{}}}"#,
                #"{"lambdas":{},"queues":{"A":{"visibilityTimeout":30}},"region":"us-east-1"}"#, []
            ),
            (
                #"{"lambdas":{},"queues":{"A":{}}}"#, #"{"lambdas":{},"queues":{"B":{}}}"#,
                ["+ queue B", "- queue A"]
            ),
            (
                #"{"lambdas":{},"queues":{"A":{"delay":1}}}"#,
                #"{"lambdas":{},"queues":{"A":{"redrive":{"deadLetterQueue":"B","#
                    + #""maxReceiveCount":5}}}}"#,
                [
                    #"~ queue A: delay 1 → 0, redrive none → "#
                        + #"{"deadLetterQueue":"B","maxReceiveCount":5}"#
                ]
            ),
            (
                #"{"lambdas":{"F":{"runtime":"python3","code":"f","timeout":3}},"queues":{}}"#,
                #"{"lambdas":{"F":{"runtime":"python3","code":"f","timeout":5,"#
                    + #""environment":{"A":"b"}}},"queues":{},"name":"other"}"#,
                [
                    #"~ stack other: name "stack" → "other""#,
                    #"~ function F: timeout 3 → 5, environment none → {"A":"b"}"#,
                ]
            ),
        ] as [(String, String, [String])])
    func rows(old: String, new: String, expected: [String]) throws {
        let diff = StackDiff(from: try Self.stack(old), to: try Self.stack(new))
        #expect(Set(Self.lines(diff)) == Set(expected))
    }

    @Test("a stack's one spelling is the same after being written and read")
    func stable() throws {
        let text = """
            {"lambdas": {"F": {"runtime": "python3", "code": "f", "handler": "a.b",
             "triggers": [{"queue": "A.fifo"}]}}, "queues": {"A.fifo": {}},
             "routes": {"GET /": {"lambda": "F"}}}
            """
        let stack = try Self.stack(text)
        #expect(Stack(json: stack.json) == stack)
        #expect(try Self.stack(stack.json.serialized()) == stack)
        #expect(stack.function("F")?.triggers.first?.batchSize == 10)
        #expect(stack.queues.first?.settings.isFIFO == true)
    }
}
