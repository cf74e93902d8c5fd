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
        guard header.utf8.starts(with: SignatureV4.algorithm.utf8) else {
            throw .incomplete("Authorization header requires \(SignatureV4.algorithm).")
        }
        let parts = Parts(header)
        func required(_ name: String) throws(SignatureFailure) -> ArraySlice<UInt8> {
            guard let value = parts[name] else {
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
                Parts(header)["Credential"]
            } else {
                request.parameters.first { $0.name == "X-Amz-Credential" }.map {
                    ArraySlice($0.value.utf8)
                }
            }
        guard let credential, let end = credential.firstIndex(of: UInt8(ascii: "/")) else {
            return nil
        }
        return String(decoding: credential[..<end], as: UTF8.self)
    }

    /// As above, of a header that is spelled as clients do: the credential first, and only there.
    static func keyID(plain header: ArraySlice<UInt8>) -> String? {
        header.withUnsafeBytes { bytes in
            var scanner = JSONScanner(bytes)
            guard scanner.steps(over: "AWS4-HMAC-SHA256 Credential=") else { return nil }
            let start = scanner.at
            var end = start
            while end < bytes.count, bytes[end] != UInt8(ascii: "/") {
                guard !bytes[end].isSpace, bytes[end] != UInt8(ascii: ",") else { return nil }
                end += 1
            }
            // Another one would count instead.
            guard end > start, end < bytes.count,
                !header.dropFirst(end).has(UInt8(ascii: "C"))
            else { return nil }
            return String(decoding: bytes[start..<end], as: UTF8.self)
        }
    }

    /// `Name=value` between commas, without blanks. By bytes: this is read for every request.
    private struct Parts {
        private let bytes: [UInt8]
        private var parts: [(name: Range<Int>, value: Range<Int>)] = []

        /// - Parameter header: begins with the algorithm; whatever else it is has no parts.
        init(_ header: String) {
            let rest = Array(header.utf8).dropFirst(SignatureV4.algorithm.utf8.count)
            bytes = rest.filter { !$0.isSpace }
            var start = 0
            while start < bytes.count {
                let end = bytes[start...].firstIndex(of: UInt8(ascii: ",")) ?? bytes.count
                if let equals = bytes[start..<end].firstIndex(of: UInt8(ascii: "=")) {
                    parts.append((start..<equals, equals + 1..<end))
                }
                start = end + 1
            }
        }

        /// The last of that name; `nil` if it is empty.
        subscript(name: String) -> ArraySlice<UInt8>? {
            let part = parts.last { bytes[$0.name].elementsEqual(name.utf8) }
            return part.flatMap { $0.value.isEmpty ? nil : bytes[$0.value] }
        }
    }

    private init(
        parameters: [(name: String, value: String)]
    ) throws(SignatureFailure) {
        /// Of two, one would be gone by; and a signature does not sign another one.
        func value(_ name: String) throws(SignatureFailure) -> String? {
            let values = parameters.filter { $0.name == name }
            guard values.count <= 1 else {
                throw .incomplete("'\(name)' must be in the request once.")
            }
            return values.first?.value
        }
        let own = ["X-Amz-Signature", "X-Amz-Credential"]
        guard parameters.contains(where: { own.contains($0.name) }) else { throw .missing }
        func required(_ name: String) throws(SignatureFailure) -> String {
            guard let value = try value(name) else {
                throw .incomplete("AWS query-string parameters must include '\(name)'.")
            }
            return value
        }
        guard try required("X-Amz-Algorithm") == SignatureV4.algorithm else {
            throw .incomplete("X-Amz-Algorithm must be \(SignatureV4.algorithm).")
        }
        try self.init(
            credential: ArraySlice(try required("X-Amz-Credential").utf8),
            date: try required("X-Amz-Date"),
            signedHeaders: ArraySlice(try required("X-Amz-SignedHeaders").utf8),
            signature: ArraySlice(try required("X-Amz-Signature").utf8))
        sessionToken = try value("X-Amz-Security-Token")
        guard let seconds = Int64(try required("X-Amz-Expires")), (1...604_800).contains(seconds)
        else { throw .incomplete("X-Amz-Expires must be between 1 and 604800 seconds.") }
        expires = seconds
    }

    private init(
        credential: ArraySlice<UInt8>, date: String, signedHeaders: ArraySlice<UInt8>,
        signature: ArraySlice<UInt8>
    ) throws(SignatureFailure) {
        let parts = credential.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        guard parts.count == 5, parts[4] == "aws4_request" else {
            throw .incomplete(
                "Credential must have exactly 5 slash-delimited elements, e.g. "
                    + "keyid/date/region/service/term, got "
                    + "'\(String(decoding: credential, as: UTF8.self))'")
        }
        keyID = parts[0]
        scope = CredentialScope(date: parts[1], region: parts[2], service: parts[3])
        self.date = date
        self.signedHeaders = signedHeaders.split(separator: UInt8(ascii: ";"))
            .map { String(decoding: $0, as: UTF8.self).lowercased() }
        self.signature = String(decoding: signature, as: UTF8.self)
    }
}

extension ArraySlice<UInt8> {
    /// Whether a byte is among them. There is no way out of the loop before its end, so the
    /// compiler makes it one that looks at many at a time.
    fileprivate func has(_ byte: UInt8) -> Bool {
        withUnsafeBytes { $0.reduce(0) { $0 | ($1 == byte ? 1 : 0) } != UInt8(0) }
    }
}

extension UInt8 {
    /// A space, or a control character that is one.
    var isSpace: Bool { self == 0x20 || (0x09...0x0D).contains(self) }
}
