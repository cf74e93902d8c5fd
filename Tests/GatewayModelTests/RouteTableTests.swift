import GatewayModel
import Testing

@Suite struct RouteTableTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var kind = APIKind.rest
        var routes: [String]
        var request: String
        /// The route's key, and what its variables are; `nil` is no route.
        var route: String?
        var variables: [String: String] = [:]
    }

    static let tree = [
        "GET /pets/dog/1", "GET /pets/dog/{id}", "GET /pets/{proxy+}", "ANY /{proxy+}",
        "POST /pets/dog",
    ]

    @Test(arguments: [
        Case(
            testDescription: "text", routes: ["POST /orders"], request: "POST /orders",
            route: "POST /orders"),
        Case(testDescription: "another method", routes: ["POST /orders"], request: "GET /orders"),
        Case(testDescription: "case counts", routes: ["POST /orders"], request: "POST /Orders"),
        Case(
            testDescription: "a longer path", routes: ["POST /orders"], request: "POST /orders/1"),
        Case(testDescription: "the root", routes: ["GET /"], request: "GET /", route: "GET /"),
        Case(
            testDescription: "a slash at the end is nothing to a REST API",
            routes: ["POST /orders"], request: "POST /orders/", route: "POST /orders"),
        Case(
            testDescription: "a slash at the end counts for an HTTP API", kind: .http,
            routes: ["POST /orders"], request: "POST /orders/"),
        Case(
            testDescription: "slashes before a REST API's path are one",
            routes: ["ANY /{proxy+}", "POST /orders"], request: "POST ///orders",
            route: "POST /orders"),
        Case(
            testDescription: "slashes further in are as many as they are",
            routes: ["ANY /{proxy+}", "POST /a/b"], request: "POST //a//b",
            route: "ANY /{proxy+}", variables: ["proxy": "a//b"]),
        Case(
            testDescription: "an escaped slash is none", routes: ["ANY /{proxy+}", "POST /orders"],
            request: "POST /%2Forders", route: "ANY /{proxy+}",
            variables: ["proxy": "%2Forders"]),
        Case(
            testDescription: "slashes before an HTTP API's path count", kind: .http,
            routes: ["POST /orders"], request: "POST //orders"),
        Case(
            testDescription: "any method", routes: ["ANY /orders"], request: "PATCH /orders",
            route: "ANY /orders"),
        Case(
            testDescription: "any method that there is", routes: ["ANY /orders"],
            request: "TRACE /orders"),
        Case(
            testDescription: "a named method goes before any", routes: ["ANY /o", "GET /o"],
            request: "GET /o", route: "GET /o"),
        Case(
            testDescription: "an encoded path", routes: ["GET /a b"], request: "GET /a%20b"),
        Case(
            testDescription: "encoded letters are letters", routes: ["GET /orders"],
            request: "GET /%6frders", route: "GET /orders"),
        Case(
            testDescription: "letters that Unicode takes for the same are others",
            routes: ["GET /caf\u{E9}", "GET /{other}"], request: "GET /cafe%CC%81",
            route: "GET /{other}", variables: ["other": "cafe%CC%81"]),
        Case(
            testDescription: "a REST API's variables stay as they came",
            routes: ["GET /o/{id}/{n}/{proxy+}"], request: "GET /o/a%2Fb%20c+d/%C3%A4/test%2Bx/y",
            route: "GET /o/{id}/{n}/{proxy+}",
            variables: ["id": "a%2Fb%20c+d", "n": "%C3%A4", "proxy": "test%2Bx/y"]),
        Case(
            testDescription: "an HTTP API's variables are decoded", kind: .http,
            routes: ["GET /o/{id}/{n}/{proxy+}"], request: "GET /o/a%2Fb%20c+d/%C3%A4/test%2Bx/y",
            route: "GET /o/{id}/{n}/{proxy+}",
            variables: ["id": "a/b c+d", "n": "ä", "proxy": "test+x/y"]),
        Case(testDescription: "no empty variable", routes: ["GET /o/{id}"], request: "GET /o//"),
        Case(
            testDescription: "text before a variable", routes: tree,
            request: "GET /pets/dog/1", route: "GET /pets/dog/1"),
        Case(
            testDescription: "a variable before a greedy one", routes: tree,
            request: "GET /pets/dog/2", route: "GET /pets/dog/{id}", variables: ["id": "2"]),
        Case(
            testDescription: "a greedy one takes the rest", routes: tree,
            request: "GET /pets/cat/2/3", route: "GET /pets/{proxy+}",
            variables: ["proxy": "cat/2/3"]),
        Case(
            testDescription: "the longest text before greedy ones", routes: tree,
            request: "PUT /fish", route: "ANY /{proxy+}", variables: ["proxy": "fish"]),
        Case(
            testDescription: "a greedy one takes no empty rest", routes: ["ANY /{proxy+}"],
            request: "GET /"),
        Case(
            testDescription: "nor behind a slash", routes: ["ANY /files/{proxy+}"],
            request: "GET /files/"),
        Case(
            testDescription: "a greedy one of an HTTP API does, behind a slash", kind: .http,
            routes: ["ANY /files/{proxy+}", "$default"], request: "GET /files/",
            route: "ANY /files/{proxy+}", variables: ["proxy": ""]),
        Case(
            testDescription: "the root has that slash", kind: .http,
            routes: ["ANY /{proxy+}", "$default"], request: "GET /",
            route: "ANY /{proxy+}", variables: ["proxy": ""]),
        Case(
            testDescription: "a route of the root's own goes first", kind: .http,
            routes: ["ANY /{proxy+}", "ANY /"], request: "GET /", route: "ANY /"),
        Case(
            testDescription: "the root is no variable", kind: .http,
            routes: ["ANY /{id}", "ANY /{id}/{proxy+}"], request: "GET /"),
        Case(
            testDescription: "not without the slash", kind: .http,
            routes: ["ANY /files/{proxy+}"], request: "GET /files"),
        Case(
            testDescription: "a REST API stays at the resource that it found", routes: tree,
            request: "DELETE /pets/dog"),
        Case(
            testDescription: "an HTTP API looks on for a method that fits", kind: .http,
            routes: tree, request: "DELETE /pets/dog", route: "ANY /{proxy+}",
            variables: ["proxy": "pets/dog"]),
        Case(
            testDescription: "an HTTP API goes without greedy ones first", kind: .http,
            routes: ["GET /a/{proxy+}", "GET /{x}/b"], request: "GET /a/b", route: "GET /{x}/b",
            variables: ["x": "a"]),
        Case(
            testDescription: "a REST API goes from the left",
            routes: ["GET /a/{proxy+}", "GET /{x}/b"], request: "GET /a/b",
            route: "GET /a/{proxy+}", variables: ["proxy": "b"]),
        Case(
            testDescription: "$default takes what is left", kind: .http,
            routes: ["$default", "GET /a"], request: "POST /a", route: "$default"),
        Case(
            testDescription: "dots are no way up", routes: ["GET /a", "ANY /b/{proxy+}"],
            request: "GET /b/../a", route: "ANY /b/{proxy+}", variables: ["proxy": "../a"]),
    ])
    func match(_ sample: Case) {
        let words = sample.request.split(separator: " ", maxSplits: 1)
        let table = RouteTable(sample.routes, kind: sample.kind)
        let match = table.match(method: String(words[0]), path: words[1])
        #expect(match.map { sample.routes[$0.route] } == sample.route)
        #expect(match?.variables ?? [:] == sample.variables)
    }

    @Test(
        "paths that make no sense",
        arguments: [
            "orders", "/a//b", "/a/", "/{", "/{}", "/a{b}", "/{a b}", "/{a}/{a}", "/{p+}/x",
            "/a?b", "/a%20",
        ])
    func badPath(text: String) {
        #expect(throws: RoutePath.Mistake.self) { _ = try RoutePath(text) }
    }

    @Test("a million slashes are not a million steps of another kind")
    func long() {
        let table = RouteTable(["ANY /{proxy+}"], kind: .http)
        let path = Substring(String(repeating: "/a", count: 4000))
        #expect(table.match(method: "GET", path: path)?.variables["proxy"]?.count == 7999)
    }

    @Test(
        "policies see a path as routes do",
        arguments: [
            ("/orders", "orders"), ("/%6frders", "orders"), ("/orders/", "orders"), ("/", ""),
            ("/a%20b/%C3%A4", "a b/ä"), ("/a%2Fb", "a%2Fb"), ("/a%252Fb", "a%252Fb"),
            ("/50%", "50%25"), ("//a", "a"), ("///%61//", "a"), ("//", ""),
            ("/a//b", "a//b"), ("/%2Fa", "%2Fa"), ("//%2Fa", "%2Fa"),
            ("/a%2F%CC%81b", "a%2F\u{301}b"), ("/%25%CC%81", "%25\u{301}"),
        ])
    func resource(path: String, named: String) {
        let resource = RouteTable.resource(path[...], kind: .rest)
        #expect(Array(resource.utf8) == Array(named.utf8))
    }

    @Test("slashes of an HTTP API's path count for policies, too")
    func slash() {
        #expect(RouteTable.resource("/orders/", kind: .http) == "orders/")
        #expect(RouteTable.resource("//orders", kind: .http) == "/orders")
    }
}
