/// What became of one part of a call: its result, or SQS's refusal.
///
/// A type of its own: for a `Result` the runtime looks through every conformance in the program for
/// that of the failure to `Error`, a hundred thousand instructions of a one-shot command.
package enum Outcome<Success: Sendable>: Sendable {
    case success(Success)
    case failure(SQSError)

    package func get() throws(SQSError) -> Success {
        switch self {
        case .success(let success): return success
        case .failure(let error): throw error
        }
    }

    package func map<Other>(_ change: (Success) -> Other) -> Outcome<Other> {
        flatMap { .success(change($0)) }
    }

    package func flatMap<Other>(_ next: (Success) -> Outcome<Other>) -> Outcome<Other> {
        switch self {
        case .success(let success): next(success)
        case .failure(let error): .failure(error)
        }
    }
}
