import Access
import Crypto
import Foundation
import JSON
import Testing

/// The public test vectors of Signature Version 4 (Tests/Fixtures/sigv4), and every refusal.
@Suite struct SignatureTests {
    struct Vector: Sendable, CustomTestStringConvertible {
        var json: JSONValue
        var testDescription: String { json["name"]?.stringValue ?? "" }

        func text(_ name: String) -> String { json[name]?.stringValue ?? "" }
        var key: AccessKey {
            let credentials = json["context"]?["credentials"]
            return AccessKey(
                id: credentials?["access_key_id"]?.stringValue ?? "",
                secret: credentials?["secret_access_key"]?.stringValue ?? "",
                sessionToken: credentials?["token"]?.stringValue)
        }
        var verifier: SignatureVerifier {
            var verifier = SignatureVerifier(region: "us-east-1", service: "service")
            verifier.normalizesPath = json["context"]?["normalize"]?.boolValue ?? true
            let leavesToken = json["context"]?["omit_session_token"]?.boolValue ?? false
            verifier.signsToken = !leavesToken
            return verifier
        }
    }

    static let vectors: [Vector] = {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Fixtures/sigv4/cases.json")
        let bytes = (try? Data(contentsOf: file)) ?? Data()
        return ((try? JSONValue.parse(Array(bytes)))?.arrayValue ?? []).map { Vector(json: $0) }
    }()

    static let signed = Timestamp(iso8601: "2015-08-30T12:36:00Z") ?? Timestamp(milliseconds: 0)

    /// A request as the vectors write them: header lines without a space, folded values.
    static func request(_ text: String) -> SignedRequest {
        let halves = text.components(separatedBy: "\n\n")
        var lines = halves[0].split(separator: "\n").map(String.init)
        let first = lines.removeFirst().split(separator: " ", omittingEmptySubsequences: false)
        let target = first.dropFirst().dropLast().joined(separator: " ")
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var headers: [(name: String, value: String)] = []
        for line in lines {
            if line.first == " ", let last = headers.popLast() {
                headers.append((last.name, last.value + "\n" + line))
            } else {
                let pair = line.split(separator: ":", maxSplits: 1)
                headers.append((String(pair[0]), pair.count > 1 ? String(pair[1]) : ""))
            }
        }
        return SignedRequest(
            method: String(first[0]), path: String(parts[0]),
            query: parts.count > 1 ? String(parts[1]) : "", headers: headers,
            body: Array((halves.count > 1 ? halves[1] : "").utf8))
    }

