import Access
import Crypto
import JSON
import TestSupport
import Testing

/// Project Wycheproof's vectors, valid and hostile. Skipped where they are not there.
@Suite struct WycheproofTests {
    static let signatureFile = Vectors.load("wycheproof/json_web_signature_test.json")
    static let keyFile = Vectors.load("wycheproof/json_web_key_test.json")
    static let codeFile = Vectors.load("wycheproof/hmac_sha256_test.json")

    struct Case: Sendable, CustomTestStringConvertible {
        var number: Int64
        var comment: String
        var keys: JSONValue
        var token: String
        var isValid: Bool
        var testDescription: String { "\(number) \(comment)" }

        /// Symmetric keys and RSA-PSS are not taken at all, whatever the vector says; nor is
        /// `ES521`, which no standard names.
        var isTaken: Bool {
            let isKnown = (keys["keys"]?.arrayValue ?? []).allSatisfy { key in
                guard let name = key["alg"]?.stringValue else { return true }
                return TokenAlgorithm(rawValue: name) != nil
            }
            return isValid && isKnown
        }
    }

    static func cases(_ file: JSONValue?) -> [Case] {
        (file?["testGroups"]?.arrayValue ?? []).flatMap { group -> [Case] in
            let key = group["public"] ?? group["private"] ?? .null
            let keys: JSONValue = key["keys"] == nil ? ["keys": [key]] : key
            return (group["tests"]?.arrayValue ?? []).map { test in
                Case(
                    number: test["tcId"]?.intValue ?? 0,
                    comment: test["comment"]?.stringValue ?? "", keys: keys,
                    token: test["jws"]?.stringValue ?? "", isValid: test["result"] == "valid")
            }
        }
    }

    @Test(
        "signed tokens", .enabled(if: signatureFile != nil, "no vectors: see docs/testing.md"),
        arguments: cases(signatureFile))
    func signatures(_ example: Case) throws { try check(example) }

    @Test(
        "keys", .enabled(if: keyFile != nil, "no vectors: see docs/testing.md"),
        arguments: cases(keyFile))
    func keys(_ example: Case) throws { try check(example) }

    private func check(_ example: Case) throws {
        let result = Result {
            let token = try WebToken(example.token)
            try token.checkSignature(TokenKeySet(json: example.keys))
        }
        let isTaken = (try? result.get()) != nil
        #expect(isTaken == example.isTaken, "\(result)")
    }

    @Test("the valid ones that are for us were taken", .enabled(if: signatureFile != nil))
    func some() { #expect(Self.cases(Self.signatureFile).filter(\.isTaken).count == 18) }

    @Test("HMAC-SHA-256", .enabled(if: codeFile != nil, "no vectors: see docs/testing.md"))
    func codes() throws {
        func bytes(_ text: String?) -> [UInt8] {
            let digits = Array((text ?? "").utf8)
            return stride(from: 0, to: digits.count, by: 2).compactMap {
                UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16)
            }
        }
        var count = 0
        for group in Self.codeFile?["testGroups"]?.arrayValue ?? [] {
            let length = Int(group["tagSize"]?.intValue ?? 0) / 8
            for test in group["tests"]?.arrayValue ?? [] {
                let code = MessageAuthentication.sha256(
                    key: bytes(test["key"]?.stringValue), bytes(test["msg"]?.stringValue))
                let isSame = MessageAuthentication.isEqual(
                    Array(code.prefix(length)), bytes(test["tag"]?.stringValue))
                #expect(isSame == (test["result"] == "valid"), "\(test)")
                count += 1
            }
        }
        #expect(count > 100)
    }
}
