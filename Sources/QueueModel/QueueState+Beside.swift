import JSON

extension QueueState {
    /// Every message that is not to be found in the stream, by its place: in flight, returned or
    /// delayed, and on its way to another queue.
    package func besideStream(at now: Timestamp) -> [StreamEntry] {
        let held = held.values.filter { !isGone($0, at: now) }
        return (held + transfers.flatMap(\.messages)).map(\.entry)
            .sorted { $0.place < $1.place }
    }

    /// The one of them at a place, expired or not.
    package func besideStream(_ place: Place) -> StreamEntry? {
        if let message = held[place] { return message.entry }
        for transfer in transfers {
            for message in transfer.messages where message.entry.place == place {
                return message.entry
            }
        }
        return nil
    }
}
