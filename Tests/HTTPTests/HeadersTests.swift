import HTTP
import Testing

@Suite struct HeadersTests {
    /// Names are compared eight bytes at a time where they are the same.
    @Test(
        "names compare without case",
        arguments: [
            ("Host", "hOST", true), ("X-Amz-Target", "x-amz-target", true),
            ("X-Amz-Target", "X-Amz-TARGET", true), ("X-Amz-Target", "X-Amz-Targes", false),
            ("Sec-Fetch-Site", "Content-Length", false), ("Content-Length", "CONTENT-LENGTh", true),
            ("X-Amz-Target", "X-Amz-Targe", false), ("If-Match", "iF-MATCH", true),
            ("a@b", "A`b", false),
            ("Host", "Have", false), ("Origin", "oRIGIN", true),
        ] as [(StaticString, StaticString, Bool)])
    func names(name: StaticString, other: StaticString, isSame: Bool) {
        var headers: HTTPHeaders = ["First": "1", name.description: "2"]
        #expect(headers[other] == (isSame ? "2" : nil))
        headers.append(other.description, "3")
        #expect(headers.isRepeated(name) == isSame)
        #expect(headers.all(other) == (isSame ? ["2", "3"] : ["3"]))
    }

    /// Names and values are checked eight bytes at a time where that is enough.
    @Test("each byte is checked wherever it stands", arguments: [1, 3, 7, 8, 9, 15, 16, 17, 24])
    func everyByte(length: Int) {
        let tokens = Set("!#$%&'*+-.^_`|~".utf8).union(48...57).union(65...90).union(97...122)
        for place in 0..<length {
            for byte in UInt8.min...UInt8.max where byte != 0x0A {
                var text = [UInt8](repeating: UInt8(ascii: "a"), count: length)
                text[place] = byte
                // A colon ends the name, of which there must be some.
                let isName = tokens.contains(byte) || byte == UInt8(ascii: ":") && place > 0
                #expect(isAccepted(text + ": v".utf8) == isName)
                let isText = byte >= 0x20 && byte != 0x7F || byte == 0x09
                #expect(isAccepted("n: ".utf8 + text) == isText)
            }
        }
    }

    private func isAccepted(_ field: [UInt8]) -> Bool {
        var parser = HTTPRequestParser()
        parser.append("GET / HTTP/1.1\r\nHost: h\r\n".utf8 + field + "\r\n\r\n".utf8)
        guard case .request = try? parser.next() else { return false }
        return true
    }
}
