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
        guard header.hasPrefix(SignatureV4.algorithm) else {
            throw .incomplete("Authorization header requires \(SignatureV4.algorithm).")
        }
        var parts: [String: String] = [:]
        for part in header.dropFirst(SignatureV4.algorithm.count).split(separator: ",") {
            let pair = part.split(separator: "=", maxSplits: 1).map {
                String($0.filter { !$0.isWhitespace })
            }
            if pair.count == 2 { parts[pair[0]] = pair[1] }
        }
        func required(_ name: String) throws(SignatureFailure) -> String {
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
        let parts = credential.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 5, parts[4] == "aws4_request" else {
            throw .incomplete(
                "Credential must have exactly 5 slash-delimited elements, e.g. "
                    + "keyid/date/region/service/term, got '\(credential)'")
        }
        keyID = String(parts[0])
        scope = CredentialScope(
            date: String(parts[1]), region: String(parts[2]), service: String(parts[3]))
        self.date = date
        self.signedHeaders = signedHeaders.split(separator: ";").map { $0.lowercased() }
        self.signature = signature
    }
}
