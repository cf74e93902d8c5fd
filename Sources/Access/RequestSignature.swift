import JSON

/// What a request says about its own signature, in headers or (pre-signed) in its query.
struct RequestSignature: Equatable {
    var keyID: String
    var scope: CredentialScope
    var date: String
    var signedHeaders: [String]
    var signature: String
    var sessionToken: String?
    /// Seconds that a pre-signed request is good for; `nil` for one that is signed in headers.
    var expires: Int64?

    /// - Throws: `missing`, or `incomplete` with AWS's words for what is not there.
    init(_ request: SignedRequest) throws(SignatureFailure) {
        if let header = request.header("authorization") {
            try self.init(header: header, request)
        } else {
            try self.init(parameters: request.parameters)
        }
    }

    private init(header: String, _ request: SignedRequest) throws(SignatureFailure) {
        let algorithm = SignatureV4.algorithm.utf8
        guard header.utf8.starts(with: algorithm) else {
            throw .incomplete("Authorization header requires \(SignatureV4.algorithm).")
        }
        let parts = Self.parts(of: header.utf8.dropFirst(algorithm.count))
        func required(_ name: String) throws(SignatureFailure) -> String {
            guard let value = Self.value(of: name, in: parts) else {
                throw .incomplete("Authorization header requires '\(name)' parameter.")
            }
            return value
        }
        let date = request.header("x-amz-date") ?? request.header("date")
        guard let date else {
            throw .incomplete(
                "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' "
                    + "header.")
        }
        try self.init(
            credential: try required("Credential"), date: date,
            signedHeaders: try required("SignedHeaders"), signature: try required("Signature"))
        sessionToken = request.header("x-amz-security-token")
    }

    /// The access key that a request names, whatever else its signature lacks.
    static func keyID(of request: SignedRequest) -> String? {
        let credential =
            if let header = request.header("authorization") {
                value(
                    of: "Credential",
                    in: parts(of: header.utf8.dropFirst(SignatureV4.algorithm.utf8.count)))
            } else {
                request.parameters.first { $0.name == "X-Amz-Credential" }?.value
            }
        guard let credential, let end = credential.utf8.firstIndex(of: UInt8(ascii: "/")) else {
            return nil
        }
        return String(credential[..<end])
    }

    /// As above, of a header that is spelled as clients do: the credential first, and only there.
    static func keyID(plain header: String) -> String? {
        var header = header
        return header.withUTF8 { header in
            guard header.starts(with: plainStart) else { return nil }
            let start = plainStart.count
            var end = start
            while end < header.count, header[end] != UInt8(ascii: "/") {
                guard !header[end].isSpace, header[end] != UInt8(ascii: ",") else { return nil }
                end += 1
            }
            guard start < end, end < header.count else { return nil }
            // Another one would count instead.
            for byte in header[end...] where byte == UInt8(ascii: "C") { return nil }
            return String(decoding: header[start..<end], as: UTF8.self)
        }
    }

    private static let plainStart = Array("\(SignatureV4.algorithm) Credential=".utf8)

    private typealias Part = (name: Substring.UTF8View, value: Substring.UTF8View)

    /// `Name=value` between commas. By bytes: this is read for every request.
    private static func parts(of text: Substring.UTF8View) -> [Part] {
        text.split(separator: UInt8(ascii: ",")).compactMap { part in
            part.firstIndex(of: UInt8(ascii: "=")).map { equals in
                (part[..<equals], part[part.index(after: equals)...])
            }
        }
    }

    /// The last of that name; `nil` if it is empty.
    private static func value(of name: String, in parts: [Part]) -> String? {
        let part = parts.last { part in
            part.name.count >= name.utf8.count && unspaced(part.name) == name
        }
        let value = part.map { unspaced($0.value) }
        return value?.isEmpty == false ? value : nil
    }

    private static func unspaced(_ text: Substring.UTF8View) -> String {
        let rest = text.drop { $0.isSpace }
        guard rest.contains(where: \.isSpace) else { return String(Substring(rest)) }
        return String(decoding: rest.filter { !$0.isSpace }, as: UTF8.self)
    }

    private init(
        parameters: [(name: String, value: String)]
    ) throws(SignatureFailure) {
        func value(_ name: String) -> String? { parameters.first { $0.name == name }?.value }
        guard value("X-Amz-Signature") != nil || value("X-Amz-Credential") != nil else {
            throw .missing
        }
        func required(_ name: String) throws(SignatureFailure) -> String {
            guard let value = value(name) else {
                throw .incomplete("AWS query-string parameters must include '\(name)'.")
            }
            return value
        }
        guard try required("X-Amz-Algorithm") == SignatureV4.algorithm else {
            throw .incomplete("X-Amz-Algorithm must be \(SignatureV4.algorithm).")
        }
        try self.init(
            credential: try required("X-Amz-Credential"), date: try required("X-Amz-Date"),
            signedHeaders: try required("X-Amz-SignedHeaders"),
            signature: try required("X-Amz-Signature"))
        sessionToken = value("X-Amz-Security-Token")
        guard let seconds = Int64(try required("X-Amz-Expires")), (1...604_800).contains(seconds)
        else { throw .incomplete("X-Amz-Expires must be between 1 and 604800 seconds.") }
        expires = seconds
    }

    private init(
        credential: String, date: String, signedHeaders: String, signature: String
    ) throws(SignatureFailure) {
        let parts = credential.utf8.split(
            separator: UInt8(ascii: "/"), omittingEmptySubsequences: false
        ).map { String(Substring($0)) }
        guard parts.count == 5, parts[4] == "aws4_request" else {
            throw .incomplete(
                "Credential must have exactly 5 slash-delimited elements, e.g. "
                    + "keyid/date/region/service/term, got '\(credential)'")
        }
        keyID = parts[0]
        scope = CredentialScope(date: parts[1], region: parts[2], service: parts[3])
        self.date = date
        self.signedHeaders = signedHeaders.utf8.split(separator: UInt8(ascii: ";"))
            .map { Substring($0).lowercased() }
        self.signature = signature
    }
}

extension UInt8 {
    /// A space, or a control character that is one.
    var isSpace: Bool { self == 0x20 || (0x09...0x0D).contains(self) }
}
