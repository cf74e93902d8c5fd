/// Which of API Gateway's two products an API behaves like.
package enum APIKind: String, Sendable, CaseIterable {
    /// A REST API: event 1.0, keys and usage plans, request validation, both integrations.
    case rest
    /// An HTTP API: event 2.0 or 1.0, the proxy integration alone.
    case http
}
