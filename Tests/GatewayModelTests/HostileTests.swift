import GatewayModel
import JSON
import Testing

/// What strangers, careless authors and broken functions send: refused or taken, never the end of
/// the process. By seed, so that a failure comes again.
@Suite struct HostileTests {
    struct Generator: RandomNumberGenerator {
        private var state: UInt64
        init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }
        mutating func next() -> UInt64 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return state &* 0x2545_F491_4F6C_DD1D
        }

        mutating func text(_ letters: String, _ length: ClosedRange<Int>) -> String {
            let letters = Array(letters)
            return String(
                (0..<Int.random(in: length, using: &self)).map { _ in
                    letters[Int.random(in: letters.indices, using: &self)]
                })
        }

        /// Any JSON, its texts out of `words`.
        mutating func json(_ words: [String], depth: Int) -> JSONValue {
            func word() -> String { words.randomElement(using: &self) ?? "" }
            switch Int.random(in: 0..<(depth > 0 ? 9 : 6), using: &self) {
            case 0: return .null
            case 1: return .bool(Bool.random(using: &self))
            case 2: return .int(Int.random(in: -2...700, using: &self))
            case 3:
                return .number(JSONNumber(text: "1e\(Int.random(in: -400...400, using: &self))"))
            case 4, 5: return .string(word())
            case 6:
                return .array(
                    (0..<Int.random(in: 0...3, using: &self)).map { _ in
                        json(words, depth: depth - 1)
                    })
            default:
                return .object(
                    JSONObject(
                        (0..<Int.random(in: 0...4, using: &self)).map { _ in
                            (key: word(), value: json(words, depth: depth - 1))
                        }))
            }
        }
    }

    @Test("patterns", arguments: 0..<8)
    func patterns(seed: UInt64) {
        var generator = Generator(seed)
        for _ in 0..<1500 {
            let text = generator.text(#"ab()[]{}*+?|\^$.,-:<=!0129duxwbB"#, 0...14)
            guard let pattern = try? TextPattern(text) else { continue }
            for candidate in ["", "ab", "aabb01-", "\n", "ü"] {
                // A text that fits as a whole holds something that fits.
                #expect(!pattern.matches(candidate) || pattern.occurs(in: candidate), "\(text)")
            }
        }
    }

    @Test("schemas, and bodies for them", arguments: 0..<8)
    func schemas(seed: UInt64) {
        var generator = Generator(seed)
        let words = [
            "type", "properties", "required", "items", "enum", "minimum", "maximum", "pattern",
            "oneOf", "anyOf", "allOf", "not", "$ref", "definitions", "#", "#/definitions/a", "a",
            "additionalProperties", "additionalItems", "minLength", "maxItems", "multipleOf",
            "dependencies", "patternProperties", "uniqueItems", "exclusiveMinimum", "integer",
            "string", "object", "array", "",
        ]
        var compiled = 0
        for _ in 0..<1500 {
            guard let schema = try? RequestSchema(generator.json(words, depth: 5)) else { continue }
            compiled += 1
            var body: [UInt8] = []
            generator.json(words, depth: 4).append(to: &body)
            _ = schema.accepts(body: body)
        }
        #expect(compiled > 20, "some of them are schemas")
    }

    @Test("functions' answers", arguments: 0..<8)
    func answers(seed: UInt64) {
        var generator = Generator(seed)
        let words = [
            "statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded", "cookies",
            "aGk=", "200", "X-A", "Content-Length", "a\r\nb", "", "ü", "errorMessage",
        ]
        var taken = 0
        for _ in 0..<1500 {
            var payload: [UInt8] = []
            generator.json(words, depth: 3).append(to: &payload)
            if Bool.random(using: &generator), !payload.isEmpty {
                payload[Int.random(in: payload.indices, using: &generator)] = UInt8.random(
                    in: 0...255, using: &generator)
            }
            let answers = [
                try? ProxyResponse.version1(payload, kind: .rest, decodesBase64: true),
                try? ProxyResponse.version2(payload),
            ]
            for response in answers.compactMap({ $0 }) {
                taken += 1
                #expect((200...599).contains(response.status))
                #expect(response.headers.allSatisfy { HeaderNames.isValid($0.name) })
            }
            _ = CustomIntegration().response(payload, isError: true)
        }
        #expect(taken > 50)
    }

    @Test("paths, queries and headers", arguments: 0..<8)
    func requests(seed: UInt64) {
        var generator = Generator(seed)
        let routes = ["ANY /", "GET /a/{b}", "ANY /{x}/{y+}", "POST /a%", "GET /{", "PUT /a/b"]
        for kind in APIKind.allCases {
            let table = RouteTable(routes, kind: kind)
            for _ in 0..<500 {
                let path = "/prod/" + generator.text("ab/%25zF.{}+ä", 0...12)
                var request = ProxyEventTests.request(
                    path, query: generator.text("a=&+%2ü", 0...12),
                    headers: [
                        GatewayHeader(generator.text("aA-", 1...3), generator.text("a,;=ü", 0...5)),
                        GatewayHeader("Content-Type", generator.text("image/png;, ", 0...9)),
                        GatewayHeader("Cookie", generator.text("a=; ", 0...6)),
                    ])
                request.body = (0..<4).map { _ in UInt8.random(in: 0...255, using: &generator) }
                let match = table.match(method: "GET", path: request.path.dropFirst(5))
                var context = ProxyEventTests.context(kind, binary: ["image/*"])
                context.variables = match?.variables ?? [:]
                let events = [
                    ProxyEvent.version1(request, context, GatewayCaller()),
                    ProxyEvent.version2(request, context, GatewayCaller()),
                ]
                for event in events {
                    #expect(throws: Never.self) { try JSONValue.parse(event.serialized()) }
                }
            }
        }
    }

    @Test("no stretch of time lets more through than burst and rate", arguments: 0..<20)
    func throttle(seed: UInt64) {
        var generator = Generator(seed)
        let settings = ThrottleSettings(
            rate: Int64.random(in: 0...50, using: &generator),
            burst: Int64.random(in: 0...20, using: &generator))
        var admission = Admission()
        var now: Int64 = 1_764_057_600_000
        var times: [Int64] = []
        for _ in 0..<500 {
            now += Int64.random(in: 0...30, using: &generator)
            let demand = Admission.Demand("stage", settings)
            if (try? admission.admit([demand], at: Timestamp(milliseconds: now))) != nil {
                times.append(now)
            }
        }
        for first in stride(from: 0, to: times.count, by: 7) {
            for last in stride(from: first, to: times.count, by: 13) {
                let allowed = settings.burst * 1000 + settings.rate * (times[last] - times[first])
                #expect(Int64(last - first + 1) * 1000 <= allowed)
            }
        }
    }
}
