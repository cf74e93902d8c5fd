import JSON

/// Who sent a request, as far as the route asked.
package struct GatewayCaller: Equatable, Sendable {
    package enum Identity: Equatable, Sendable {
        /// The route did not ask, or asked for a key alone.
        case anonymous
        /// Signed with an access key.
        /// - Parameter userID: the principal's unique id, whatever its key.
        case iam(accessKeyID: String, accountID: String, arn: String, userID: String)
        /// The claims of a token that holds, and its scopes.
        case token(claims: JSONObject, scopes: [String])
    }

    package var identity: Identity
    /// Name and value of the API key that came along and counted.
    package var apiKey: (id: String, value: String)?

    package init(_ identity: Identity = .anonymous, apiKey: (id: String, value: String)? = nil) {
        self.identity = identity
        self.apiKey = apiKey
    }

    package static func == (lhs: Self, rhs: Self) -> Bool {
        lhs.identity == rhs.identity && lhs.apiKey?.id == rhs.apiKey?.id
            && lhs.apiKey?.value == rhs.apiKey?.value
    }

    /// Who it is, for logs; `nil` for nobody known.
    package var name: String? {
        switch identity {
        case .anonymous: nil
        case .iam(_, _, let arn, _): arn
        case .token(let claims, _):
            (claims["username"] ?? claims["cognito:username"] ?? claims["sub"])?.stringValue
        }
    }
}

/// What an event says of the API and the route.
package struct EventContext: Sendable {
    package var kind: APIKind
    package var accountID: String
    package var apiID: String
    package var stage: String
    package var stageVariables: JSONObject
    /// `POST /orders`, or `$default`.
    package var routeKey: String
    /// The route's path as it was written.
    package var resourcePath: String
    package var variables: [String: String]
    /// Bodies of these types are handed over in base64 by a REST API.
    package var binaryMediaTypes: [String]

    package init(
        kind: APIKind, accountID: String, apiID: String, stage: String,
        stageVariables: JSONObject, routeKey: String, resourcePath: String,
        variables: [String: String], binaryMediaTypes: [String]
    ) {
        self.kind = kind
        self.accountID = accountID
        self.apiID = apiID
        self.stage = stage
        self.stageVariables = stageVariables
        self.routeKey = routeKey
        self.resourcePath = resourcePath
        self.variables = variables
        self.binaryMediaTypes = binaryMediaTypes
    }

    var sortedVariables: JSONObject {
        JSONObject(
            variables.sorted { $0.key < $1.key }.map { (key: $0.key, value: .string($0.value)) })
    }

    /// A name of ten characters that is the same each time: what AWS would have drawn by lot.
    static func identifier(of text: String, length: Int = 10) -> String {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325  // FNV-1a
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0100_0000_01B3 }
        let letters = Array("0123456789abcdefghijklmnopqrstuvwxyz".utf8)
        var output: [UInt8] = []
        for _ in 0..<length {
            output.append(letters[Int(hash % 36)])
            hash = hash / 36 ^ hash &* 0x9E37_79B9_7F4A_7C15
        }
        return String(decoding: output, as: UTF8.self)
    }
}
