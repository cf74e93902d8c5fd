/// Who has to be looked at when: places in a circle of half seconds, so that a tick costs nothing
/// for those who have time. Times are of the monotonic clock, in nanoseconds.
struct DeadlineWheel: Sendable {
    static let tick: UInt64 = 500_000_000
    /// More than the longest usual timeout; whoever waits longer is looked at once a turn.
    private static let places: UInt64 = 512

    private var turns = [[CInt]](repeating: [], count: Int(Self.places))
    /// The last tick whose connections were handed out.
    private var done: UInt64

    init(now: UInt64) { done = now / Self.tick }

    /// The tick that ends after `deadline`.
    static func turn(_ deadline: UInt64) -> UInt64 { deadline / tick + 1 }

    /// - Returns: the tick after which it will be due.
    mutating func insert(_ connection: CInt, _ deadline: UInt64) -> UInt64 {
        let turn = min(max(Self.turn(deadline), done + 1), done + Self.places - 1)
        turns[Int(turn % Self.places)].append(connection)
        return turn
    }

    /// Everybody whose time has come, and some who were looked at before.
    mutating func due(at now: UInt64) -> [CInt] {
        let current = now / Self.tick
        var due: [CInt] = []
        // After a long pause each place comes once.
        let first = max(done + 1, current >= Self.places ? current - Self.places + 1 : 0)
        guard first <= current else { return [] }
        for turn in first...current {
            due += turns[Int(turn % Self.places)]
            turns[Int(turn % Self.places)] = []
        }
        done = current
        return due
    }
}
