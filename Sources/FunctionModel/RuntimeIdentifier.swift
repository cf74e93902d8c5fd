/// A function's `runtime`, as stack.json and AWS spell it.
package struct RuntimeIdentifier: Equatable, Sendable {
    package enum Family: Sendable {
        case python
        case node
        /// An executable `bootstrap` in the code folder.
        case provided
    }

    package let name: String
    package let family: Family

    /// `nil` for a runtime that msorch does not have.
    package init?(_ name: String) {
        self.name = name
        if name.hasPrefix("python3") {
            family = .python
        } else if name.hasPrefix("nodejs") {
            family = .node
        } else if name.hasPrefix("provided") {
            family = .provided
        } else {
            return nil
        }
    }

    /// Programs to look for, the best first.
    package var programs: [String] {
        switch family {
        case .python: name == "python3" ? ["python3"] : [name, "python3"]
        case .node: ["node", "nodejs"]
        case .provided: []
        }
    }
}
