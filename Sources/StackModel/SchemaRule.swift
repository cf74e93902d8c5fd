/// What a value in a stack file may be: the one source of the validator and of
/// docs/stack.schema.json.
package indirect enum SchemaRule: Sendable {
    /// - Parameter pattern: a regular expression that the whole text matches, and what it means in
    /// words.
    case text(pattern: String? = nil, meaning: String? = nil)
    case choice([String])
    case integer(ClosedRange<Int64>, unit: String? = nil)
    case number
    case boolean
    case list(of: SchemaRule, maximum: Int)
    /// One value, or a list of them.
    case oneOrMany(SchemaRule)
    /// `true`, `false`, or more about it.
    case toggle(SchemaRule)
    /// Names of the author's choice; `names` is a pattern with its meaning.
    case map(names: String, meaning: String, of: SchemaRule, maximum: Int? = nil)
    case object([SchemaProperty])
    case anything
}

/// One member of an object.
package struct SchemaProperty: Sendable {
    package var name: String
    package var rule: SchemaRule
    package var isRequired: Bool
    /// The one that stands in its place where it is required: never both.
    package var alternative: String?
    package var description: String

    package init(
        _ name: String, _ rule: SchemaRule, required: Bool = false, or alternative: String? = nil,
        _ description: String
    ) {
        self.name = name
        self.rule = rule
        isRequired = required
        self.alternative = alternative
        self.description = description
    }
}
