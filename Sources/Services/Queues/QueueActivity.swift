/// What happened to a queue, for its metrics.
package struct QueueActivity: Sendable {
    package typealias Observer = @Sendable (QueueActivity) -> Void

    package enum Kind: Sendable {
        /// A message's size, and those of others that came with it: for the usual one there is no
        /// list to make.
        case sent(bytes: Int, others: [Int])
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
