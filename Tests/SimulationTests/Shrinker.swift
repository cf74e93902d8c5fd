/// Finds a short way to the same end.
enum Shrinker {
    /// Tries for at most so long.
    private static let patience: Duration = .seconds(20)

    /// The steps without which nothing fails, as far as leaving some out shows.
    static func shrink(_ steps: [Step], failing: ([Step]) -> Bool) -> [Step] {
        var steps = steps
        let deadline = ContinuousClock.now + patience
        func hasTime() -> Bool { ContinuousClock.now < deadline }
        var size = max(1, steps.count / 2)
        while hasTime() {
            var start = 0
            var isShorter = false
            while start < steps.count, hasTime() {
                var candidate = steps
                candidate.removeSubrange(start..<min(start + size, steps.count))
                if failing(candidate) {
                    steps = candidate
                    isShorter = true
                } else {
                    start += size
                }
            }
            if size > 1 {
                size /= 2
            } else if !isShorter {
                break
            }
        }
        // Then what happens within the steps that are left.
        for index in steps.indices where hasTime() {
            for change in simplifications where hasTime() {
                var candidate = steps
                change(&candidate[index])
                if failing(candidate) { steps = candidate }
            }
        }
        return steps
    }

    private static let simplifications: [@Sendable (inout Step) -> Void] = [
        { $0.interruptions = [] },
        { if !$0.interruptions.isEmpty { $0.interruptions.removeLast() } },
        { if !$0.interruptions.isEmpty { $0.interruptions.removeFirst() } },
        { $0.faults = [] },
        { step in
            for index in step.interruptions.indices {
                step.interruptions[index].step.interruptions = []
            }
        },
        { step in
            if case .send(let entries) = step.action { step.action = .send([entries[0]]) }
        },
        { step in
            if case .delete(let picks) = step.action { step.action = .delete([picks[0]]) }
        },
    ]

    /// One line a step, what happens within it indented.
    static func describe(_ steps: [Step], indent: String = "  ") -> String {
        steps.map { step in
            var line = "\(indent)\(step.number) p\(step.process) \(step.queue) \(step.action)"
            for fault in step.faults { line += " + \(fault.kind) at call \(fault.call)" }
            for interruption in step.interruptions {
                line += "\n\(indent)  at call \(interruption.call):\n"
                line += describe([interruption.step], indent: indent + "    ")
            }
            return line
        }.joined(separator: "\n")
    }
}
