import JSON

/// What a deploy would do: the difference of two stacks, resource by resource.
package struct StackDiff: Equatable, Sendable {
    package struct Change: Equatable, Sendable {
        /// "timeout", "redrive.maxReceiveCount".
        package var path: String
        /// `nil` where there was, or will be, nothing.
        package var from: JSONValue?
        package var to: JSONValue?
    }

    package enum Kind: Equatable, Sendable {
        case created
        case changed([Change])
        case removed
    }

    package struct Entry: Equatable, Sendable {
        /// "function", "queue", "route", "alarm", "stack".
        package var resource: String
        package var name: String
        package var kind: Kind
    }

    package let entries: [Entry]

    package var isEmpty: Bool { entries.isEmpty }

    private static let sections = [
        ("queues", "queue"), ("lambdas", "function"), ("routes", "route"), ("alarms", "alarm"),
    ]

    /// - Parameter old: `nil` if nothing is deployed.
    package init(from old: Stack?, to new: Stack) {
        var entries: [Entry] = []
        for (key, resource) in Self.sections {
            let before = old?.json[key]?.objectValue ?? JSONObject()
            let after = new.json[key]?.objectValue ?? JSONObject()
            for (name, value) in after.members {
                guard let previous = before[name] else {
                    entries.append(Entry(resource: resource, name: name, kind: .created))
                    continue
                }
                let changes = Self.changes(from: previous, to: value, "")
                if !changes.isEmpty {
                    entries.append(Entry(resource: resource, name: name, kind: .changed(changes)))
                }
            }
            for name in before.keys where after[name] == nil {
                entries.append(Entry(resource: resource, name: name, kind: .removed))
            }
        }
        func rest(_ stack: Stack) -> JSONValue {
            let names = Self.sections.map(\.0)
            let members = stack.json.objectValue?.members ?? []
            return .object(JSONObject(members.filter { !names.contains($0.key) }))
        }
        if let old {
            let changes = Self.changes(from: rest(old), to: rest(new), "")
            if !changes.isEmpty {
                let entry = Entry(resource: "stack", name: new.name, kind: .changed(changes))
                entries.insert(entry, at: 0)
            }
        }
        self.entries = entries
    }

    private static func changes(
        from old: JSONValue, to new: JSONValue, _ path: String
    ) -> [Change] {
        guard old != new else { return [] }
        guard let before = old.objectValue, let after = new.objectValue else {
            return [Change(path: path, from: old, to: new)]
        }
        let keys = before.keys + after.keys.filter { before[$0] == nil }
        return keys.flatMap { key -> [Change] in
            let path = path.isEmpty ? key : "\(path).\(key)"
            switch (before[key], after[key]) {
            case (let from?, let to?): return changes(from: from, to: to, path)
            case (let from, let to): return [Change(path: path, from: from, to: to)]
            }
        }
    }
}