    @Test("the vectors are there") func found() { #expect(Self.vectors.count == 38) }

    @Test(
        "a request signed in its headers is its signer's", arguments: vectors, ["header", "query"])
    func accepted(vector: Vector, place: String) throws {
        let request = Self.request(vector.text("\(place)-signed-request"))
        let key = try vector.verifier.verify(request, at: Self.signed) {
            $0 == "AKIDEXAMPLE" ? vector.key : nil
        }
        #expect(key == vector.key)
    }

    @Test("what is changed after signing is refused", arguments: vectors)
    func refused(vector: Vector) throws {
        let good = Self.request(vector.text("header-signed-request"))
        var changes: [SignedRequest] = []
        var other = good
        other.method = "DELETE"
        changes.append(other)
        other = good
        other.body.append(0x20)
        changes.append(other)
        other = good
        other.path += "x"
        changes.append(other)
        other = good
        other.query += other.query.isEmpty ? "a=b" : "&a=b"
        changes.append(other)
        for change in changes {
            #expect(throws: SignatureFailure.mismatch) {
                try vector.verifier.verify(change, at: Self.signed) { _ in vector.key }
            }
        }
        var forged = vector.key
        forged.secret += "x"
        #expect(throws: SignatureFailure.mismatch) {
            try vector.verifier.verify(good, at: Self.signed) { _ in forged }
        }
        #expect(throws: SignatureFailure.unknownKey) {
            try vector.verifier.verify(good, at: Self.signed) { _ in nil }
        }
    }

    @Test("what msorch signs, it accepts; with a token as without")
    func roundTrip() throws {
        for token in [nil, "token"] {
            let key = AccessKey(id: "AKIA", secret: "secret", sessionToken: token)
            var request = SignedRequest(
                method: "POST", path: "/prod/orders/a%20b", query: "x=%C3%A4&x=1",
                headers: [("Host", "localhost:8080"), ("Content-Type", "application/json")],
                body: Array("{}".utf8))
            request.headers += SignatureV4.sign(
                request, with: key, region: "eu-west-1", service: "execute-api", at: Self.signed)
            let verifier = SignatureVerifier(region: "eu-west-1", service: "execute-api")
            #expect(try verifier.verify(request, at: Self.signed) { _ in key } == key)
        }
    }

    @Test(
        "a signature is good for one meaning of a query, and for one path where that is asked for",
        arguments: [
            ("/a?q=x%20y", "/a?q=x+y", true), ("/a?q=x+y", "/a?q=x%20y", true),
            ("/a?q=x%2By", "/a?q=x+y", false), ("/a?q=x+y", "/a?q=x%2By", false),
            ("/a", "//a", false), ("/a", "/b/../a", false), ("/a", "/./a", false),
            ("//a", "//a", false), ("/a/", "/a/", true), ("/a%2Fb", "/a%2Fb", true),
            ("/", "/", true),
        ])
    func meanings(signed: String, sent: String, isGood: Bool) throws {
        func request(_ target: String) -> SignedRequest {
            Self.request("GET \(target) HTTP/1.1\nHost:localhost\n\n")
        }
        let key = AccessKey(id: "AKIA", secret: "secret")
        var other = request(sent)
        other.headers += SignatureV4.sign(
            request(signed), with: key, region: "eu-west-1", service: "execute-api",
            at: Self.signed)
        var verifier = SignatureVerifier(region: "eu-west-1", service: "execute-api")
        verifier.requiresNormalizedPath = true
        let result = Result { try verifier.verify(other, at: Self.signed) { _ in key } }
        #expect(((try? result.get()) != nil) == isGood, "\(result)")
    }

    @Test(
        "a signature has its time",
        arguments: [
            (-960, false), (-900, true), (0, true), (900, true), (901, false),
        ] as [(Int64, Bool)])
    func dates(seconds: Int64, isGood: Bool) throws {
        let vector = try #require(Self.vectors.first { $0.testDescription == "get-vanilla" })
        let request = Self.request(vector.text("header-signed-request"))
        let now = Self.signed + .seconds(seconds)
        var verifier = vector.verifier
        let result = Result { try verifier.verify(request, at: now) { _ in vector.key } }
        #expect(((try? result.get()) != nil) == isGood, "\(result)")
        verifier.checksDates = false
        #expect(throws: Never.self) { try verifier.verify(request, at: now) { _ in vector.key } }
    }

    struct Payload: Sendable, CustomTestStringConvertible {
        var testDescription: String
        /// What the signer says of the body.
        var named: String?
        var isGood: Bool
    }

    @Test(
        "the body is signed, whatever a header says of it",
        arguments: [
            Payload(testDescription: "nothing is said", named: nil, isGood: true),
            Payload(
                testDescription: "its hash", named: Digest.sha256Hex(Array("{}".utf8)), isGood: true
            ),
            Payload(
                testDescription: "another's hash", named: Digest.sha256Hex([]), isGood: false),
            Payload(testDescription: "unsigned", named: "UNSIGNED-PAYLOAD", isGood: false),
            Payload(
                testDescription: "signed in chunks", named: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
                isGood: false),
        ])
    func payload(case payload: Payload) throws {
        let key = AccessKey(id: "AKIA", secret: "secret")
        var request = SignedRequest(
            method: "POST", path: "/", query: "", headers: [("Host", "localhost")],
            body: Array("{}".utf8))
        if let named = payload.named { request.headers.append(("X-Amz-Content-Sha256", named)) }
        // The signer takes its own word for the body, as S3's clients do.
        let date = "20150830T123600Z"
        request.headers.append(("X-Amz-Date", date))
        let scope = CredentialScope(date: "20150830", region: "eu-west-1", service: "sqs")
        let names = request.headers.map { $0.name.lowercased() }.sorted()
        let canonical = CanonicalRequest(
            request, signedHeaders: names,
            payloadHash: payload.named ?? Digest.sha256Hex(request.body))
        let signature = SignatureV4.signature(
            of: SignatureV4.stringToSign(canonical, date: date, scope), secret: "secret", scope)
        request.headers.append(
            (
                "Authorization",
                "AWS4-HMAC-SHA256 Credential=AKIA/\(scope.text), "
                    + "SignedHeaders=\(names.joined(separator: ";")), Signature=\(signature)"
            ))
        let verifier = SignatureVerifier(region: "eu-west-1", service: "sqs")
        let result = Result { try verifier.verify(request, at: Self.signed) { _ in key } }
        #expect(((try? result.get()) != nil) == payload.isGood, "\(result)")
    }

    @Test("what a request is to do is signed: no x-amz- header is added later")
    func unsignedHeaders() throws {
        let vector = try #require(Self.vectors.first { $0.testDescription == "get-vanilla" })
        for place in ["header", "query"] {
            var request = Self.request(vector.text("\(place)-signed-request"))
            request.headers.append(("X-Amz-Target", "AmazonSQS.PurgeQueue"))
            #expect(
                throws: SignatureFailure.incomplete(
                    "'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization.")
            ) { try vector.verifier.verify(request, at: Self.signed) { _ in vector.key } }
        }
    }

    @Test(
        "what says who asks for what is said once, also where both are signed",
        arguments: [
            ("X-Amz-Target", ["AmazonSQS.ListQueues", "AmazonSQS.PurgeQueue"]),
            ("x-AMZ-date", ["20150830T123600Z", "20150830T123601Z"]),
            ("Date", ["20150830T123600Z", "20150830T123601Z"]),
            ("X-Amz-Security-Token", ["token", "other"]),
            ("Authorization", ["Basic a"]),
        ])
    func twice(name: String, values: [String]) throws {
        let key = AccessKey(id: "AKIA", secret: "secret")
        var request = SignedRequest(
            method: "POST", path: "/", query: "", headers: [("Host", "localhost")],
            body: Array("{}".utf8))
        if name == "Authorization" {
            request.headers += SignatureV4.sign(
                request, with: key, region: "eu-west-1", service: "sqs", at: Self.signed)
            request.headers += values.map { (name, $0) }
        } else {
            request.headers += values.map { (name, $0) }
            request.headers += SignatureV4.sign(
                request, with: key, region: "eu-west-1", service: "sqs", at: Self.signed)
        }
        let verifier = SignatureVerifier(region: "eu-west-1", service: "sqs")
        let error = #expect(throws: SignatureFailure.self) {
            try verifier.verify(request, at: Self.signed) { _ in key }
        }
        guard case .incomplete(let words)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(words.hasSuffix("' must be in the request once."))
    }

    @Test(
        "which key a request names, however the header is spaced and ordered",
        arguments: [
            ("AWS4-HMAC-SHA256 Credential=AKID/20150830/r/s/aws4_request, Signature=0", "AKID"),
            ("AWS4-HMAC-SHA256 Signature=0,\tCredential = AK ID/20150830 ,", "AKID"),
            ("AWS4-HMAC-SHA256 Credential=A/1, Credential=B/1", "B"),
            ("AWS4-HMAC-SHA256 Credential=AKID", nil),
            ("AWS4-HMAC-SHA256 SignedHeaders=host, =, Credential=", nil),
            ("Basic", nil),
        ] as [(String, String?)])
    func keyID(header: String, id: String?) {
        let request = SignedRequest(
            method: "GET", path: "/", query: "X-Amz-Credential=query/1",
            headers: [(name: "aUTHORIZATION", value: header)], body: [])
        #expect(SignatureVerifier.keyID(of: request) == id)
        let quick = SignatureVerifier.keyID(authorization: ArraySlice(header.utf8))
        #expect(quick == nil || quick == id)
        #expect(quick != nil || !header.hasSuffix("aws4_request, Signature=0"))
    }

    @Test("how far a date may be off is a setting")
    func skew() throws {
        let vector = try #require(Self.vectors.first { $0.testDescription == "get-vanilla" })
        let request = Self.request(vector.text("header-signed-request"))
        var verifier = vector.verifier
        verifier.allowedSkew = .seconds(60)
        for seconds in [-61, 61] as [Int64] {
            #expect(throws: SignatureFailure.self) {
                try verifier.verify(request, at: Self.signed + .seconds(seconds)) { _ in vector.key
                }
            }
        }
        #expect(throws: Never.self) {
            try verifier.verify(request, at: Self.signed + .seconds(60)) { _ in vector.key }
        }
    }

    @Test("a pre-signed request is good for as long as it says")
    func presigned() throws {
        let vector = try #require(Self.vectors.first { $0.testDescription == "get-vanilla" })
        let request = Self.request(vector.text("query-signed-request"))
        for (seconds, isGood) in [(3600 as Int64, true), (3601, false)] {
            let now = Self.signed + .seconds(seconds)
            let result = Result { try vector.verifier.verify(request, at: now) { _ in vector.key } }
            #expect(((try? result.get()) != nil) == isGood, "\(result)")
        }
    }

    @Test(
        "what a pre-signed request says of its signature is said once",
        arguments: [
            "X-Amz-Signature=0", "X-Amz-Credential=A/1", "X-Amz-Date=20150830T123600Z",
            "X-Amz-Security-Token=t",
        ])
    func presignedTwice(parameter: String) throws {
        let vector = try #require(Self.vectors.first { $0.testDescription == "get-vanilla" })
        var request = Self.request(vector.text("query-signed-request"))
        let name = String(parameter.prefix { $0 != "=" })
        if !request.query.contains(name) { request.query += "&\(parameter)" }
        for query in ["\(request.query)&\(parameter)", "\(parameter)&\(request.query)"] {
            request.query = query
            let refusal = SignatureFailure.incomplete("'\(name)' must be in the request once.")
            #expect(throws: refusal) {
                try vector.verifier.verify(request, at: Self.signed) { _ in vector.key }
            }
        }
    }
}
