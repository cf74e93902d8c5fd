import JSON

/// A stack file, checked.
package struct StackFile: Sendable {
    /// Larger files are refused unread.
    package static let maximumBytes = 4 * 1024 * 1024

    /// The stack as it was written; `nil` if the file is not even JSON.
    package var json: JSONValue?
    /// Every problem, in the order of the file.
    package var diagnostics: [Diagnostic]
    /// Where `security.jwt.jwksFile` stands: what that file holds is not known here.
    package private(set) var keySetPosition: JSONPosition?

    package var isValid: Bool { !diagnostics.contains { $0.severity == .error } }

    /// Finds every mistake in one run.
    package init(_ bytes: [UInt8]) {
        guard bytes.count <= Self.maximumBytes else {
            let start = JSONPosition(line: 1, column: 1, offset: 0)
            diagnostics = [
                Diagnostic(
                    .error, start,
                    "the file has \(bytes.count) bytes; allowed: \(Self.maximumBytes)")
            ]
            return
        }
        let located: LocatedJSON
        do throws(JSONError) {
            located = try LocatedJSON.parse(bytes)
        } catch {
            diagnostics = [Diagnostic(.error, error.position, error.message)]
            return
        }
        var validator = SchemaValidator()
        validator.check(located, StackSchema.root, "")
        var references = ReferenceChecker(located)
        references.check()
        json = located.plain
        let root = Node(value: located, path: "")
        keySetPosition = root["security"]?["jwt"]?["jwksFile"]?.value.position
        diagnostics = (validator.diagnostics + references.diagnostics).sorted {
            ($0.position.offset, $0.message) < ($1.position.offset, $1.message)
        }
    }
}
