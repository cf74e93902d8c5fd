/// How a command ended, as a shell sees it (docs/cli.md).
package enum ExitCode: Int32, Sendable, CaseIterable {
    case success = 0
    /// The work was done, and it failed.
    case failure = 1
    /// The command line or its input is wrong; nothing was done.
    case usage = 2
    case notFound = 3
    /// Refused to protect something: messages that would be lost, a name that is taken.
    case refused = 4
    /// A journal is harmed, or of a newer version.
    case damaged = 5
    /// `deploy --plan`: there is something to do.
    case changes = 10
    case inputOutput = 74
}

/// Ends a command with an exit code and without words: they have been said.
package struct SilentExit: Error, Sendable {
    package var exitCode: ExitCode
}

/// What the user reads when a command cannot go on: a sentence, and what to do about it.
package struct CommandError: Error, Sendable {
    package var exitCode: ExitCode
    package var message: String
    package var hint: String?

    package init(_ exitCode: ExitCode, _ message: String, hint: String? = nil) {
        self.exitCode = exitCode
        self.message = message
        self.hint = hint
    }
}
