import Access
import HTTP

extension SignedRequest {
    /// A request as it came.
    package init(_ request: HTTPRequest) {
        self.init(
            method: request.method, path: String(request.path),
            query: request.query.map(String.init) ?? "", headers: request.headers.fields,
            body: request.body)
    }
}
