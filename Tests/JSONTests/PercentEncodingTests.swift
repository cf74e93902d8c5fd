import JSON
import Testing

@Suite struct PercentEncodingTests {
    @Test(
        "only two hexadecimal digits make an escape",
        arguments: [
            ("%41b", "Ab"), ("%c3%A4", "ä"), ("%+F", "%+F"), ("%-0", "%-0"), ("%4", "%4"),
            ("%", "%"), ("a+b", "a+b"), ("%FF", "\u{FFFD}"), ("plain", "plain"), ("", ""),
        ])
    func decode(text: String, decoded: String) {
        #expect(PercentEncoding.decode(text) == decoded)
    }

    @Test("a plus is a space in a query string, and an escaped one is a plus")
    func plus() {
        #expect(PercentEncoding.decode("a+b%2Bc%", plusIsSpace: true) == "a b+c%")
    }

    @Test(
        "a form is refused where a path is forgiven",
        arguments: [
            ("a+b%26", "a b&"), ("", ""), ("%c3%A4", "ä"), ("%", nil), ("%4", nil), ("%4g", nil),
            ("%+4", nil), ("ok%", nil), ("%FF", nil), ("%c3", nil),
        ] as [(String, String?)])
    func form(text: String, decoded: String?) {
        #expect(PercentEncoding.decodeForm(Array(text.utf8)[...]) == decoded)
    }

    @Test("what was encoded is decoded to itself")
    func round() {
        let text = String(decoding: 0...UInt8(127), as: UTF8.self) + "ä/€"
        let encoded = PercentEncoding.encode(text)
        #expect(PercentEncoding.decode(encoded) == text)
        #expect(PercentEncoding.decodeForm(Array(encoded.utf8)[...]) == text)
        #expect(PercentEncoding.encode("/a b", keepsSlash: true) == "/a%20b")
        #expect(PercentEncoding.encode("/a+~", keepsSlash: false) == "%2Fa%2B~")
    }
}
