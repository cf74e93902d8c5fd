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
        ])
    func names(name: String, other: String, isSame: Bool) {
        var headers: HTTPHeaders = ["First": "1", name: "2"]
        #expect(headers[other] == (isSame ? "2" : nil))
        headers.append(other, "3")
        #expect(headers.isRepeated(name) == isSame)
        #expect(headers.all(other) == (isSame ? ["2", "3"] : ["3"]))
    }
}
