// Whether a sanitizer sees what it must, and no more: `SelfCheck clean` is silent; `race`, `leak` and
// `overflow` are reported. Scripts/sanitize asks before it believes in silence.
import Glibc
import Synchronization

/// What four threads change at once, and wait for each other all the time.
private final class Shared: Sendable {
    private let guarded = Mutex<[Int]>([])
    nonisolated(unsafe) private var unguarded = 0
    private let isRace: Bool

    init(isRace: Bool) { self.isRace = isRace }

    func work() {
        for number in 0..<20_000 {
            guarded.withLock { list in
                list.append(number)
                if list.count > 100 { list = [] }
            }
            if isRace { unguarded += 1 }
        }
    }
}

private func workTogether(_ shared: Shared) {
    var threads: [pthread_t] = []
    for _ in 0..<4 {
        var thread = pthread_t()
        pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Shared>.fromOpaque(argument).takeRetainedValue().work()
                return nil
            }, Unmanaged.passRetained(shared).toOpaque())
        threads.append(thread)
    }
    for thread in threads { pthread_join(thread, nil) }
}

private final class Node {
    var other: Node?
    weak var friend: Node?
}

/// Two objects that hold each other, and nobody holds them.
private func leak() {
    let (one, other) = (Node(), Node())
    one.other = other
    other.other = one
    one.friend = other
}

/// What is reached by ways that only Swift knows.
private indirect enum Tree {
    case leaf(Int)
    case name(String)
    case branches([Tree])
}

private let tree = Tree.branches(
    CommandLine.arguments.map { Tree.branches([.name($0), .leaf($0.count)]) })
private let (one, other) = (Node(), Node())
one.friend = other

private func overflow() {
    let bytes = UnsafeMutablePointer<UInt8>.allocate(capacity: 8)
    bytes[8] = 1
    bytes.deallocate()
}

private let fault = CommandLine.arguments.dropFirst().first
workTogether(Shared(isRace: fault == "race"))
if fault == "leak" { for _ in 0..<10 { leak() } }
if fault == "overflow" { overflow() }
_exit(0)
