import JSON

/// Which route a request takes (API Gateway guide, *Routing*, and *greedy path variables*).
///
/// - A REST API finds the resource by its path alone, segment by segment: text before `{variable}`
///   before `{greedy+}`. Then the resource's own method counts, or its `ANY`; another resource is
///   not tried. A slash at the end is nothing, nor is more than one at the beginning.
/// - An HTTP API looks at routes whose method fits, first those without a greedy variable; a named
///   method goes before `ANY`, and `$default` takes what is left. A slash at the end counts.
package struct RouteTable: Sendable {
    package static let defaultKey = "$default"
    /// What `ANY` and `$default` mean: API Gateway knows no others.
    package static let methods: Set<String> = [
        "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT",
    ]

    /// A route's method and path, from `POST /orders`; `nil` of both is `$default`.
    package struct Key: Equatable, Sendable {
        package let method: String
        package let path: RoutePath

        /// - Parameter text: `METHOD /path`.
        package init(_ text: String) throws(RoutePath.Mistake) {
            let words = text.split(separator: " ", maxSplits: 1)
            guard words.count == 2 else {
                throw RoutePath.Mistake(message: "a route is a method and a path")
            }
            method = String(words[0])
            path = try RoutePath(String(words[1]))
        }
    }

    package struct Match: Equatable, Sendable {
        /// The route's place in the list that the table was made of.
        package var route: Int
        /// Path variables, as events have them: still encoded in a REST API.
        package var variables: [String: String]
    }

    private struct Entry {
        var route: Int
        var key: Key
    }

    private let kind: APIKind
    private let entries: [Entry]
    private let defaultRoute: Int?

    /// - Parameter keys: route keys as stack.json has them; one that makes no sense matches
    ///   nothing.
    package init(_ keys: [String], kind: APIKind) {
        self.kind = kind
        entries = keys.enumerated().compactMap { index, text in
            (try? Key(text)).map { Entry(route: index, key: $0) }
        }
        defaultRoute = keys.firstIndex(of: Self.defaultKey)
    }

    /// The route of a request; `nil` if there is none.
    /// - Parameter path: without the stage, still percent-encoded.
    package func match(method: String, path: Substring) -> Match? {
        guard Self.methods.contains(method) else { return nil }
        let found =
            switch kind {
            case .rest:
                best(at: path).first { $0.method == method }
                    ?? best(at: path).first { $0.method == "ANY" }
            case .http:
                candidates(at: path)
                    .filter { $0.method == method || $0.method == "ANY" }
                    .min { order($0, method) < order($1, method) }
            }
        if let found {
            return Match(
                route: found.route,
                variables: Dictionary(
                    found.variables.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 }))
        }
        return defaultRoute.map { Match(route: $0, variables: [:]) }
    }

    /// A path as policies name it, without the slash that it begins with. Spellings that routes
    /// take for the same are the same here: else an escape would lead around a policy. A slash that
    /// was escaped stays so, since it parts nothing.
    ///
    /// - Parameter path: without the stage, still percent-encoded.
    package static func resource(_ path: Substring, kind: APIKind) -> String {
        words(of: path, kind).map { escaped(PercentEncoding.decode($0)) }.joined(separator: "/")
    }

    /// By scalars: a slash with a mark above is no `/` among characters, and is one to a policy.
    private static func escaped(_ word: String) -> String {
        var text = String.UnicodeScalarView()
        for scalar in word.unicodeScalars {
            switch scalar {
            case "%": text.append(contentsOf: "%25".unicodeScalars)
            case "/": text.append(contentsOf: "%2F".unicodeScalars)
            default: text.append(scalar)
            }
        }
        return String(text)
    }

    /// A path's segments, still encoded.
    private static func words(of path: Substring, _ kind: APIKind) -> [Substring] {
        var path = path
        if kind == .rest {
            while path.hasSuffix("/") { path = path.dropLast() }
            while path.hasPrefix("//") { path = path.dropFirst() }
        }
        guard !path.isEmpty, path != "/" else { return [] }
        return path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
    }

    private struct Candidate {
        var route: Int
        var method: String
        var rank: [Int]
        var variables: [(name: String, value: String)]
    }

    private func candidates(at path: Substring) -> [Candidate] {
        let words = Self.words(of: path, kind)
        return entries.compactMap { entry in
            entry.key.path.match(words, kind).map { variables in
                let isLate = kind == .http && entry.key.path.isGreedy
                return Candidate(
                    route: entry.route, method: entry.key.method,
                    rank: [isLate ? 1 : 0] + entry.key.path.rank, variables: variables)
            }
        }
    }

    /// The routes of the most specific path.
    private func best(at path: Substring) -> [Candidate] {
        let all = candidates(at: path)
        guard let first = all.map(\.rank).min(by: { $0.lexicographicallyPrecedes($1) }) else {
            return []
        }
        return all.filter { $0.rank == first }
    }

    private func order(_ candidate: Candidate, _ method: String) -> Order {
        Order(rank: candidate.rank, isExact: candidate.method == method)
    }

    private struct Order: Comparable {
        var rank: [Int]
        var isExact: Bool

        static func < (lhs: Order, rhs: Order) -> Bool {
            if lhs.rank != rhs.rank { return lhs.rank.lexicographicallyPrecedes(rhs.rank) }
            return lhs.isExact && !rhs.isExact
        }
    }
}
