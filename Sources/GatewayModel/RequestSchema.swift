import JSON

/// A JSON Schema of draft 4, as API Gateway's models are. `format` says nothing; keywords that
/// draft 4 does not have are refused, as API Gateway does.
package struct RequestSchema: Sendable {
    /// What is wrong with a schema, and where.
    package struct Mistake: Error, Equatable, Sendable {
        /// The way to it from the schema's root: keys and indices.
        package var path: [String]
        package var message: String
    }

    /// Schemas within each other, and references followed, for one value.
    package static let maximumDepth = 256

    /// Every schema in it, by its JSON pointer; `""` is the root.
    let nodes: [ExactText: SchemaNode]

    /// - Throws: the first `Mistake`.
    package init(_ json: JSONValue) throws(Mistake) {
        var compiler = SchemaCompiler()
        try compiler.compile(json, at: [])
        try compiler.checkReferences()
        nodes = compiler.nodes
    }

    /// Schemas asked for a body: so many, and so many more for each of its bytes. Where that is not
    /// enough, the answer is no.
    private static let steps = (base: 100_000, perByte: 10)

    /// Whether a body is JSON, and as the schema says; no body counts as `{}`.
    package func accepts(body: [UInt8]) -> Bool {
        guard let value = try? JSONValue.parse(body.isEmpty ? Array("{}".utf8) : body) else {
            return false
        }
        let steps = Self.steps.base + Self.steps.perByte * body.count
        return SchemaJudge(schema: self, steps: steps).accepts(value, "", depth: 0)
    }
}

/// One schema, its keywords checked. Schemas in it are named by their pointers.
struct SchemaNode: Sendable {
    enum Kind: String, CaseIterable {
        case null, boolean, integer, number, string, array, object
    }

    struct Bound {
        var value: DecimalNumber
        var isExclusive: Bool
    }

    /// `additionalProperties` and `additionalItems`.
    enum Rest {
        case anything
        case nothing
        case schema(String)
    }

    enum Items {
        case all(String)
        case each([String])
    }

    enum Dependency {
        case properties([String])
        case schema(String)
    }

    var reference: String?
    var kinds: Set<Kind>?
    var choices: Set<ExactText>?
    var minimum: Bound?
    var maximum: Bound?
    var multipleOf: DecimalNumber?
    var length: ClosedRange<Int>?
    var pattern: TextPattern?
    var items: Items?
    var additionalItems = Rest.anything
    var itemCount: ClosedRange<Int>?
    var areItemsUnique = false
    var required: [String] = []
    var properties: [ExactText: String] = [:]
    var patternProperties: [(pattern: TextPattern, schema: String)] = []
    var additionalProperties = Rest.anything
    var propertyCount: ClosedRange<Int>?
    var dependencies: [(name: String, dependency: Dependency)] = []
    var all: [String] = []
    var any: [String]?
    var one: [String]?
    var not: String?
}
