import GatewayModel
import JSON
import Testing

@Suite struct ProxyResponseTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String { payload }
        var payload: String
        var status: Int
        var body = ""
        var headers: [String] = []

        init(_ payload: String, _ status: Int, _ body: String = "", _ headers: [String] = []) {
            self.payload = payload
            self.status = status
            self.body = body
            self.headers = headers
        }
    }

    private func lines(_ response: GatewayResponse) -> [String] {
        response.headers.map { "\($0.name): \($0.value)" }
    }

    static let json = "Content-Type: application/json"

    @Test(
        "answers of format 1.0 that a REST API takes",
        arguments: [
            Case("{}", 200, "", [json]),
            Case(#"{"headers": null, "multiValueHeaders": null, "body": null}"#, 200, "", [json]),
            Case(#"{"statusCode": "201", "body": "b"}"#, 201, "b", [json]),
            Case(#"{"statusCode": 404.0}"#, 404, "", [json]),
            Case(
                #"{"headers": {"X-A": true, "content-type": "text/html"}}"#, 200, "",
                ["X-A: true", "content-type: text/html"]),
            Case(
                #"{"headers": {"A": "1"}, "multiValueHeaders": {"B": ["2", "3"]}}"#, 200, "",
                ["A: 1", "B: 2", "B: 3", json]),
            Case(
                #"{"headers": {"A": "1"}, "multiValueHeaders": {"a": ["1", "2"]}}"#, 200, "",
                ["a: 1", "a: 2", json]),
            Case(
                #"{"headers": {"A": "0"}, "multiValueHeaders": {"A": ["1"]}}"#, 200, "",
                ["A: 0", "A: 1", json]),
            Case(
                #"{"headers": {"Content-Length": "5", "Transfer-Encoding": "chunked"}}"#, 200, "",
                ["x-amzn-Remapped-Content-Length: 5", json]),
            Case(#"{"body": "aGk=", "isBase64Encoded": true}"#, 200, "aGk=", [json]),
        ])
    func good(_ sample: Case) throws {
        let response = try ProxyResponse.version1(
            Array(sample.payload.utf8), kind: .rest, decodesBase64: false)
        #expect(response.status == sample.status)
        #expect(String(decoding: response.body, as: UTF8.self) == sample.body)
        #expect(lines(response) == sample.headers)
    }

    @Test(
        "answers that are none",
        arguments: [
            "", "null", "\"text\"", "12", "[]", "{", #"{"wrongValue": 1}"#,
            #"{"statusCode": "test"}"#, #"{"statusCode": 99}"#, #"{"statusCode": 101}"#,
            #"{"statusCode": 600}"#, #"{"statusCode": 200.5}"#, #"{"statusCode": true}"#,
            #"{"statusCode": 1e300}"#, #"{"body": {}}"#, #"{"body": 1}"#, #"{"headers": []}"#,
            #"{"headers": {"A": 1}}"#, #"{"headers": {"A": null}}"#, #"{"headers": {"A": ["x"]}}"#,
            #"{"headers": {"A b": "x"}}"#, #"{"headers": {"A\r\nB": "x"}}"#,
            #"{"headers": {"": "x"}}"#, #"{"multiValueHeaders": {"A": "x"}}"#,
            #"{"multiValueHeaders": {"A": [1]}}"#, #"{"isBase64Encoded": "true"}"#,
            #"{"errorMessage": "m", "errorType": "T"}"#,
        ])
    func bad(payload: String) {
        #expect(throws: GatewayFailure.badFunctionResponse) {
            try ProxyResponse.version1(Array(payload.utf8), kind: .rest, decodesBase64: false)
        }
    }

    @Test("base64 becomes bytes for who asks for a binary type")
    func binary() throws {
        let payload = Array(#"{"body": "/wA=", "isBase64Encoded": true}"#.utf8)
        let response = try ProxyResponse.version1(payload, kind: .rest, decodesBase64: true)
        #expect(response.body == [0xFF, 0])
        #expect(throws: GatewayFailure.integrationFailure) {
            try ProxyResponse.version1(
                Array(#"{"body": "no!", "isBase64Encoded": true}"#.utf8), kind: .rest,
                decodesBase64: true)
        }
        func accepts(_ value: String?, _ types: [String]) -> Bool {
            let headers = value.map { [GatewayHeader("Accept", $0)] } ?? []
            return ProxyResponse.acceptsBinary(ProxyEventTests.request(headers: headers), types)
        }
        #expect(accepts("image/png, text/html", ["image/png"]))
        #expect(!accepts("text/html, image/png", ["image/png"]))
        #expect(!accepts(nil, ["image/png"]))
        #expect(accepts(nil, ["*/*"]))
        #expect(!accepts("image/png", []))
    }

    @Test(
        "answers of format 2.0",
        arguments: [
            Case(#"{"order": 1}"#, 200, #"{"order": 1}"#, [json]),
            Case(#""text""#, 200, "text", [json]),
            Case("[1]", 200, "[1]", [json]),
            Case("null", 200, "null", [json]),
            Case(
                #"{"statusCode": 201, "body": "b", "cookies": ["a=1", "b=2"]}"#, 201, "b",
                ["Content-Type: text/plain;charset=UTF-8", "Set-Cookie: a=1", "Set-Cookie: b=2"]),
            Case(
                #"{"statusCode": 200, "body": "aGk=", "isBase64Encoded": true, "x": 1}"#, 200,
                "hi", ["Content-Type: text/plain;charset=UTF-8"]),
        ])
    func version2(_ sample: Case) throws {
        let response = try ProxyResponse.version2(Array(sample.payload.utf8))
        #expect(response.status == sample.status)
        #expect(String(decoding: response.body, as: UTF8.self) == sample.body)
        #expect(lines(response) == sample.headers)
    }

    @Test("the lambda integration: the result is the body, errors find their status by a pattern")
    func custom() throws {
        let integration = CustomIntegration(
            responses: [
                .init(pattern: try TextPattern(".*not found.*"), status: 404),
                .init(pattern: try TextPattern("bad"), status: 400),
                .init(pattern: nil, status: 201, headers: [GatewayHeader("X-A", "1")]),
            ], contentTypes: ["application/json"])
        func status(_ message: String) -> Int {
            let payload = Array(#"{"errorMessage": "\#(message)", "errorType": "E"}"#.utf8)
            return integration.response(payload, isError: true).status
        }
        #expect(status("order not found here") == 404)
        #expect(status("bad") == 400)
        #expect(status("bad luck") == 201, "a pattern fits the whole message")
        let result = Array(#"{"statusCode": 500, "errorMessage": "bad"}"#.utf8)
        let response = integration.response(result, isError: false)
        #expect(response.status == 201, "only a failed function is asked for its message")
        #expect(response.body == result)
        #expect(response.header("x-a") == "1")
        #expect(CustomIntegration().response(result, isError: true).status == 200)
    }

    @Test("the lambda integration: the body is the event")
    func event() throws {
        func event(_ body: String, _ type: String? = nil) throws -> String {
            let headers = type.map { [GatewayHeader("Content-Type", $0)] } ?? []
            let integration = CustomIntegration(contentTypes: ["application/json"])
            return String(
                decoding: try integration.event(
                    ProxyEventTests.request(body: body, headers: headers)), as: UTF8.self)
        }
        #expect(try event(#"{"order_id": 1}"#) == #"{"order_id": 1}"#)
        #expect(try event("") == "{}")
        #expect(throws: GatewayFailure.unsupportedMediaType) { try event("{}", "text/plain") }
        #expect(throws: GatewayFailure.self) { try event("order_id=1") }
    }
}
