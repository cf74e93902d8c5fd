/// What happened to a queue, for its metrics.
package struct QueueActivity: Sendable {
    package typealias Observer = @Sendable (QueueActivity) -> Void

    package enum Kind: Sendable {
        /// The size of each message.
        case sent(bytes: [Int])
        /// 0: an empty receive.
        case received(Int)
        case deleted(Int)
        /// Messages of another queue came, which is no send.
        case taken
        /// Somebody looked for messages, and nobody counts that.
        case polled
    }

    package var queue: String
    package var kind: Kind
}
